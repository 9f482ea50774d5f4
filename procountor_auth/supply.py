"""Where the tokens of one source come from: a strategy, the way to its server, and the stores in front of it.

Getting a token is a transaction of the store (`stores/base.py`): take its lock, read again, ask the server, write,
release. So of many processes or hosts one asks and the others find its token.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from procountor_auth.errors import (
    ConfigurationError,
    InteractionRequired,
    InvalidGrant,
    ProcountorAuthError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from procountor_auth.protocol.flow import watched
from procountor_auth.stores import open_store
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.key import entry_key
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.settings import Settings
    from procountor_auth.stores.base import Entry, Store, Transaction
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.token import Token

T = TypeVar("T")

_CONFLICTS: Final = 3
"""How often a renewal starts over because somebody else wrote in between."""

_logger = logging.getLogger("procountor_auth")


class Wiring(NamedTuple):
    """How requests reach the host, and where tokens are shared with others."""

    transport: Transport | None = None
    store: Store | None = None
    local: Store | None = None
    """The store to share with the processes of this host while `store` can't be reached."""


def wiring(settings: Settings, strategy: Strategy, account: str) -> Wiring:
    """Return what `settings` describe.

    Raises:
        ConfigurationError: The token store's package is not installed, or its key is not one.
    """
    store: Store | None = open_store(settings.token_store.get_secret_value(), settings.token_store_keys)
    local: Store | None = None
    if store is not None and store.name == "redis":
        with suppress(ConfigurationError):  # without the packages of the file store each process is by itself
            local = open_store("file", settings.token_store_keys)
    if isinstance(store, MemoryStore) and not (strategy.alone or strategy.identity() or account):
        store = None  # whoever logs in here is not whoever logs in at another source of this process
    return Wiring(Transport.from_settings(settings), store, local)


class Supplied(NamedTuple):
    """A token, and whether the server gave it just now; else it was in the store."""

    token: Token
    asked: bool


class Supply:
    """Gets tokens for one source. It keeps none itself, and is replaced as a whole when the settings change.

    Args:
        strategy: How tokens are asked for; its client's clock says when they end.
        how: The transport and the stores.
        account: The program's own name for whose tokens these are.
        monotonic: The clock for deadlines, in seconds.
        look: Shown each response, with the path of its request.
    """

    def __init__(
        self,
        strategy: Strategy,
        how: Wiring,
        *,
        account: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        look: Callable[[Response, str], None],
    ) -> None:
        self.strategy = strategy
        self.transport = how.transport or Transport()
        self.transport.prepare()
        self.store: Store = how.store or MemoryStore()
        self.local = how.local
        self.key = entry_key(strategy, account)
        self.clock = strategy.client.clock
        self._monotonic = monotonic
        self._look = look
        self.forked()

    @property
    def timeout(self) -> float:
        """Seconds that getting a token may take."""
        return self.transport.timeout

    def deadline(self) -> float:
        """Return the moment, on the monotonic clock, at which a token that is asked for now has to be there."""
        return self._monotonic() + self.timeout

    def renewed(self, known: Token | None, rejected: Token | None) -> Supplied:
        """Get the next token.

        Args:
            known: The token that this source has, if any.
            rejected: The token that the API has rejected, if any.
        """
        deadline = self.deadline()
        down: StoreUnavailable | None = None
        for _ in range(_CONFLICTS):
            try:
                return self._transact(self.store, known, rejected, deadline)
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
        if deadline <= self._monotonic():
            raise down.with_traceback(None)  # somebody has kept the lock for all the time that there was
        _logger.warning("%s This host goes on by itself, strategy %s", down.message, self.strategy.name)
        return self._transact(self.local or self._private, known, rejected, deadline)

    def fetched(self, flow: Flow[Token]) -> Token:
        """Get a token with a flow that somebody else has prepared, such as the end of a login, and store it."""
        deadline = self.deadline()
        # The lock comes first: a code that was exchanged must not be lost to a store that can't be had.
        with self.store.transaction(self.key, timeout=self.timeout) as transaction:
            token = self.drive(flow, deadline)
            self.write(transaction, token)
        return token

    def forget(self) -> Token | None:
        """Empty the entry in the store, and return the token that was in it.

        It waits for the renewal that holds the entry, and writes after it. A renewal that comes later finds this write,
        and so does not use the refresh token that it has seen before.
        """
        with self.store.transaction(self.key, timeout=self.timeout) as transaction:
            entry = transaction.entry
            transaction.write(None)
        return entry.token if entry else None

    def log_out(self, token: Token, deadline: float) -> None:
        """Have the server invalidate a token."""
        self.drive(self.strategy.logout(token), deadline)

    def drive(self, flow: Flow[T], deadline: float) -> T:
        """Drive a flow to its result before the deadline."""
        return self.transport.run(watched(flow, self._look), timeout=deadline - self._monotonic())

    def write(self, transaction: Transaction, token: Token) -> None:
        """Store a token, if that can be done."""
        try:
            transaction.write(token)
        except StoreConflict:
            raise
        except StoreError as error:
            # The token is good, and may be the only one: it is served, though nobody else will find it.
            _logger.error("the new token is not stored: %s", error.message)  # noqa: TRY400 - no traceback with it

    def forked(self) -> None:
        """Let go of what the parent process has: in a forked child."""
        self._private = MemoryStore()

    def _transact(self, store: Store, known: Token | None, rejected: Token | None, deadline: float) -> Supplied:
        found = store.read(self.key)
        if found is not None and found.token is not None and self._serves(found.token, known, rejected):
            return Supplied(found.token, asked=False)
        with store.transaction(self.key, timeout=max(0.0, deadline - self._monotonic())) as transaction:
            entry = transaction.entry
            previous = _newer(known, entry)
            if entry is not None and entry.token is not None and self._serves(entry.token, known, rejected):
                return Supplied(entry.token, asked=False)
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
            self.write(transaction, token)
        return Supplied(token, asked=True)

    def _serves(self, stored: Token, known: Token | None, rejected: Token | None) -> bool:
        """Whether a token from the store is the one that is wanted: not rejected, and not the old one again."""
        if (rejected and stored.access_token == rejected.access_token) or not self.strategy.serves(stored):
            return False
        if known is None:
            # A process that has just started is served at once, too; its next call renews behind it.
            return self.clock() < stored.usable_until
        return stored.access_token != known.access_token and self.clock() < stored.stale_from()

    def _ask(self, store: Store, previous: Token | None, deadline: float) -> Token:
        """Ask the server, and after a refusal look once more whether somebody else has a newer refresh token."""
        try:
            return self.drive(self._next(previous), deadline)
        except (InvalidGrant, InteractionRequired) as error:
            refused: ProcountorAuthError = error
        again = store.read(self.key)
        if again is None or again.token is None or previous is None or again.token == previous:
            raise refused.with_traceback(None)
        if self.clock() < again.token.usable_until:
            return again.token
        return self.drive(self._next(again.token), deadline)

    def _next(self, previous: Token | None) -> Flow[Token]:
        if previous is None or not self.strategy.serves(previous):
            return self.strategy.acquire()
        return self.strategy.renew(previous)


def _newer(known: Token | None, entry: Entry | None) -> Token | None:
    """Return the token to renew: what is stored, unless a newer one could not be written; an invalidation stands."""
    if entry is None:
        return known
    if known is None or entry.token is None or known.issued_at <= entry.token.issued_at:
        return entry.token
    return known
