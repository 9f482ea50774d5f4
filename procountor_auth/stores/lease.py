"""A lock that its server takes back from a holder that is gone: a living holder renews it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_LEASE: Final = 45.0
"""Seconds after which the lock of a holder that is gone is released. Longer than a renewal usually takes."""


class Lease:
    """Renews a lock three times in each lease, until it is stopped or lost.

    Args:
        renew: Renews it, and returns whether it is still held. It must raise nothing.
        seconds: The lease.
    """

    def __init__(self, renew: Callable[[], bool], seconds: float) -> None:
        self._renew = renew
        self._pause = seconds / 3
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="procountor-auth-lease", daemon=True)

    def start(self) -> None:
        """Start to renew it."""
        # Without a thread, at the interpreter's end, the lease is as long as it is.
        with suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Stop renewing it. A pending renewal does no harm: a server renews a lock for its holder only."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause) and self._renew():
            pass
