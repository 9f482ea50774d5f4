"""A transaction whose lock is held, as every store has it: what to write next, and who may."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import StoreConflict
from procountor_auth.stores.base import Entry, Transaction
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.failure import Failure
    from procountor_auth.stores.use import Use

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_READ_AGAIN: Final = "Nothing needs to be changed here; read again what is there now."


class LockedTransaction(Transaction):
    """A transaction over a store's own way to compare and swap.

    A lock belongs to the process that took it: a child that was forked meanwhile may not write under it.

    Args:
        entry: What was found after the lock was taken.
        swap: Puts an entry in place of the given version (0: none was there), or raises `StoreConflict`.
        discard: Removes the entry of the given version, or raises `StoreConflict`; None for a store that can't.
    """

    def __init__(
        self,
        entry: Entry | None,
        swap: Callable[[int, Entry], None],
        discard: Callable[[int], None] | None = None,
    ) -> None:
        self.entry = entry
        self._swap = swap
        self._discard = discard
        self._open = True
        self._pid = os.getpid()

    def write(
        self,
        token: Token | None,
        failure: Failure | None = None,
        *,
        lineage: Lineage = NO_LINEAGE,
        use: Use | None = None,
    ) -> None:
        """Write the next version. Raises what `Transaction.write` raises."""
        self._check_open()
        read = self.entry.version if self.entry else 0
        entry = Entry(read + 1, token, failure, lineage, use)
        self._swap(read, entry)
        self.entry = entry

    def remove(self) -> None:
        """Remove the entry. Raises what `Transaction.remove` raises."""
        if self._discard is None:
            super().remove()
            return
        self._check_open()
        if self.entry is not None:
            self._discard(self.entry.version)
        self.entry = None
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise StoreConflict("The transaction is over, and its lock with it.", hint=_READ_AGAIN)
        if os.getpid() != self._pid:
            raise StoreConflict("The lock belongs to the process that this one was forked from.", hint=_READ_AGAIN)

    def close(self) -> bool:
        """Let nothing be written any more. Return whether the lock is this process's to release."""
        self._open = False
        return os.getpid() == self._pid


def check_key(key: str) -> str:
    """Return `key` if it can be the name of an entry in every store.

    Raises:
        ValueError: It has other characters than ASCII letters, digits, `-` and `_`, or is longer than 128.
    """
    if _KEY.fullmatch(key) is None:
        raise ValueError(
            "The key of a store's entry has 1 to 128 ASCII letters, digits, - and _, and none of the two first."
        )
    return key


def check_unchanged(read: int, found: Entry | None) -> None:
    """Accept what is there now before a write.

    An entry that has gone (a file deleted, a Redis restarted empty) is no conflict: nobody has a newer token, and
    the one to be written may be the only one that still works.

    Raises:
        StoreConflict: It is another version than the one that was read.
    """
    if found is not None and found.version != read:
        raise conflict(read, found.version)


def conflict(read: int, found: int) -> StoreConflict:
    """Return the error that says which version was read and which one is there."""
    return StoreConflict(
        f"The stored token has changed meanwhile (version {read} was read, {found} is there); nothing was written.",
        hint=_READ_AGAIN,
    )
