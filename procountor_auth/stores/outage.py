"""Outages that take long to find out: the first of many profiles waits, and the others need not wait again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

SLOW: Final = 1.0
"""Seconds from which on an outage has taken long to find out."""

REMEMBERED: Final = 10.0
"""Seconds for which it is taken for granted."""


class Outages:
    """What is known of the servers that this process uses.

    Args:
        clock: The clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, StoreUnavailable]] = {}

    def check(self, place: str) -> float:
        """Refuse at once what would wait in vain; return the time at which the attempt begins.

        Raises:
            StoreUnavailable: The place was out of reach a moment ago.
        """
        now = self._clock()
        known = self._known.get(place)
        if known is not None and now < known[0]:
            raise StoreUnavailable(known[1].message, hint=known[1].hint)
        return now

    def remember(self, place: str, begun: float, error: StoreUnavailable) -> None:
        """Remember that a place could not be reached, if it took long to find that out."""
        now = self._clock()
        if now - begun >= SLOW:
            self._known[place] = (now + REMEMBERED, error)

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()


OUTAGES: Final = Outages()
"""Those of this process."""
