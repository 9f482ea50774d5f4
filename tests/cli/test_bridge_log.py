"""The log of `procountor-auth bridge`: every line is one of its own, and says what has happened."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from procountor_auth.bridge.disconnect import BrokenOff
from procountor_auth.bridge.server import _is_news
from procountor_auth.cli.bridge import request_log
from tests.bridge.raw_requests import BOUNDARY, multipart, send
from tests.cli.bridge import Serving, configured

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command

    Start = Callable[..., Command]

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "body",
    [
        multipart({"password": "a-secret"}).replace(BOUNDARY.encode(), b"another"),
        multipart({"password": "a-secret"}) + b"more",
        multipart({"password": "a-secret"})[:-8],
    ],
    ids=["wrong boundary", "more behind the end", "no end"],
)
def test_a_form_that_is_odd(start: Start, sandbox: Sandbox, body: bytes) -> None:
    """Whatever the library for forms warns of, the log has the line of the request, and nothing else."""
    serving = Serving(start, environment=configured(sandbox))
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    assert send(serving.url, "/api/oauth/authz", body, content_type=kind).status == 400
    status, _, log = serving.stops()
    assert (status, [each.get("status") for each in log]) == (0, [400])


def test_what_other_libraries_report(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of any logger is one line of JSON, on one line and without its traceback."""
    with request_log.written("json") as begin:
        begin()
        for name in ("procountor_auth.bridge", "uvicorn.error", "asyncio", "another.library"):
            logging.getLogger(name).warning("%s warns\nof two", name, exc_info=ValueError("a-secret"))
        logging.getLogger("another.library").info("this is of no interest")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"].split()[0]) for line in lines] == [
        ("warning", "procountor_auth.bridge"),
        ("warning", "uvicorn.error"),
        ("warning", "asyncio"),
        ("warning", "another.library"),
    ]
    assert "a-secret" not in str(lines)


def test_no_log_of_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a log, nobody writes one."""
    before = logging.getLogger().handlers[:]
    with request_log.written("none") as begin:
        begin()
        logging.getLogger("another.library").error("it fails")
    assert capsys.readouterr().err == ""
    assert logging.getLogger().handlers == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_start_that_can_not_be_told(start: Start, sandbox: Sandbox) -> None:
    """Where the first line can't be written, one sentence says why it ends."""
    full = os.open("/dev/full", os.O_WRONLY)
    command = start("bridge", "--port", "0", "--json", environment=configured(sandbox), pipes={"stdout": full})
    os.close(full)
    status, _, err = command.ends()
    assert status == 1
    assert err.splitlines() == ["procountor-auth: the output can't be written: No space left on device"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("a-secret"), "Exception in ASGI application: KeyError"),
        (BrokenOff("the program has gone"), None),
        (asyncio.CancelledError("timeout graceful shutdown exceeded"), None),
    ],
)
def test_an_exception_that_uvicorn_reports(error: BaseException, said: str | None) -> None:
    """Its type completes the sentence, without what it says; what our own log tells is not told twice."""
    info = (type(error), error, None)
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application\n", (), info)
    assert _is_news(record) == (said is not None)
    if said is not None:
        assert logging.Formatter().format(record) == said
