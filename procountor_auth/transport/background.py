"""The result of some work, for any number of waiters in any thread or event loop.

The work runs on a thread of its own and belongs to none of those who wait: a waiter that gives up, is cancelled, or
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

T = TypeVar("T")

GRACE: Final = 0.25
"""Seconds that a waiter waits beyond the work's own deadline, for its result to come."""


class SharedFuture(Generic[T]):
    """A result or an error that will be there in time.

    Args:
        timeout: Seconds that the work may take.
        on_done: Called on the work's thread with this future and the result (None for an error), before any waiter
            wakes.
    """

    def __init__(self, timeout: float, on_done: Callable[[SharedFuture[T], T | None], None] | None = None) -> None:
        self._timeout = timeout
        self._on_done = on_done
        # Holds errors as results: a future that raises one object in many threads lets them all write into its
        # traceback.
        self._future: Future[Callable[[], T]] = Future()
        # Marks it as running, so that no waiter's cancellation can reach it.
        self._future.set_running_or_notify_cancel()

    def start(self, work: Callable[[], T]) -> None:
        """Do the work. The thread keeps the interpreter alive until it is done: what it gets may be needed."""

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is handed to those who wait
                self._finish(None, raiser(error))
            else:
                self._finish(result, lambda: result)

        try:
            threading.Thread(target=run, name="procountor-auth", daemon=False).start()
        except RuntimeError:  # the interpreter is shutting down and starts no thread any more
            run()

    def _finish(self, result: T | None, unwrap: Callable[[], T]) -> None:
        if self._on_done is not None:
            self._on_done(self, result)
        self._future.set_result(unwrap)

    def result(self) -> T:
        """Wait for it in this thread.

        Raises:
            ProcountorAuthError: The error of the work, as an object of the waiter's own.
        """
        try:
            unwrap = self._future.result(self._patience)
        except FutureTimeoutError:
            unwrap = raiser(self._still_waiting())
        return unwrap()

    async def aresult(self) -> T:
        """Wait for it without blocking the event loop. Raises what `result` raises."""
        try:
            async with asyncio.timeout(self._patience):
                unwrap = await asyncio.wrap_future(self._future)
        except TimeoutError:
            unwrap = raiser(self._still_waiting())
        return unwrap()

    @property
    def _patience(self) -> float:
        return self._timeout + GRACE

    def _still_waiting(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"There was no token within {self._timeout:g} seconds.",
            hint="Try again later, or give it more time with PROCOUNTOR_TIMEOUT.",
        )


def raiser(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises a copy of `error`, each time, without the frames of the work.

    Those are of no use to a waiter, and may hold what nobody should see.
    """
    error.__traceback__ = None

    def unwrap() -> NoReturn:
        raise _copy_of(error)

    return unwrap


def _copy_of(error: BaseException) -> BaseException:
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - a class of somebody else's may not take its own arguments
        return error
