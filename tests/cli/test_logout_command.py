"""The command `procountor-auth logout`: what it removes, whom it tells, and what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from procountor_auth import TokenSource
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Run

    Environment = Callable[[dict[str, str]], None]


@pytest.fixture
def described(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> dict[str, str]:
    """The variables of a sandbox, which are set."""
    store = {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    variables = sandbox.environment("client_credentials") | store
    environment(variables)
    return variables


def is_valid(sandbox: Sandbox, token: str) -> bool:
    """Whether the API takes a token."""
    with backend.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        return bool(client.get(f"{sandbox.base_url}/api/sessioninfo").is_success)


def test_the_token_ends_here_and_there(sandbox: Sandbox, described: dict[str, str], run: Run) -> None:
    """The stored token is removed, the API does not take it any more, and a second logout has nothing to do."""
    where = described["PROCOUNTOR_TOKEN_STORE"]
    token = run("token")[1].strip()
    said = f"Logged out: the token was removed from {where}, and Procountor has invalidated it.\n"
    assert run("logout") == (0, said, "")
    assert not is_valid(sandbox, token)
    assert json.loads(run("status", "--json")[1])["profiles"][0]["token_state"] == "none"
    asked = len(sandbox.log())
    assert run("logout") == (0, f"Nothing to log out: {where} has no token.\n", "")
    assert len(sandbox.log()) == asked


def test_a_token_that_can_not_be_opened(described: dict[str, str], environment: Environment, run: Run) -> None:
    """What was sealed with a lost key is removed; Procountor can't be told, and that is said."""
    key = "PROCOUNTOR_TOKEN_STORE_KEY"
    environment(described | {key: Fernet.generate_key().decode()})
    run("token")
    environment(described)
    where = described["PROCOUNTOR_TOKEN_STORE"]
    said = f"The token was removed from {where}, but Procountor did not invalidate it: it expires later.\n"
    assert run("logout") == (0, said, "")
    assert run("logout") == (0, f"Nothing to log out: {where} has no token.\n", "")


def test_json(described: dict[str, str], run: Run) -> None:
    """With `--json` there is one object that says what was done."""
    run("token")
    expected = {"profile": None, "store": described["PROCOUNTOR_TOKEN_STORE"]}
    assert json.loads(run("logout", "--json")[1]) == expected | {"removed": True, "invalidated": True, "error": None}
    assert json.loads(run("logout", "--json")[1]) == expected | {"removed": False, "invalidated": False, "error": None}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_server_that_is_away(sandbox: Sandbox, described: dict[str, str], run: Run, *, as_json: bool) -> None:
    """If Procountor can't be told, the token is removed here all the same, and the status is 1."""
    run("token")
    sandbox.stop()
    status, out, err = run("logout", *(["--json"] if as_json else []))
    said = f"{described['PROCOUNTOR_BASE_URL']} can't be reached"
    assert status == 1
    if as_json:
        found = json.loads(out)
        assert (err, found["removed"], found["invalidated"]) == ("", True, False)
        assert found["error"]["message"].startswith(said)
    else:
        assert err.startswith(f"procountor-auth: {said}")
        assert out.endswith(", but Procountor did not invalidate it: it expires later.\n")
    assert json.loads(run("status", "--json")[1])["profiles"][0]["token_state"] == "none"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_wrong_configuration(described: dict[str, str], environment: Environment, run: Run, *, as_json: bool) -> None:
    """If the configuration keeps Procountor from being told, the status is 2, as text and as JSON."""
    run("token")
    environment(described | {"PROCOUNTOR_CA_BUNDLE": "/nonexistent"})
    status, out, err = run("logout", *(["--json"] if as_json else []))
    assert (status, "PROCOUNTOR_CA_BUNDLE" in (out if as_json else err)) == (2, True)
    if as_json:
        assert json.loads(out)["error"]["code"] == "configuration"


def test_profiles_and_accounts_are_apart(
    sandbox: Sandbox, described: dict[str, str], run: Run, write_profiles: Callable[..., Path]
) -> None:
    """Only the token of the profile and the account that are named ends."""
    assert described
    other = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    write_profiles(acme={"api_key": sandbox.api_key}, beta={"api_key": other})
    options = (["--profile", "acme"], ["--profile", "beta"], ["--profile", "beta", "--account", "anna"])
    tokens = [run("token", *each)[1].strip() for each in options]
    assert len(set(tokens)) == 3
    assert run("logout", *options[1])[0] == 0
    assert [is_valid(sandbox, token) for token in tokens] == [True, False, True]
    assert run("token", *options[2])[1].strip() == tokens[2]
    assert run("logout", "--profile", "acmee")[0] == 2


def test_memory_has_nothing(sandbox: Sandbox, environment: Environment, run: Run) -> None:
    """Where nothing is stored, that is what is said, and nobody is asked."""
    environment(sandbox.environment("client_credentials"))
    status, out, err = run("logout")
    assert (status, err, sandbox.log()) == (0, "", [])
    assert out.startswith("Nothing is stored: PROCOUNTOR_TOKEN_STORE is memory")


def test_a_store_that_can_t_be_used(described: dict[str, str], environment: Environment, run: Run) -> None:
    """If the store fails, that is told with status 1."""
    environment(described | {"PROCOUNTOR_TOKEN_STORE": "redis://:CANARY@127.0.0.1:1/0"})
    status, out, err = run("logout")
    assert (status, out, "CANARY" in err) == (1, "", False)
    assert err.startswith("procountor-auth: Redis at 127.0.0.1:1/0 can't be reached.\n")


def test_the_legacy_policy_does_not_hold_a_token_back(
    sandbox: Sandbox, environment: Environment, run: Run, tmp_path: Path
) -> None:
    """Whoever forbids the deprecated strategy can still end the token that it has left."""
    store = {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    variables = sandbox.environment("legacy_password") | store
    environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
    token = TokenSource.from_env().token().access_token
    environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "error"})
    status, out, err = run("logout")
    assert (status, err, out.startswith("Logged out")) == (0, "", True)
    assert not is_valid(sandbox, token)
