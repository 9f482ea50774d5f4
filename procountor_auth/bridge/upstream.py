"""The service behind the bridge: tokens for each login, and connections that are kept."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import CredentialsRefused, InteractionRequired, ProcountorAuthError
from procountor_auth.tokens.source import TokenSource
from procountor_auth.transport.backend import library
from procountor_auth.transport.connection import open_async_connection
from procountor_auth.transport.log_filter import quiet
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from procountor_auth.events import Listener
    from procountor_auth.settings.settings import Settings
    from procountor_auth.tokens.bearer import HttpxBearer

    from .login import BridgeLogin, Logins

CONNECT_SECONDS: Final = 10.0
"""Seconds to open a connection."""

ANSWER_SECONDS: Final = 300.0
"""Seconds without a byte from the service: long reports take their time."""

MAX_CONNECTIONS: Final = 1_000
"""Connections to one host at a time."""

MAX_IDLE_CONNECTIONS: Final = 50
"""Of those, so many are kept for the next requests."""


class Upstream:
    """Sends requests to the service, each with the token of its login.

    Made in the event loop that uses it.

    Args:
        on_event: Called with each event of the tokens.
        clock: The wall clock of tokens, in Unix seconds; by default the real one.
    """

    def __init__(self, *, on_event: Listener | None = None, clock: Callable[[], float] | None = None) -> None:
        self._on_event = on_event
        self._clock = clock
        self._http = library()
        self._timeout = self._http.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        self._auths: dict[str, tuple[Settings, HttpxBearer]] = {}
        self._clients: dict[tuple[Any, ...], httpx.AsyncClient] = {}
        auth: type[HttpxBearer] = import_module(f"procountor_auth.{self._http.__name__}").ProcountorAuth
        self._auth_class = auth

    @property
    def library(self) -> Any:  # noqa: ANN401 - a module
        """The HTTP library: httpx or httpx2."""
        return self._http

    async def auth_of(self, login: BridgeLogin) -> HttpxBearer:
        """Return what puts a login's token on requests.

        Raises:
            ProcountorAuthError: The profile can't be used as it is configured.
        """
        found = self._kept(login)
        if found is None:
            # References to secrets may run commands, and stores open files.
            made = await asyncio.to_thread(self._make_auth, login)
            found = self._kept(login)  # another request may have been quicker
            if found is None:
                self._auths[login.key], found = (login.settings, made), made
        return found

    def forget_others(self, logins: Logins) -> None:
        """Forget the tokens of all other logins."""
        for key in [key for key in self._auths if logins.by_key(key) is None]:
            del self._auths[key]

    async def check(self, login: BridgeLogin) -> None:
        """Make sure that there is a token for a login.

        Raises:
            ProcountorAuthError: There is none.
        """
        await (await self.auth_of(login)).source.atoken()

    async def send(self, login: BridgeLogin, request: httpx.Request) -> httpx.Response:
        """Send a request with the token of a login; its answer's body is still to be read.

        After a 401 it is sent once more with another token, if its body can be sent twice.

        Raises:
            ProcountorAuthError: There is no token.
            httpx.HTTPError: The service can't be reached, or breaks off.
        """
        auth = await self.auth_of(login)
        # The client sets its own on requests that it has built, and older versions on no others.
        request.extensions["timeout"] = self._timeout.as_dict()
        with quiet():  # its log has whole URLs, and programs put what they like into them
            return await self._client_of(login).send(request, auth=auth, stream=True, follow_redirects=False)

    async def close(self) -> None:
        """Close all connections."""
        while self._clients:
            await self._clients.popitem()[1].aclose()

    def _kept(self, login: BridgeLogin) -> HttpxBearer | None:
        """Return what was made for a login, unless its settings have changed."""
        settings, auth = self._auths.get(login.key, (None, None))
        if auth is None or settings is login.settings:
            return auth
        if settings != login.settings:
            return None
        self._auths[login.key] = (login.settings, auth)  # the same, read again
        return auth

    def _make_auth(self, login: BridgeLogin) -> HttpxBearer:
        more: dict[str, Any] = {} if self._clock is None else {"clock": self._clock}
        source = TokenSource.from_settings(login.settings, library=self._http.__name__, on_event=self._on_event, **more)
        return self._auth_class(source)

    def _client_of(self, login: BridgeLogin) -> httpx.AsyncClient:
        transport = Transport.from_settings(login.settings)
        proxy = transport.proxy.get_secret_value() if transport.proxy else None
        way = (login.settings.endpoints.host, transport.ca_bundle, proxy)
        client = self._clients.get(way)
        if client is None:
            http = self._http
            opened = open_async_connection(
                transport.ca_bundle,
                transport.proxy,
                without_tls=login.settings.endpoints.host.startswith("http:") and transport.ca_bundle is None,
                limits=http.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
                name=http.__name__,
            )
            hooks = {"response": [_keep_location]}
            client = http.AsyncClient(transport=opened, trust_env=False, cookies=None, event_hooks=hooks)
            self._clients[way] = client
        return client


async def _keep_location(answer: httpx.Response) -> None:
    """Put the headers aside, and take `Location` away: the client would refuse an answer whose address is none."""
    answer.extensions["headers"] = answer.headers.raw
    if "location" in answer.headers:
        del answer.headers["location"]


def headers_of(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer as they came."""
    found: list[tuple[bytes, bytes]] = answer.extensions["headers"]
    return found


def is_final(error: ProcountorAuthError) -> bool:
    """Whether the service has refused a profile's credentials, or a user has to log in: trying again is no use."""
    return isinstance(error, CredentialsRefused | InteractionRequired)
