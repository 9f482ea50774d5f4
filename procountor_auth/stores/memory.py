"""Tokens for the life of the process, shared by all sources in it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from procountor_auth.errors import StoreUnavailable
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.listing import ListedEntry
from procountor_auth.stores.transaction import LockedTransaction, check_key, check_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MAX_ENTRIES: Final = 1_000
"""From so many entries on, those that have ended are dropped."""

_TRY_LATER: Final = "Nothing needs to be changed here; try again later."


class MemoryStore(Store):
    """Keeps tokens in this process. `MemoryStore.shared_instance()` is the one that all sources share.

    A program may get tokens for any number of accounts: the memory of tokens that have ended is used again. What can't
    be got again stays: a refresh token, an invalidation, and an entry that somebody has locked.

    Args:
        clock: The wall clock, in Unix seconds.
    """

    name = "memory"

    _instance: ClassVar[MemoryStore | None] = None
    _alive: ClassVar[weakref.WeakSet[MemoryStore]] = weakref.WeakSet()
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sweep_at = MAX_ENTRIES
        self._entries: dict[str, Entry] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        MemoryStore._alive.add(self)

    @classmethod
    def shared_instance(cls) -> MemoryStore:
        """Return the store of this process."""
        with MemoryStore._making:
            if MemoryStore._instance is None:
                MemoryStore._instance = MemoryStore()
            return MemoryStore._instance

    @classmethod
    @contextmanager
    def another_instance(cls) -> Generator[None]:
        """Let the sources that are made meanwhile share another, empty store, as each test of a suite does."""
        with MemoryStore._making:
            before, MemoryStore._instance = MemoryStore._instance, None
        try:
            yield
        finally:
            with MemoryStore._making:
                MemoryStore._instance = before

    def read(self, key: str) -> Entry | None:
        """Return what is there now."""
        return self._entries.get(check_key(key))

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry. Raises what `Store.remove` raises."""
        with self.transaction(key, timeout=timeout), self._guard:
            self._entries.pop(key, None)

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        lock = self._acquire(check_key(key), timeout)

        def swap(read: int, entry: Entry) -> None:
            with self._guard:
                check_unchanged(read, self._entries.get(key))
                self._entries[key] = entry
                if len(self._entries) > self._sweep_at:
                    self._sweep()

        def discard(read: int) -> None:
            with self._guard:
                check_unchanged(read, self._entries.get(key))
                self._entries.pop(key, None)

        transaction = LockedTransaction(self._entries.get(key), swap, discard)
        try:
            yield transaction
        finally:
            transaction.close()
            # In a child that was forked meanwhile this is a copy of the lock that nobody else has any more.
            lock.release()

    def list_entries(self) -> list[ListedEntry]:
        """Return which entries this process has; in memory, none has a size."""
        return [ListedEntry(key, 0) for key in list(self._entries)]

    def _acquire(self, key: str, timeout: float) -> threading.Lock:
        until = time.monotonic() + min(max(0.0, timeout), threading.TIMEOUT_MAX / 2)
        while True:
            lock = self._locks.setdefault(key, threading.Lock())
            if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                raise StoreUnavailable(
                    f"Another renewal in this process has kept the token for {timeout:g} seconds.", hint=_TRY_LATER
                )
            if self._locks.get(key) is lock:
                return lock
            lock.release()  # dropped with its entry while this thread waited

    def _sweep(self) -> None:
        """Drop expired entries that are not locked. The next time is when there are twice as many as remain."""
        now = self._clock()
        for key, entry in list(self._entries.items()):
            token = entry.token
            lock = self._locks.get(key)
            if token is None or token.refresh_token is not None or now < token.expires_at or lock is None:
                continue
            if lock.acquire(blocking=False):
                if self._entries.get(key) is entry:
                    del self._entries[key], self._locks[key]
                lock.release()
        self._sweep_at = max(MAX_ENTRIES, 2 * len(self._entries))

    @classmethod
    def begin_in_child(cls) -> None:
        """Give every store in a forked child its own locks."""
        cls._making = threading.Lock()
        for store in cls._alive:
            store._forget_locks()  # noqa: SLF001 - of this class

    def _forget_locks(self) -> None:
        """Give a forked child its own locks: the holders of the old ones exist in the parent only."""
        self._locks = {}
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return "<MemoryStore>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A MemoryStore is not pickled: each process has its own.")


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=MemoryStore.begin_in_child)
