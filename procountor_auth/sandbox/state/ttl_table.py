"""A table whose entries expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")

#: Entries of a table that grows with the requests.
MAX_ENTRIES = 100_000

_FIRST_SWEEP = 1024


class TTLTable(Generic[K, V]):
    """Keeps values until they expire, in memory proportional to the number of unexpired values.

    Expired values are removed whenever the table has doubled since the last time, so that an entry
    has a constant cost. Not thread-safe: the owner has the lock.

    Args:
        clock: Returns the Unix time in seconds.
        max_entries: How many entries are kept at most; beyond that, the oldest are dropped.
    """

    def __init__(self, clock: Callable[[], float], max_entries: int = MAX_ENTRIES) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._next_sweep = _FIRST_SWEEP
        self._entries: dict[K, tuple[V, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: K, value: V, expires_at: float) -> None:
        """Keep a value until the Unix time ``expires_at``, instead of the one with the same key."""
        self._entries.pop(key, None)
        self._entries[key] = (value, expires_at)
        if len(self._entries) >= self._next_sweep:
            now = self._clock()
            self._entries = {key: entry for key, entry in self._entries.items() if now < entry[1]}
            self._next_sweep = max(_FIRST_SWEEP, 2 * len(self._entries))
        while len(self._entries) > self._max_entries:
            del self._entries[next(iter(self._entries))]

    def get(self, key: K) -> V | None:
        """Return the value, or None if there is none or it has expired."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and self._clock() < entry[1] else None

    def pop(self, key: K) -> V | None:
        """Return the value and delete it; None if there is none or it has expired."""
        entry = self._entries.pop(key, None)
        return entry[0] if entry is not None and self._clock() < entry[1] else None
