"""The clock of a simulated day."""

from __future__ import annotations

import time


class Clock:
    """Goes as far as it is told.

    Attributes:
        elapsed: Seconds since the day began.
    """

    def __init__(self) -> None:
        self._begun = time.time()
        self.elapsed = 0.0

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self._begun + self.elapsed
