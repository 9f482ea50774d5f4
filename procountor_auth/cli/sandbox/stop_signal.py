"""The signal that stops the sandbox: Ctrl-C, or the signal of a service manager."""

from __future__ import annotations

import signal
import time


class StopSignal:
    """Receives the signals from now on, and records whether one has arrived.

    A plain flag, not an event: the signal interrupts the waiting thread, which may hold the event's lock at that
    moment; setting the event would then wait for that lock forever.

    Attributes:
        has_come: Whether a signal has arrived.
    """

    def __init__(self) -> None:
        self.has_come: bool = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def _hear(self, _number: int, _frame: object) -> None:
        self.has_come = True

    def wait(self, seconds: float) -> bool:
        """Wait for some seconds, unless a signal has arrived; return whether it has. A signal does not end the wait."""
        if not self.has_come:
            time.sleep(seconds)
        return self.has_come
