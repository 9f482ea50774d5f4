"""Clients that others wrote, unchanged, and the vendor's pages by hand: all of them reach the sandbox's company."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SCRIPT = EXAMPLES / "foreign_clients.py"
UNAVAILABLE = 69

LEGACY_ERA = [
    "POST {api}/oauth/authz/",
    "POST {api}/oauth/token/",
    "GET {api}/sessioninfo",
    "POST {api}/oauth/token/",
    "GET {api}/sessioninfo",
    "POST /logout",
]
CURRENT = ["POST {api}/oauth/token/", "GET {api}/sessioninfo", "POST /logout"]
WITH_CODE = ["authorization_code", "refresh_token"]
#: Each client: what it asks, with which grants, and whether it puts secrets into URLs.
EXPECTED = {
    "procountor==0.1.0": ("/api", LEGACY_ERA, WITH_CODE, True),
    "procountor==1.1.0": ("/api", LEGACY_ERA, WITH_CODE, True),
    "procountor==1.2.1": ("/supported/api", LEGACY_ERA, WITH_CODE, True),
    "procountor==2.2.3": ("/supported/api", CURRENT, ["client_credentials"], True),
    "procountor==2.3.2": ("/supported/api", CURRENT, ["client_credentials"], True),
    "procountor==2.4.0": ("/supported/api", CURRENT, ["client_credentials"], False),
    "curl:legacy": (
        "/api",
        ["POST {api}/oauth/authz", "POST {api}/oauth/token", "POST {api}/oauth/token", "GET {api}/sessioninfo"],
        WITH_CODE,
        False,
    ),
    "curl:authorization-code": (
        "/api",
        [
            "GET /login",
            "POST /login",
            "POST /login",
            "POST {api}/oauth/token",
            "POST {api}/oauth/token",
            "GET {api}/sessioninfo",
        ],
        WITH_CODE,
        False,
    ),
    "curl:client-credentials": (
        "/api",
        ["POST {api}/oauth/token", "GET {api}/sessioninfo"],
        ["client_credentials"],
        False,
    ),
    "curl:key": (
        "/api",
        [
            "GET /keylogin",
            "POST /keylogin",
            "POST /keylogin",
            "POST {api}/oauth/key",
            "POST {api}/oauth/token",
            "GET {api}/sessioninfo",
        ],
        ["authorization_code", "client_credentials"],
        False,
    ),
}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the script said about every client.

    Attributes:
        of: The client's outcome, by its label.
        errors: What it said about those that this machine cannot have, or about itself.
    """

    of: dict[str, dict[str, Any]]
    errors: str


@pytest.fixture(scope="session")
def outcomes(fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Run all clients, once for all workers; they are installed once for the interpreter, as `make foreign` does it."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    said = shared / "foreign-clients.json"
    installed = Path(sys.prefix) / "foreign" if os.access(sys.prefix, os.W_OK) else tmp_path_factory.mktemp("foreign")
    with FileLock(f"{said}.lock"):
        if not said.exists():
            done = run(fork_server, "--cache", str(installed), "--json")
            said.write_text(json.dumps([done.returncode, done.stdout, done.stderr]), "utf-8")
    status, output, errors = json.loads(said.read_text("utf-8"))
    found = [json.loads(line) for line in output.splitlines()]
    expected = 1 if not all(each["ok"] for each in found) else 0 if len(found) == len(EXPECTED) else UNAVAILABLE
    assert status == expected, errors
    return Outcomes({each["client"]: each for each in found}, errors)


def run(fork_server: ForkServer, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a person would, without a terminal."""
    command = [fork_server.python, str(SCRIPT), *options]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, curl: str) -> None:
    """Put a program of our own before the machine's curl."""
    program = folder / "bin" / "curl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{curl}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def missing(reason: str) -> None:
    """Skip the test for what this machine cannot have; CI must have it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{reason} (CI must not skip the foreign clients)")
    pytest.skip(reason)


@pytest.mark.parametrize("client", EXPECTED)
def test_a_foreign_client_reads_the_company(client: str, outcomes: Outcomes) -> None:
    """A client that this project did not write gets a token and reads sessioninfo, and its secrets in URLs are seen."""
    if client not in outcomes.of:
        missing(next(line for line in outcomes.errors.splitlines() if line.startswith(f"{client}: ")))
    outcome = outcomes.of[client]

    assert outcome["trouble"] == ""
    assert outcome["ok"]
    assert outcome["company"] == "Sandbox Oy (14159)"
    api, asked, grants, secret_in_url = EXPECTED[client]
    answers = [request.rpartition(" ") for request in outcome["requests"]]
    assert [request for request, _, _ in answers] == [request.format(api=api) for request in asked]
    assert all(int(status) < 400 for _, _, status in answers)
    assert outcome["grants"] == grants
    assert outcome["secret_in_url"] is secret_in_url


def test_every_client_of_the_script_is_expected_here(fork_server: ForkServer) -> None:
    """A client that is added to the script is added to these tests."""
    done = run(fork_server, "--client", "nobody")

    assert done.returncode == 2
    assert done.stderr.rpartition("the clients are ")[2].split() == ", ".join(EXPECTED).split()


def test_a_client_that_fails_fails_the_script(
    fork_server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that ends without the company makes the script fail, and its last words show no secret."""
    if os.name == "nt" or shutil.which("sh") is None:
        missing("sh is not installed")
    on_path(tmp_path, monkeypatch, 'echo "cannot reach /?password=$PROCOUNTOR_PASSWORD" >&2; exit 7')

    done = run(fork_server, "--client", "curl:legacy")

    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert done.stdout.rstrip().endswith("cannot reach /?password=…")


def test_a_program_that_is_missing_is_no_success(
    fork_server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without curl the script says so, and its exit status is neither success nor failure."""
    monkeypatch.setenv("PATH", str(tmp_path))

    done = run(fork_server, "--client", "curl:legacy")

    assert done.returncode == UNAVAILABLE
    assert done.stdout == ""
    assert "is not installed" in done.stderr


@pytest.mark.parametrize("flow", ["legacy", "authorization-code", "client-credentials", "key"])
def test_curl_gets_no_secret_as_an_argument(
    flow: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, too, no secret stands where other users of the machine can read it."""
    curl = shutil.which("curl")
    if curl is None:
        missing("curl is not installed")
    arguments = tmp_path / "arguments"
    on_path(tmp_path, monkeypatch, f"printf '%s\\n' \"$@\" >>'{arguments}'; exec '{curl}' \"$@\"")
    for name, value in (sandbox.environment("legacy_password") | sandbox.environment("client_credentials")).items():
        monkeypatch.setenv(name, value)

    done = subprocess.run(
        ["sh", str(EXAMPLES / "foreign_client.sh"), flow],  # noqa: S607 - whichever shell the machine has
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert json.loads(done.stdout)["companyId"] == int(sandbox.company)
    said = arguments.read_text(encoding="utf-8")
    assert said.count("--config") >= 2
    for secret in (sandbox.password, sandbox.client_secret, sandbox.api_key):
        assert secret not in said
    assert not re.search(r"eyJ[\w-]*\.", said)  # no JWT; a temporary folder's name may have these letters
