"""Stores a token that the server issued, which may be the only one that still works."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import StoreConflict, StoreError, StoreUnavailable
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Store, Transaction

MAX_ATTEMPTS: Final = 3
"""How often a write starts over because of another write in between."""

_MIN_WAIT: Final = 1.0
"""Seconds to wait for a lock at least, where there is a token to store."""

_PAUSES: Final = (0.25, 0.5, 1.0)
"""Seconds before each further attempt to write a refresh token to a store that is unavailable."""

_MAX_PATIENCE: Final = 2.0
"""Seconds after which there is no further attempt: a store that is slow to fail would hold up the token."""

_logger = logging.getLogger("procountor_auth")


class Acquired(NamedTuple):
    """A token, and where it came from."""

    token: Token
    from_server: bool
    """Whether the server gave it just now; else it was in the store."""
    lineage: Lineage = NO_LINEAGE
    """Its place among the tokens of its login."""


class Patience:
    """Waits a moment for a store that can't be written now, as in a failover, if a login depends on the write.

    A new refresh token may be the only one that still works. If it stayed in memory, it would end with the process.

    Args:
        sleep: Waits for some seconds.
        seconds_left: Says how much time the renewal has.
    """

    def __init__(self, sleep: Callable[[float], None], seconds_left: Callable[[], float]) -> None:
        self._sleep = sleep
        self.seconds_left = seconds_left
        self._enough = seconds_left() - _MAX_PATIENCE
        self._pauses = iter(_PAUSES)

    def waits(self, error: StoreError, token: Token) -> bool:
        """Wait before another attempt, and return True; False if there is none."""
        if not isinstance(error, StoreUnavailable) or token.refresh_token is None:
            return False
        pause = next(self._pauses, None)
        if pause is None or self.seconds_left() - pause < max(0.0, self._enough):
            return False
        self._sleep(pause)
        return True


def write_token(transaction: Transaction, token: Token, lineage: Lineage, patience: Patience) -> Acquired:
    """Store a token that the server gave, if that can be done.

    Raises:
        StoreConflict: Somebody else has written in between.
    """
    acquired = Acquired(token, from_server=True, lineage=lineage)
    while True:
        try:
            transaction.write(token, lineage=lineage)
        except StoreConflict:
            raise
        except StoreError as error:
            if not patience.waits(error, token):
                return _unstored(error, acquired)
        else:
            return acquired


def store_late(store: Store, key: str, acquired: Acquired, base: Lineage, patience: Patience) -> Acquired:
    """Store what the server gave to a renewal that has lost its lock meanwhile.

    Args:
        store: The store.
        key: The entry.
        acquired: What the server gave.
        base: The place of the token that it was given for.
        patience: Waits for the store.

    Raises:
        StoreConflict: The entry has a later token of the same login, one of another login, or was invalidated: that
            counts.
    """
    conflicts = 0
    while conflicts < MAX_ATTEMPTS:
        try:
            with store.transaction_in_any_case(key, timeout=_wait(patience)) as transaction:
                entry = transaction.entry
                if entry is not None and entry.lineage != base and not acquired.lineage.follows(entry.lineage):
                    break
                return write_token(transaction, acquired.token, acquired.lineage, patience)
        except StoreConflict:
            conflicts += 1
        except StoreError as error:
            if not patience.waits(error, acquired.token):
                return _unstored(error, acquired)
    _logger.warning("a renewal ended late: its token is superseded by what was stored meanwhile")
    raise StoreConflict("Somebody else has stored another token meanwhile.", hint="Try again.")


def store_login(store: Store, key: str, acquired: Acquired, patience: Patience) -> Acquired:
    """Store the token of a login that has lost its lock meanwhile: a person's login is newer than any renewal.

    Args:
        store: The store.
        key: The entry.
        acquired: The token.
        patience: Waits for the store.
    """
    attempts_left = MAX_ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            with store.transaction_in_any_case(key, timeout=_wait(patience)) as transaction:
                acquired = acquired._replace(lineage=Lineage.of(acquired.token, transaction.lineage))
                return write_token(transaction, acquired.token, acquired.lineage, patience)
        except StoreError as error:
            if isinstance(error, StoreConflict) and attempts_left:
                continue
            if not patience.waits(error, acquired.token):
                return _unstored(error, acquired)


def _wait(patience: Patience) -> float:
    """Return how long to wait for the lock, in seconds."""
    return max(_MIN_WAIT, patience.seconds_left())


def _unstored(error: StoreError, acquired: Acquired) -> Acquired:
    # The token is good, and may be the only one: it is served, though nobody else will find it.
    _logger.error("the new token is not stored: %s", error.message)
    return acquired
