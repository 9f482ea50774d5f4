"""The commands `procountor-auth bridge hash` and `bridge revoke`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.password import PasswordCheck, check_hash
from procountor_auth.cli.documents.bridge import RevokeDocument
from procountor_auth.stores import open_store
from tests.bridge.running import OldProgram, RunningBridge, login_of
from tests.cli.bridge import OTHER, Serving, common, configured, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command, Run, Terminal

    Start = Callable[..., Command]
    Environment = Callable[[dict[str, str]], None]

PASSWORD = "pässword of nobody & co"


def is_hash_of(hashed: str, password: str) -> bool:
    """Whether a hash can be configured, and is a password's."""
    assert check_hash(SecretStr(hashed)) is None
    return PasswordCheck(with_hashes=True).matches(SecretStr(hashed), SecretStr(password))


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_the_hash_of_what_is_piped_in(start: Start, end: str) -> None:
    """The first line of standard input is the password, whatever ends it; the hash alone is printed."""
    command = start("bridge", "hash")
    command.says(PASSWORD, end)
    status, out, err = command.ends()
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert is_hash_of(out.strip(), PASSWORD)


def test_the_hash_of_what_is_typed(start: Start, make_terminal: Callable[[], Terminal]) -> None:
    """On a terminal the password is asked for twice, and not shown; the hash can be piped on."""
    terminal = make_terminal()
    command = start("bridge", "hash", pipes={"stdin": terminal.side, "stderr": terminal.side})
    for question in ("Password: ", "Again: "):
        terminal.shows(f"{question}$")
        terminal.types(PASSWORD)
    assert command.process.wait(60) == 0
    assert command.process.stdout is not None
    assert is_hash_of(command.process.stdout.read().strip(), PASSWORD)
    assert PASSWORD not in terminal.shown()


def test_a_typing_error(start: Start, make_terminal: Callable[[], Terminal]) -> None:
    """Two passwords that differ are refused, with status 2."""
    terminal = make_terminal()
    command = start("bridge", "hash", pipes={"stdin": terminal.side, "stderr": terminal.side})
    for question, typed in (("Password: ", PASSWORD), ("Again: ", "another")):
        terminal.shows(f"{question}$")
        terminal.types(typed)
    assert command.process.wait(60) == 2
    assert "the two passwords differ" in terminal.shown()


def test_no_password_has_no_hash(start: Start) -> None:
    """Where standard input is empty, or its first line is, there is no hash."""
    for text in ("", "\n"):
        command = start("bridge", "hash")
        command.says("", text)
        status, out, err = command.ends()
        assert (status, out) == (2, "")
        assert err == "procountor-auth: standard input has no password\n"


def test_a_hash_in_the_place_of_the_password(start: Start, sandbox: Sandbox) -> None:
    """What `bridge hash` prints is what PROCOUNTOR_BRIDGE_PASSWORD takes."""
    command = start("bridge", "hash")
    command.says(PASSWORD)
    serving = Serving(start, environment=configured(sandbox, bridge_password=command.ends()[1].strip()))
    with OldProgram(serving.url, login_of(sandbox), password=PASSWORD) as program:
        program.log_in()
        assert program.company() == int(sandbox.company)
        assert program.authz(password=sandbox.password).status_code == 400


def test_a_hash_that_a_shell_has_changed(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """A hash without what stood after its $ is refused at the start, by both commands."""
    environment(configured(sandbox, bridge_password="$argon2id=19=65536,t=3,p=4"))
    for command in (("bridge",), ("bridge", "revoke")):
        status, _, err = run(*command)
        assert status == 2
        assert "PROCOUNTOR_BRIDGE_PASSWORD begins like an Argon2 hash, and is none" in err


def test_revoke_ends_all_tokens_of_a_profile(
    run: Run,
    sandbox: Sandbox,
    environment: Environment,
    write_profiles: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """Tokens of the named profile are refused from then on, those of another one go on; the service is not asked."""
    environment(common(sandbox, token_store=f"file:{tmp_path / 'tokens'}"))
    write_profiles(acme=table(sandbox), beta=table(sandbox, **OTHER))
    store = open_store(f"file:{tmp_path / 'tokens'}")
    logins = [login_of(sandbox), login_of(sandbox, **OTHER)]
    now = [0.0]
    with (
        RunningBridge(logins, store=store, monotonic=lambda: now[0]) as bridge,
        OldProgram(bridge.url, logins[0]) as acme,
        OldProgram(bridge.url, logins[1]) as beta,
    ):
        for program in (acme, beta):
            program.log_in()
            program.call().raise_for_status()
        asked = len(sandbox.log())
        assert run("bridge", "revoke", "--profile", "acme") == (0, "acme: 2 tokens revoked\n", "")
        assert len(sandbox.log()) == asked
        now[0] += 5
        assert (acme.call().status_code, acme.refresh().status_code) == (401, 400)
        assert (beta.call().status_code, beta.refresh().status_code) == (200, 200)
    status, out, err = run("bridge", "revoke", "--json")
    document = RevokeDocument.model_validate_json(out, strict=True)
    assert (status, err) == (0, "")
    assert [(each.profile, each.revoked) for each in document.profiles] == [("acme", 0), ("beta", 3)]


def test_revoke_without_profiles(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """Where there are no profiles, it is this configuration's; an unknown profile is an error."""
    environment(configured(sandbox))
    assert run("bridge", "revoke") == (0, "this configuration: 0 tokens revoked\n", "")
    assert json.loads(run("bridge", "revoke", "--json")[1]) == {"profiles": [{"profile": None, "revoked": 0}]}
    status, _, err = run("bridge", "revoke", "--profile", "acme")
    assert status == 2
    assert re.search("there is no profile 'acme'", err)
