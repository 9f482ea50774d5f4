"""What each command says to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from procountor_auth.cli.migrate.call import Call
from procountor_auth.cli.screen import console, names_text, print_next
from tests.migration.conftest import Companies

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command, Run

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("to", "profiles", "expected"),
    [
        (None, (), "procountor-auth migrate plan"),
        ("authorization_code", (), "procountor-auth migrate plan --to authorization_code"),
        (None, ("a b",), "procountor-auth migrate plan --profile 'a b'"),
        (None, ("a", "b", "c", "d"), "procountor-auth migrate plan"),
    ],
)
def test_the_next_command_is_about_the_same(to: str | None, profiles: tuple[str, ...], expected: str) -> None:
    """It has the strategy and the profiles of the one before, unless that would be a long line."""
    assert Call.of(to, profiles).command("plan") == expected


def test_lines_to_copy_are_never_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is made to be copied stays one line, however narrow the terminal is."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    line = "PROCOUNTOR_PROFILES__A_LONG_NAME__STRATEGY=client_credentials"
    screen = console()
    assert screen.width == 40
    print_next(screen, "set", f"  {line}", "and go on with a sentence that has no room on one line")
    assert line in [each.strip() for each in capsys.readouterr().out.splitlines()]


def test_names_are_as_many_as_have_room() -> None:
    """Names are whole, and the rest is counted."""
    names = [f"company-{number:03}" for number in range(500)]
    assert names_text(names, 40) == "company-000, company-001 and 498 more"
    assert names_text(names[:2], 40) == "company-000, company-001"
    assert names_text(names, 5) == "company-000 and 499 more"


@pytest.mark.server
def test_a_token_without_a_login_names_the_login_of_the_profile(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], run: Run
) -> None:
    """`token` for a profile that needs a login says which command logs in to that profile."""
    variables = sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": "file:tokens"}
    environment(variables | {"PROCOUNTOR_PROFILES__ACME__COMPANY": sandbox.company})
    status, out, err = run("token", "--profile", "acme")
    assert (status, out) == (1, "")
    assert "procountor-auth login --profile acme" in err


@pytest.mark.server
def test_nobody_is_led_to_switch_who_is_blocked(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], run: Run, tmp_path: Path
) -> None:
    """Where some profiles are blocked, the plan's next step is about the others, and an append would not be in vain."""
    variables = sandbox.environment("legacy_password")
    for name in ("USERNAME", "PASSWORD", "COMPANY"):
        del variables[f"PROCOUNTOR_{name}"]
    variables["PROCOUNTOR_PROFILES_FILE"] = str(tmp_path / "profiles.toml")
    environment(variables)
    companies = Companies(sandbox, tmp_path / "profiles.toml")
    for name in ("a", "b"):
        companies.add(name)
    companies.add("c", api_key=None)
    companies.write()
    out = run("migrate", "plan")[1]
    assert "Next: make the changes of the 2 profiles that can switch in " in out
    assert "--env >> .env" in out
    assert out.index("c  blocked") < out.index("+++ c: client_credentials")
    # A variable of the environment wins over a line of .env.
    environment(variables | {"PROCOUNTOR_PROFILES__A__STRATEGY": "legacy_password"})
    out = run("migrate", "plan")[1]
    assert "the environment" in out
    assert ">> .env" not in out


@pytest.mark.server
@pytest.mark.process
def test_appended_lines_leave_the_last_one_alone(
    sandbox: Sandbox, start: Callable[..., Command], tmp_path: Path
) -> None:
    """`plan --env >> .env` breaks no file whose last line has no end; a new file begins with the first line."""
    variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_API_KEY": sandbox.api_key}
    Path(".env").write_text(f"PROCOUNTOR_STRATEGY={variables.pop('PROCOUNTOR_STRATEGY')}\n")
    for before in ("", "# the last line"):
        file = tmp_path / "appended"
        file.write_text(before)
        with file.open("a") as opened:
            running = start("migrate", "plan", "--env", environment=variables, pipes={"stdout": opened.fileno()})
            assert running.ends()[0] == 0
        line = "PROCOUNTOR_STRATEGY=client_credentials\n"
        assert file.read_text() == (f"{before}\n{line}" if before else line)
