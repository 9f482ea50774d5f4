"""What is logged while no connection can be accepted."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.bridge.shortage import REPEAT_SECONDS, Shortage
from tests.bridge.raw_program import RawProgram, status_of
from tests.bridge.running import RunningBridge, login_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that nobody runs."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def accepted(number: int) -> dict[str, Any]:
    """Return what asyncio reports where it can't accept a connection."""
    error = OSError(number, os.strerror(number))
    return {"message": "socket.accept() out of system resource", "exception": error, "socket": socket.socket}


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_shortage_is_told_once_a_minute(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """However often asyncio reports it, it is one line at first, and one more for each minute that it goes on."""
    now = [0.0]
    loop.set_exception_handler(Shortage(monotonic=lambda: now[0]))
    for _ in range(2_048):
        loop.call_exception_handler(accepted(number))
    now[0] += REPEAT_SECONDS - 1
    loop.call_exception_handler(accepted(number))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    now[0] += 1
    loop.call_exception_handler(accepted(number))
    loop.call_exception_handler(accepted(number))
    said = f"no further connection can be accepted: {os.strerror(number)}. The bridge tries again every second"
    assert [record.getMessage() for record in caplog.records] == [said, said]


@pytest.mark.parametrize(
    "context",
    [
        {"message": "Task exception was never retrieved", "exception": ValueError("x")},
        {"message": "Fatal read error", "exception": OSError(errno.ENOMEM, "x")},
        {"message": "Accept failed", "exception": OSError(errno.EINVAL, "x"), "socket": None},
    ],
)
def test_whatever_else_fails_is_told_each_time(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, context: dict[str, Any]
) -> None:
    """What is no shortage is left to asyncio, which logs it."""
    loop.set_exception_handler(Shortage())
    for _ in range(2):
        loop.call_exception_handler(context)
    assert [record.name for record in caplog.records] == ["asyncio", "asyncio"]


def test_the_end_of_a_bridge_in_a_shortage_is_no_error(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop tries again after the listener has been closed: nothing is said of that."""
    loop.set_exception_handler(Shortage(monotonic=lambda: 0.0))
    loop.call_exception_handler(accepted(errno.EMFILE))
    failed = "Exception in callback BaseSelectorEventLoop._start_serving(<function>)"
    loop.call_exception_handler({"message": failed, "exception": ValueError("Invalid file descriptor: -1")})
    assert len(caplog.records) == 1


def test_a_shortage_costs_no_time(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no connection can be accepted, that is tried again now and then, and not for each place in the queue."""
    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", 0.05)
    accept, tried = socket.socket.accept, list[float]()
    running = RunningBridge([login_of(sandbox)])

    def scarce(listening: socket.socket) -> tuple[socket.socket, Any]:
        if listening is running.listening:
            tried.append(time.monotonic())
            if len(tried) <= 6:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", scarce)
    with running as bridge, RawProgram(bridge.port) as program:
        program.send(b"GET /_bridge/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(program.read_head()) == 200
    assert tried[6] - tried[0] >= 3 * 0.05  # newer versions of asyncio try twice at a time
