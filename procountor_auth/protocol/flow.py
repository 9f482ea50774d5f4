"""A flow: the requests that lead to a result, described without I/O.

A flow is a generator. It yields a `Request`, is sent the `Response`, and returns its result:

    def acquire(self) -> Flow[Token]:
        response = yield request
        return read(response)

`procountor_auth.transport.transport` runs flows over sockets; a test runs them with `flow.send(response)`, without a
network.
"""

from __future__ import annotations

import codecs
import enum
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from procountor_auth.protocol import strict_json
from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.protocol.secret_fields import SecretFields

T = TypeVar("T")

# Python imports a codec with its first use. Here that would be after the answer, which a process without a file
# descriptor left could then not read: a refresh token in it would be lost.
codecs.lookup("utf-8-sig")


class Repeat(enum.Enum):
    """When a request may be sent again after it got no response, or a temporary failure."""

    SAFE = "safe"
    """Always: repeating it does no harm."""

    UNPROCESSED = "unprocessed"
    """Only if the server can't have processed it: a code works once, and a refresh token may have been replaced."""


@dataclass(frozen=True, slots=True, eq=False)
class Request(SecretFields):
    """One HTTP request. Its `repr` shows the method and the URL without its query.

    Attributes:
        method: `POST` or `GET`.
        url: The absolute URL, without secrets.
        body: The form-encoded body; empty for none. Secret.
        bearer: The token for an `Authorization: Bearer` header, if any. Secret.
        repeat: When it may be sent again.
    """

    method: str
    url: str = field(repr=False)
    body: str = field(default="", repr=False)
    bearer: str | None = field(default=None, repr=False)
    repeat: Repeat = field(default=Repeat.UNPROCESSED, repr=False)
    host: str = field(init=False, default="")
    path: str = field(init=False, default="")

    def __post_init__(self) -> None:
        # Both have a value before: a traceback with locals shows the request whose URL can't be parsed.
        parts = urlsplit(self.url)
        object.__setattr__(self, "host", f"{parts.scheme}://{parts.netloc}")
        object.__setattr__(self, "path", parts.path)


@dataclass(frozen=True, slots=True, eq=False)
class Response(SecretFields):
    """One HTTP response. Its `repr` shows only the status: a header may contain a code, and the body a token.

    Attributes:
        status: The status code.
        headers: Lower-case names, each with all its values in order.
        body: The body, not decoded.
    """

    status: int
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        values = self.headers.get(name.lower(), ())
        return values[0] if values else None

    def combined(self, name: str) -> str | None:
        """Return all values of a list header, joined into one (RFC 9110, section 5.3), or None."""
        return ", ".join(self.headers.get(name.lower(), ())) or None

    @property
    def is_html(self) -> bool:
        """Whether the response is a web page instead of an API response."""
        content_type = (self.header("content-type") or "").lower()
        return "html" in content_type or self.body.lstrip()[:1] == b"<"

    def json_object(self) -> dict[str, Any] | None:
        """Return the body as a JSON object, or None if it is not an unambiguous one."""
        try:
            # Decoded here: `json` also accepts UTF-16 and UTF-32, which RFC 8259 does not.
            parsed = strict_json.parse(self.body.decode("utf-8-sig"))
        except ValueError:
            return None
        return parsed if is_json_object(parsed) else None


Flow: TypeAlias = Generator[Request, Response, T]
"""A generator that yields requests, is sent responses, and returns a `T`."""


def observed(flow: Flow[T], on_response: Callable[[Response, str], None]) -> Flow[T]:
    """Return the same flow; `on_response` is called with each response, and the path of its request."""
    response: Any = None  # a generator is started with None
    try:
        while True:
            try:
                request = flow.send(response)
            except StopIteration as done:
                result: T = done.value
                return result
            response = yield request
            on_response(response, request.path)
    finally:
        flow.close()
