"""The outcome of some work, for any number of waiters."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress

import pytest

from procountor_auth.errors import ConnectionFailed, InvalidGrant
from procountor_auth.transport import background
from procountor_auth.transport.background import SharedFuture


def work(wait_for: threading.Event | None = None) -> str:
    """Answer at once, or after an event."""
    if wait_for is not None:
        wait_for.wait()
    return "token"


def refusal() -> str:
    """Fail."""
    raise InvalidGrant("refused", hint="try another")


def test_result_reaches_threads_and_loops() -> None:
    """Those who wait before it is there and those who come later get the same result."""
    gate = threading.Event()
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(lambda: work(gate))

    async def early_and_late() -> list[str]:
        early = asyncio.create_task(outcome.aresult())
        await asyncio.sleep(0)
        gate.set()
        return [await early, await outcome.aresult(), outcome.result()]

    assert asyncio.run(early_and_late()) == ["token"] * 3


def test_settled_before_a_waiter_wakes() -> None:
    """What is to be kept has been kept when the first waiter goes on."""
    kept: list[str | None] = []
    outcome: SharedFuture[str] = SharedFuture(30.0, lambda _outcome, result: kept.append(result))
    outcome.start(work)

    assert [outcome.result(), *kept] == ["token", "token"]


def test_error_is_a_copy_for_each_waiter() -> None:
    """Each waiter raises an object of its own, with message and hint, and with no chain to other exceptions."""
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(refusal)
    with pytest.raises(InvalidGrant) as one:
        outcome.result()
    with pytest.raises(InvalidGrant) as other:
        asyncio.run(outcome.aresult())

    assert one.value is not other.value
    assert str(one.value) == str(other.value) == "refused\ntry another"
    assert (one.value.__cause__, one.value.__context__) == (None, None)
    assert (other.value.__cause__, other.value.__context__) == (None, None)


def test_waiting_ends_at_the_deadline() -> None:
    """A waiter gives up a grace after the deadline with a retryable error, and the work goes on for the others."""
    gate = threading.Event()
    outcome: SharedFuture[str] = SharedFuture(-0.95)
    outcome.start(lambda: work(gate))

    with pytest.raises(ConnectionFailed) as sync:
        outcome.result()
    with pytest.raises(ConnectionFailed):
        asyncio.run(outcome.aresult())
    gate.set()

    assert sync.value.retryable


def test_at_the_interpreter_s_end_the_work_is_done_by_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is started then may never run."""
    monkeypatch.setattr(background, "_is_ending", lambda: True)
    monkeypatch.setattr(threading.Thread, "start", lambda _: pytest.fail("a thread was started"))
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(work)

    assert outcome.result() == "token"


def test_from_python_3_12_on_the_end_is_told_by_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python refuses a thread because the interpreter is at its end, the caller does the work."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(work)

    assert outcome.result() == "token"


def test_nobody_asks_whether_the_main_thread_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler that raises in that question marks the main thread as ended for ever (bpo-45274)."""
    monkeypatch.setattr(type(threading.main_thread()), "is_alive", lambda _: pytest.fail("it was asked"))
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(work)

    assert outcome.result() == "token"


def test_where_no_thread_can_be_started_the_error_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process at its limit of threads gets a typed error that may pass, and no event loop is blocked by the work."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(lambda: pytest.fail("the work was done by the caller"))

    with pytest.raises(ConnectionFailed, match="can't start another thread") as caught:
        asyncio.run(outcome.aresult())
    assert (caught.value.retryable, caught.value.sent) == (True, False)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1), GeneratorExit()])
def test_what_is_told_later_can_cost_nobody_the_result(error: BaseException) -> None:
    """Whatever a listener or a log filter raises, the result is there, and the others are told as well."""
    told: list[str] = []

    def raises() -> None:
        raise error

    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.later(raises)
    outcome.later(lambda: told.append("told"))
    outcome.start(work)

    assert (outcome.result(), told) == ("token", ["told"])


def test_a_listener_that_hangs_holds_nobody_up() -> None:
    """The result comes although the listener never returns, and a listener gets it, too."""
    never, heard = threading.Event(), []
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.later(lambda: heard.append(outcome.result()))
    outcome.later(never.wait)
    outcome.start(work)

    assert outcome.result() == asyncio.run(outcome.aresult()) == "token"
    assert heard == ["token"]
    never.set()


def test_who_asks_from_within_the_work_gets_an_error() -> None:
    """A log handler that needs a token while one is fetched would wait for itself: it is told so at once."""
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(outcome.result)

    with pytest.raises(ConnectionFailed, match="would wait for itself"):
        outcome.result()


def test_work_that_takes_too_long_is_overdue() -> None:
    """After its deadline and the grace nobody needs to wait for it any more."""
    never = threading.Event()
    outcome: SharedFuture[str] = SharedFuture(0.01 - background.GRACE)
    outcome.start(lambda: work(never))
    assert outcome.seconds_left < 0.02
    while not outcome.is_overdue:
        threading.Event().wait(0.001)
    never.set()
    outcome.wait(10)
    assert not outcome.is_overdue


def test_the_end_waits_for_work_of_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At exit, work is waited for once, even if a finalizer of multiprocessing has the same wait as an exit hook."""
    waited: list[tuple[object, float]] = []
    gate = threading.Event()
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(lambda: work(gate))
    with monkeypatch.context() as patch:
        patch.setattr(SharedFuture, "wait", lambda *how: waited.append(how))
        background._finish_work()
        background._finish_work()
    gate.set()

    assert outcome.result() == "token"
    assert [waited_for for waited_for, _ in waited].count(outcome) == 1  # others' work may be under way as well


@pytest.mark.parametrize(("repeatable", "longest"), [(True, 0.0), (False, background.INTERRUPTED_WAIT)])
def test_after_ctrl_c_a_child_waits_briefly(
    monkeypatch: pytest.MonkeyPatch, *, repeatable: bool, longest: float
) -> None:
    """A child of multiprocessing that Ctrl-C ends still has the exception, and waits no longer than a program."""
    waited: list[tuple[object, float]] = []
    gate = threading.Event()
    outcome: SharedFuture[str] = SharedFuture(30.0, repeatable=repeatable)
    outcome.start(lambda: work(gate))
    with monkeypatch.context() as patch:
        patch.setattr(SharedFuture, "wait", lambda *how: waited.append(how))
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            background._finish_work()
    gate.set()

    assert outcome.result() == "token"
    (seconds,) = [seconds for waited_for, seconds in waited if waited_for is outcome]
    assert seconds <= longest


def test_work_that_finishes_all_work_does_not_wait_for_itself() -> None:
    """A listener may finish what others do: its own work is not waited for, in a thread or in an event loop."""
    told: list[str] = []

    def finish_all() -> None:
        background.finish()
        asyncio.run(background.afinish())
        told.append("told")

    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.later(finish_all)
    outcome.start(work)
    outcome.wait(20)

    assert told == ["told"]


def test_work_that_has_not_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends before the new thread has done anything waits for it as well."""
    waited: list[tuple[object, float]] = []
    threads: list[threading.Thread] = []
    begin = threading.Thread.start
    outcome: SharedFuture[str] = SharedFuture(30.0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))  # noqa: PLW0108 - as a method
        patch.setattr(SharedFuture, "wait", lambda *how: waited.append(how))
        outcome.start(work)
        background.finish()
    begin(threads[0])

    assert outcome.result() == "token"
    assert [waited_for for waited_for, _ in waited].count(outcome) == 1  # others' work may be under way as well


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("can't start new thread")])
def test_work_that_never_begins_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Where a signal or a limit of threads keeps the work from its thread, the process ends at once."""

    def refuse(_thread: threading.Thread) -> None:
        raise error

    outcome: SharedFuture[str] = SharedFuture(30.0)
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(threading.Thread, "start", refuse)
        outcome.start(work)

    assert outcome not in background._under_way
