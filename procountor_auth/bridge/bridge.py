"""The bridge as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr
from starlette.requests import ClientDisconnect, Request

from procountor_auth import events
from procountor_auth.errors import StoreError
from procountor_auth.tokens.telemetry import emit

from . import metrics, responses
from .access import AccessTokens
from .authorization import Authorization
from .credentials import Credentials
from .disconnect import BrokenOff
from .exchange import LOGGER, Exchange
from .forwarding import BODY_SECONDS, Forwarding
from .guard import Guard
from .notice import Notice
from .password import PasswordCheck
from .problem import BridgeProblem, OAuthProblem
from .records import Records
from .target import Target
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from procountor_auth.events import Listener
    from procountor_auth.stores.base import Store

    from .login import BridgeLogin, Logins

_logger = logging.getLogger(LOGGER)

_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-mode", b"sec-fetch-site"})
"""Headers that browsers always send, and that a page can't remove. Old programs do not send them."""


class Bridge:
    """Lets programs log in the legacy way, and passes their calls on with the tokens of a strategy of today.

    Args:
        logins: Who may log in.
        store: Where codes and tokens of the bridge are kept. Many bridges may share it.
        read_only: Whether only GET and HEAD are passed on.
        notice: What each answer announces.
        public_url: Scheme and host of the bridge as programs know it; by default as they say.
        on_event: Called with each event, see `procountor_auth.events`.
        clock: The wall clock, in Unix seconds.
        monotonic: The clock for what is remembered of the store, in seconds.
        body_seconds: Seconds that a form has to come, and without a byte of another body.
    """

    def __init__(
        self,
        logins: Logins,
        store: Store,
        *,
        read_only: bool = False,
        notice: Notice | None = None,
        public_url: str | None = None,
        on_event: Listener | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.logins = logins
        self._records = Records(store, clock=clock)
        self._credentials = Credentials(self._records)
        self._access = AccessTokens(logins, self._credentials, monotonic=monotonic)
        self._upstream = Upstream(on_event=on_event, clock=clock)
        self._on_event = on_event
        self._notice = [
            (name.lower().encode("ascii"), value.encode("ascii")) for name, value in (notice or Notice()).headers()
        ]
        self._guard = Guard(logins)
        self._authorization = Authorization(
            logins,
            self._guard,
            self._credentials,
            self._access,
            self._upstream,
            body_seconds=body_seconds,
            on_login=self._logged_in,
            on_refusal=self._refused,
        )
        self._forwarding = Forwarding(
            self._access, self._upstream, read_only=read_only, public_url=public_url, body_seconds=body_seconds
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(Request(scope, receive), receive, send)

    async def reload(self, logins: Logins) -> None:
        """Replace the logins. Pending calls continue, and tokens of logins that remain stay valid.

        Args:
            logins: Who may log in. They have the same store.
        """
        passwords = PasswordCheck(with_hashes=logins.with_hashes)
        await asyncio.to_thread(passwords.prepare)
        self.logins.replace(logins)
        self.logins.log_left_out()
        self._guard.use(passwords)
        self._upstream.forget_others(self.logins)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.to_thread(self._guard.prepare)
        self.logins.log_left_out()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._upstream.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        exchange = Exchange.of(request)
        raw_path = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "replace")
        target = Target.of(raw_path, request.scope["query_string"])
        try:
            response = await self._response(request, target, exchange)
            response.raw_headers += [
                each for each in self._notice if not any(name == each[0] for name, _ in response.raw_headers)
            ]
            exchange.status = response.status_code
            await response(request.scope, receive, send)
        except BrokenOff as error:
            exchange.reason = str(error)
            exchange.status = 0
            raise
        finally:
            if target.kind not in {"live", "ready"}:
                exchange.log()
                metrics.count(exchange)

    async def _response(self, request: Request, target: Target, exchange: Exchange) -> Response:
        """Return the answer to a request, including an invalid one."""
        try:
            return await self._endpoint(request, target, exchange)
        except BridgeProblem as problem:
            exchange.reason = problem.reason
            return responses.refusal(problem)
        except ClientDisconnect:
            raise BrokenOff("the program has closed the connection") from None
        except (BrokenOff, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - of which a traceback could show what was sent
            exchange.reason = f"a fault of the bridge: {type(error).__name__}"
            status, message = HTTPStatus.INTERNAL_SERVER_ERROR, "The bridge has failed; its log says why."
            if target.kind in {"authz", "token"}:
                return responses.refusal(OAuthProblem("server_error", message, status=status))
            return responses.refusal(BridgeProblem(status, message))

    async def _endpoint(self, request: Request, target: Target, exchange: Exchange) -> Response:
        if target.kind == "live":
            return responses.json({"status": "ok"})
        if target.kind == "ready":
            return await self._ready()
        if not _BROWSERS.isdisjoint(name for name, _ in request.scope["headers"]):
            raise BridgeProblem(HTTPStatus.FORBIDDEN, "The bridge is for programs, and not for pages in a browser.")
        if _has_two_lengths(request):
            problem = BridgeProblem(HTTPStatus.BAD_REQUEST, "The length of the request's body is given in two ways.")
            exchange.reason = problem.reason
            return responses.refusal(problem, last=True)
        if target.kind == "refused":
            raise BridgeProblem(HTTPStatus.BAD_REQUEST, "The path of the request could lead elsewhere.")
        if target.kind == "authz":
            return await self._authorization.authz(request, exchange)
        if target.kind == "token":
            return await self._authorization.token(request, exchange)
        if target.kind == "logout" and request.method == "POST":
            return await self._authorization.logout(_bearer(request))
        if target.kind == "api":
            return await self._forwarding.passed(request, target.path, _bearer(request), exchange)
        raise BridgeProblem(HTTPStatus.NOT_FOUND, "The bridge has the legacy login and the API, and nothing here.")

    async def _ready(self) -> Response:
        try:
            await asyncio.to_thread(self._records.read, "ready")
        except StoreError as error:
            return responses.json({"status": "unavailable", "error": error.code}, HTTPStatus.SERVICE_UNAVAILABLE)
        return responses.json({"status": "ok"})

    def _logged_in(self, login: BridgeLogin, user_agent: str, grant_type: str) -> None:
        self._tell(events.BridgeLogin, login, user_agent=user_agent, grant_type=grant_type)

    def _refused(self, exchange: Exchange, error: str) -> None:
        self._tell(events.BridgeLoginRefused, exchange.login, user_agent=exchange.user_agent, error=error)

    def _tell(self, kind: type[events.Event], login: BridgeLogin | None, **more: Any) -> None:  # noqa: ANN401 - each event's own
        settings = login.settings if login is not None else next(iter(self.logins)).settings
        strategy = settings.strategy if login is not None else "legacy_password"
        profile = login.profile if login is not None else None
        event = kind(at=self._records.clock(), strategy=strategy, host=settings.endpoints.host, profile=profile, **more)
        emit(event, self._on_event)


def _has_two_lengths(request: Request) -> bool:
    """Whether two servers could disagree on where a request ends (RFC 9112, section 6.3)."""
    return "content-length" in request.headers and "transfer-encoding" in request.headers


def _bearer(request: Request) -> SecretStr | None:
    """Return the token of a request, from its one `Authorization` header."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    found, given, token = SecretStr(token.strip()), [], ""  # a traceback may show the locals
    return found if scheme.lower() == "bearer" and found.get_secret_value() else None
