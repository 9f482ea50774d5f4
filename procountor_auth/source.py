"""The token source: one valid token for everybody who asks.

Reading a cached token is a comparison and takes no lock. When there is no valid one, the first caller starts a
renewal, and all who come meanwhile wait for the same outcome, success or failure.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NoReturn, Self

from procountor_auth.errors import ConfigurationError
from procountor_auth.login import Login
from procountor_auth.outcome import Outcome
from procountor_auth.settings import Settings
from procountor_auth.strategies import AuthorizationCodeStrategy, Strategy, build
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.token import Token

_NEVER = float("-inf")

_logger = logging.getLogger("procountor_auth")


class TokenSource:
    """Keeps one valid token. Safe to share between threads and event loops.

    Args:
        strategy: How tokens are asked for; its client's clock says when they end.
        transport: How requests reach the host; by default with 30 seconds for a token.
    """

    def __init__(self, strategy: Strategy, *, transport: Transport | None = None) -> None:
        self.strategy = strategy
        self._transport = transport or Transport()
        self._clock = strategy.client.clock
        self._lock = threading.Lock()
        # The token and until when it may be used, as one object: read without a lock.
        self._cached: tuple[Token, float] | None = None
        self._renewal: Outcome[Token] | None = None

    @classmethod
    def from_env(cls) -> Self:
        """Build the source that the environment describes (`PROCOUNTOR_*`, `.env`, secrets directory).

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
        """
        return cls.from_settings(Settings())

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the source that `settings` describe.

        Args:
            settings: The settings.
            clock: The wall clock, in Unix seconds.

        Raises:
            LegacyNotAllowed: They choose the legacy strategy and forbid it.
        """
        return cls(build(settings, clock=clock), transport=Transport.from_settings(settings))

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the host that the tokens are for."""
        return self.strategy.client.endpoints

    def token(self) -> Token:
        """Return a valid token, waiting for one if need be.

        Raises:
            InteractionRequired: A person has to log in first.
            ProcountorAuthError: Whatever else kept it from getting one; all who waited get the same.
        """
        cached = self._cached
        if cached is not None and self._clock() < cached[1]:
            return cached[0]
        renewal = self._renewal_after(cached)
        return renewal.result() if isinstance(renewal, Outcome) else renewal

    async def atoken(self) -> Token:
        """Return a valid token without blocking the event loop. Raises what `token` raises."""
        cached = self._cached
        if cached is not None and self._clock() < cached[1]:
            return cached[0]
        renewal = self._renewal_after(cached)
        return await renewal.aresult() if isinstance(renewal, Outcome) else renewal

    def renew(self, rejected: Token) -> Token:
        """Return another token than one that the API rejected with a 401. Raises what `token` raises."""
        self._reject(rejected)
        return self.token()

    async def arenew(self, rejected: Token) -> Token:
        """Return another token than one that the API rejected with a 401. Raises what `token` raises."""
        self._reject(rejected)
        return await self.atoken()

    def begin_login(self) -> Login:
        """Start a login in a person's browser, for the authorization_code strategy.

        Raises:
            ConfigurationError: Another strategy is chosen; it needs no login.
        """
        if not isinstance(self.strategy, AuthorizationCodeStrategy):
            raise ConfigurationError(
                f"The {self.strategy.name} strategy has no login page.",
                hint="Set PROCOUNTOR_STRATEGY=authorization_code to log in with a browser, or just call `token()`.",
            )
        return Login(self.strategy, self._fetch)

    def _renewal_after(self, seen: tuple[Token, float] | None) -> Outcome[Token] | Token:
        """Join the renewal that is under way, or start one, unless the cache has changed since it was seen."""
        with self._lock:
            cached = self._cached
            if cached is not None and cached is not seen and self._clock() < cached[1]:
                return cached[0]
            renewal = self._renewal
            if renewal is not None:
                return renewal
            self._renewal = renewal = Outcome(self._transport, self._keep)
        renewal.start(self.strategy.acquire() if cached is None else self.strategy.renew(cached[0]))
        return renewal

    def _fetch(self, flow: Flow[Token]) -> Outcome[Token]:
        """Get a token with a flow that somebody else has prepared, such as the end of a login."""
        outcome = Outcome(self._transport, self._keep)
        outcome.start(flow)
        return outcome

    def _keep(self, outcome: Outcome[Token], token: Token | None) -> None:
        with self._lock:
            if token is not None:
                self._cached = (token, token.fresh_until)
            if self._renewal is outcome:
                self._renewal = None
        if token is not None:
            _logger.info("new token from %s, strategy %s", self.endpoints.host, token.strategy)

    def _reject(self, rejected: Token) -> None:
        with self._lock:
            cached = self._cached
            if cached is not None and cached[0].access_token == rejected.access_token:
                # Kept for its refresh token, but never handed out again.
                self._cached = (cached[0], _NEVER)

    def __repr__(self) -> str:
        return f"<TokenSource with {self.strategy!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A TokenSource is not pickled: call `TokenSource.from_env()` in each process.")
