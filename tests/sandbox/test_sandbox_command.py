"""The command ``procountor-auth sandbox``, run as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from procountor_auth import __version__, cli
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    Run = Callable[..., subprocess.CompletedProcess[str]]

#: Hides one package from the import system, as on a machine where it is not installed.
HIDE = "import sys; sys.modules[{!r}] = None; from procountor_auth.cli import main; main()"


def environment() -> dict[str, str]:
    """Return variables with which a process finds this package, and writes wide plain lines."""
    here = str(Path(cli.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": here, "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"}


@pytest.fixture
def run(fork_server: ForkServer) -> Run:
    """Run the command to its end."""

    def to_its_end(*arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
        # A program of the test's own comes before whatever the command imports.
        begin = [sys.executable, "-c", program] if program else [fork_server.command]
        return subprocess.run(
            [*begin, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(),
        )

    return to_its_end


class Running:
    """The command while it serves."""

    def __init__(self, command: str, arguments: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [command, "sandbox", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; return the status and the rest of what was printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def start(fork_server: ForkServer) -> Iterator[Callable[..., Running]]:
    """Start commands that end with the test."""
    commands: list[Running] = []

    def begin(*arguments: str) -> Running:
        commands.append(Running(fork_server.command, arguments))
        return commands[-1]

    yield begin
    for command in commands:
        with command.process as process:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_json(start: Callable[..., Running], number: int) -> None:
    """The first line is the description, and a signal ends the service with status 0 and no word."""
    command = start("--json")
    described = json.loads(command.line())
    form = {
        "grant_type": "client_credentials",
        **{name: described[name] for name in ("client_id", "client_secret", "redirect_uri", "api_key")},
    }
    with httpx.Client(base_url=described["base_url"], trust_env=False, verify=False) as client:
        assert client.post("/api/oauth/token", data=form).status_code == 200
        assert client.get("/_sandbox/log").json()[0]["grant_type"] == "client_credentials"
        assert command.stop(number) == (0, "", "")


def test_options(start: Callable[..., Running]) -> None:
    """The switches reach the service."""
    command = start(
        "--json", "--legacy-removed", "--string-sub", "--token-lifetime", "7", "--redirect-uri", "http://127.0.0.1:9/cb"
    )
    described = json.loads(command.line())
    assert described["redirect_uri"] == "http://127.0.0.1:9/cb"
    base = f"{described['base_url']}/api/oauth"
    form = {
        "grant_type": "client_credentials",
        **{name: described[name] for name in ("client_id", "client_secret", "redirect_uri", "api_key")},
    }
    assert httpx.post(f"{base}/authz", trust_env=False, verify=False).status_code == 404
    assert httpx.post(f"{base}/token", data=form, trust_env=False, verify=False).json()["expires_in"] == 7


def test_banner(start: Callable[..., Running]) -> None:
    """For people the values are lines to copy, and the first one says what this is not."""
    command = start()
    assert command.line() == "This is not the Procountor service.\n"
    lines = []
    while "Ctrl-C" not in (line := command.line()):
        assert line
        lines.append(line)
    text = "".join(lines)
    for strategy in ("legacy_password", "client_credentials", "authorization_code"):
        assert f"PROCOUNTOR_STRATEGY={strategy}\n" in text
    assert "\x1b" not in text
    assert command.stop() == (0, "", "")


def test_taken_port(run: Run, sandbox: Sandbox) -> None:
    """A taken port is one clear line and status 1."""
    port = sandbox.base_url.rpartition(":")[2]
    done = run("sandbox", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("procountor-auth: cannot listen on 127.0.0.1, port ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "x"],
        ["--port", "70000"],
        ["--host", "0.0.0.0"],  # noqa: S104 - the mistake under test
        ["--redirect-uri", "https://x/?a=b"],
        ["--token-lifetime", "0"],
        ["--state", "maybe"],
    ],
)
def test_usage_errors(run: Run, arguments: list[str]) -> None:
    """A bad value is a usage error that names the option."""
    done = run("sandbox", *arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["typer", "rich", "flask"])
def test_missing_extra(run: Run, package: str) -> None:
    """Without the extra the command says in one line what to install."""
    done = run("sandbox", program=HIDE.format(package))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "procountor-auth needs its command line extra: pip install 'procountor-auth[sandbox]'\n"


def test_version(run: Run) -> None:
    """The version is one line, and the package's."""
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"procountor-auth {__version__}\n")


def test_help_names_the_command(run: Run) -> None:
    """Without arguments the help lists the subcommands."""
    assert "sandbox" in run("--help").stdout
