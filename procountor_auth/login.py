"""Logging in with a browser: the URL to open, and what to do with where it comes back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from procountor_auth.errors import RedirectError
from procountor_auth.outcome import Outcome
from procountor_auth.settings import KeyLoginSettings
from procountor_auth.strategies.client_credentials import KeyRequest
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.oauth import AuthorizationRequest
    from procountor_auth.settings import Settings
    from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
    from procountor_auth.token import Token

T = TypeVar("T")


class _Visit(Generic[T]):
    """One visit to a login page, whose code is exchanged at most once."""

    def __init__(
        self,
        request: AuthorizationRequest,
        exchange: Callable[[SecretStr, AuthorizationRequest], Flow[T]],
        fetch: Callable[[Flow[T]], Outcome[T]],
    ) -> None:
        self._request = request
        self._exchange = exchange
        self._fetch = fetch
        self._open = threading.Lock()  # taken once, by the redirect that is accepted

    @property
    def url(self) -> str:
        """Where to send the person's browser. Keep it out of logs: it holds the `state` of this login."""
        return self._request.url

    def _finish(self, redirected_url: str) -> Outcome[T]:
        # A redirect that is not ours changes nothing: the person may still come back with the right one.
        code = self._request.code_from(redirected_url)
        if not self._open.acquire(blocking=False):
            raise RedirectError("This login has been completed already.", hint="Start another login.")
        return self._fetch(self._exchange(code, self._request))


class Login(_Visit["Token"]):
    """A login of the authorization_code strategy, made by `TokenSource.begin_login()`.

    Send the person's browser to `url`; give the address that it comes back to, to `complete`.
    """

    def __init__(self, strategy: AuthorizationCodeStrategy, fetch: Callable[[Flow[Token]], Outcome[Token]]) -> None:
        super().__init__(strategy.authorization_request(), strategy.exchange, fetch)

    def complete(self, redirected_url: str) -> Token:
        """Trade the code in the redirect for a token, which the source keeps from now on.

        Args:
            redirected_url: The whole address that the browser came back to.

        Raises:
            RedirectError: The address can't be trusted or used; the login stays open for the right one.
            ProcountorAuthError: The exchange failed; a new login is needed.
        """
        return self._finish(redirected_url).result()

    async def acomplete(self, redirected_url: str) -> Token:
        """Do what `complete` does without blocking the event loop."""
        return await self._finish(redirected_url).aresult()


class KeyLogin(_Visit["SecretStr"]):
    """A login that ends with an API key, for the client_credentials strategy.

    The person logs in at `url` and picks the company; `complete` answers the key of that user, company and client.

    Args:
        request: Which client asks for a key.
        transport: How requests reach the host.
    """

    def __init__(self, request: KeyRequest, transport: Transport) -> None:
        def fetch(flow: Flow[SecretStr]) -> Outcome[SecretStr]:
            outcome: Outcome[SecretStr] = Outcome(transport.timeout)
            outcome.start(lambda: transport.run(flow))
            return outcome

        super().__init__(request.authorization_request(), request.exchange, fetch)

    @classmethod
    def from_env(cls) -> KeyLogin:
        """Build the login from the environment, which needs no API key for it.

        Raises:
            ConfigurationError: The client's variables are missing or wrong there.
        """
        return cls.from_settings(KeyLoginSettings())

    @classmethod
    def from_settings(cls, settings: Settings) -> KeyLogin:
        """Build the login for the client that `settings` describe."""
        return cls(KeyRequest(settings.oauth_client()), Transport.from_settings(settings))

    def complete(self, redirected_url: str) -> SecretStr:
        """Trade the code in the redirect for an API key: the value for `PROCOUNTOR_API_KEY`.

        Raises:
            RedirectError: The address can't be trusted or used; the login stays open for the right one.
            ProcountorAuthError: The exchange failed; a new login is needed.
        """
        return self._finish(redirected_url).result()

    async def acomplete(self, redirected_url: str) -> SecretStr:
        """Do what `complete` does without blocking the event loop."""
        return await self._finish(redirected_url).aresult()
