"""The command `procountor-auth token`, in this process where it can be, and as a process where it must."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from procountor_auth import TokenSource
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Command, Run, Terminal

    Start = Callable[..., Command]
    Environment = Callable[[dict[str, str]], None]

CHOSEN = "client_credentials"


@pytest.fixture
def described(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> dict[str, str]:
    """The variables of a sandbox, which are set."""
    variables = sandbox.environment(CHOSEN) | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    environment(variables)
    return variables


def company_of(sandbox: Sandbox, token: str) -> int:
    """Ask the API which company a token is for."""
    with backend.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        return int(client.get(f"{sandbox.base_url}/api/sessioninfo").json()["companyId"])


def test_the_bare_token_is_all_that_is_printed(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """Standard output is the token and a line end, stderr is empty, and the API takes the token."""
    assert described
    status, out, err = run("token")
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert company_of(sandbox, out.strip()) == int(sandbox.company)


def test_a_stored_token_is_used(
    described: dict[str, str], sandbox: Sandbox, run: Run, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """A second call prints the same token, and asks nobody; a program with the same environment has it, too."""
    assert described
    first = run("token")[1]
    assert run("token")[1] == first
    assert TokenSource.from_env().token().access_token == first.strip()
    assert token_requests(sandbox) == [CHOSEN]


def test_json_says_whose_token_it_is(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """With `--json` there is one object with the token, its end, its strategy and whose it is."""
    assert described
    status, out, err = run("token", "--json")
    found = json.loads(out)
    assert (status, err, out.count("\n")) == (0, "", 1)
    assert company_of(sandbox, found.pop("access_token")) == int(sandbox.company)
    assert found.pop("expires_at") > 0
    assert found == {
        "strategy": CHOSEN,
        "company_id": int(sandbox.company),
        "user_id": sandbox.user_id,
        "profile": None,
    }


def test_each_profile_has_its_company(
    sandbox: Sandbox,
    described: dict[str, str],
    run: Run,
    write_profiles: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--profile` chooses; without it PROCOUNTOR_PROFILE does."""
    assert described
    other = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    write_profiles(acme={"api_key": sandbox.api_key}, **{"be-ta": {"api_key": other}})
    monkeypatch.setenv("PROCOUNTOR_PROFILE", "acme")
    found = [json.loads(run("token", "--json", *profile)[1]) for profile in ([], ["--profile", "BE_TA"])]
    assert [(each["profile"], each["company_id"]) for each in found] == [("acme", 14159), ("be-ta", 14160)]


def test_accounts_are_apart(
    sandbox: Sandbox, described: dict[str, str], run: Run, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """Each `--account` has a token of its own."""
    assert described
    tokens = {run("token", "--account", name)[1] for name in ("anna", "bob", "anna")}
    assert (len(tokens), len(token_requests(sandbox))) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "acmee"], "there is no profile 'acmee': did you mean acme?"),
        (["--profile", ""], "must be the name of a profile"),
        (["--profile"], "--profile"),
        (["--nonsense"], "--nonsense"),
        (["more"], "more"),
    ],
)
def test_wrong_options(
    described: dict[str, str], run: Run, write_profiles: Callable[..., Path], arguments: list[str], said: str
) -> None:
    """A wrong option or name is status 2, with one text on stderr and nothing on stdout."""
    assert described
    write_profiles(acme={})
    status, out, err = run("token", *arguments)
    assert (status, out) == (2, "")
    assert said in err


def test_a_wrong_configuration_is_status_2(described: dict[str, str], run: Run, environment: Environment) -> None:
    """What is missing is named, without a value of what is there."""
    environment(described | {"PROCOUNTOR_API_KEY": "", "PROCOUNTOR_BASE_URL": "https://canary/rest"})
    status, out, err = run("token")
    assert (status, out) == (2, "")
    assert err.startswith("procountor-auth: PROCOUNTOR_API_KEY is missing (client_credentials needs it); PROCOUNTOR_BA")
    assert "canary" not in err


def test_a_failure_is_told_once(sandbox: Sandbox, described: dict[str, str], start: Start) -> None:
    """If Procountor refuses, stderr has what happened and what to do, and not the log's version of it as well."""
    sandbox.world.revoke_api_key(sandbox.api_key)
    status, out, err = start("token", environment=described).ends()
    assert (status, out) == (1, "")
    assert err.count("\n") == 2
    assert err.startswith("procountor-auth: The server rejected the client credentials grant (status 400): ")
    assert described["PROCOUNTOR_API_KEY"] not in err


def test_a_token_that_can_t_be_stored_is_printed_and_told(described: dict[str, str], start: Start) -> None:
    """What goes wrong besides is told on stderr, where nothing else would tell it: the token is good all the same."""
    no_files = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "from procountor_auth.cli import main; main()"
    )
    status, out, err = start("token", environment=described, program=no_files).ends()
    assert (status, out.count("\n"), err.count("\n")) == (0, 1, 1)
    assert err.startswith("procountor-auth: error: the new token is not stored: ")


def test_a_fallback_is_told(sandbox: Sandbox, described: dict[str, str], start: Start) -> None:
    """If the fallback strategy had to help, the token comes, and a line on stderr says how."""
    sandbox.world.revoke_api_key(sandbox.api_key)
    legacy = sandbox.environment("legacy_password") | described
    changes = {"PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password", "PROCOUNTOR_LEGACY_POLICY": "allow"}
    status, out, err = start("token", "--json", environment=legacy | changes).ends()
    assert (status, json.loads(out)["strategy"], err.count("\n")) == (0, "legacy_password", 1)
    assert err.startswith(f"procountor-auth: warning: {sandbox.base_url} refused the strategy client_credentials")


@pytest.mark.parametrize(
    ("chosen", "status", "lines"), [("", 0, 1), ("ignore", 0, 0), ("error", 2, 1), ("error::DeprecationWarning", 2, 1)]
)
def test_the_legacy_warning_is_one_line(sandbox: Sandbox, start: Start, chosen: str, status: int, lines: int) -> None:
    """The deprecated strategy is warned of in one line without our code in it, as `-W` and PYTHONWARNINGS say."""
    variables = sandbox.environment("legacy_password") | {"PYTHONWARNINGS": chosen}
    ended, out, err = start("token", environment=variables).ends()
    assert (ended, out.count("\n"), err.count("\n")) == (status, 0 if status else 1, lines)
    assert err.startswith("procountor-auth: " if lines else "")
    assert ("PROCOUNTOR_STRATEGY=legacy_password is deprecated" in err) is bool(lines)
    assert (".py" in err, "warnings.warn" in err) == (False, False)


def test_verbose_shows_the_log(sandbox: Sandbox, described: dict[str, str], start: Start) -> None:
    """With `-v` the requests and events are on stderr, and none of the secrets."""
    status, out, err = start("-v", "token", environment=described).ends()
    assert (status, out.count("\n")) == (0, 1)
    assert err.splitlines() == [
        "procountor-auth: debug: POST /api/oauth/token: status 200",
        f"procountor-auth: info: new token from {sandbox.base_url}, strategy client_credentials",
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_on_a_terminal_the_secret_is_announced(
    described: dict[str, str], start: Start, make_terminal: Callable[[], Terminal], *, as_json: bool
) -> None:
    """Where a person would see the token, a line before it says that it is a secret."""
    terminal = make_terminal()
    command = start("token", *(["--json"] if as_json else []), environment=described, pipes={"stdout": terminal.side})
    status, _, err = command.ends()
    assert (status, err) == (0, "The next line is a secret: it gives access to the company's data until it expires.\n")
    assert terminal.shown().startswith('{"access_token": "eyJ' if as_json else "eyJ")


def test_a_pipe_that_is_closed_early_is_no_crash(described: dict[str, str], start: Start) -> None:
    """If nobody reads any more, the command ends without a word."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        status, _, err = start("token", environment=described, pipes={"stdout": writes}).ends()
    finally:
        os.close(writes)
    assert (status, err) == (1, "")


def test_a_full_disk_is_told(described: dict[str, str], start: Start) -> None:
    """If the output can't be written, one line says so: a script must not take nothing for a token."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        status, _, err = start("token", environment=described, pipes={"stdout": full.fileno()}).ends()
    assert (status, err) == (1, "procountor-auth: the output can't be written: No space left on device\n")


def test_a_server_that_is_away_is_status_1(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """A failure that may pass is told as such, after the tries that make sense."""
    assert described
    sandbox.faults = Faults(status=503, retry_after="0", where="token")
    status, out, err = run("token")
    assert (status, out) == (1, "")
    assert "503" in err


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ("bare", "{}"),
        ("header", "Authorization: Bearer {}"),
        ("env", "PROCOUNTOR_ACCESS_TOKEN={}"),
        ("powershell", "$env:PROCOUNTOR_ACCESS_TOKEN = '{}'"),
    ],
)
def test_a_format_is_a_line_for_another_program(described: dict[str, str], run: Run, form: str, printed: str) -> None:
    """A header for curl, or a variable for a shell, is printed ready to be used."""
    assert described
    token = TokenSource.from_env().token().access_token
    status, out, err = run("token", "--format", form)
    assert (status, out, err) == (0, printed.format(token) + "\n", "")


def test_json_is_a_format_as_well(described: dict[str, str], run: Run) -> None:
    """`--format json` and `--json` are the same."""
    assert described
    assert run("token", "--format", "json") == run("token", "--json")


def test_the_printed_variable_is_no_misspelt_setting(
    described: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has it in its environment is not warned of it."""
    assert described
    monkeypatch.setenv("PROCOUNTOR_ACCESS_TOKEN", "n0t4u")
    status, _, err = run("token")
    assert (status, err) == (0, "")
