"""How much is measured: everything, or as little as shows that the script works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: Rounds of what takes microseconds.
        starts: Rounds of what starts a process.
        threads: Cold callers, each time.
        coroutines: The same.
        profiles: Profiles whose memory is measured, and that are rehearsed.
        sources: Sources whose memory is measured.
        processes: Processes on one store, each time.
        rehearsed: Profiles in a rehearsal.
    """

    rounds: int
    starts: int
    threads: tuple[int, ...]
    coroutines: tuple[int, ...]
    profiles: int
    sources: int
    processes: tuple[int, ...]
    rehearsed: int


SIZES: Final = {
    "full": Size(400, 40, (64, 1_000), (64, 1_000, 10_000), 10_000, 1_000, (1, 4, 16, 64), 500),
    "smallest": Size(10, 2, (8,), (64,), 200, 20, (1, 4), 100),
}
