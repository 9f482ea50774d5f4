"""Lets the coroutines of one event loop wait: one message from another thread wakes all of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future


class Gate:
    """Closed until it is opened permanently. Cancelling one waiter does not affect the others.

    All methods except `from_elsewhere` must be called in the event loop that the gate was created in.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._is_open = False

    def from_elsewhere(self, call: Callable[[], object]) -> None:
        """Call something in the event loop, from any thread; does nothing if the event loop has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def open_after(self, seconds: float) -> None:
        """Open the gate after a number of seconds, if it is still closed then."""
        self._loop.call_later(max(0.0, seconds), self.open)

    def open(self) -> None:
        """Wake all waiters; later calls of `wait` return at once."""
        self._is_open = True
        for each in self._waiting:
            if not each.done():
                each.set_result(None)
        self._waiting.clear()

    async def wait(self) -> None:
        """Wait until the gate is open."""
        if not self._is_open:
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            await waiter

    @staticmethod
    async def wait_for(future: Future[Any], seconds: float) -> None:
        """Wait until a future is done, at most for a number of seconds."""
        await asyncio.wait({asyncio.wrap_future(future)}, timeout=seconds)
