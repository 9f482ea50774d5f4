"""A table whose entries are forgotten when their time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")

_FIRST_SWEEP = 1024


class Expiring(Generic[K, V]):
    """Keeps values until they expire, in memory that follows the number of those that have not.

    What has expired is swept out whenever the table has doubled since the last time, so that an entry
    costs the same however many there are. Not safe for threads: the owner has the lock.

    Args:
        clock: Returns the Unix time in seconds.
        most: How many entries are kept at most; beyond it the oldest fall out.
    """

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
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
        while len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]

    def get(self, key: K) -> V | None:
        """Return the value, or None if there is none or its time is over."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and self._clock() < entry[1] else None

    def pop(self, key: K) -> V | None:
        """Return the value and forget it; None if there is none or its time is over."""
        entry = self._entries.pop(key, None)
        return entry[0] if entry is not None and self._clock() < entry[1] else None
