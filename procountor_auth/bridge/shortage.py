"""Says that no further connection can be accepted, and not thousands of times a second."""

from __future__ import annotations

import errno
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from .exchange import LOGGER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

REPEAT_SECONDS: Final = 60.0
"""Seconds after which a shortage that goes on is told again."""

_SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""The errors after which an event loop tries to accept the same connection again."""

_AGAIN: Final = "._start_serving("
"""What the report of a failed callback names that was to try again."""

_logger = logging.getLogger(LOGGER)


class Shortage:
    """An event loop's handler of exceptions: asyncio reports a shortage each time that it tries again.

    Args:
        monotonic: The clock, in seconds.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_at: float | None = None

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log a shortage at most once a minute; leave everything else to the loop."""
        error = context.get("exception")
        if self._told_at is not None and isinstance(error, ValueError) and _AGAIN in context["message"]:
            return  # it tries again after the socket has been closed
        if not (isinstance(error, OSError) and error.errno in _SHORT and "socket" in context):
            loop.default_exception_handler(context)
            return
        now = self._monotonic()
        if self._told_at is None or now - self._told_at >= REPEAT_SECONDS:
            self._told_at = now
            _logger.error(
                "no further connection can be accepted: %s. The bridge tries again every second", error.strerror
            )
