"""Login with a browser: the URL to open, and the completion with the redirect."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import SecretStr

from procountor_auth.errors import RedirectError
from procountor_auth.protocol.argument import check_argument, wrong_argument
from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.settings.key_login import KeyLoginSettings
from procountor_auth.settings.profile import NO_PROFILE, Profile
from procountor_auth.settings.settings import Settings
from procountor_auth.strategies.api_key import KeyRequest
from procountor_auth.transport.background import SharedFuture
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.login.saved_login import SavedLogins
    from procountor_auth.protocol.authorization_request import AuthorizationRequest
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy

T = TypeVar("T")


def _wrong_address(found: object) -> TypeError | None:
    # Frameworks have classes of their own for a URL.
    return wrong_argument("complete", found, str, "the address as text", "write complete(str(request.url))")


class _BrowserLogin(Unpicklable, Generic[T]):
    """One login on a login page. Its state is valid for one redirect, and a code is exchanged at most once."""

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
        """The URL to open in the user's browser. Keep it out of logs: it contains the `state` of this login."""
        return self._request.url

    @property
    def redirect_uri(self) -> str:
        """The redirect URI of this login."""
        return self._request.redirect_uri

    def complete(self, redirected_url: str) -> T:
        """Exchange the code in the redirect for the result of this login.

        Args:
            redirected_url: The complete address of the redirect.

        Raises:
            RedirectError: The address can't be trusted or used. The login stays open for the right one, unless
                `ends_login` is set, for example because the user declined.
            ProcountorAuthError: The exchange failed; a new login is needed.
            TypeError: The address is not text. The login stays open.
        """
        if error := _wrong_address(redirected_url):
            redirected_url = ""
            raise error
        address, redirected_url = SecretStr(redirected_url), ""  # a traceback may show the locals
        with self.whose.named():
            return self._finish(address).result()

    async def acomplete(self, redirected_url: str) -> T:
        """Do what `complete` does without blocking the event loop. Raises what `complete` raises.

        Args:
            redirected_url: The complete address of the redirect.
        """
        if error := _wrong_address(redirected_url):
            redirected_url = ""
            raise error
        address, redirected_url = SecretStr(redirected_url), ""  # see `complete`
        with self.whose.named():
            return await self._finish(address).aresult()

    def _finish(self, redirected_url: SecretStr) -> SharedFuture[T]:
        code, refused = SecretStr(""), None
        try:
            code = self._request.code_from(redirected_url)
        except RedirectError as error:
            refused = error
        # A redirect that may be an attacker's changes nothing: the right one may still come.
        ends = refused is None or refused.ends_login
        if ends and not self._open.acquire(blocking=False):
            refused = RedirectError("This login has been completed already, or declined.", hint="Start a new login.")
            refused.is_repeated = True
        if refused is not None:
            raise refused.with_traceback(None)
        return self._fetch(self._exchange(code, self._request))


class Login(_BrowserLogin["Token"]):
    """A login of the authorization_code strategy, created by `TokenSource.begin_login()`.

    Open `url` in the user's browser, and pass the address of the redirect to `complete`. It returns the token, which
    the source keeps from then on.
    """

    def __init__(
        self,
        strategy: AuthorizationCodeStrategy,
        fetch: Callable[[Flow[Token], SecretStr], SharedFuture[Token]],
        redirect_uri: str | None = None,
        whose: Profile = NO_PROFILE,
        *,
        saves: SavedLogins | None = None,
        saved: SecretStr | None = None,
    ) -> None:
        with whose.named():
            if saves is not None and saved is not None:
                request = saves.resume(saved)
            else:
                request = strategy.authorization_request(redirect_uri)
        super().__init__(request, strategy.exchange, lambda flow: fetch(flow, request.expected.state), whose)
        self._saves = saves

    def save(self) -> str:
        """Return this login as text, for the session of the user who is logging in.

        `TokenSource.resume_login` completes it, in any process. The text is encrypted with
        `PROCOUNTOR_TOKEN_STORE_KEY`, or with a key that is derived from the client secret. It is valid for an hour, and
        only for this login.

        Raises:
            TypeError: This login was not created by a source.
            ConfigurationError: A key in `PROCOUNTOR_TOKEN_STORE_KEY` is not one.
        """
        if self._saves is None:
            raise TypeError("This login was not created by `TokenSource.begin_login`, and can't be saved.")
        return self._saves.save(self._request)


class KeyLogin(_BrowserLogin["SecretStr"]):
    """A login that results in an API key, for the client_credentials strategy.

    The user logs in at `url` and selects the company; `complete` returns the key of that user, company and client,
    which is the value for `PROCOUNTOR_API_KEY`.

    Args:
        request: The request for a key of one client.
        transport: Sends the requests.
        redirect_uri: The registered redirect URI with this login's port, such as that of a `LoopbackListener`; by
            default exactly as registered.
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
        """Build the login from the environment, which does not need an API key.

        Args:
            redirect_uri: See the class.

        Raises:
            ConfigurationError: Variables of the client are missing or invalid.
        """
        return cls.from_settings(KeyLoginSettings(), redirect_uri)

    @classmethod
    def from_settings(cls, settings: Settings, redirect_uri: str | None = None) -> KeyLogin:
        """Build the login for the client that the settings describe. Raises what `from_env` raises.

        Args:
            settings: The settings; only those of the client are used.
            redirect_uri: See the class.
        """
        check_argument("settings", settings, Settings, "Settings", "write Settings(…), or KeyLogin.from_env()")
        whose = Profile(settings.profile)
        with whose.named():
            settings = settings.followed()
            transport = Transport.from_settings(settings)
        return cls(KeyRequest(settings.oauth_client()), transport, redirect_uri, whose)
