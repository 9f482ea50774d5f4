"""The signal that ends the sandbox."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from procountor_auth.cli.sandbox.stop_signal import StopSignal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _the_handlers_are_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heard_wherever_it_comes(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """One that comes in the middle of the wait is heard, and nothing that the wait may hold is asked for."""
    stop = StopSignal()
    monkeypatch.setattr("time.sleep", lambda _: signal.raise_signal(number))
    assert not stop.has_come
    assert stop.wait(3600)
    assert not [value for value in vars(stop).values() if isinstance(value, threading.Event | threading.Condition)]


def test_after_it_there_is_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has come, nobody waits any more."""
    stop = StopSignal()
    signal.raise_signal(signal.SIGTERM)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
    assert stop.wait(3600)
