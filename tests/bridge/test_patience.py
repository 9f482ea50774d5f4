"""How long a program without credentials can keep a connection."""

from __future__ import annotations

import logging
import select
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from tests.bridge.raw_program import RawProgram, status_of
from tests.bridge.request_lines import LOGGER, request_lines
from tests.bridge.running import OldProgram, RunningBridge, login_of
from tests.certificate import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once

SHORT: Final = 0.2
LIVE: Final = b"GET /_bridge/live HTTP/1.1\r\nHost: x\r\n\r\n"
FORM: Final = b"POST /api/oauth/%b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
REFUSED: Final = b"POST /api/invoices HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"
"""A call without a token, whose answer comes before its body."""


def ask_on_and_on(program: socket.socket) -> NoReturn:
    """Send requests until that fails, and read no answer."""
    while True:
        program.sendall(LIVE * 100)


@pytest.fixture
def login(sandbox: Sandbox) -> BridgeLogin:
    """The login of a sandbox's first company."""
    return login_of(sandbox)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"G",
        b"GET /api/sessioninfo HTTP/1.1\r\nHo",
        LIVE,
        LIVE + b"GET /",
        LIVE + LIVE + b"GET / HTTP/1.1\r\n",
        REFUSED,
    ],
    ids=["silent", "a byte", "half a head", "answered", "half a second head", "half a third head", "half a body"],
)
def test_a_connection_without_a_request_is_closed(login: BridgeLogin, begun: bytes) -> None:
    """Whatever has come of a head, a connection is closed in time, and others are answered before and after."""
    with RunningBridge([login], idle_seconds=SHORT) as bridge, RawProgram(bridge.port) as program:
        program.send(begun)
        assert program.read_to_end().count(b"HTTP/1.1 ") == begun.count(b"\r\n\r\n")
        with RawProgram(bridge.port) as other:
            other.send(LIVE)
            assert status_of(other.read_head()) == 200


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\nX: ", LIVE + b"GET / HTTP/1.1\r\nX: ", REFUSED])
def test_a_byte_now_and_then_keeps_no_connection(login: BridgeLogin, begun: bytes) -> None:
    """A head, or a body that nobody reads, which comes byte by byte ends with its connection, and not later."""
    with (
        RunningBridge([login], idle_seconds=SHORT) as bridge,
        socket.create_connection(("127.0.0.1", bridge.port)) as program,
    ):
        program.sendall(begun)
        with suppress(OSError):  # a byte that comes too late is answered with a reset
            while not select.select([program], [], [], SHORT / 10)[0] or program.recv(65_536):
                program.sendall(b"x")


def test_a_head_right_behind_an_answer_is_not_cut(login: BridgeLogin) -> None:
    """A request ends the wait for one: its answer may take longer than an idle connection is kept."""
    with (
        RunningBridge([login], idle_seconds=SHORT, body_seconds=3 * SHORT) as bridge,
        RawProgram(bridge.port) as program,
    ):
        program.send(LIVE + FORM % b"token")
        answers = program.read_to_end()
    assert b"HTTP/1.1 200 " in answers
    assert b"HTTP/1.1 408 " in answers


def test_a_silent_connection_with_tls_is_closed(login: BridgeLogin, tmp_path: Path) -> None:
    """The same holds behind a certificate."""
    certificate = Certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate.file)
    with (
        RunningBridge([login], certificate=certificate.file, key=tmp_path / "key.pem", idle_seconds=SHORT) as bridge,
        socket.create_connection(("127.0.0.1", bridge.port), timeout=60) as plain,
        trusted.wrap_socket(plain, server_hostname="127.0.0.1") as program,
    ):
        assert program.recv(1) == b""


def test_who_reads_no_answer_is_cut_off(login: BridgeLogin) -> None:
    """A program that asks on and on and takes no answer is cut off, though it has asked for nothing secret."""
    running = RunningBridge([login], unread_seconds=SHORT)
    running.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # so that it stands soon
    with (
        running as bridge,
        socket.create_connection(("127.0.0.1", bridge.port), timeout=60) as program,
        pytest.raises(OSError, match=r"reset|Broken pipe|aborted"),
    ):
        ask_on_and_on(program)


@pytest.mark.parametrize("sent", [b"", b"abc"])
@pytest.mark.parametrize("endpoint", ["authz", "token"])
def test_a_form_that_does_not_come(
    login: BridgeLogin, caplog: pytest.LogCaptureFixture, endpoint: str, sent: bytes
) -> None:
    """A form that stands still is answered with 408, and its connection is closed."""
    caplog.set_level(logging.INFO, LOGGER)
    with RunningBridge([login], body_seconds=SHORT) as bridge, RawProgram(bridge.port) as program:
        program.send(FORM % endpoint.encode() + sent)
        answer = program.read_to_end()
    assert status_of(answer) == 408
    assert b'"error":"invalid_request"' in answer
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert [(line["status"], line["reason"]) for line in request_lines(caplog)] == [(408, "The form did not come.")]


def test_a_form_that_comes_byte_by_byte(login: BridgeLogin) -> None:
    """The time is for the whole form: bytes now and then do not prolong it."""
    with (
        RunningBridge([login], body_seconds=SHORT) as bridge,
        socket.create_connection(("127.0.0.1", bridge.port)) as program,
    ):
        program.sendall(b"POST /api/oauth/authz HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        answer = b""
        with suppress(OSError):
            while not select.select([program], [], [], SHORT / 10)[0]:
                program.sendall(b"x")
            answer = program.recv(65_536)
    assert status_of(answer) == 408


def test_the_body_of_a_call_that_does_not_come(login: BridgeLogin) -> None:
    """A call whose body stands still is answered with 408 too, and its connection is closed."""
    with RunningBridge([login], body_seconds=SHORT) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        with RawProgram(bridge.port, program.access_token) as raw:
            raw.begin("POST", "/api/invoices", ["Content-Length: 5"])
            assert status_of(raw.read_to_end()) == 408


def test_a_bad_chunk_behind_an_answer_is_no_fault(login: BridgeLogin, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP ends the connection where the answer has been sent already; nothing is logged as a fault."""
    with RunningBridge([login]) as bridge, RawProgram(bridge.port) as program:
        program.send(b"POST /api/invoices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert status_of(program.read_head()) == 401
        program.send(b"zz\r\nabc\r\n")
        program.read_to_end()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_silent_connections_do_not_hold_up_the_end(login: BridgeLogin) -> None:
    """A bridge that is stopped waits for no connection without a request."""
    with RunningBridge([login]) as bridge:
        waiting = [RawProgram(bridge.port) for _ in range(3)]
        for each, begun in zip(waiting, (b"", b"GET /", REFUSED), strict=True):
            each.send(begun)
        with RawProgram(bridge.port) as other:
            other.send(LIVE)
            assert status_of(other.read_head()) == 200
        bridge.stop()
        for each in waiting:
            each.close()
