"""What a token store is: a transaction, not a place to write to.

A renewal takes the lock of its entry, reads again, requests a token, writes, and releases. The lock spans the network
call, so that one of many processes or hosts requests it and the others find it. A write is a compare-and-swap on the
version that was read: whoever held the lock too long, or lost to `invalidate()`, writes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from procountor_auth.errors import StoreError, StoreNotListable
from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.stores.lineage import INVALIDATED, NO_LINEAGE, Lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.failure import Failure
    from procountor_auth.stores.listing import Leftover, ListedEntry
    from procountor_auth.stores.use import Use


@dataclass(frozen=True, slots=True)
class Entry(Unpicklable):
    """What a store has under one key.

    Attributes:
        version: Goes up by one with each write.
        token: The token; None where it was invalidated, which is remembered as a write of its own.
        failure: What the last renewal ended with, if not with a token: those who waited for its lock share it.
        lineage: The token's place among those of its login. Only a token or an invalidation changes it.
        use: The refresh token that was sent and not answered yet, if there is one.
    """

    version: int
    token: Token | None
    failure: Failure | None = None
    lineage: Lineage = NO_LINEAGE
    use: Use | None = None

    def __post_init__(self) -> None:
        """Have what says nothing of its lineage begin one: a token, or an invalidation."""
        if self.lineage == NO_LINEAGE:
            object.__setattr__(self, "lineage", self.default_lineage)

    @property
    def default_lineage(self) -> Lineage:
        """The lineage of an entry that says nothing of it."""
        if self.token is None and self.failure is None and self.use is None:
            return INVALIDATED
        return Lineage.of(self.token)


class Transaction(ABC):
    """The time during which one holder has the lock of one entry.

    Attributes:
        entry: What was found after the lock was taken, or None.
    """

    entry: Entry | None

    @property
    def lineage(self) -> Lineage:
        """The place of what was found."""
        return self.entry.lineage if self.entry is not None else NO_LINEAGE

    @abstractmethod
    def write(
        self,
        token: Token | None,
        failure: Failure | None = None,
        *,
        lineage: Lineage = NO_LINEAGE,
        use: Use | None = None,
    ) -> None:
        """Write the next version durably: when it returns, the token survives a kill.

        Args:
            token: The token; None where there is none, or it was invalidated.
            failure: What a renewal ended with.
            lineage: The token's place; by default it begins a chain.
            use: The refresh token that is about to be sent.

        Raises:
            StoreConflict: Another version is there than `entry` was: the lock was lost. Nothing is written.
            StoreError: It can't be written; the old version is still there, whole.
        """

    def remove(self) -> None:
        """Remove the entry, if it still is the one that was found. Nothing can be written afterwards.

        Whoever can does it under the lock, so that no renewal comes in between.

        Raises:
            StoreConflict: Another version is there than `entry` was: the lock was lost. Nothing is removed.
            StoreError: It can't be removed, or this store can't do it.
        """
        raise StoreError(
            "This token store can't remove an entry under its lock.", hint="Remove the entry by the store's own means."
        )


class Store(ABC):
    """Keeps tokens under keys that have no secret in them. Safe to share between threads.

    Passwords and client secrets never come here.

    Attributes:
        name: What it is called; of ours, the beginning of what `PROCOUNTOR_TOKEN_STORE` is.
        remote: Whether it is a server, which other hosts reach, and which can be out of reach.
        entries_fail_alone: Whether one entry can be out of reach while the others are not.
    """

    name: str
    remote: bool = False
    entries_fail_alone: ClassVar[bool] = False

    @abstractmethod
    def read(self, key: str) -> Entry | None:
        """Return what is there now, without a lock. What can't be understood is a miss, and is kept aside.

        Args:
            key: The key of the entry.

        Raises:
            UnreadableEntry: It needs another key, or a newer version of this package.
            StoreError: It can't be read.
        """

    @abstractmethod
    def transaction(self, key: str, *, timeout: float) -> AbstractContextManager[Transaction]:
        """Take the lock of an entry, waiting `timeout` seconds at most, and release it at the end.

        Args:
            key: The key of the entry.
            timeout: Seconds to wait for the lock at most.

        Raises:
            StoreUnavailable: The lock could not be had in time.
            UnreadableEntry: It needs another key, or a newer version of this package.
            StoreError: The store can't be used.
        """

    def transaction_unless(
        self,
        key: str,
        enough: Callable[[Entry], bool],  # noqa: ARG002 - for those who can
        *,
        timeout: float,
    ) -> AbstractContextManager[Transaction | Entry]:
        """Take the lock as `transaction` does, or give the entry without it once its holder has written what is enough.

        A store whose waiting callers have to ask again and again can so spare them the wait for one another. Only a
        renewal calls it, and only on stores of this package.

        Args:
            key: The key of the entry.
            enough: Whether an entry is all that the caller needs.
            timeout: Seconds to wait for the lock at most.

        Raises:
            StoreError: What `transaction` raises.
        """
        return self.transaction(key, timeout=timeout)

    def transaction_in_any_case(self, key: str, *, timeout: float) -> AbstractContextManager[Transaction]:
        """Take the lock as `transaction` does, also where the store was out of reach a moment ago.

        A token that waits to be stored may be the only one that still works: it is lost where that is not tried.

        Args:
            key: The key of the entry.
            timeout: Seconds to wait for the lock at most.

        Raises:
            StoreError: What `transaction` raises.
        """
        return self.transaction(key, timeout=timeout)

    def remove(self, key: str, *, timeout: float) -> None:  # noqa: ARG002 - for those who can
        """Remove an entry, whatever is in it, waiting `timeout` seconds for its lock at most.

        Args:
            key: The key of the entry.
            timeout: Seconds to wait for the lock at most.

        Raises:
            StoreUnavailable: The store can't be reached, or the lock could not be had in time.
            StoreError: It can't be removed.
        """
        raise StoreError(
            f"The {self.name} store can't remove what it can't open.", hint=f"Remove the entry {key} by its own means."
        )

    def list_entries(self) -> Sequence[ListedEntry]:
        """Return which entries there are, in any order, without what is in them. Only some stores can.

        Raises:
            StoreNotListable: This store can't.
            StoreError: It can't be read.
        """
        raise StoreNotListable(
            f"The {self.name} store can't list its entries.", hint="Look at them by the store's own means."
        )

    def list_leftovers(self) -> Sequence[Leftover]:
        """Return what is in the store besides entries. Raises what `list_entries` raises."""
        return ()

    def remove_leftover(self, leftover: Leftover, *, timeout: float) -> bool:  # noqa: ARG002 - for those who can
        """Remove a lock or temporary file, under the lock of its entry. Return whether it was removed.

        Args:
            leftover: What `list_leftovers` has found.
            timeout: Seconds to wait for the lock.

        Raises:
            StoreUnavailable: The lock could not be had in time.
            StoreError: It can't be removed.
        """
        return False
