"""Lets the tasks of one trio run wait, like `gate.py`. It is imported only if a program uses trio."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class TrioGate:
    """Closed until it is opened permanently. Cancelling one waiter does not affect the others.

    All methods except `from_elsewhere` must be called in the run that the gate was created in.
    """

    def __init__(self) -> None:
        self._run = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def from_elsewhere(self, call: Callable[[], object]) -> None:
        """Call something in the run, from any thread; does nothing if the run has ended."""
        with suppress(trio.RunFinishedError):
            self._run.run_sync_soon(call)

    def open_after(self, seconds: float) -> None:
        """Open the gate after a number of seconds, if it is still closed then; at once if the run is ending."""

        async def later() -> None:
            await trio.sleep(max(0.0, seconds))
            self.open()

        try:
            trio.lowlevel.spawn_system_task(later)  # it ends with the run
        except RuntimeError:  # what a thread has passed to the run may be called after the last task
            self.open()

    def open(self) -> None:
        """Wake all waiters; later calls of `wait` return at once."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until the gate is open."""
        await self._event.wait()

    @staticmethod
    async def wait_for(future: Future[Any], seconds: float) -> None:
        """Wait for a number of seconds, as trio can't wait for a future."""
        if not future.done():
            await trio.sleep(seconds)
