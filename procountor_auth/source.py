"""The token source: one valid token for everybody who asks.

A token is *fresh*, then *stale*, then *expired*. Reading a fresh one is a comparison and takes no lock. A stale one is
served as well, while one renewal runs behind the callers. Only without a usable token do callers wait, all for the
same outcome, success or failure. A renewal is a transaction of the store (`stores/base.py`), so that of many processes
or hosts one asks the server and the others find its token.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, Self, TypeVar

from procountor_auth.errors import (
    ConfigurationError,
    InteractionRequired,
    InvalidGrant,
    ProcountorAuthError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from procountor_auth.login import Login
from procountor_auth.outcome import Outcome
from procountor_auth.settings import Settings
from procountor_auth.stores import open_store
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.key import entry_key
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.strategies import AuthorizationCodeStrategy, Strategy, build
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.endpoints import Endpoints
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.stores.base import Entry, Store, Transaction
    from procountor_auth.token import Token

T = TypeVar("T")

COOLDOWN: Final = 30.0
"""Seconds without another early renewal after one has failed."""

REFRESH_WARNING: Final = 30 * 86_400.0
"""Seconds before the end of a refresh token from which on every new token comes with a warning."""

_CONFLICTS: Final = 3
"""How often a renewal starts over because somebody else wrote in between."""

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
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.strategy = strategy
        self._transport = transport or Transport()
        self._transport.prepare()
        self._store: Store = store or MemoryStore()
        self._local = local
        self._key = entry_key(strategy, account)
        self._clock = strategy.client.clock
        self._monotonic = monotonic
        self._jitter = jitter
        self._held: _Held | None = None
        self._rejected: str | None = None
        self._cool_until = float("-inf")
        self._generation = 0  # goes up with each invalidation
        self._renewal: Outcome[Token] | None = None
        self._unlock()
        _sources.add(self)

    @classmethod
    def from_env(cls, *, account: str = "") -> Self:
        """Build the source that the environment describes (`PROCOUNTOR_*`, `.env`, secrets directory).

        Args:
            account: Your own name for whose tokens these are; see the class.

        Raises:
            ConfigurationError: Something is missing, wrong or misspelt there.
            LegacyNotAllowed: It chooses the legacy strategy and forbids it.
        """
        return cls.from_settings(Settings(), account=account)

    @classmethod
    def from_settings(cls, settings: Settings, *, account: str = "", clock: Callable[[], float] = time.time) -> Self:
        """Build the source that `settings` describe.

        Args:
            settings: The settings.
            account: Your own name for whose tokens these are; see the class.
            clock: The wall clock, in Unix seconds.

        Raises:
            LegacyNotAllowed: They choose the legacy strategy and forbid it.
            ConfigurationError: The token store's package is not installed, or its key is not one.
        """
        strategy = build(settings, clock=clock)
        store: Store | None = open_store(settings.token_store.get_secret_value(), settings.token_store_keys)
        local: Store | None = None
        if store is not None and store.name == "redis":
            with suppress(ConfigurationError):  # without the packages of the file store each process is by itself
                local = open_store("file", settings.token_store_keys)
        if isinstance(store, MemoryStore) and not (strategy.alone or strategy.identity() or account):
            store = None  # whoever logs in here is not whoever logs in at another source of this process
        transport = Transport.from_settings(settings)
        return cls(strategy, transport=transport, store=store, local=local, account=account)

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
        if not isinstance(self.strategy, AuthorizationCodeStrategy):
            raise ConfigurationError(
                f"The {self.strategy.name} strategy has no login page.",
                hint="Set PROCOUNTOR_STRATEGY=authorization_code to log in with a browser, or just call `token()`.",
            )
        return Login(self.strategy, self._fetch, redirect_uri)

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
            renewal.start(self._renewed)
        if usable and held is not None:
            return held.token
        assert renewal is not None  # noqa: S101 - without a usable token there is one: found above or started
        return renewal

    def _renewed(self) -> Token:
        """Get the next token inside a transaction of the store. Runs on the renewal's thread."""
        deadline = self._monotonic() + self._transport.timeout
        held, rejected = self._held, self._rejected
        known = held.token if held else None
        down: StoreUnavailable | None = None
        for _ in range(_CONFLICTS):
            try:
                return self._transact(self._store, known, rejected, deadline)
            except StoreConflict:
                continue
            except StoreUnavailable as error:
                down = error
                break
        if down is None:
            raise StoreConflict("The token store keeps changing under the renewal.", hint="Try again.")
        if not self.strategy.alone:
            raise StoreUnavailable(
                f"{down.message} Without it, a refresh token that others share must not be used.", hint=down.hint
            )
        _logger.warning("%s This host goes on by itself, strategy %s", down.message, self.strategy.name)
        return self._transact(self._local or self._private, known, rejected, deadline)

    def _transact(self, store: Store, known: Token | None, rejected: str | None, deadline: float) -> Token:
        found = store.read(self._key)
        if found is not None and found.token is not None and self._serves(found.token, known, rejected):
            return found.token
        with store.transaction(self._key, timeout=max(0.0, deadline - self._monotonic())) as transaction:
            entry = transaction.entry
            previous = _newer(known, entry)
            if entry is not None and entry.token is not None and self._serves(entry.token, known, rejected):
                return entry.token
            if entry is not None and entry.failure is not None and entry.version > (found.version if found else 0):
                # It failed while this renewal waited for the lock: asking again would be one attempt for each waiter.
                raise entry.failure.error()
            failed: ProcountorAuthError | None = None
            try:
                token = self._ask(store, previous, deadline)
            except ProcountorAuthError as error:
                failed = error
            if failed is not None:
                with suppress(StoreError):
                    transaction.write(previous, Failure.of(failed))
                raise failed.with_traceback(None)
            self._write(transaction, token)
        return token

    def _serves(self, stored: Token, known: Token | None, rejected: str | None) -> bool:
        """Whether a token from the store is the one that is wanted: not rejected, and not the old one again."""
        if stored.access_token == rejected:
            return False
        if known is None:
            # A process that has just started is served at once, too; its next call renews behind it.
            return self._clock() < stored.usable_until
        return stored.access_token != known.access_token and self._clock() < stored.stale_from()

    def _ask(self, store: Store, previous: Token | None, deadline: float) -> Token:
        """Ask the server, and after a refusal look once more whether somebody else has a newer refresh token."""
        try:
            return self._drive(self._next(previous), deadline)
        except (InvalidGrant, InteractionRequired) as error:
            refused: ProcountorAuthError = error
        again = store.read(self._key)
        if again is None or again.token is None or previous is None or again.token == previous:
            raise refused.with_traceback(None)
        if self._clock() < again.token.usable_until:
            return again.token
        return self._drive(self._next(again.token), deadline)

    def _next(self, previous: Token | None) -> Flow[Token]:
        return self.strategy.acquire() if previous is None else self.strategy.renew(previous)

    def _drive(self, flow: Flow[T], deadline: float) -> T:
        return self._transport.run(flow, timeout=deadline - self._monotonic())

    def _write(self, transaction: Transaction, token: Token) -> None:
        try:
            transaction.write(token)
        except StoreConflict:
            raise
        except StoreError as error:
            # The token is good, and may be the only one: it is served, though nobody else will find it.
            _logger.error("the new token is not stored: %s", error.message)  # noqa: TRY400 - no traceback with it

    def _fetch(self, flow: Flow[Token]) -> Outcome[Token]:
        """Get a token with a flow that somebody else has prepared, such as the end of a login, and keep it."""
        outcome = self._outcome()

        def work() -> Token:
            deadline = self._monotonic() + self._transport.timeout
            # The lock comes first: a code that was exchanged must not be lost to a store that can't be had.
            with self._store.transaction(self._key, timeout=self._transport.timeout) as transaction:
                token = self._drive(flow, deadline)
                self._write(transaction, token)
            return token

        outcome.start(work)
        return outcome

    def _outcome(self) -> Outcome[Token]:
        return Outcome(self._transport.timeout, partial(self._keep, self._generation))

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
        _logger.info("new token from %s, strategy %s", self.endpoints.host, token.strategy)
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
                self._rejected = rejected.access_token

    def _run(self, work: Callable[[], T]) -> Outcome[T]:
        outcome: Outcome[T] = Outcome(self._transport.timeout)
        outcome.start(work)
        return outcome

    def _forget(self) -> Token | None:
        """Forget the token; return it. A renewal under way is cut off: nobody keeps what it brings."""
        held = self._drop()
        # Waits for the renewal that holds the entry, and writes after it. A renewal that comes later finds this write,
        # and so does not use the refresh token that it has seen before.
        with self._store.transaction(self._key, timeout=self._transport.timeout) as transaction:
            entry = transaction.entry
            transaction.write(None)
        self._drop()  # what was read from the store in between
        return (entry.token if entry else None) or (held.token if held else None)

    def _drop(self) -> _Held | None:
        with self._lock:
            held = self._held
            self._held = None
            self._renewal = None
            self._generation += 1
        return held

    def _log_out(self) -> None:
        deadline = self._monotonic() + self._transport.timeout
        held = self._held
        failure: StoreError | None = None
        try:
            token = self._forget()
        except StoreError as error:
            token, failure = (held.token if held else None), error
        if token is not None:
            self._drive(self.strategy.logout(token), deadline)
        if failure is not None:
            raise failure.with_traceback(None)

    def _unlock(self) -> None:
        """Start with no lock held and no renewal under way: at first, and in a forked child."""
        self._lock = threading.Lock()
        self._renewal = None
        self._private = MemoryStore()

    def __repr__(self) -> str:
        return f"<TokenSource with {self.strategy!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A TokenSource is not pickled: call `TokenSource.from_env()` in each process.")


def _newer(known: Token | None, entry: Entry | None) -> Token | None:
    """Return the token to renew: what is stored, unless a newer one could not be written; an invalidation stands."""
    if entry is None:
        return known
    if known is None or entry.token is None or known.issued_at <= entry.token.issued_at:
        return entry.token
    return known


_sources: weakref.WeakSet[TokenSource] = weakref.WeakSet()


def _in_a_child() -> None:
    # The threads of the parent's renewals do not exist here, and their locks would never be released.
    for source in list(_sources):
        source._unlock()  # noqa: SLF001 - one room


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
