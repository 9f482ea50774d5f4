"""Runs work on a background thread, and shares its result with waiters in any thread or event loop.

The work is independent of its waiters: if one of them gives up, is cancelled, or its event loop ends, the others still
get the result, and a refresh token that the server has already rotated is not lost.

Other code can't delay the result: listeners and log handlers are called after the waiters have it. At exit, the
interpreter waits for pending work, and so does a child of multiprocessing, but not beyond the work's deadline; after
Ctrl-C they wait only briefly, and only for work that can't be repeated.
"""

from __future__ import annotations

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
from procountor_auth.transport.deferral import deferring
from procountor_auth.transport.finalizer import call_at_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.transport.gate import Gate
    from procountor_auth.transport.trio_gate import TrioGate

T = TypeVar("T")

GRACE: Final = 0.25
"""Seconds that a waiter waits beyond the work's deadline for its result."""

LAST_WAIT: Final = 0.5
"""Seconds that overdue work gets at exit: after a freeze of the process, its response may have arrived."""

INTERRUPTED_WAIT: Final = 2.0
"""Seconds that work which can't be repeated gets at exit after Ctrl-C."""

TELLING: Final = 0.1
"""Seconds that a waiter with the result gives listeners and log handlers, so that they usually run first."""


class SharedFuture(Generic[T]):
    """A result or an error that becomes available later.

    Args:
        timeout: The time limit for the work, in seconds.
        on_done: Called on the work's thread with this future and the result (None for an error), before any waiter
            wakes. It must not wait or call the program's code; use `later` for that.
        repeatable: Whether interrupted work can be repeated without losing anything.

    Attributes:
        started: Whether the work has begun.
        repeatable: As given.
    """

    def __init__(
        self,
        timeout: float,
        on_done: Callable[[SharedFuture[T], T | None], None] | None = None,
        *,
        repeatable: bool = False,
    ) -> None:
        self.started: bool = False
        self.repeatable = repeatable
        self._timeout = timeout
        self._until = time.monotonic() + timeout + GRACE
        self._on_done = on_done
        self._later: list[Callable[[], object]] = []
        self._worker: int | None = None
        self._gates: dict[object, Gate | TrioGate] = {}  # by event loop
        self._told: Future[None] = Future()
        # Errors are stored as results: if a future raised the same object in many threads, they would all modify
        # its traceback.
        self._future: Future[Callable[[], T]] = Future()
        # Marks it as running, so that no waiter can cancel it.
        self._future.set_running_or_notify_cancel()
        self._told.set_running_or_notify_cancel()

    @property
    def is_overdue(self) -> bool:
        """Whether its deadline has passed without a result, so that nobody needs to wait for it any more."""
        return not self._future.done() and time.monotonic() > self._until

    @property
    def is_own_work(self) -> bool:
        """Whether this thread does the work, so that it would wait for itself."""
        return self._worker == threading.get_ident()

    def start(self, work: Callable[[], T]) -> None:
        """Do the work on a new thread. If no thread can be started, the result is an error, immediately.

        While the interpreter shuts down and can't run new threads, the work is done on this thread.
        """
        if _is_ending():
            self._run(work)
            return
        # A daemon thread does not keep the interpreter alive; `_finish_work` waits for it, with a time limit.
        thread = threading.Thread(target=self._run, args=(work,), name="procountor-auth", daemon=True)
        refused = ""
        try:
            # Here, as the new thread may not have got that far when this one ends the process.
            _under_way.add(self)
            call_at_end(_finish_work)
            thread.start()
        except RuntimeError as error:
            # Python's locks also raise this if a signal handler raises while they wait; the thread runs then.
            if "thread" not in str(error):
                raise
            refused = str(error)
            _under_way.discard(self)
        except BaseException:  # from a signal handler
            if not self.started:
                _under_way.discard(self)
            raise
        if "shutdown" in refused:  # since Python 3.12
            self._run(work)
        elif refused:
            self._finish(None, raiser(no_thread()))
            if not getattr(_telling, "now", False):  # a listener that asks for a token in turn is told nothing more
                _telling.now = True
                try:
                    self._tell()
                finally:  # a signal may raise at any moment
                    _telling.now = False
            self._told.set_result(None)

    def later(self, call: Callable[[], object]) -> None:
        """Call something after the waiters have the result: the program's code, such as a listener."""
        self._later.append(call)

    def result(self) -> T:
        """Wait for the result in this thread.

        Raises:
            ProcountorAuthError: A copy of the work's error, for this waiter.
        """
        if self.is_own_work and not self._future.done():
            raise self._waits_for_itself()
        try:
            with suppress(FutureTimeoutError):
                self._future.result(self._timeout)
            # Once more: the process may have been frozen meanwhile, and the work needs a moment to continue.
            unwrap = self._future.result(GRACE)
            if not self.is_own_work:
                self.wait(TELLING)
        except FutureTimeoutError:
            unwrap = raiser(self._still_waiting())
        return unwrap()

    async def aresult(self) -> T:
        """Wait for the result without blocking the event loop. Raises what `result` raises."""
        if self.is_own_work and not self._future.done():
            raise self._waits_for_itself()
        await self.await_end()
        if not self._future.done():
            raise self._still_waiting()
        return self._future.result()()

    async def await_end(self) -> None:
        """Wait as `aresult` does, for a result or an error, at most until a moment after the deadline."""
        loop = _current_loop()
        gate = self._gates.get(loop) or self._new_gate(loop)
        await gate.wait()
        if not self._future.done():
            # Once more: the process may have been frozen meanwhile, and the work needs a moment to continue.
            await gate.wait_for(self._future, GRACE)

    def _new_gate(self, loop: object) -> Gate | TrioGate:
        """Return the gate of an event loop: one for all its waiters, as there may be thousands."""
        gate = self._gates[loop] = _gate_of(loop)
        gate.open_after(max(0.0, self.seconds_left - GRACE))  # `aresult` waits for that itself

        self._future.add_done_callback(lambda _: gate.from_elsewhere(lambda: gate.open_after(TELLING)))
        self._told.add_done_callback(lambda _: gate.from_elsewhere(gate.open))
        return gate

    def wait(self, seconds: float) -> None:
        """Wait until the work is done and `later` calls have run, at most for a number of seconds."""
        with suppress(FutureTimeoutError):
            self._told.result(max(0.0, seconds))

    async def await_later_calls(self, seconds: float) -> None:
        """Do what `wait` does without blocking the event loop."""
        gate = _gate_of(_current_loop())
        gate.open_after(seconds)
        self._told.add_done_callback(lambda _: gate.from_elsewhere(gate.open))
        await gate.wait()

    @property
    def seconds_left(self) -> float:
        """Seconds until it is overdue."""
        return self._until - time.monotonic()

    def _run(self, work: Callable[[], T]) -> None:
        self.started = True
        self._worker = threading.get_ident()
        _under_way.add(self)
        try:
            self._finish(*self._outcome_of(work))
        finally:
            self._tell()
            _under_way.discard(self)
            self._told.set_result(None)

    def _tell(self) -> None:
        for call in self._later:
            # A broken listener, filter or handler must not cost anyone the token, not even with SystemExit.
            with suppress(BaseException):
                call()

    def _outcome_of(self, work: Callable[[], T]) -> tuple[T | None, Callable[[], T]]:
        try:
            with deferring(self._later):
                result = work()
        except BaseException as error:  # noqa: BLE001 - passed on to the waiters
            return None, raiser(error)
        return result, lambda: result

    def _finish(self, result: T | None, unwrap: Callable[[], T]) -> None:
        try:
            if self._on_done is not None:
                with deferring(self._later):
                    self._on_done(self, result)
        finally:
            self._future.set_result(unwrap)

    def _still_waiting(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"No token arrived within {self._timeout:g} seconds.",
            hint="Try again later, or increase PROCOUNTOR_TIMEOUT.",
        )

    def _waits_for_itself(self) -> ConnectionFailed:
        error = ConnectionFailed(
            "A token was requested from within its own renewal, which would wait for itself.",
            hint="Don't request a token in your own log handlers, stores or strategies.",
        )
        error.sent = False
        return error


def _current_loop() -> object:
    """Return the running event loop: asyncio's, or trio's run.

    Raises:
        RuntimeError: No event loop is running.
    """
    # Without anyio: it supports only these two, and a running one has already been imported. Where another thread has
    # begun to import trio, there are only parts of it, and none runs. A task is asked for, not a run: in trio's guest
    # mode, both event loops have their tasks on one thread.
    trio: Any = getattr(sys.modules.get("trio"), "lowlevel", None)
    is_in_task = getattr(trio, "in_trio_task", None)
    if is_in_task is not None and is_in_task():
        run: object = trio.current_trio_token()
        return run
    import asyncio  # noqa: PLC0415 - not needed without an event loop

    return asyncio.get_running_loop()


def _gate_of(loop: object) -> Gate | TrioGate:
    """Return a new gate of an event loop."""
    kind: type[Gate | TrioGate]
    if type(loop).__module__.partition(".")[0] == "trio":
        from procountor_auth.transport.trio_gate import TrioGate as kind  # noqa: PLC0415, N813 - with trio
    else:
        from procountor_auth.transport.gate import Gate as kind  # noqa: PLC0415, N813 - with asyncio
    return kind()


def raiser(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises a new copy of `error` each time, without the frames of the work.

    These frames are useless to a waiter, and may contain secrets. So may the errors that caused it.
    """
    BaseException.with_traceback(error, None)
    BaseException.__setattr__(error, "__cause__", None)
    BaseException.__setattr__(error, "__context__", None)

    def unwrap() -> NoReturn:
        raise _copy_of(error)

    return unwrap


def no_thread() -> ConnectionFailed:
    """Return the error that no thread can be started."""
    error = ConnectionFailed(
        "This process can't start another thread, which it needs for a new token.",
        hint="Allow more threads or memory (ulimit -u, pids.max), or try again later.",
    )
    error.sent = False
    return error


def _copy_of(error: BaseException) -> BaseException:
    copied: object = None
    with suppress(BaseException):  # another package's class may not accept its own arguments, or raise anything
        copied = copy.copy(error)
    return copied if isinstance(copied, BaseException) and type(copied) is type(error) else error


def _is_ending() -> bool:
    """Whether the interpreter is shutting down: a new thread may never run then.

    The main thread's `is_alive` is unreliable: a signal handler that raises in it can mark the thread as ended forever.
    """
    return sys.is_finalizing()


_under_way: set[SharedFuture[Any]] = set()
_telling = threading.local()
_interrupted = threading.Event()


def interrupt() -> None:
    """Make the wait at exit as short as after Ctrl-C, which a program may have handled itself."""
    _interrupted.set()


def finish() -> None:
    """Wait for the work that is under way in this process, whatever comes of it, but not beyond its deadline."""
    last = time.monotonic() + LAST_WAIT
    for future in _others_work():
        future.wait(max(last - time.monotonic(), future.seconds_left))


async def afinish() -> None:
    """Do what `finish` does without blocking the event loop."""
    last = time.monotonic() + LAST_WAIT
    for future in _others_work():
        await future.await_later_calls(max(last - time.monotonic(), future.seconds_left))


def _others_work() -> list[SharedFuture[Any]]:
    return [future for future in list(_under_way) if not future.is_own_work]


@atexit.register
def _finish_work() -> None:
    """Wait for pending work, so that a token from the server is still stored and logged.

    After Ctrl-C, only work that can't be repeated gets a moment, because the user wants the prompt back. Another Ctrl-C
    ends the wait.
    """
    # A child of multiprocessing gets here while the exception is raised.
    ended_by = getattr(sys, "last_type", None) or sys.exc_info()[0] or object
    was_interrupted = _interrupted.is_set() or issubclass(ended_by, KeyboardInterrupt)
    until = time.monotonic() + INTERRUPTED_WAIT
    pending = _others_work()
    _under_way.difference_update(pending)  # nothing is waited for twice, as a finalizer and at exit
    with suppress(KeyboardInterrupt):
        for future in pending:
            left = max(LAST_WAIT, future.seconds_left)
            if was_interrupted:
                left = 0.0 if future.repeatable else min(left, until - time.monotonic())
            future.wait(left)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)  # the parent's threads do not exist in a child
