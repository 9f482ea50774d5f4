"""Logging in with a browser: the URL to open, and what to do with where it comes back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import SecretStr

from procountor_auth.errors import RedirectError
from procountor_auth.outcome import Outcome
from procountor_auth.settings import KeyLoginSettings
from procountor_auth.strategies.client_credentials import KeyRequest
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.oauth import AuthorizationRequest
    from procountor_auth.settings import Settings
    from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
    from procountor_auth.token import Token

T = TypeVar("T")


class _Visit(Generic[T]):
    """One visit to a login page. Its state is good for one answer, and a code is exchanged at most once."""

    def __init__(
        self,
        request: AuthorizationRequest,
        exchange: Callable[[SecretStr, AuthorizationRequest], Flow[T]],
        fetch: Callable[[Flow[T]], Outcome[T]],
    ) -> None:
        self._request = request
        self._exchange = exchange
        self._fetch = fetch
        self._open = threading.Lock()  # taken once, by the redirect that ends the login

    @property
    def url(self) -> str:
        """Where to send the person's browser. Keep it out of logs: it holds the `state` of this login."""
        return self._request.url

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return self._request.redirect_uri

    def _finish(self, redirected_url: SecretStr) -> Outcome[T]:
        code, refused = SecretStr(""), None
        try:
            code = self._request.code_from(redirected_url)
        except RedirectError as error:
            refused = error
        # A redirect that may be anybody's changes nothing: the person may still come back with the right one.
        ends = refused is None or refused.ends_login
        if ends and not self._open.acquire(blocking=False):
            refused = RedirectError("This login has been completed already, or declined.", hint="Start another login.")
        if refused is not None:
            raise refused.with_traceback(None)
        return self._fetch(self._exchange(code, self._request))


class Login(_Visit["Token"]):
    """A login of the authorization_code strategy, made by `TokenSource.begin_login()`.

    Send the person's browser to `url`; give the address that it comes back to, to `complete`.
    """

    def __init__(
        self,
        strategy: AuthorizationCodeStrategy,
        fetch: Callable[[Flow[Token]], Outcome[Token]],
        redirect_uri: str | None = None,
    ) -> None:
        super().__init__(strategy.authorization_request(redirect_uri), strategy.exchange, fetch)

    def complete(self, redirected_url: str) -> Token:
        """Trade the code in the redirect for a token, which the source keeps from now on.

        Args:
            redirected_url: The whole address that the browser came back to.

        Raises:
            RedirectError: The address can't be trusted or used. The login stays open for the right one, unless the
                error says `ends_login`: the person has declined, for one.
            ProcountorAuthError: The exchange failed; a new login is needed.
        """
        address, redirected_url = SecretStr(redirected_url), ""  # a traceback may show the locals
        return self._finish(address).result()

    async def acomplete(self, redirected_url: str) -> Token:
        """Do what `complete` does without blocking the event loop."""
        address, redirected_url = SecretStr(redirected_url), ""  # see `complete`
        return await self._finish(address).aresult()


class KeyLogin(_Visit["SecretStr"]):
    """A login that ends with an API key, for the client_credentials strategy.

    The person logs in at `url` and picks the company; `complete` answers the key of that user, company and client.

    Args:
        request: Which client asks for a key.
        transport: How requests reach the host.
        redirect_uri: The registered redirect URI with this login's port filled in, as a `LoopbackListener` has it; by
            default as it is registered.

    Raises:
        ConfigurationError: `redirect_uri` is not the registered one.
    """

    def __init__(self, request: KeyRequest, transport: Transport, redirect_uri: str | None = None) -> None:
        def fetch(flow: Flow[SecretStr]) -> Outcome[SecretStr]:
            outcome: Outcome[SecretStr] = Outcome(transport.timeout)
            outcome.start(lambda: transport.run(flow))
            return outcome

        super().__init__(request.authorization_request(redirect_uri), request.exchange, fetch)

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
        return cls(KeyRequest(settings.oauth_client()), Transport.from_settings(settings), redirect_uri)

    def complete(self, redirected_url: str) -> SecretStr:
        """Trade the code in the redirect for an API key: the value for `PROCOUNTOR_API_KEY`.

        Raises:
            RedirectError: The address can't be trusted or used. The login stays open for the right one, unless the
                error says `ends_login`: the person has declined, for one.
            ProcountorAuthError: The exchange failed; a new login is needed.
        """
        address, redirected_url = SecretStr(redirected_url), ""  # a traceback may show the locals
        return self._finish(address).result()

    async def acomplete(self, redirected_url: str) -> SecretStr:
        """Do what `complete` does without blocking the event loop."""
        address, redirected_url = SecretStr(redirected_url), ""  # see `complete`
        return await self._finish(address).aresult()
