"""One renewal: one transaction of the store, one request, and what is tried after a refusal.

Getting a token is a transaction of the store (`stores/base.py`): take its lock, read again, request, write, release. So
of many processes or hosts one asks the server and the others find its token. After a refusal the store is read once
more, for a refresh token that somebody else has renewed; only then the fallback is tried.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import (
    CredentialsRefused,
    InteractionRequired,
    InvalidGrant,
    ProcountorAuthError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from procountor_auth.stores.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Entry, Store, Transaction
    from procountor_auth.strategies.base import Strategy
    from procountor_auth.tokens.fallback import Fallback, Refusal

_MAX_CONFLICTS: Final = 3
"""How often a renewal starts over because somebody else wrote in between."""

_logger = logging.getLogger("procountor_auth")


_MIN_WAIT: Final = 1.0
"""Seconds to wait for a lock at least, where there is a token to store."""


class Acquired(NamedTuple):
    """A token, and where it came from."""

    token: Token
    from_server: bool
    """Whether the server gave it just now; else it was in the store."""
    unstored_over: int | None = None
    """The version of the entry that it follows on, where it could not be written."""


@dataclass(frozen=True)
class Renewal:
    """Gets the next token of one configuration, once.

    Attributes:
        strategy: How tokens are requested; its client's clock says when they expire.
        fallback: What is tried where the server refuses the strategy.
        key: The entry in the store.
        profile: The profile whose tokens these are, if there are profiles.
        known: The token that the caller has, if any.
        unstored_over: The version of the entry that `known` follows on, where it could not be written.
        rejected: The token that the API has rejected, if any.
        credentials: A digest of the credentials, if there is one.
        owns: Says whether a stored token is one of this configuration's own.
        drive: Drives a flow to its result, before the deadline.
        seconds_left: Says how much time there is until the deadline.
    """

    strategy: Strategy
    fallback: Fallback | None
    key: str
    profile: str | None
    known: Token | None
    unstored_over: int | None
    rejected: Token | None
    credentials: str | None
    owns: Callable[[Token], bool]
    drive: Callable[[Flow[Token]], Token]
    seconds_left: Callable[[], float]

    def run(self, store: Store, local: Callable[[], Store]) -> Acquired:
        """Get the token.

        Args:
            store: Where tokens are shared with others.
            local: Gives the store to go on with while `store` can't be reached.

        Raises:
            ProcountorAuthError: Whatever keeps it from getting one.
        """
        down: StoreUnavailable | None = None
        for _ in range(_MAX_CONFLICTS):
            try:
                return self._transact(store)
            except StoreConflict:
                continue
            except StoreUnavailable as error:
                down = error
                break
        if down is None:
            raise StoreConflict("The token store keeps changing under the renewal.", hint="Try again.")
        if not self.strategy.unattended:
            raise StoreUnavailable(
                f"{down.message} Without it, a refresh token that others share must not be used.", hint=down.hint
            )
        if self.seconds_left() <= 0:
            raise down.with_traceback(None)  # somebody has kept the lock for all the time that there was
        _logger.warning("%s This host goes on by itself, strategy %s", down.message, self.strategy.name)
        return self._transact(local())

    def _transact(self, store: Store) -> Acquired:
        found = store.read(self.key)
        if found is not None and found.token is not None and self._is_wanted(found.token):
            return Acquired(found.token, from_server=False)
        with store.transaction(self.key, timeout=max(0.0, self.seconds_left())) as transaction:
            entry = transaction.entry
            previous = self._previous(entry)
            if entry is not None and entry.token is not None and self._is_wanted(entry.token):
                return Acquired(entry.token, from_server=False)
            failure = entry.failure if entry is not None and entry.version > (found.version if found else 0) else None
            if failure is not None and failure.concerns(self.credentials):
                # It failed while this renewal waited for the lock: another request would be one for each waiter.
                raise failure.error()
            failed: ProcountorAuthError | None = None
            try:
                token = self._request(store, previous)
            except ProcountorAuthError as error:
                failed = error
            if failed is not None:
                with suppress(StoreError):
                    transaction.write(previous, Failure.of(failed, self.credentials))
                raise failed.with_traceback(None)
            with suppress(StoreConflict):
                return write_token(transaction, token)
        return self._store_late(store, token, {previous, entry.token if entry else None})

    def _store_late(self, store: Store, token: Token, replaced: set[Token | None]) -> Acquired:
        """Store what the server gave to a renewal that has lost its lock meanwhile: it may be all that still works.

        Args:
            store: The store.
            token: What the server gave.
            replaced: What the token replaces.

        Raises:
            StoreConflict: It was invalidated, or somebody else has put another token there, which counts.
        """
        for _ in range(_MAX_CONFLICTS):
            try:
                with store.transaction(self.key, timeout=max(_MIN_WAIT, self.seconds_left())) as transaction:
                    entry = transaction.entry
                    # A failure that somebody wrote meanwhile has left the token as it was.
                    if entry is not None and not (entry.token in replaced and (entry.token or entry.failure)):
                        break
                    return write_token(transaction, token)
            except StoreConflict:
                continue
            except StoreError as error:
                return _unstored(error, token, None)
        _logger.warning("a renewal ended late: its token is superseded by what was stored meanwhile")
        raise StoreConflict("Somebody else has stored another token meanwhile.", hint="Try again.")

    def _previous(self, entry: Entry | None) -> Token | None:
        """Return the token to renew: what is stored, unless a newer one could not be written over just that.

        No clock decides: those of two hosts differ, and one may be set back. An invalidation stands.
        """
        if entry is None or (self.known is not None and entry.version == self.unstored_over):
            return self.known
        return entry.token

    def _is_wanted(self, stored: Token) -> bool:
        """Whether a token from the store is the one that is wanted: not rejected, and not the old one again."""
        if not self.owns(stored) or (self.rejected and stored.access_token == self.rejected.access_token):
            return False
        now = self.strategy.client.clock()
        if self.known is None:
            # A process that has just started is served at once, too; its next call renews behind it.
            return now < stored.usable_until
        return stored.access_token != self.known.access_token and now < stored.stale_from()

    def _request(self, store: Store, previous: Token | None) -> Token:
        """Request a token; after a refusal look for a newer refresh token in the store, then try the fallback."""
        try:
            return self.drive(self._next(previous))
        except (CredentialsRefused, InteractionRequired) as error:
            refusal: Refusal = error
        if isinstance(refusal, InvalidGrant | InteractionRequired):
            again = store.read(self.key)
            newer = again.token if again is not None and previous is not None and again.token != previous else None
            if newer is not None and self.strategy.client.clock() < newer.usable_until:
                return newer
            if newer is not None:
                try:
                    return self.drive(self._next(newer))
                except (CredentialsRefused, InteractionRequired) as error:
                    refusal = error
        if self.fallback is None or not (isinstance(refusal, InteractionRequired) or refusal.definite):
            raise refusal.with_traceback(None)
        return self.drive(self.fallback.acquire(self.strategy, refusal, self.profile))

    def _next(self, previous: Token | None) -> Flow[Token]:
        if previous is None or not self.strategy.owns(previous):
            return self.strategy.acquire()
        return self.strategy.renew(previous)


def write_token(transaction: Transaction, token: Token) -> Acquired:
    """Store a token that the server gave, if that can be done.

    Raises:
        StoreConflict: Somebody else has written in between.
    """
    try:
        transaction.write(token)
    except StoreConflict:
        raise
    except StoreError as error:
        return _unstored(error, token, transaction.entry)
    return Acquired(token, from_server=True)


def _unstored(error: StoreError, token: Token, entry: Entry | None) -> Acquired:
    # The token is good, and may be the only one: it is served, though nobody else will find it.
    _logger.error("the new token is not stored: %s", error.message)
    return Acquired(token, from_server=True, unstored_over=entry.version if entry else 0)
