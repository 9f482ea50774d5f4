"""One program, three strategies: nothing changes but the environment."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values

from procountor_auth.strategies.registry import find_strategy
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    Run = Callable[[str], subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent
STRATEGIES = ["legacy_password", "authorization_code", "client_credentials"]
CLIENTS = ["httpx", "httpx2"]


def fill(strategy: str, sandbox: Sandbox) -> str:
    """Return a profile of `strategies/`, word for word, with the sandbox's credentials filled in."""
    values = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    profile = (ROOT / "strategies" / f"{strategy}.env").read_text(encoding="utf-8")
    return re.sub(r"(?m)^(PROCOUNTOR_\w+)=$", lambda line: f"{line[1]}={values.get(line[1], '')}", profile)


@pytest.fixture
def run_program(fork_server: ForkServer) -> Run:
    """Run the ten-line program where a `.env` lies, in the words of one HTTP client."""

    def run(client: str) -> subprocess.CompletedProcess[str]:
        if importlib.util.find_spec(client) is None:
            pytest.skip(f"{client} is not installed")
        program = (ROOT / "examples" / "program.py").read_text(encoding="utf-8")
        program = re.sub(r"\bhttpx\b", client, program)
        command = [fork_server.python, "-c", program]
        return subprocess.run(command, env=inherited(), capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_program_reaches_the_company_with_each_profile(
    sandbox: Sandbox, run_program: Run, tmp_path: Path, strategy: str, client: str
) -> None:
    """The same program reaches the same company with each profile copied to `.env`; only legacy has a warning."""
    (tmp_path / ".env").write_text(fill(strategy, sandbox), encoding="utf-8")

    done = run_program(client)

    assert done.stdout == f"Sandbox Oy (company {sandbox.company})\n"
    assert ("LegacyAuthWarning" in done.stderr) is (strategy == "legacy_password")


def test_switch_is_one_variable(sandbox: Sandbox, run_program: Run, tmp_path: Path) -> None:
    """With all credentials staged side by side, changing PROCOUNTOR_STRATEGY alone switches, and back."""
    staged: dict[str, str] = {}
    for strategy in STRATEGIES:
        staged |= sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    for strategy in (*STRATEGIES, *reversed(STRATEGIES)):
        staged["PROCOUNTOR_STRATEGY"] = strategy
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in staged.items()), encoding="utf-8")
        client = next(name for name in CLIENTS if importlib.util.find_spec(name))

        done = run_program(client)

        assert done.stdout == f"Sandbox Oy (company {sandbox.company})\n"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_profile_has_what_its_strategy_needs(strategy: str) -> None:
    """A profile sets its strategy and has a line for every variable that the strategy needs."""
    profile = dotenv_values(ROOT / "strategies" / f"{strategy}.env", interpolate=False)

    found = find_strategy(strategy)
    assert found is not None
    assert profile["PROCOUNTOR_STRATEGY"] == strategy
    assert {f"PROCOUNTOR_{name}".upper() for name in found.required_settings} <= profile.keys()


def test_missing_credentials_end_the_program_in_one_error(run_program: Run, tmp_path: Path) -> None:
    """An unfilled profile ends the program with one error that names every variable and what to do."""
    profile = (ROOT / "strategies" / "client_credentials.env").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(profile, encoding="utf-8")

    done = run_program(next(name for name in CLIENTS if importlib.util.find_spec(name)))

    last = done.stderr.splitlines()[-2:]
    assert last[0] == (
        "procountor_auth.errors.ConfigurationError: client_credentials needs PROCOUNTOR_CLIENT_ID, "
        "PROCOUNTOR_CLIENT_SECRET, PROCOUNTOR_API_KEY, which are missing."
    )
    assert "procountor-auth init" in last[1]
    assert "During handling" not in done.stderr
