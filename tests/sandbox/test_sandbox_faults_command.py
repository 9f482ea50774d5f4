"""The command ``procountor-auth sandbox faults``, and the options ``--fault`` and ``--public`` of the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from procountor_auth import cli
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.sandbox.behaviour.quick_faults import QUICK_FAULTS
from procountor_auth.sandbox.behaviour.switch import SWITCHES
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.forkserver.forkserver import ForkServer

    Run = Callable[..., subprocess.CompletedProcess[str]]

TOKEN = "a-token-of-the-tests"


def environment(token: str | None = None) -> dict[str, str]:
    """Return variables with which a process finds this package, and writes wide plain lines."""
    here = str(Path(cli.__file__).parents[2])
    return {
        **os.environ,
        **({} if token is None else {"PROCOUNTOR_SANDBOX_TOKEN": token}),
        "PYTHONPATH": here,
        "NO_COLOR": "1",
        "COLUMNS": "250",
        "TERM": "dumb",
    }


@pytest.fixture
def run(fork_server: ForkServer) -> Run:
    """Run the command to its end."""

    def to_its_end(*arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [fork_server.command, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(token),
        )

    return to_its_end


@pytest.fixture
def not_a_sandbox() -> Iterator[str]:
    """The URL of another server, which answers everything with a page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_change_and_show(run: Run, sandbox: Sandbox) -> None:
    """Switches of both kinds are changed together, and shown with what they normally are."""
    done = run("sandbox", "faults", sandbox.base_url, "status=429", "retry_after=7", "token_lifetime=5")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.faults == Faults(status=429, retry_after="7")
    assert sandbox.quirks == Quirks(error_shape="oauth", access_token_lifetime=5)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "status 429 (normally off)" in lines
    assert "access_token_lifetime 5 (normally 3600)" in lines
    assert "latency 0" in lines
    assert sandbox.log() == []


def test_clear_and_json(run: Run, sandbox: Sandbox) -> None:
    """``--clear`` comes before the changes, and ``--json`` is the one object that the service answers."""
    sandbox.faults = Faults(status=503, latency=0.1)
    sandbox.quirks = Quirks(subject="string")
    done = run("sandbox", "faults", sandbox.base_url + "/", "--clear", "--json", "latency=0.5")
    assert json.loads(done.stdout)["latency"] == 0.5
    assert (sandbox.faults, sandbox.quirks) == (Faults(latency=0.5), Quirks())


@pytest.mark.parametrize(
    ("assignment", "says"), [("reset=after", "reset must be"), ("wether=1", "'wether'"), ("latency", "NAME=VALUE")]
)
@pytest.mark.parametrize("command", ["sandbox faults", "sandbox"])
def test_wrong_switches(run: Run, sandbox: Sandbox, command: str, assignment: str, says: str) -> None:
    """A mistake is a usage error that names it, and nothing has changed, not even by ``--clear``."""
    sandbox.faults = Faults(status=503)
    arguments = ["--fault", assignment] if command == "sandbox" else [sandbox.base_url, assignment, "--clear"]
    done = run(*command.split(), *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.faults == Faults(status=503)


def test_nobody_there(run: Run) -> None:
    """Where nothing listens the command says so in one line, and what would start a sandbox."""
    with Sandbox() as gone:
        url = gone.base_url
    done = run("sandbox", "faults", url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert url in done.stderr
    assert "procountor-auth sandbox" in done.stderr


def test_somebody_else_there(run: Run, not_a_sandbox: str) -> None:
    """Another server is recognised as none of ours, in one line."""
    done = run("sandbox", "faults", not_a_sandbox)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is not a sandbox" in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", "http://[::1", "http://x:99999"])
def test_what_is_no_url(run: Run, url: str) -> None:
    """What cannot be a base URL is a usage error."""
    done = run("sandbox", "faults", url)
    assert done.returncode == 2
    assert "http://127.0.0.1:8000" in done.stderr
    assert "Traceback" not in done.stderr
    done = run("sandbox", "faults", "--json", url)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "usage")


def test_the_token_comes_from_the_environment(run: Run) -> None:
    """A sandbox with a token is changed with it, and without it the command says which variable it wants."""
    with Sandbox(admin_token=TOKEN) as sandbox:
        assert run("sandbox", "faults", sandbox.base_url, "latency=1", token=TOKEN).returncode == 0
        assert sandbox.faults == Faults(latency=1)
        for token in (None, TOKEN + "x"):
            done = run("sandbox", "faults", sandbox.base_url, "latency=2", token=token)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1)
            assert "PROCOUNTOR_SANDBOX_TOKEN" in done.stderr
            assert TOKEN not in done.stderr
        assert sandbox.faults == Faults(latency=1)


def test_quick_faults(run: Run, sandbox: Sandbox) -> None:
    """The dashboard's quick faults have names here, beside switches of one's own."""
    done = run("sandbox", "faults", sandbox.base_url, "429-once", "key-revoked", "retry_after=7")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.faults == Faults(where="token", times=1, status=429, retry_after="7", revoked_keys=True)


def test_help_teaches_the_switches(run: Run) -> None:
    """The help has every quick fault, and every switch with its choices and its sentence."""
    text = " ".join(run("sandbox", "faults", "--help").stdout.split())
    for quick in QUICK_FAULTS:
        assert f"{quick.name} {quick.help}" in text
    for switch in SWITCHES:
        assert f"{switch.name} {switch.help}" in text
        assert switch.accepts in text


@pytest.mark.parametrize("token", [None, "", "too-short", "sixteen and more but spaces"])
def test_public_needs_a_token(run: Run, token: str | None) -> None:
    """Without a token worth the name ``--public`` is refused in one line that names both."""
    done = run("sandbox", "--public", token=token)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--public" in done.stderr
    assert "PROCOUNTOR_SANDBOX_TOKEN" in done.stderr
    assert not token or token not in done.stderr


def test_public(fork_server: ForkServer) -> None:
    """With a token it starts with the given faults, warns beside the JSON line, and is closed without the token."""
    command = [
        fork_server.command,
        "sandbox",
        "--public",
        "--host",
        "127.0.0.1",
        "--json",
        "--fault",
        "status=503",
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment(TOKEN)) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["base_url"]
        with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
            assert client.post("/api/oauth/token").status_code == 503
            assert client.get("/_sandbox/log").status_code == 401
            mine = {"Authorization": f"Bearer {TOKEN}"}
            assert client.get("/_sandbox/log", headers=mine).json()[0]["fault"] == "status"
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert err.startswith("PUBLIC:")
    assert "NOT the Procountor service" in err
    assert TOKEN not in err
