"""The outcome of some work, for any number of waiters."""

from __future__ import annotations

import asyncio
import threading

import pytest

from procountor_auth.errors import ConnectionFailed, InvalidGrant
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


def test_result_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started any more (interpreter shutdown), the work is done in the caller's."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome: SharedFuture[str] = SharedFuture(30.0)
    outcome.start(work)

    assert outcome.result() == "token"
