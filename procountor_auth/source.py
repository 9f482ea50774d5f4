"""The token source: one valid token for everybody who asks.

A token is *fresh*, then *stale*, then *expired*. Reading a fresh one is a comparison and takes no lock. A stale one is
served as well, while one renewal runs behind the callers. Only without a usable token do callers wait, all for the
same outcome, success or failure. Where the next token comes from is `supply.py`.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Self, TypeVar

from procountor_auth.errors import ConfigurationError, ProcountorAuthError, StoreError
from procountor_auth.events import (
    DeprecatedStrategyUsed,
    SunsetAnnounced,
    TokenAcquired,
    TokenFailed,
    TokenRenewed,
    emit,
)
from procountor_auth.login import Login
from procountor_auth.migration.fallback import FallbackStrategy
from procountor_auth.outcome import Outcome
from procountor_auth.protocol.ending import read_ending
from procountor_auth.settings import Settings
from procountor_auth.strategies import AuthorizationCodeStrategy, build
from procountor_auth.supply import Supply, Wiring, wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event, Listener
    from procountor_auth.protocol.ending import Ending
    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.stores.base import Store
    from procountor_auth.strategies import Strategy
    from procountor_auth.token import Token
    from procountor_auth.transport import Transport

T = TypeVar("T")

COOLDOWN: Final = 30.0
"""Seconds without another early renewal after one has failed."""

_ENDINGS: Final = 100
"""So many different announcements are told; a server that makes up a new one each time is not worth more lines."""

REFRESH_WARNING: Final = 30 * 86_400.0
"""Seconds before the end of a refresh token from which on every new token comes with a warning."""

_logger = logging.getLogger("procountor_auth")


class _Held(NamedTuple):
    """A token with what may be done with it until when, in Unix seconds. One object: it is read without a lock."""

    token: Token
    stale_from: float
    usable_until: float


class TokenSource:
    """Keeps one valid token. Safe to share between threads and event loops, and across a fork.

    Args:
        strategy: How tokens are asked for; its client's clock says when they end.
        transport: How requests reach the host; by default with 30 seconds for a token.
        store: Where tokens are shared with others; by default nowhere.
        local: The store to share with the processes of this host while `store` can't be reached.
        account: Your own name for whose tokens these are. Needed where several people log in through one client and
            share a store: before its login, the authorization_code strategy can't tell them apart.
        on_event: Called with each event (`procountor_auth.events`), on the thread where it happens.
        monotonic: The clock for deadlines, in seconds.
        jitter: Answers a number from 0 to 1: how early within its margin a token is renewed.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        transport: Transport | None = None,
        store: Store | None = None,
        local: Store | None = None,
        account: str = "",
        on_event: Listener | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._monotonic = monotonic
        self._jitter = jitter
        self._on_event = on_event
        self._account = account
        self._profile: str | None = None
        self._configured: Callable[[], Settings] | None = None
        self._endings: set[Ending] = set()
        self._held: _Held | None = None
        self._rejected: Token | None = None  # as a token: its repr shows nothing
        self._cool_until = float("-inf")
        self._generation = 0  # goes up with each invalidation
        self._renewal: Outcome[Token] | None = None
        self._supply = self._supplied_by(strategy, Wiring(transport, store, local), account)
        self._clock = self._supply.clock
        self._unlock()
        _sources.add(self)

    @classmethod
    def from_env(cls, *, profile: str | None = None, account: str = "", on_event: Listener | None = None) -> Self:
        """Build the source that the environment describes (`PROCOUNTOR_*`, `.env`, secrets directory, profiles file).

        Args:
            profile: Which profile to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.
            account: Your own name for whose tokens these are, see the class; by default the profile's.
            on_event: See the class.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
        """

        def configured() -> Settings:
            return Settings() if profile is None else Settings(profile=profile)

        source = cls.from_settings(configured(), account=account, on_event=on_event)
        source._configured = configured  # noqa: SLF001 - its own class
        return source

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        account: str = "",
        on_event: Listener | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Build the source that `settings` describe.

        Args:
            settings: The settings.
            account: Your own name for whose tokens these are, see the class; by default the profile's.
            on_event: See the class.
            clock: The wall clock, in Unix seconds.

        Raises:
            LegacyNotAllowed: They choose the legacy strategy and forbid it.
            ConfigurationError: The token store's package is not installed, or its key is not one.
        """
        strategy = build(settings, clock=clock)
        account = account or (settings.profile or "")
        transport, store, local = wiring(settings, strategy, account)
        source = cls(strategy, transport=transport, store=store, local=local, account=account, on_event=on_event)
        source._profile = settings.profile
        return source

    def reload(self) -> bool:
        """Read the configuration again, and go on with what it says now, such as another strategy.

        What the old strategy has stored stays where it is, for the way back. If the new configuration is wrong, nothing
        changes here.

        Returns:
            Whether tokens come from elsewhere now: by another strategy, client, user, company or host.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there, or this source is not the environment's.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
        """
        if self._configured is None:
            raise ConfigurationError(
                "This source was not made from the environment, so there is nothing to read again.",
                hint="Make it with `TokenSource.from_env()`.",
            )
        settings = self._configured()
        strategy = build(settings, clock=self._clock)
        account = settings.profile or "" if self._account == (self._profile or "") else self._account
        supply = self._supplied_by(strategy, wiring(settings, strategy, account), account)
        with self._lock:
            changed = supply.key != self._supply.key
            self._supply, self._account, self._profile = supply, account, settings.profile
        if changed:
            self._drop()
            _logger.info("tokens come from %s now, strategy %s", self.endpoints.host, strategy.name)
        return changed

    @property
    def strategy(self) -> Strategy:
        """How tokens are asked for."""
        return self._supply.strategy

    @property
    def profile(self) -> str | None:
        """The profile whose tokens these are, if there are profiles."""
        return self._profile

    @property
    def endpoints(self) -> Endpoints:
        """The URLs of the host that the tokens are for."""
        return self.strategy.client.endpoints

    def token(self) -> Token:
        """Return a valid token, waiting for one only if there is none.

        Raises:
            InteractionRequired: A person has to log in first.
            ProcountorAuthError: Whatever else kept it from getting one; all who waited get the same.
        """
        held = self._held
        if held is not None and self._clock() < held.stale_from:
            return held.token
        renewal = self._renewal_after(held)
        return renewal.result() if isinstance(renewal, Outcome) else renewal

    async def atoken(self) -> Token:
        """Return a valid token without blocking the event loop. Raises what `token` raises."""
        held = self._held
        if held is not None and self._clock() < held.stale_from:
            return held.token
        renewal = self._renewal_after(held)
        return await renewal.aresult() if isinstance(renewal, Outcome) else renewal

    def renew(self, rejected: Token) -> Token:
        """Return another token than one that the API rejected with a 401. Raises what `token` raises."""
        self._reject(rejected)
        return self.token()

    async def arenew(self, rejected: Token) -> Token:
        """Return another token than one that the API rejected with a 401. Raises what `token` raises."""
        self._reject(rejected)
        return await self.atoken()

    def invalidate(self) -> None:
        """Forget the token here and in the store. A renewal that is under way does not bring it back.

        Raises:
            StoreError: The store can't be written; this source has forgotten it all the same.
        """
        self._run(self._forget).result()

    async def ainvalidate(self) -> None:
        """Do what `invalidate` does without blocking the event loop."""
        await self._run(self._forget).aresult()

    def logout(self) -> None:
        """Forget the token and have the server invalidate it.

        Raises:
            ProcountorAuthError: The server or the store could not be reached; the token is forgotten here.
        """
        self._run(self._log_out).result()

    async def alogout(self) -> None:
        """Do what `logout` does without blocking the event loop."""
        await self._run(self._log_out).aresult()

    def begin_login(self, redirect_uri: str | None = None) -> Login:
        """Start a login in a person's browser, for the authorization_code strategy.

        Args:
            redirect_uri: The registered redirect URI with this login's port filled in, as a `LoopbackListener` has
                it; by default as it is registered.

        Raises:
            ConfigurationError: Another strategy is chosen, which needs no login; or `redirect_uri` is not the
                registered one.
        """
        strategy = self.strategy.primary if isinstance(self.strategy, FallbackStrategy) else self.strategy
        if not isinstance(strategy, AuthorizationCodeStrategy):
            raise ConfigurationError(
                f"The {strategy.name} strategy has no login page.",
                hint="Set PROCOUNTOR_STRATEGY=authorization_code to log in with a browser, or just call `token()`.",
            )
        return Login(strategy, self._fetch, redirect_uri)

    def _renewal_after(self, seen: _Held | None) -> Outcome[Token] | Token:
        """Return a usable token, or the renewal to wait for; start one if it is time and none is under way."""
        with self._lock:
            held = self._held
            now = self._clock()
            if held is not None and held is not seen and now < held.stale_from:
                return held.token
            usable = held is not None and now < held.usable_until
            renewal = self._renewal
            starts = renewal is None and not (usable and self._monotonic() < self._cool_until)
            if starts:
                self._renewal = renewal = self._outcome()
        if starts and renewal is not None:
            renewal.start(partial(self._renewed, self._supply))
        if usable and held is not None:
            return held.token
        assert renewal is not None  # noqa: S101 - without a usable token there is one: found above or started
        return renewal

    def _renewed(self, supply: Supply) -> Token:
        """Get the next token. Runs on the renewal's thread."""
        held = self._held
        known = held.token if held else None
        try:
            supplied = supply.renewed(known, self._rejected)
        except ProcountorAuthError as error:
            failure = error
        else:
            if supplied.asked:
                self._announce(supplied.token, known)
            return supplied.token
        self._tell(TokenFailed, supply.strategy.name, error=failure.code, retryable=failure.retryable)
        raise failure.with_traceback(None)

    def _fetch(self, flow: Flow[Token]) -> Outcome[Token]:
        """Get a token with a flow that somebody else has prepared, such as the end of a login, and keep it."""
        outcome = self._outcome()
        supply = self._supply

        def work() -> Token:
            token = supply.fetched(flow)
            self._announce(token, None)
            return token

        outcome.start(work)
        return outcome

    def _outcome(self) -> Outcome[Token]:
        return Outcome(self._supply.timeout, partial(self._keep, self._generation))

    def _keep(self, generation: int, outcome: Outcome[Token], token: Token | None) -> None:
        with self._lock:
            if self._renewal is outcome:
                self._renewal = None
            if generation != self._generation:
                return  # invalidated since it began
            if token is None:
                self._cool_until = self._monotonic() + COOLDOWN
                if self._held is not None and self._clock() < self._held.usable_until:
                    _logger.warning("an early renewal has failed; the token is served until it expires")
                return
            self._held = _Held(token, token.stale_from(self._jitter()), token.usable_until)
            self._rejected = None
        ends = token.refresh_expires_at
        if not self.strategy.alone and ends is not None and ends - self._clock() < REFRESH_WARNING:
            days = max(0, int((ends - self._clock()) // 86_400))
            _logger.warning("the refresh token ends in %d days: a person has to log in before", days)

    def _reject(self, rejected: Token) -> None:
        with self._lock:
            held = self._held
            if held is not None and held.token.access_token == rejected.access_token:
                # Kept for its refresh token, but never handed out again.
                self._held = _Held(held.token, float("-inf"), float("-inf"))
                self._rejected = rejected

    def _run(self, work: Callable[[], T]) -> Outcome[T]:
        outcome: Outcome[T] = Outcome(self._supply.timeout)
        outcome.start(work)
        return outcome

    def _forget(self) -> Token | None:
        """Forget the token; return it. A renewal under way is cut off: nobody keeps what it brings."""
        held = self._drop()
        stored = self._supply.forget()
        self._drop()  # what was read from the store in between
        return stored or (held.token if held else None)

    def _drop(self) -> _Held | None:
        with self._lock:
            held = self._held
            self._held = None
            self._renewal = None
            self._generation += 1
        return held

    def _log_out(self) -> None:
        deadline = self._supply.deadline()
        held = self._held
        failure: StoreError | None = None
        try:
            token = self._forget()
        except StoreError as error:
            token, failure = (held.token if held else None), error
        if token is not None:
            self._supply.log_out(token, deadline)
        if failure is not None:
            raise failure.with_traceback(None)

    def observe(self, header: Callable[[str], str | None], path: str) -> None:
        """Look at the headers of an API answer for an announced end; the integrations call this.

        Args:
            header: Returns the value of a header, or None.
            path: The path of the request.
        """
        ending = read_ending(header)
        if ending is None or ending in self._endings or len(self._endings) >= _ENDINGS:
            return
        self._endings.add(ending)
        self._tell(
            SunsetAnnounced,
            self.strategy.name,
            path=path,
            deprecated_at=ending.deprecated_at,
            sunset_at=ending.sunset_at,
            link=ending.link,
        )

    def _look(self, response: Response, path: str) -> None:
        self.observe(response.combined, path)

    def _announce(self, token: Token, previous: Token | None) -> None:
        kind = TokenAcquired if previous is None else TokenRenewed
        self._tell(kind, token.strategy, expires_at=token.expires_at)
        strategy = self.strategy
        either = (strategy.primary, strategy.fallback) if isinstance(strategy, FallbackStrategy) else (strategy,)
        if any(each.name == token.strategy and each.lifecycle is not None for each in either):
            self._tell(DeprecatedStrategyUsed, token.strategy)

    def _tell(self, kind: type[Event], strategy: str, **more: Any) -> None:  # noqa: ANN401 - each event's own
        event = kind(at=self._clock(), strategy=strategy, host=self.endpoints.host, profile=self._profile, **more)
        emit(event, self._on_event)

    def _tell_fallback(self, event: Event) -> None:
        emit(replace(event, profile=self._profile), self._on_event)

    def _supplied_by(self, strategy: Strategy, how: Wiring, account: str) -> Supply:
        if isinstance(strategy, FallbackStrategy):
            strategy.tell = self._tell_fallback
        return Supply(strategy, how, account=account, monotonic=self._monotonic, look=self._look)

    def _unlock(self) -> None:
        """Start with no lock held and no renewal under way: at first, and in a forked child."""
        self._lock = threading.Lock()
        self._renewal = None
        self._supply.forked()

    def __repr__(self) -> str:
        return f"<TokenSource with {self.strategy!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A TokenSource is not pickled: call `TokenSource.from_env()` in each process.")


_sources: weakref.WeakSet[TokenSource] = weakref.WeakSet()


def _in_a_child() -> None:
    # The threads of the parent's renewals do not exist here, and their locks would never be released.
    for source in list(_sources):
        source._unlock()  # noqa: SLF001 - one room


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
