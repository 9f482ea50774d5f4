"""The commands `procountor-auth bridge hash` and `bridge revoke`."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.credentials import Credentials
from procountor_auth.bridge.password import PasswordCheck, check_hash
from procountor_auth.bridge.records import PREFIX, Records
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


def test_a_password_in_another_encoding(start: Start) -> None:
    """Bytes that are not UTF-8 are refused, as no program could log in with them, and are not shown."""
    command = start("bridge", "hash")
    assert command.process.stdin
    os.write(command.process.stdin.fileno(), b"p\xe4ss\n")
    status, out, err = command.ends()
    assert (status, out, err) == (2, "", "procountor-auth: the password on standard input is not UTF-8\n")


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
    """A hash without what stood after its $ is refused at the start; tokens can be revoked all the same."""
    environment(configured(sandbox, bridge_password="$argon2id=19=65536,t=3,p=4"))
    status, _, err = run("bridge")
    assert status == 2
    assert "PROCOUNTOR_BRIDGE_PASSWORD begins like an Argon2 hash, and is none" in err
    assert run("bridge", "revoke") == (0, "this configuration: 0 tokens revoked\n", "")


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
    assert json.loads(run("bridge", "revoke", "--json")[1]) == {
        "profiles": [{"profile": None, "revoked": 0}],
        "failed": [],
    }
    status, _, err = run("bridge", "revoke", "--profile", "acme")
    assert status == 2
    assert re.search("there is no profile 'acme'", err)


@pytest.fixture
def issued(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> Callable[..., None]:
    """Describe a file store in the environment, and issue tokens in it for the users that are named."""
    where = f"file:{tmp_path / 'tokens'}"
    environment(common(sandbox, token_store=where))

    def issue(*names: str) -> None:
        for name in names:
            login = login_of(sandbox, username=name)
            Credentials(Records(open_store(where))).issue(login.key, "Program/1")

    return issue


@pytest.mark.parametrize("options", [[], ["--profile", "acme"]])
@pytest.mark.parametrize(
    "wrong",
    [
        {"password": ""},
        {"bridge_password": "$argon2id=19=65536,t=3,p=4"},
        {"strategy": "legacy_password"},
    ],
    ids=["no password", "no hash", "the legacy strategy"],
)
def test_revoke_needs_no_login_that_could_be_served(
    run: Run,
    sandbox: Sandbox,
    issued: Callable[..., None],
    write_profiles: Callable[..., Path],
    options: list[str],
    wrong: dict[str, str],
) -> None:
    """Whatever keeps a bridge from serving a profile, such as a password that was removed, its tokens are revoked."""
    issued("user of acme")
    write_profiles(acme=table(sandbox, **{"username": "user of acme"} | wrong))
    assert run("bridge", "revoke", *options) == (0, "acme: 2 tokens revoked\n", "")


@pytest.mark.parametrize("options", [[], ["--profile", "acme", "--profile", "beta", "--profile", "gamma"]])
def test_revoke_says_whose_tokens_go_on(
    run: Run,
    sandbox: Sandbox,
    issued: Callable[..., None],
    write_profiles: Callable[..., Path],
    options: list[str],
) -> None:
    """A profile whose login can't be known is told with the reason, the others' tokens are revoked, the status is 1."""
    issued("user of acme", "user of beta")
    write_profiles(
        acme=table(sandbox, username="user of acme"),
        beta=table(sandbox, username="user of beta", api_key=""),
        gamma={"api_key": sandbox.api_key, "password": "a password"},
        delta={"api_key": sandbox.api_key},
    )
    status, out, err = run("bridge", "revoke", *options)
    assert (status, out) == (1, "acme: 2 tokens revoked\n")
    assert "beta: not revoked: PROCOUNTOR_API_KEY is missing (client_credentials needs it)" in err
    assert "gamma: not revoked: PROCOUNTOR_COMPANY is missing (a login at the bridge has it)" in err
    assert "delta" not in err
    status, out, err = run("bridge", "revoke", "--json", *options)
    document = RevokeDocument.model_validate_json(out, strict=True)
    assert (status, err) == (1, "")
    assert [(each.profile, each.revoked) for each in document.profiles] == [("acme", 0)]
    assert [(each.profile, each.code) for each in document.failed] == [
        ("beta", "configuration"),
        ("gamma", "configuration"),
    ]
    assert "PROCOUNTOR_PROFILES__BETA__API_KEY" in document.failed[0].hint


def test_revoke_where_nothing_can_be_revoked(
    run: Run, sandbox: Sandbox, issued: Callable[..., None], write_profiles: Callable[..., Path]
) -> None:
    """If the login of no profile is known, that is an error of the configuration."""
    issued("user of acme")
    write_profiles(acme=table(sandbox, username="user of acme", api_key=""), delta={"api_key": sandbox.api_key})
    for options, said in (
        ([], "Profile acme: PROCOUNTOR_API_KEY is missing"),
        (["--profile", "delta"], "Profile delta: PROCOUNTOR_COMPANY is missing"),
        (["--profile", "acme", "--profile", "delta"], "2 profiles have no known login at a bridge: acme, delta."),
    ):
        status, out, err = run("bridge", "revoke", *options)
        assert (status, out) == (2, "")
        assert said in err


def test_revoke_leaves_no_record_where_there_is_none(
    run: Run, sandbox: Sandbox, issued: Callable[..., None], write_profiles: Callable[..., Path], tmp_path: Path
) -> None:
    """Nothing is written for a profile that no program has logged in to; each profile's own store is used."""
    issued("user of acme")
    write_profiles(
        acme=table(sandbox, username="user of acme"),
        beta=table(sandbox, username="user of beta", token_store=f"file:{tmp_path / 'others'}"),
    )
    assert run("bridge", "revoke") == (0, "acme: 2 tokens revoked\nbeta: 0 tokens revoked\n", "")
    key = login_of(sandbox, username="user of beta").key
    assert open_store(f"file:{tmp_path / 'others'}").read(PREFIX + key) is None


def test_revoke_goes_on_after_a_store_that_fails(
    run: Run, sandbox: Sandbox, issued: Callable[..., None], write_profiles: Callable[..., Path], tmp_path: Path
) -> None:
    """Profiles of a store that can't be used are told with the reason; the others' tokens are revoked."""
    issued("user of acme", "user of delta")
    taken = tmp_path / "taken"
    taken.touch()
    lost = {"token_store": f"file:{taken}"}
    write_profiles(
        acme=table(sandbox, username="user of acme"),
        beta=table(sandbox, username="user of beta", **lost),
        gamma=table(sandbox, username="user of gamma", **lost),
        delta=table(sandbox, username="user of delta"),
    )
    status, out, err = run("bridge", "revoke")
    assert (status, out) == (1, "acme: 2 tokens revoked\ndelta: 2 tokens revoked\n")
    told = [line for line in err.splitlines() if "not revoked" in line]
    assert [line.partition(":")[0] for line in told] == ["beta", "gamma"]
    assert str(taken) in told[0]
    status, out, err = run("bridge", "revoke", "--json", "--profile", "beta", "--profile", "acme")
    document = RevokeDocument.model_validate_json(out, strict=True)
    assert (status, err) == (1, "")
    assert [each.profile for each in document.profiles] == ["acme"]
    assert [(each.profile, each.code) for each in document.failed] == [("beta", "store")]


def test_revoke_without_any_store(
    run: Run, sandbox: Sandbox, environment: Environment, write_profiles: Callable[..., Path], tmp_path: Path
) -> None:
    """If nothing is revoked, as a store can't be used, that is the error."""
    taken = tmp_path / "taken"
    taken.touch()
    environment(common(sandbox, token_store=f"file:{taken}"))
    write_profiles(acme=table(sandbox, username="user of acme"), beta=table(sandbox, username="user of beta"))
    status, out, err = run("bridge", "revoke")
    assert (status, out) == (1, "")
    assert err.startswith("procountor-auth: ")
    assert str(taken) in err
