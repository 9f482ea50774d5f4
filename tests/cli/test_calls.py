"""How the command can be called: short options, the log, completion, and what a mistake is told."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _the_log_is_as_before() -> Iterator[None]:
    logger = logging.getLogger("procountor_auth")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("command", [[], ["token"], ["migrate"], ["migrate", "check"], ["sandbox", "faults"]])
def test_h_is_help(run: Run, command: list[str]) -> None:
    """`-h` is `--help`, everywhere."""
    assert run(*command, "-h") == run(*command, "--help")


@pytest.mark.server
@pytest.mark.parametrize("arguments", [["-v", "token"], ["token", "-v"], ["token", "--verbose"]])
def test_the_log_can_be_asked_for_anywhere(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    run: Run,
    caplog: pytest.LogCaptureFixture,
    arguments: list[str],
) -> None:
    """`-v` before and after the command's name shows the log."""
    environment(sandbox.environment("client_credentials"))
    assert run(*arguments)[0] == 0
    assert logging.getLogger("procountor_auth").level == logging.DEBUG
    assert caplog.records


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["migrate", "check", "--to", "client_credential"], "client_credentials"),
        (["migrate", "finish", "--from", "legacy"], "legacy_password"),
        (["init", "--strategy", "legacy-password"], "legacy_password"),
        (["api", "GTE", "invoices"], "GET"),
    ],
)
def test_a_misspelt_value_is_told_the_right_one(run: Run, arguments: list[str], meant: str) -> None:
    """A value that is none of the choices is told which one may be meant."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert f"Did you mean {meant}?" in " ".join(err.split())


def test_a_misspelt_command_is_told_the_right_one(run: Run) -> None:
    """So is a command."""
    status, _, err = run("tokn")
    assert status == 2
    assert "Did you mean 'token'?" in " ".join(err.split())


@pytest.mark.parametrize(
    ("given", "meant"),
    [("company-1", "company-001"), ("company-0499", "company-499"), ("company-777", "company-500"), ("copany-7", None)],
)
def test_a_number_leads_to_the_nearest(
    environment: Callable[[dict[str, str]], None], run: Run, given: str, meant: str | None
) -> None:
    """Of names that differ in their number alone, the one with the nearest number is meant."""
    environment({f"PROCOUNTOR_PROFILES__COMPANY_{number:03}__COMPANY": str(number) for number in range(1, 501)})
    status, _, err = run("token", "--profile", given)
    assert status == 2
    said = err.replace("_", "-")
    assert f"did you mean {meant}?" in said if meant else "did you mean company-" in said


@pytest.mark.parametrize(("typed", "expected"), [("", ["acme", "beta"]), ("be", ["beta"]), ("x", [])])
def test_profiles_are_completed(
    write_profiles: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, run: Run, typed: str, expected: list[str]
) -> None:
    """The shell's completion of `--profile` has the names of the profiles."""
    write_profiles(acme={"company": "1"}, beta={"company": "2"})
    monkeypatch.setenv("_PROCOUNTOR_AUTH_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"procountor-auth token --profile {typed}")
    status, out, _ = run()
    assert status == 0
    assert [name for name in ("acme", "beta") if f'"{name}"' in out] == expected


def test_a_broken_configuration_completes_nothing(
    write_profiles: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """A profiles file that can't be read is no traceback at the prompt."""
    write_profiles().write_text("[profiles\n", encoding="utf-8")
    monkeypatch.setenv("_PROCOUNTOR_AUTH_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "procountor-auth token --profile a")
    status, _, err = run()
    assert (status, err) == (0, "")


@pytest.mark.server
def test_nothing_is_shown_as_none(sandbox: Sandbox, environment: Callable[[dict[str, str]], None], run: Run) -> None:
    """Where something is not known, no command prints Python's word for that."""
    environment({"PROCOUNTOR_PROFILES__A__COMPANY": "1", "PROCOUNTOR_BASE_URL": sandbox.base_url})
    for command in (
        "status",
        "doctor --profile a",
        "migrate check",
        "migrate plan",
        "migrate status",
        "migrate finish",
    ):
        _, out, err = run(*command.split())
        assert "None" not in out + err, command
    found = json.loads(run("status", "--json")[1])["profiles"][0]
    assert found["strategy"] is None
