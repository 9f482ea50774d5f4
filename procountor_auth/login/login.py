"""Logging in with a browser: the URL to open, and what to do with where it comes back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import SecretStr

from procountor_auth.errors import RedirectError
from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.settings.key_login import KeyLoginSettings
from procountor_auth.settings.profile import NO_PROFILE, Profile
from procountor_auth.strategies.api_key import KeyRequest
from procountor_auth.transport.background import SharedFuture
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.client import AuthorizationRequest
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.settings import Settings
    from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy

T = TypeVar("T")


class _BrowserLogin(Unpicklable, Generic[T]):
    """One visit to a login page. Its state is good for one redirect, and a code is exchanged at most once."""

    def __init__(
        self,
        request: AuthorizationRequest,
        exchange: Callable[[SecretStr, AuthorizationRequest], Flow[T]],
        fetch: Callable[[Flow[T]], SharedFuture[T]],
        whose: Profile,
    ) -> None:
        self.whose = whose
        self._request = request
        self._exchange = exchange
        self._fetch = fetch
        self._open = threading.Lock()  # taken once, by the redirect that ends the login

    @property
    def url(self) -> str:
        """Where to send the user's browser. Keep it out of logs: it holds the `state` of this login."""
        return self._request.url

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return self._request.redirect_uri

    def complete(self, redirected_url: str) -> T:
        """Trade the code in the redirect for what this login is for.

        Args:
            redirected_url: The whole address that the browser came back to.

        Raises:
            RedirectError: The address can't be trusted or used. The login stays open for the right one, unless the
                error says `ends_login`: the user has declined, for one.
            ProcountorAuthError: The exchange failed; a new login is needed.
        """
        address, redirected_url = SecretStr(redirected_url), ""  # a traceback may show the locals
        with self.whose.named():
            return self._finish(address).result()

    async def acomplete(self, redirected_url: str) -> T:
        """Do what `complete` does without blocking the event loop."""
        address, redirected_url = SecretStr(redirected_url), ""  # see `complete`
        with self.whose.named():
            return await self._finish(address).aresult()

    def _finish(self, redirected_url: SecretStr) -> SharedFuture[T]:
        code, refused = SecretStr(""), None
        try:
            code = self._request.code_from(redirected_url)
        except RedirectError as error:
            refused = error
        # A redirect that may be anybody's changes nothing: the user may still come back with the right one.
        ends = refused is None or refused.ends_login
        if ends and not self._open.acquire(blocking=False):
            refused = RedirectError("This login has been completed already, or declined.", hint="Start another login.")
        if refused is not None:
            raise refused.with_traceback(None)
        return self._fetch(self._exchange(code, self._request))


class Login(_BrowserLogin["Token"]):
    """A login of the authorization_code strategy, made by `TokenSource.begin_login()`.

    Send the user's browser to `url`; give the address that it comes back to, to `complete`. That returns the token,
    which the source keeps from then on.
    """

    def __init__(
        self,
        strategy: AuthorizationCodeStrategy,
        fetch: Callable[[Flow[Token]], SharedFuture[Token]],
        redirect_uri: str | None = None,
        whose: Profile = NO_PROFILE,
    ) -> None:
        super().__init__(strategy.authorization_request(redirect_uri), strategy.exchange, fetch, whose)


class KeyLogin(_BrowserLogin["SecretStr"]):
    """A login that ends with an API key, for the client_credentials strategy.

    The user logs in at `url` and picks the company; `complete` returns the key of that user, company and client, which
    is the value for `PROCOUNTOR_API_KEY`.

    Args:
        request: The request for a key of one client.
        transport: How requests reach the host.
        redirect_uri: The registered redirect URI with this login's port filled in, as a `LoopbackListener` has it; by
            default as it is registered.
        whose: The profile that the key is for.

    Raises:
        ConfigurationError: `redirect_uri` is not the registered one.
    """

    def __init__(
        self,
        request: KeyRequest,
        transport: Transport,
        redirect_uri: str | None = None,
        whose: Profile = NO_PROFILE,
    ) -> None:
        def fetch(flow: Flow[SecretStr]) -> SharedFuture[SecretStr]:
            key: SharedFuture[SecretStr] = SharedFuture(transport.timeout)
            key.start(lambda: run(flow))
            return key

        def run(flow: Flow[SecretStr]) -> SecretStr:
            with whose.named():
                return transport.run(flow)

        with whose.named():
            super().__init__(request.authorization_request(redirect_uri), request.exchange, fetch, whose)

    @classmethod
    def from_env(cls, redirect_uri: str | None = None) -> KeyLogin:
        """Build the login from the environment, which needs no API key for it.

        Args:
            redirect_uri: See the class.

        Raises:
            ConfigurationError: The client's variables are missing or wrong there.
        """
        return cls.from_settings(KeyLoginSettings(), redirect_uri)

    @classmethod
    def from_settings(cls, settings: Settings, redirect_uri: str | None = None) -> KeyLogin:
        """Build the login for the client that `settings` describe. Raises what `from_env` raises."""
        whose = Profile(settings.profile)
        with whose.named():
            transport = Transport.from_settings(settings)
        return cls(KeyRequest(settings.oauth_client()), transport, redirect_uri, whose)
