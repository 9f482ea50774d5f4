"""The parameters of a request to the OAuth endpoints: in the body, or in the query of the oldest programs."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote_plus

from pydantic import SecretStr
from starlette.formparsers import MultiPartException, MultiPartParser

from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.transport.log_filter import quiet

from .problem import OAuthProblem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

MAX_BODY: Final = 65_536
"""The most bytes of a form."""

_MAX_PARAMETERS: Final = 100

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

SECRETS: Final = frozenset({"password", "client_secret", "refresh_token", "code", "api_key", "username"})
"""Parameters that do not belong in a URL."""


class Parameters(Unpicklable):
    """The parameters of a request. Values are wrapped, because any of them may be secret."""

    def __init__(self, query: list[tuple[str, str]], body: list[tuple[str, str]]) -> None:
        self._values: dict[str, SecretStr] = {}
        self._twice: set[str] = set()
        for part in (query, body):
            here: dict[str, SecretStr] = {}
            for name, value in part:
                if name in here and here[name].get_secret_value() != value:
                    self._twice.add(name)
                here[name] = SecretStr(value)
            self._values |= here

    @classmethod
    async def of(cls, request: Request, *, seconds: float) -> Parameters:
        """Read the parameters of a request; where both the body and the query have one, the body's counts.

        Args:
            request: The request.
            seconds: Seconds that the whole body has to come.

        Raises:
            OAuthProblem: The body is too large, is no form, has what is no text, or does not come.
            ClientDisconnect: The program has gone.
        """
        query = _pairs(request.scope["query_string"])
        try:
            # As a whole: nobody has shown a password yet, and a byte a minute would keep the connection for weeks.
            async with asyncio.timeout(seconds):
                body = await _body(request)
        except TimeoutError:
            message = "The form did not come."
            raise OAuthProblem("invalid_request", message, status=HTTPStatus.REQUEST_TIMEOUT) from None
        return cls(query, body)

    def get(self, name: str) -> SecretStr:
        """Return a parameter; empty if it is not there.

        Raises:
            OAuthProblem: It is there more than once (RFC 6749, section 3.1).
        """
        if name in self._twice:
            raise OAuthProblem("invalid_request", f"The parameter {name} is there more than once.")
        return self._values.get(name, SecretStr(""))

    def text(self, name: str) -> str:
        """Return a parameter that is no secret. Raises what `get` raises."""
        return self.get(name).get_secret_value()

    def require(self, *names: str) -> None:
        """Make sure that parameters are there.

        Raises:
            OAuthProblem: One is not.
        """
        for name in names:
            if not self.get(name).get_secret_value():
                raise OAuthProblem("invalid_request", f"The parameter {name} is missing.")


def has_secret(query_string: bytes) -> bool:
    """Whether the URL contains a secret, which logs may keep."""
    names = (part.partition(b"=") for part in query_string.split(b"&"))
    return any(value and unquote_plus(name.decode("latin-1")) in SECRETS for name, _, value in names)


async def _body(request: Request) -> list[tuple[str, str]]:
    size = 0
    chunks: list[bytes] = []
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise OAuthProblem("invalid_request", f"The form is larger than {MAX_BODY} bytes.", status=413)
        chunks.append(chunk)
    body = b"".join(chunks)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return _pairs(body)

    async def once() -> AsyncGenerator[bytes]:
        yield body

    try:
        with quiet():  # its log quotes what was sent
            form = await MultiPartParser(
                request.headers, once(), max_files=0, max_fields=_MAX_PARAMETERS, max_part_size=MAX_BODY
            ).parse()
    except (MultiPartException, ValueError):
        raise OAuthProblem("invalid_request", "The form can't be read.") from None
    pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    # A program may name any encoding that Python has, and with some of them there are lone surrogates.
    if any(_SURROGATE.search(part) for pair in pairs for part in pair):
        raise OAuthProblem("invalid_request", "The form can't be read.")
    return pairs


def _pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Return what a form, or a query, says. Old programs may have written it in Latin-1."""
    # Some do not escape what is beyond ASCII.
    escaped = re.sub(rb"[\x80-\xff]", lambda found: b"%%%02X" % found[0][0], encoded).decode("ascii")
    for encoding in ("utf-8", "latin-1"):
        try:
            return parse_qsl(
                escaped,
                keep_blank_values=True,
                encoding=encoding,
                errors="strict",
                max_num_fields=_MAX_PARAMETERS,
            )
        except UnicodeDecodeError:
            continue
        except ValueError:
            break
    raise OAuthProblem("invalid_request", "The form can't be read.") from None
