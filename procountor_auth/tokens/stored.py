"""How a token that the server gave gets into its entry: it may be the only one that still works."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import StoreConflict, StoreError
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Store, Transaction

MAX_ATTEMPTS: Final = 3
"""How often a write starts over because somebody else wrote in between."""

_MIN_WAIT: Final = 1.0
"""Seconds to wait for a lock at least, where there is a token to store."""

_logger = logging.getLogger("procountor_auth")


class Acquired(NamedTuple):
    """A token, and where it came from."""

    token: Token
    from_server: bool
    """Whether the server gave it just now; else it was in the store."""
    lineage: Lineage = NO_LINEAGE
    """Its place among the tokens of its login."""


def write_token(transaction: Transaction, token: Token, lineage: Lineage) -> Acquired:
    """Store a token that the server gave, if that can be done.

    Raises:
        StoreConflict: Somebody else has written in between.
    """
    acquired = Acquired(token, from_server=True, lineage=lineage)
    try:
        transaction.write(token, lineage=lineage)
    except StoreConflict:
        raise
    except StoreError as error:
        return _unstored(error, acquired)
    return acquired


def store_late(
    store: Store, key: str, acquired: Acquired, base: Lineage, seconds_left: Callable[[], float]
) -> Acquired:
    """Store what the server gave to a renewal that has lost its lock meanwhile.

    Args:
        store: The store.
        key: The entry.
        acquired: What the server gave.
        base: The place of the token that it was given for.
        seconds_left: Says how much time there is.

    Raises:
        StoreConflict: The entry has a later token of the same login, one of another login, or was invalidated: that
            counts.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            with store.transaction(key, timeout=max(_MIN_WAIT, seconds_left())) as transaction:
                entry = transaction.entry
                if entry is not None and entry.lineage != base and not acquired.lineage.follows(entry.lineage):
                    break
                return write_token(transaction, acquired.token, acquired.lineage)
        except StoreConflict:
            continue
        except StoreError as error:
            return _unstored(error, acquired)
    _logger.warning("a renewal ended late: its token is superseded by what was stored meanwhile")
    raise StoreConflict("Somebody else has stored another token meanwhile.", hint="Try again.")


def store_login(store: Store, key: str, acquired: Acquired, timeout: float) -> Acquired:
    """Store the token of a login that has lost its lock meanwhile: a person's login is newer than any renewal.

    Args:
        store: The store.
        key: The entry.
        acquired: The token.
        timeout: Seconds to wait for the lock at most.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            with store.transaction(key, timeout=max(_MIN_WAIT, timeout)) as transaction:
                acquired = acquired._replace(lineage=Lineage.of(acquired.token, transaction.lineage))
                return write_token(transaction, acquired.token, acquired.lineage)
        except StoreConflict as error:
            conflict: StoreError = error
        except StoreError as error:
            return _unstored(error, acquired)
    return _unstored(conflict, acquired)


def _unstored(error: StoreError, acquired: Acquired) -> Acquired:
    # The token is good, and may be the only one: it is served, though nobody else will find it.
    _logger.error("the new token is not stored: %s", error.message)
    return acquired
