"""The result of some work, for any number of waiters in any thread or event loop.

The work runs on a thread of its own and belongs to none of those who wait: a waiter that gives up, is cancelled, or
lives in an event loop that ends takes nothing away from the others, and a refresh token that the server has already
rotated is not lost with it.

Nothing that somebody else wrote can hold the result up: listeners and logs are told after the waiters have it. The
interpreter's end waits for work that is under way, but not longer than the work's own deadline.
"""

from __future__ import annotations

import asyncio
import atexit
import copy
import os
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

from procountor_auth.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

GRACE: Final = 0.25
"""Seconds that a waiter waits beyond the work's own deadline, for its result to come."""

LAST_WAIT: Final = 0.5
"""Seconds that the interpreter's end leaves to work whose time is over: after a freeze, its answer may be there."""

TELLING: Final = 0.1
"""Seconds that a waiter, who has the result, leaves to listeners and logs, so that they usually come first."""


class SharedFuture(Generic[T]):
    """A result or an error that will be there in time.

    Args:
        timeout: Seconds that the work may take.
        on_done: Called on the work's thread with this future and the result (None for an error), before any waiter
            wakes. It must neither wait nor call what somebody else wrote: `later` is for that.

    Attributes:
        started: Whether the work has begun.
    """

    def __init__(self, timeout: float, on_done: Callable[[SharedFuture[T], T | None], None] | None = None) -> None:
        self.started = False
        self._timeout = timeout
        self._until = time.monotonic() + timeout + GRACE
        self._on_done = on_done
        self._later: list[Callable[[], object]] = []
        self._worker: int | None = None
        self._told: Future[None] = Future()
        # Holds errors as results: a future that raises one object in many threads lets them all write into its
        # traceback.
        self._future: Future[Callable[[], T]] = Future()
        # Marks it as running, so that no waiter's cancellation can reach it.
        self._future.set_running_or_notify_cancel()
        self._told.set_running_or_notify_cancel()

    @property
    def is_overdue(self) -> bool:
        """Whether its time is over, and it is not done: others need not wait for it any more."""
        return not self._future.done() and time.monotonic() > self._until

    def start(self, work: Callable[[], T]) -> None:
        """Do the work on a thread of its own. If none can be started, the error is the result, at once.

        At the interpreter's end, when threads do not run any more, the work is done here.
        """
        if _is_ending():
            self._run(work)
            return
        # A daemon, which would not keep the interpreter from ending; `_finish_work` waits for it, with a limit.
        thread = threading.Thread(target=self._run, args=(work,), name="procountor-auth", daemon=True)
        refused = ""
        try:
            thread.start()
        except RuntimeError as error:
            # Python's own locks raise one too, where a signal handler raises while they wait: the thread runs then.
            if "thread" not in str(error):
                raise
            refused = str(error)
        if "shutdown" in refused:  # from Python 3.12 on
            self._run(work)
        elif refused:
            self._finish(None, raiser(_no_thread()))
            self._told.set_result(None)

    def later(self, call: Callable[[], object]) -> None:
        """Have something called when the waiters have the result: whatever somebody else wrote, such as a listener."""
        self._later.append(call)

    def result(self) -> T:
        """Wait for it in this thread.

        Raises:
            ProcountorAuthError: The error of the work, as an object of the waiter's own.
        """
        if self._worker == threading.get_ident() and not self._future.done():
            raise self._waits_for_itself()
        try:
            with suppress(FutureTimeoutError):
                self._future.result(self._timeout)
            # Once more: the process may have stood still meanwhile, and the work needs a moment to go on.
            unwrap = self._future.result(GRACE)
            if self._worker != threading.get_ident():
                self.wait(TELLING)
        except FutureTimeoutError:
            unwrap = raiser(self._still_waiting())
        return unwrap()

    async def aresult(self) -> T:
        """Wait for it without blocking the event loop. Raises what `result` raises."""
        # Twice: the process may have stood still meanwhile, and the work needs a moment to go on. And without a timeout
        # that cancels: of thousands of waiters the last one has its turn long after the result is there.
        await asyncio.wait({asyncio.wrap_future(self._future)}, timeout=self._timeout)
        if not self._future.done():
            await asyncio.wait({asyncio.wrap_future(self._future)}, timeout=GRACE)
        if not self._future.done():
            raise self._still_waiting()
        unwrap = self._future.result()
        if not self._told.done():
            await asyncio.wait({asyncio.wrap_future(self._told)}, timeout=TELLING)
        return unwrap()

    def wait(self, seconds: float) -> None:
        """Wait until the work is done and everybody has been told of it, or for some seconds."""
        with suppress(FutureTimeoutError):
            self._told.result(max(0.0, seconds))

    @property
    def seconds_left(self) -> float:
        """Seconds until it is overdue."""
        return self._until - time.monotonic()

    def _run(self, work: Callable[[], T]) -> None:
        self.started = True
        self._worker = threading.get_ident()
        _under_way.add(self)
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is handed to those who wait
            self._finish(None, raiser(error))
        else:
            self._finish(result, lambda: result)
        for call in self._later:
            # A broken listener, filter or handler costs nobody the token, not even with SystemExit.
            with suppress(BaseException):
                call()
        _under_way.discard(self)
        self._told.set_result(None)

    def _finish(self, result: T | None, unwrap: Callable[[], T]) -> None:
        try:
            if self._on_done is not None:
                self._on_done(self, result)
        finally:
            self._future.set_result(unwrap)

    def _still_waiting(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"There was no token within {self._timeout:g} seconds.",
            hint="Try again later, or give it more time with PROCOUNTOR_TIMEOUT.",
        )

    def _waits_for_itself(self) -> ConnectionFailed:
        error = ConnectionFailed(
            "A token was asked for from within the renewal that gets it, which would wait for itself.",
            hint="Don't ask for a token in a log handler, a store or a strategy of your own.",
        )
        error.sent = False
        return error


def raiser(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises a copy of `error`, each time, without the frames of the work.

    Those are of no use to a waiter, and may hold what nobody should see.
    """
    error.__traceback__ = None

    def unwrap() -> NoReturn:
        raise _copy_of(error)

    return unwrap


def _no_thread() -> ConnectionFailed:
    error = ConnectionFailed(
        "This process can't start another thread, and so gets no new token.",
        hint="Give it more threads or memory (ulimit -u, pids.max), or try again later.",
    )
    error.sent = False
    return error


def _copy_of(error: BaseException) -> BaseException:
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001 - a class of somebody else's may not take its own arguments
        return error


def _is_ending() -> bool:
    """Whether the interpreter is at its end: a thread that is started then may never run.

    The main thread's `is_alive` does not tell: a signal handler that raises in it marks that thread as ended for ever.
    """
    return sys.is_finalizing()


_under_way: set[SharedFuture[Any]] = set()


@atexit.register
def _finish_work() -> None:
    """Let what is under way come to its end: a token that the server has given is stored, and told of."""
    for future in list(_under_way):
        future.wait(max(LAST_WAIT, future.seconds_left))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)  # the parent's threads do not exist in a child
