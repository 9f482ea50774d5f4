"""What other commands say of the bridge's records: `store list` and `prune`, `migrate status` and `finish`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.bridge.credentials import Credentials
from procountor_auth.bridge.login import BridgeLogin
from procountor_auth.bridge.records import Records
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.settings import Settings
from procountor_auth.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

    Configure = Callable[[str], None]
    Environment = Callable[[dict[str, str]], None]
    LogIn = Callable[..., str]
    WriteProfiles = Callable[..., Path]

DAY = 86_400.0
HALF_A_YEAR = 15_724_801
PHP = "PHP/7.4"

COMMON = {
    "strategy": "client_credentials",
    "client_id": "client-1",
    "client_secret": "secret-CANARY",
    "redirect_uri": "http://127.0.0.1:8000/callback",
    "environment": "test",
}

OWN = {"api_key": "key-acme", "username": "user", "password": "password-CANARY", "company": "14159"}


@pytest.fixture(params=["file", "redis", "sql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `PROCOUNTOR_TOKEN_STORE` is, for each store that can be listed."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_server").url)
    return f"sqlite:///{tmp_path / 'tokens.db'}" if request.param == "sql" else f"file:{tmp_path / 'tokens'}"


@pytest.fixture
def configure(environment: Environment, write_profiles: WriteProfiles) -> Configure:
    """Configure a store, and the profile acme."""

    def at(where: str) -> None:
        environment({"PROCOUNTOR_TOKEN_STORE": where})
        write_profiles(COMMON, acme=OWN)

    return at


@pytest.fixture
def log_in() -> LogIn:
    """Have a program log in through a bridge as profile acme, some seconds ago; return the record's key."""

    def now(where: str, profile: str = "acme", user_agent: str = PHP, *, ago: float = 0.0) -> str:
        login = BridgeLogin.of(Settings.of_profile(Profiles.search(), profile), has_file=True)
        assert login is not None
        Credentials(Records(open_store(where), clock=lambda: time.time() - ago)).issue(login.key, user_agent)
        return f"bridge-{login.key}"

    return now


def entries(run: Run, *command: str) -> dict[str, dict[str, Any]]:
    """Return what a command says in JSON of each entry, by their keys."""
    status, out, err = run(*command, "--json")
    assert (status, err) == (0, "")
    return {entry["key"]: entry for entry in json.loads(out)["entries"]}


def test_the_list_says_whose_a_record_is(where: str, configure: Configure, log_in: LogIn, run: Run) -> None:
    """A record of the bridge is an entry of the profile whose login it is of; no key of it is a token's."""
    configure(where)
    key = log_in(where)
    (entry,) = entries(run, "store", "list").values()
    assert (entry["key"], entry["state"], entry["strategy"]) == (key, "token", "bridge")
    assert entry["used_by"] == [{"profile": "acme", "account": "", "strategy": "bridge", "role": "bridge"}]
    assert entry["refresh_token"] is False
    status, out, _ = run("store", "list")
    assert status == 0
    row = next(line.split() for line in out.splitlines() if line.startswith("bridge-"))
    assert (row[0], row[-1]) == (key[: len("bridge-") + 10], "acme")
    assert "1 entry: 1 used, 0 unused" in out


def test_a_record_that_is_used_is_never_pruned(where: str, configure: Configure, log_in: LogIn, run: Run) -> None:
    """Neither with --all-unused, nor when it has expired, as long as a profile has this login."""
    configure(where)
    key = log_in(where)
    assert entries(run, "store", "prune", "--all-unused")[key]["reason"] == "it is used"
    assert list(entries(run, "store", "list")) == [key]


def test_an_expired_record_stays_with_its_profile(
    tmp_path: Path, configure: Configure, log_in: LogIn, write_profiles: WriteProfiles, run: Run
) -> None:
    """One that has expired goes when no profile has its login any more, and not before."""
    where = f"file:{tmp_path / 'tokens'}"
    configure(where)
    key = log_in(where, ago=HALF_A_YEAR + DAY)
    assert not entries(run, "store", "prune")[key]["removed"]
    write_profiles(COMMON, acme=OWN | {"username": "another"})
    assert entries(run, "store", "prune")[key]["removed"]
    assert not list((tmp_path / "tokens").glob("bridge-*.json"))


def test_a_record_of_nobody(
    where: str, configure: Configure, log_in: LogIn, write_profiles: WriteProfiles, run: Run
) -> None:
    """One whose tokens are still good goes with --all-unused only: another bridge may share the store."""
    configure(where)
    key = log_in(where)
    write_profiles(COMMON, acme=OWN | {"bridge_client_id": "old-client"})
    left = entries(run, "store", "prune")[key]
    assert (left["removed"], left["used_by"]) == (False, [])
    assert left["reason"] == "programs may still use the bridge's tokens in it"
    assert "see --all-unused" in run("store", "prune")[1]
    assert entries(run, "store", "prune", "--all-unused")[key]["removed"]
    assert entries(run, "store", "list") == {}


def test_migrate_status_says_who_logs_in(
    tmp_path: Path, configure: Configure, log_in: LogIn, write_profiles: WriteProfiles, run: Run
) -> None:
    """The table has the last login and the program; a line below it says the same of all, and what is still needed."""
    where = f"file:{tmp_path / 'tokens'}"
    configure(where)
    write_profiles(COMMON, acme=OWN, beta=OWN | {"username": "other"}, gamma=OWN | {"username": "third"})
    log_in(where, ago=3 * 3600)
    log_in(where, user_agent="", ago=2.5 * 3600)
    log_in(where, "beta", "a program with a name that is much too long", ago=40 * DAY)
    status, out, _ = run("migrate", "status")
    lines = out.splitlines()
    assert status == 0
    assert lines[0].split()[-2:] == ["bridge", "program"]
    assert lines[1].endswith("2 h ago      no name and 1 more")
    assert lines[2].endswith("40 days ago  a program with a name...")
    assert "ago" not in lines[3]
    assert "bridge: 2 profiles, last login 2 h ago (acme, a program without a name)" in lines
    assert lines[-2:] == [
        "Next: replace the programs that still log in through the bridge (1 profile)",
        "      procountor-auth migrate finish, once none of them does",
    ]
    assert "1 profile has switched, but a program still logs in through the bridge" in lines
    document = json.loads(run("migrate", "status", "--json")[1])["profiles"]
    assert [[each["user_agent"] for each in profile["bridge"]] for profile in document] == [
        ["", PHP],
        ["a program with a name that is much too long"],
        [],
    ]
    assert [profile["notes"] != [] for profile in document] == [True, False, False]


def test_migrate_status_of_many(
    tmp_path: Path, configure: Configure, log_in: LogIn, write_profiles: WriteProfiles, run: Run
) -> None:
    """Of many profiles the summary has one line."""
    where = f"file:{tmp_path / 'tokens'}"
    configure(where)
    write_profiles(COMMON, **{f"company-{number}": OWN | {"username": str(number)} for number in range(30)})
    for number in range(3):
        log_in(where, f"company-{number}", ago=(2.5 + number) * 3600)
    lines = run("migrate", "status")[1].splitlines()
    assert "bridge: 3 profiles, last login 2 h ago (company-0, PHP/7.4)" in lines
    assert "3 profiles have switched, but a program still logs in through the bridge" in lines


def test_migrate_finish_warns(
    tmp_path: Path, configure: Configure, log_in: LogIn, write_profiles: WriteProfiles, run: Run
) -> None:
    """What the bridge needs is not among what to delete, and one line says so for all profiles."""
    where = f"file:{tmp_path / 'tokens'}"
    configure(where)
    write_profiles(COMMON, acme=OWN, beta=OWN | {"username": "other"}, gamma=OWN | {"username": "third"})
    log_in(where)
    log_in(where, "beta")
    status, out, _ = run("migrate", "finish")
    assert status == 0
    assert "username, password, company  ([profiles.gamma] of the profiles file)" in out
    assert "[profiles.acme]" not in out
    needed = "PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD, PROCOUNTOR_COMPANY"
    assert f"acme, beta: a program still logs in through the bridge, which needs {needed}; " in out
    assert out.splitlines()[-2:] == [
        "Next: replace the programs that still log in through the bridge (2 profiles)",
        "      procountor-auth migrate finish, once none of them does",
    ]
