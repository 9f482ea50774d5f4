"""Forwards API calls to the service, and streams the answers back."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.transport.backend import loaded

from . import headers
from .authorization import login_of
from .disconnect import BrokenOff, while_connected
from .exact_url import exact_url
from .problem import RETRY_SECONDS, BridgeProblem, reason_of
from .upstream import headers_of, is_final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from pydantic import SecretStr
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

    from .access import AccessTokens
    from .exchange import Exchange
    from .login import BridgeLogin
    from .upstream import Upstream

MAX_REPEATED: Final = 65_536
"""A body of so many bytes is read before the call is passed on, so that it can be sent twice; of a longer one, nothing
is kept."""

BODY_SECONDS: Final = 60.0
"""Seconds without a byte of the program's body."""

SEND_SECONDS: Final = 300.0
"""Seconds in which the program takes nothing of the answer."""

SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing, of those that the API has."""


class Forwarding:
    """Forwards calls.

    Args:
        access: The bridge's access tokens.
        upstream: The service.
        read_only: Whether only GET and HEAD are passed on.
        public_url: Scheme and host of the bridge as programs know it; by default as they say.
        body_seconds: Seconds without a byte of the program's body.
    """

    def __init__(
        self,
        access: AccessTokens,
        upstream: Upstream,
        *,
        read_only: bool = False,
        public_url: str | None = None,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._access = access
        self._upstream = upstream
        self._read_only = read_only
        self._public_url = public_url
        self._body_seconds = body_seconds

    async def passed(self, request: Request, path: str, token: SecretStr | None, exchange: Exchange) -> Response:
        """Return the service's answer to a call.

        Args:
            request: The call.
            path: The path, as it is passed on.
            token: The bridge's access token.
            exchange: What is logged.

        Raises:
            BridgeProblem: It can't be passed on.
            BrokenOff: The program has gone while it waited.
            ClientDisconnect: It has gone while it sent the body.
        """
        login = await self._login(token)
        exchange.is_for(login)
        if self._read_only and request.method not in SAFE:
            raise BridgeProblem(HTTPStatus.FORBIDDEN, "This bridge is read-only: it passes GET and HEAD on.")
        if headers.is_loop(request.scope["headers"]):
            raise BridgeProblem(
                HTTPStatus.LOOP_DETECTED,
                "The bridge is configured to be its own service.",
                reason="the request has come through a bridge before: PROCOUNTOR_BASE_URL leads to a bridge",
            )
        body = await _body(request, self._body_seconds)
        read = asyncio.Event()
        if body is None or isinstance(body, bytes):
            read.set()
        else:
            body = _announced(body, read)
        outgoing = self._request(request, login, path, body)
        may_repeat = request.method in SAFE and read.is_set()
        sending = self._send(login, outgoing, may_repeat=may_repeat)
        answer = await while_connected(_after(read, request.receive), sending)
        exchange.renewed = bool(answer.history)
        public = self._public_url or f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
        return _Passed(answer, headers.to_return(headers_of(answer), login.settings.endpoints.host, public))

    async def _login(self, token: SecretStr | None) -> BridgeLogin:
        login = await login_of(self._access, token) if token is not None else None
        if login is None:
            what = "missing" if token is None else "unknown or expired"
            raise BridgeProblem(HTTPStatus.UNAUTHORIZED, f"The access token is {what}.")
        return login

    def _request(
        self, request: Request, login: BridgeLogin, path: str, body: bytes | AsyncIterator[bytes] | None
    ) -> httpx.Request:
        http: Any = self._upstream.library
        query = request.scope["query_string"]
        target = path.encode("ascii") + (b"?" + query if query else b"")
        host = login.settings.endpoints.host
        sent = headers.to_send(request.scope["headers"], request.scope["http_version"])
        made: httpx.Request = http.Request(request.method, host, headers=sent, content=body)
        made.url = exact_url(http, host, target)
        return made

    async def _send(self, login: BridgeLogin, request: httpx.Request, *, may_repeat: bool) -> httpx.Response:
        lost = tuple(chain.from_iterable(map(loaded, ("RemoteProtocolError", "ReadError", "WriteError"))))
        while True:
            try:
                return await self._upstream.send(login, request)
            except ProcountorAuthError as error:
                problem = _without_token(error)
            except loaded("HTTPError") as error:
                # A connection that was kept may have been closed just now: what changes nothing is sent on another one.
                if may_repeat and isinstance(error, lost):
                    may_repeat = False
                    continue
                problem = _unreachable(error)
            raise problem


class _Passed(Response):
    """The service's answer on its way to the program."""

    def __init__(self, answer: httpx.Response, raw_headers: headers.RawHeaders) -> None:
        self.status_code = answer.status_code
        self.background = None
        self.raw_headers = raw_headers
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it."""
        try:
            await while_connected(receive, self._pass_on(send))
        finally:
            await asyncio.shield(self._answer.aclose())

    async def _pass_on(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for chunk in self._answer.aiter_raw():
                # Waits while the program does not read: the service then waits as well.
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            raise BrokenOff("the program has not read the answer") from None
        except loaded("HTTPError") as error:
            raise BrokenOff(f"the service has broken off its answer ({type(error).__name__})") from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(request: Request, seconds: float) -> bytes | AsyncIterator[bytes] | None:
    """Return the body of a request: whole if it is short, else as it comes; None if there is none."""
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return None
    chunks = _chunks(request, seconds)
    begun = bytearray()
    async for chunk in chunks:
        begun += chunk
        if len(begun) > MAX_REPEATED:
            return _continued(bytes(begun), chunks)
    return bytes(begun)


async def _announced(body: AsyncIterator[bytes], read: asyncio.Event) -> AsyncIterator[bytes]:
    """Pass a body on, and tell when it has been read to its end."""
    async for chunk in body:
        yield chunk
    read.set()


def _after(read: asyncio.Event, receive: Receive) -> Receive:
    """Return what tells whether the program is still there, once its body has been read: until then that is a part."""

    async def received() -> Message:
        await read.wait()
        return await receive()

    return received


async def _continued(begun: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield begun
    del begun
    async for chunk in chunks:
        yield chunk


async def _chunks(request: Request, seconds: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise BridgeProblem(HTTPStatus.REQUEST_TIMEOUT, "The body of the request did not come.") from None
        if chunk:
            yield chunk


def _without_token(error: ProcountorAuthError) -> BridgeProblem:
    """Return the answer to a call for which there is no token."""
    if is_final(error):
        # As the service says it: the program refreshes its token, or logs in again, and is refused there.
        message = "The access token is not accepted any more."
        return BridgeProblem(HTTPStatus.UNAUTHORIZED, message, reason=reason_of(error))
    if error.retryable:
        return BridgeProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The service is not available.",
            reason=reason_of(error),
            retry_after=RETRY_SECONDS,
        )
    message = "The bridge has no token for this call; its log says why."
    return BridgeProblem(HTTPStatus.INTERNAL_SERVER_ERROR, message, reason=reason_of(error))


def _unreachable(error: Exception) -> BridgeProblem:
    """Return the answer to a call that the service does not respond to."""
    kind = type(error).__name__
    if isinstance(error, loaded("PoolTimeout")):
        return BridgeProblem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The bridge is busy.",
            reason="all connections to the service are in use (PoolTimeout)",
            retry_after=RETRY_SECONDS,
        )
    if isinstance(error, loaded("TimeoutException")):
        return BridgeProblem(
            HTTPStatus.GATEWAY_TIMEOUT, "The service did not answer in time.", reason=f"no answer in time ({kind})"
        )
    return BridgeProblem(
        HTTPStatus.BAD_GATEWAY, "The service can't be reached.", reason=f"the service can't be reached ({kind})"
    )
