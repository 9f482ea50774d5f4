"""The outcome of a flow, for any number of waiters in any thread or event loop.

The flow runs on a thread of its own and belongs to none of those who wait: a waiter that gives up, is cancelled, or
lives in an event loop that ends takes nothing away from the others, and a refresh token that the server has already
rotated is not lost with it.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

from procountor_auth.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.transport import Transport

T = TypeVar("T")

GRACE: Final = 1.0
"""Seconds that a waiter waits beyond the flow's own deadline, for its outcome to arrive."""


class Outcome(Generic[T]):
    """A result or an error that will be there within the transport's deadline.

    Args:
        transport: What drives the flow.
        settle: Called on the flow's thread with the outcome and the result (None for an error), before any waiter
            wakes.
    """

    def __init__(self, transport: Transport, settle: Callable[[Outcome[T], T | None], None]) -> None:
        self._transport = transport
        self._settle = settle
        # Holds errors as results: a future that raises one object in many threads lets them all write into its
        # traceback.
        self._future: Future[Callable[[], T]] = Future()
        # Marks it as running, so that no waiter's cancellation can reach it.
        self._future.set_running_or_notify_cancel()

    def start(self, flow: Flow[T]) -> None:
        """Run the flow. The thread keeps the interpreter alive until it is done: what it gets may be needed."""

        def work() -> None:
            try:
                result = self._transport.run(flow)
            except BaseException as error:  # noqa: BLE001 - it is handed to those who wait
                self._settle(self, None)
                self._future.set_result(_raising(error))
            else:
                self._settle(self, result)
                self._future.set_result(lambda: result)

        try:
            threading.Thread(target=work, name="procountor-auth", daemon=False).start()
        except RuntimeError:  # the interpreter is shutting down and starts no thread any more
            work()

    def result(self) -> T:
        """Wait for it in this thread.

        Raises:
            ProcountorAuthError: The error of the flow, as an object of the waiter's own.
        """
        try:
            unwrap = self._future.result(self._patience)
        except FutureTimeoutError:
            unwrap = _raising(self._still_waiting())
        return unwrap()

    async def aresult(self) -> T:
        """Wait for it without blocking the event loop. Raises what `result` raises."""
        try:
            async with asyncio.timeout(self._patience):
                unwrap = await asyncio.wrap_future(self._future)
        except TimeoutError:
            unwrap = _raising(self._still_waiting())
        return unwrap()

    @property
    def _patience(self) -> float:
        return self._transport.timeout + GRACE

    def _still_waiting(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"There was no token within {self._transport.timeout:g} seconds.",
            hint="Try again later, or give it more time with PROCOUNTOR_TIMEOUT.",
        )


def _raising(error: BaseException) -> Callable[[], NoReturn]:
    # The frames of the flow are of no use to a waiter, and may hold what nobody should see.
    error.__traceback__ = None

    def unwrap() -> NoReturn:
        raise copy.copy(error)

    return unwrap
