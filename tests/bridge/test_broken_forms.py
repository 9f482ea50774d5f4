"""Programs that go, or send no HTTP, while they send the form of a login."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.bridge.raw_program import RawProgram, status_of
from tests.bridge.request_lines import request_lines
from tests.bridge.running import RunningBridge

if TYPE_CHECKING:
    from procountor_auth.bridge.login import BridgeLogin

pytestmark = pytest.mark.once


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str | None]]:
    """Return level, status and reason of each request; all lines of errors are those of requests."""
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR and record.name != "uvicorn.error"]
    assert errors == []
    levels = [record.levelname for record in caplog.records if "procountor_request" in vars(record)]
    told = request_lines(caplog)
    return [(level, line["status"], line["reason"]) for level, line in zip(levels, told, strict=True)]


@pytest.mark.parametrize("framing", [b"Content-Length: 500\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3\r\n"])
@pytest.mark.parametrize("endpoint", [b"authz", b"token"])
def test_a_program_that_goes(
    login: BridgeLogin, caplog: pytest.LogCaptureFixture, endpoint: bytes, framing: bytes
) -> None:
    """A program that has gone before its form was complete is told as that, as at the API."""
    with RunningBridge([login]) as bridge, RawProgram(bridge.port) as program:
        program.send(b"POST /api/oauth/%b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%b" % (endpoint, framing))
        assert status_of(program.read_head()) == 100  # it reads the form by now
        program.send(b"a=b")
    assert lines(caplog) == [("INFO", 0, "the program has closed the connection")]


@pytest.mark.parametrize("endpoint", [b"authz", b"token"])
def test_a_bad_chunk(login: BridgeLogin, caplog: pytest.LogCaptureFixture, endpoint: bytes) -> None:
    """What is no HTTP is refused with 400, and ends the request as if the program had gone."""
    with RunningBridge([login]) as bridge, RawProgram(bridge.port) as program:
        program.send(b"POST /api/oauth/%b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % endpoint)
        program.send(b"zz\r\nabc\r\n")
        assert status_of(program.read_to_end()) == 400
    assert lines(caplog) == [("INFO", 0, "the program has closed the connection")]
