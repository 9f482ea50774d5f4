"""Every command on terminals of 50, 80 and 120 columns, with 0, 1, 40 and 500 profiles: kept as text, and compared.

`make screens` writes the files anew; look at each that changes before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.migration.conftest import Companies
from tests.sizes import size

from .terminal import LINES, WIDTHS, show, widest

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

pytestmark = [pytest.mark.server, pytest.mark.once]

GOLDEN: Final = Path(__file__).with_name("golden")

WRITE: Final = bool(os.environ.get("PROCOUNTOR_AUTH_SCREENS"))
"""Whether the files are written instead of compared. Read once: a fixture takes our variables away from the tests."""

MANY: Final = 500
COUNTS: Final = (0, 1, 40)

COMMANDS: Final = (
    "migrate check",
    "status",
    "token",
    "logout",
    "doctor --offline",
    "store list",
    "store prune --dry-run",
    "migrate rehearse --fresh",
    "migrate status",
    "migrate plan",
    "migrate finish --dry-run",
)
"""Those that show something about profiles, in an order in which each changes nothing for the next."""

CHANGING: Final = ("token", "logout", "migrate rehearse --fresh")
"""Those of them that change what the next shows, if that is not looked at once more."""

OTHERS: Final = {
    "init": "init",
    "init where there is one": "init",
    "login without a login page": "login",
    "sandbox faults": "sandbox faults URL",
    "a misspelt command": "tokn",
    "a misspelt strategy": "migrate check --to client_credential",
    "an unknown profile": "token --profile acme",
    "an unknown option": "status --colour",
    "a server that is away": "doctor",
}
"""Calls that have nothing to do with how many profiles there are, among them wrong ones."""

HELP: Final = (
    "",
    "init",
    "doctor",
    "status",
    "token",
    "api",
    "login",
    "logout",
    "key",
    "key create",
    "migrate",
    "migrate check",
    "migrate plan",
    "migrate rehearse",
    "migrate status",
    "migrate finish",
    "store",
    "store ddl",
    "store list",
    "store prune",
    "bridge",
    "bridge hash",
    "bridge revoke",
    "sandbox",
    "sandbox faults",
)


@pytest.fixture
def with_profiles(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int], None]:
    """Configure so many profiles on the legacy login, some of which can't switch; none is one configuration."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("procountor_auth.cli.store.display._age_text", lambda _: "5 min")
    monkeypatch.setattr("procountor_auth.cli.doctor.environment.version", lambda _: "1.2.3")
    monkeypatch.setattr("procountor_auth.cli.doctor.environment.platform.python_version", lambda: "3.11.0")
    monkeypatch.setattr("procountor_auth.cli.doctor.environment.platform.system", lambda: "Linux")
    monkeypatch.setattr("procountor_auth.cli.doctor.environment.backend.__name__", "httpx")

    def configure(count: int) -> None:
        variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_TOKEN_STORE": "file:tokens"}
        if count == 0:
            environment(variables | {"PROCOUNTOR_API_KEY": sandbox.api_key})
            return
        for name in ("USERNAME", "PASSWORD", "COMPANY"):
            del variables[f"PROCOUNTOR_{name}"]
        environment(variables | {"PROCOUNTOR_PROFILES_FILE": "profiles.toml"})
        companies = Companies(sandbox, tmp_path / "profiles.toml")
        for number in range(1, count + 1):
            name = f"company-{number:03}"
            if count > 1 and number % 19 == 7:
                companies.add(name, api_key=None)
            elif count > 1 and number % 29 == 11:
                sandbox.world.revoke_api_key(companies.add(name)["api_key"])
            else:
                companies.add(name)
        companies.write()
        companies.file.chmod(0o600)

    return configure


def compare(name: str, shown: list[str]) -> None:
    """Compare what was shown on each terminal with the file of that name, or write it."""
    file = GOLDEN / f"{name.strip().replace(' ', '-')}.txt"
    if WRITE:
        file.write_text("\n".join(shown), encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    for screen in shown:
        assert screen in kept, screen


@pytest.mark.parametrize("count", COUNTS)
def test_each_command_keeps_to_its_terminal(
    with_profiles: Callable[[int], None], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wider than its terminal, all is as it was when somebody looked at it, and many fit on one screen."""
    with_profiles(count)
    for command in COMMANDS:
        look_at(command, count, monkeypatch, widths=WIDTHS)


def test_so_do_five_hundred_companies(with_profiles: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of 500 profiles: a rehearsal, which is a thousand requests, and the other widths in the long run."""
    with_profiles(MANY)
    for command in COMMANDS:
        if command in CHANGING:
            continue
        look_at(command, MANY, monkeypatch, widths=size((80,), WIDTHS))
    for command in size((), ("migrate rehearse --fresh",)):
        look_at(command, MANY, monkeypatch, widths=WIDTHS)


def look_at(command: str, count: int, monkeypatch: pytest.MonkeyPatch, *, widths: tuple[int, ...]) -> None:
    """Look at a command on terminals of some widths."""
    shown: list[str] = []
    for width in widths:
        arguments = command.split()
        if count > 1 and shown and "--fresh" in arguments:
            arguments.remove("--fresh")  # what the first rehearsal has found out is taken over
        if command in {"token", "logout"} and count:
            arguments += ["--profile", f"company-{min(count, 2):03}"]
        shown.append(show(monkeypatch, width, *arguments))
        assert widest(shown[-1]) <= width, shown[-1]
        if command in {"migrate status", "status"} and width >= 80:
            assert len(shown[-1].splitlines()) - 2 < LINES, shown[-1]
            assert "Next: " in shown[-1]
    compare(f"{command.partition(' --')[0]} {count} profiles", shown)


@pytest.mark.parametrize("name", OTHERS)
def test_so_do_other_calls_and_mistakes(
    sandbox: Sandbox,
    with_profiles: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    environment: Callable[[dict[str, str]], None],
    name: str,
) -> None:
    """What a command says of a mistake, of a server or of its own work keeps to the terminal as well."""
    with_profiles(0)
    if name == "a server that is away":
        environment(sandbox.environment("client_credentials"))
        sandbox.stop()
    shown = []
    for width in WIDTHS:
        Path(".env").unlink(missing_ok=True)
        if name == "init where there is one":
            Path(".env").write_text("")
        arguments = [sandbox.base_url if word == "URL" else word for word in OTHERS[name].split()]
        shown.append(show(monkeypatch, width, *arguments))
        assert widest(shown[-1]) <= width, shown[-1]
    compare(name, shown)


@pytest.mark.parametrize("command", HELP)
def test_each_help_keeps_to_its_terminal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help is never wider than its terminal, and is as it was when somebody looked at it."""
    shown = [show(monkeypatch, width, *command.split(), "--help") for width in WIDTHS]
    for text, width in zip(shown, WIDTHS, strict=True):
        assert widest(text) <= width, text
        assert "None" not in text
        assert "bool" not in text
    compare(f"help {command}", shown)
