"""`procountor-auth init`, and `sandbox --env-file`, which fills in what it has written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from dotenv import dotenv_values

from procountor_auth.cli.env_template import STRATEGIES, env_template
from procountor_auth.cli.sandbox.env_file import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Run

    Start = Callable[..., Command]

ROOT: Final = Path(__file__).parents[2]


def values(path: str = ".env") -> dict[str, str]:
    """Return what a file has that is not empty."""
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}


def serves(command: Command) -> None:
    """Wait until a sandbox has printed all that it prints."""
    assert command.process.stdout
    assert any("Press Ctrl-C to stop" in line for line in command.process.stdout)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_file_is_that_of_the_strategy(run: Run, strategy: str) -> None:
    """It is the commented one of `strategies/`, for this user alone, and the command says what comes next."""
    status, out, err = run("init", "--strategy", strategy)
    assert (status, err) == (0, "")
    assert Path(".env").read_text("utf-8") == (ROOT / "strategies" / f"{strategy}.env").read_text("utf-8")
    assert values()["PROCOUNTOR_STRATEGY"] == strategy
    assert "procountor-auth doctor" in out
    assert f"procountor-auth sandbox --env-file .env --strategy {strategy}" in out
    if os.name != "nt":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


def test_every_file_of_the_folder_is_offered() -> None:
    """No strategy of `strategies/` is forgotten."""
    assert {path.stem for path in (ROOT / "strategies").glob("*.env")} == set(STRATEGIES)


def test_a_file_that_is_there_is_left_alone(run: Run) -> None:
    """Whatever somebody has written stays."""
    Path(".env").write_text("PROCOUNTOR_API_KEY=m1ne\n")
    status, _, err = run("init")
    assert status == 2
    assert ".env already exists" in err
    assert Path(".env").read_text() == "PROCOUNTOR_API_KEY=m1ne\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "password"], "must be one of client_credentials"),
        (["--file", "no/folder/.env"], "can't be written: No such file or directory"),
        (["--file", "."], "already exists"),
    ],
)
def test_what_can_t_be_written_is_said(run: Run, arguments: list[str], said: str) -> None:
    """A wrong strategy or path is an error of the command, and nothing is left behind."""
    status, _, err = run("init", *arguments)
    assert status == 2
    assert said in " ".join(err.split())
    assert list(Path().iterdir()) == []


@pytest.mark.process
@pytest.mark.server
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_sandbox_fills_it_in(run: Run, start: Start, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    """After that, `token` prints one; and the next sandbox replaces the values of the last one."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "allow")
    assert run("init", "--strategy", strategy)[0] == 0
    tokens = set()
    for _ in range(2):
        command = start("sandbox", "--env-file", ".env", "--strategy", strategy)
        serves(command)
        text = Path(".env").read_text("utf-8")
        assert text.startswith(MARK)
        assert [line for line in env_template(strategy).splitlines() if line.startswith("#")] == [
            line for line in text.splitlines()[1:] if line.startswith("#")
        ]
        status, out, _ = run("token")
        assert status == 0
        tokens.add(out)
        command.interrupt()
    assert len(tokens) == 2
    if os.name != "nt":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


@pytest.mark.process
@pytest.mark.server
def test_a_sandbox_writes_one_where_there_is_none(run: Run, start: Start) -> None:
    """It need not be made before."""
    command = start("sandbox", "--env-file", "my.env")
    serves(command)
    assert values("my.env")["PROCOUNTOR_STRATEGY"] == "client_credentials"
    command.interrupt()
    assert run("init")[0] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("PROCOUNTOR_API_KEY=n0t4u\n", "already has values, and was left unchanged: PROCOUNTOR_API_KEY"),
        ("PROCOUNTOR_ENVIRONMENT=test\n", "PROCOUNTOR_ENVIRONMENT"),
        ("PROCOUNTOR_API_KEY=n0t4u-ä\n".encode("cp1252"), "it is not UTF-8"),
    ],
)
def test_a_sandbox_touches_no_values_of_somebody_s(run: Run, content: str | bytes, said: str) -> None:
    """A file with values of its own is refused before anything is started, and none of them is shown."""
    Path(".env").write_bytes(content if isinstance(content, bytes) else content.encode())
    status, out, err = run("sandbox", "--env-file", ".env")
    assert status == 2
    assert said in " ".join(err.split())
    assert "n0t4u" not in out + err
    assert MARK.encode() not in Path(".env").read_bytes()


def test_other_programs_variables_may_be_there(run: Run) -> None:
    """A wrong strategy is told before the file is looked at."""
    status, _, err = run("sandbox", "--env-file", ".env", "--strategy", "vault")
    assert status == 2
    assert "must be one of" in err
