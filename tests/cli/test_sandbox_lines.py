"""The lines of ``procountor-auth sandbox`` on a terminal, one for each request."""

from __future__ import annotations

import io
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from procountor_auth.cli.sandbox.request_lines import request_line
from procountor_auth.cli.screen import BAD, GOOD, NEUTRAL, WARNING
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Terminal

    Start = Callable[..., Command]

pytestmark = pytest.mark.once

ON_TERMINAL = {"TERM": "xterm-256color", "NO_COLOR": "", "COLUMNS": "80"}


def entry(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a member may be
    """Return an entry of the log, of a request that was answered well."""
    return {
        "method": "POST",
        "path": "/api/oauth/token",
        "status": 200,
        "grant_type": "client_credentials",
        "at": 0.0,
        "secret_in_url": False,
        "number": 1,
        "fault": None,
        "reset": None,
        "error": None,
        "client_id": "sandbox-655a1b26",
        "company_id": 14159,
        "user_id": 26535,
    } | changes


def text(width: int, **changes: Any) -> str:  # noqa: ANN401 - whatever a member may be
    """Return an entry's line without its time, as a terminal of this width shows it."""
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False, emoji=False)
    console.print(request_line(entry(**changes), width), no_wrap=True, overflow="ellipsis")
    line = out.getvalue()
    assert line.count("\n") == 1
    assert len(line) <= width + 1
    return line.rstrip("\n")[len("00:00:00 ") :]


REFUSED = {"status": 400, "error": "invalid_grant: Invalid 'api_key' in request. The API key is revoked."}


@pytest.mark.parametrize(
    ("width", "changes", "line"),
    [
        (70, {}, "200   client_credentials  company 14159, user 26535"),
        (80, {}, "200   client_credentials  company 14159, user 26535, sandbox-655a1b26"),
        (50, {}, "200   client_credentials  company 14159"),
        (40, {}, "200   client_credentials"),
        (80, {"grant_type": "unsupported", "company_id": None, "user_id": None, "client_id": None},
         "200   POST /api/oauth/token"),
        (80, REFUSED, "400   client_credentials  company 14159  invalid_grant: Invalid 'api_k…"),
        (50, REFUSED, "400   client_credentials  invalid_grant:…"),
        (160, {"status": 0, "reset": "before", "fault": "latency, reset"},
         "reset client_credentials  company 14159, user 26535, sandbox-655a1b26  injected: latency, reset"),
        (160, {"reset": "middle", "fault": "reset", "secret_in_url": True},
         "reset client_credentials  company 14159, user 26535, sandbox-655a1b26  injected: reset, secret in URL"),
        (80, {"client_id": "a\x1b[2Jb\nc", "company_id": None, "user_id": None},
         "200   client_credentials  a [2Jb c"),
    ],
)  # fmt: skip
def test_a_line(width: int, changes: dict[str, Any], line: str) -> None:
    """A line fits the terminal: the reason comes before the client and the user, and no control character is in it."""
    assert text(width, **changes) == line


@pytest.mark.parametrize(
    ("changes", "style"),
    [
        ({}, GOOD),
        ({"status": 302}, NEUTRAL),
        ({"status": 302, "error": "access_denied"}, WARNING),
        ({"status": 401}, WARNING),
        ({"status": 503}, BAD),
        ({"reset": "middle"}, BAD),
    ],
)
def test_the_colour_of_the_status(changes: dict[str, Any], style: str) -> None:
    """The status has a colour by what came of the request, and a reset is not green."""
    assert request_line(entry(**changes), 80).spans[0].style == style


def send(base_url: str, shown: str) -> tuple[str, str]:
    """Ask for a token twice, the second time with a key that is none; return the secrets that were sent."""
    found = dict(re.findall(r"^PROCOUNTOR_(\w+)=(\S+)$", shown, re.MULTILINE))
    form = {name: found[name.upper()] for name in ("client_id", "client_secret", "api_key")}
    form["grant_type"] = "client_credentials"
    with backend.Client(base_url=base_url, trust_env=False, verify=False) as http:
        assert http.post("/api/oauth/token", data=form).status_code == 200
        assert http.post("/api/oauth/token", data=form | {"api_key": "hunter2\x1b[2J"}).status_code == 400
        http.get("/favicon.ico")
    return form["client_secret"], form["api_key"]


def test_requests_on_a_terminal(start: Start, make_terminal: Callable[[], Terminal]) -> None:
    """While it serves, each request is a line with status, company and reason, and no secret is in it."""
    terminal = make_terminal()
    command = start("sandbox", environment=ON_TERMINAL, pipes={"stdout": terminal.side})
    banner = terminal.shows(r"(?s)listens on (\S+) .*Ctrl-C to stop\.\n")
    secrets = send(banner[1], banner[0])
    terminal.shows(r"\n\d\d:\d\d:\d\d 200   client_credentials  company 14159, user 26535, sandbox-\w+\n")
    terminal.shows(r"\n\d\d:\d\d:\d\d 400   client_credentials  invalid_grant: Invalid 'api_key' in request.…\n")
    command.process.send_signal(signal.SIGINT)
    assert command.ends()[0] == 0
    shown = terminal.shown()
    lines = shown.partition("Ctrl-C to stop.")[2]
    assert "\x1b[38;5;28m200" in lines
    assert "favicon" not in lines
    assert "hunter2" not in lines
    assert not [secret for secret in secrets if secret in lines]


@pytest.mark.parametrize("options", [["--quiet"], ["--json"]])
def test_no_lines(start: Start, make_terminal: Callable[[], Terminal], options: list[str]) -> None:
    """With `--quiet` and with `--json` a terminal has what is printed at the start, and no more."""
    terminal = make_terminal()
    command = start("sandbox", *options, environment=ON_TERMINAL, pipes={"stdout": terminal.side})
    url = terminal.shows(r"""(?s)(http://127\.0\.0\.1:\d+).*(?:Ctrl-C to stop\.|\})\n""")[1]
    assert backend.get(f"{url}/api/users", trust_env=False).status_code == 401
    command.process.send_signal(signal.SIGINT)
    assert command.ends()[0] == 0
    assert "/api/users" not in terminal.shown()


def test_no_lines_in_a_pipe(start: Start) -> None:
    """Without a terminal nothing is printed after the start."""
    command = start("sandbox")
    assert command.process.stdout
    banner = ""
    while "Ctrl-C to stop." not in banner:
        banner += command.process.stdout.readline()
    send(re.findall(r"listens on (\S+) ", banner)[0], banner)
    command.process.send_signal(signal.SIGINT)
    assert command.ends() == (0, "", "")


def test_a_terminal_that_goes_away(start: Start, make_terminal: Callable[[], Terminal]) -> None:
    """A sandbox whose terminal is gone goes on serving, and ends in order."""
    terminal = make_terminal()
    command = start("sandbox", environment=ON_TERMINAL, pipes={"stdout": terminal.side})
    url = terminal.shows(r"(?s)listens on (\S+) .*Ctrl-C to stop\.\n")[1]
    terminal.close()
    for _ in range(3):
        assert backend.get(f"{url}/api/users", trust_env=False).status_code == 401
    command.process.send_signal(signal.SIGINT)
    assert command.ends()[0] == 0
