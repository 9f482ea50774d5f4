"""A flow: the requests that lead to a result, written once and free of I/O.

A flow is a generator. It yields a `Request`, is sent the `Response`, and returns its result:

    def acquire(self) -> Flow[Token]:
        response = yield request
        return read(response)

`procountor_auth.transport.transport` drives flows over sockets; a test drives them with `flow.send(response)` and no
network at all.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from procountor_auth.protocol import strict_json
from procountor_auth.protocol.secret_fields import SecretFields

T = TypeVar("T")


class Repeat(enum.Enum):
    """When a request may be sent again after it got no response, or one that says "not now"."""

    SAFE = "safe"
    """Whenever: a second time does no harm."""

    UNPROCESSED = "unprocessed"
    """Only if the server can't have acted on it: a code works once, and a refresh token may have been replaced."""


@dataclass(frozen=True, slots=True, eq=False)
class Request(SecretFields):
    """One HTTP request. `repr` shows the method and the URL without its query.

    Attributes:
        method: `POST` or `GET`.
        url: The absolute URL. No secret stands in it.
        body: The form-encoded body; empty for none. Secret.
        bearer: The token for an `Authorization: Bearer` header, if any. Secret.
        repeat: When it may be sent again.
    """

    method: str
    url: str = field(repr=False)
    body: str = field(default="", repr=False)
    bearer: str | None = field(default=None, repr=False)
    repeat: Repeat = field(default=Repeat.UNPROCESSED, repr=False)
    host: str = field(init=False)
    path: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        object.__setattr__(self, "host", f"{parts.scheme}://{parts.netloc}")
        object.__setattr__(self, "path", parts.path)


@dataclass(frozen=True, slots=True, eq=False)
class Response(SecretFields):
    """One HTTP response. `repr` shows the status alone: a code may stand in a header, a token in the body.

    Attributes:
        status: The status code.
        headers: Lower-case names, each with all its values in order.
        body: The body, not decoded.
    """

    status: int
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        values = self.headers.get(name.lower(), ())
        return values[0] if values else None

    def combined(self, name: str) -> str | None:
        """Return all values of a header that is a list, as one (RFC 9110, section 5.3), or None."""
        return ", ".join(self.headers.get(name.lower(), ())) or None

    @property
    def is_html(self) -> bool:
        """Whether a web page came where an API response was promised."""
        content_type = (self.header("content-type") or "").lower()
        return "html" in content_type or self.body.lstrip()[:1] == b"<"

    def json_object(self) -> dict[str, Any] | None:
        """Return the body as a JSON object, or None if it isn't one that can be understood in one way only."""
        try:
            # Decoded here: `json` would take UTF-16 and UTF-32 too, which RFC 8259 does not.
            parsed = strict_json.parse(self.body.decode("utf-8-sig"))
        except ValueError:
            return None
        return parsed if isinstance(parsed, dict) else None


Flow: TypeAlias = Generator[Request, Response, T]
"""Yields requests, is sent responses, returns a `T`."""


def observed(flow: Flow[T], on_response: Callable[[Response, str], None]) -> Flow[T]:
    """Return the same flow; `on_response` is called with each response, and the path of its request."""
    response: Response | None = None
    try:
        while True:
            try:
                request = flow.send(response)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as done:
                result: T = done.value
                return result
            response = yield request
            on_response(response, request.path)
    finally:
        flow.close()
