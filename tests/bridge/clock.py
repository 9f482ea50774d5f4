"""A clock that stands still until a test moves it."""

from __future__ import annotations


class Clock:
    """The time, in seconds.

    Attributes:
        now: What it shows.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds
