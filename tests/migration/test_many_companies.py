"""Many companies, 500 in the long run, leave the legacy login for client credentials, over Redis."""

from __future__ import annotations

import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from procountor_auth import TokenSource
from procountor_auth.cli.app import build_app
from procountor_auth.errors import LegacyRemoved
from procountor_auth.sandbox import Quirks
from procountor_auth.transport.backend import backend
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

pytestmark = pytest.mark.long

TARGET = "client_credentials"
LEGACY = "legacy_password"

ProcountorAuth: Any = import_module(f"procountor_auth.{backend.__name__}").ProcountorAuth

MANY = size(60, 500)

BACK = size(6, 50)
"""How many go back after the switch."""

BROKEN: dict[str, tuple[str, bool]] = {
    # what is broken: a word of the reason, and whether it can be seen before anything is sent
    "missing_key": ("PROCOUNTOR_API_KEY is missing", True),
    "malformed_key": ("PROCOUNTOR_API_KEY contains white space", True),
    "misspelt_variable": ("did you mean PROCOUNTOR_API_KEY?", True),
    "key_of_another_company": ("company", True),
    "key_of_another_client": ("client", True),
    "revoked_key": ("api_key", False),
    "wrong_secret": ("Client authentication failed", False),
    "user_without_rights": ("GET sessioninfo (status 403)", False),
    "user_shut_out": ("client_credentials: The server rejected", False),
    "wrong_password": ("legacy_password: The server rejected", False),
}

UNSENDABLE = ("missing_key", "malformed_key", "misspelt_variable")


def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run `migrate` with `--json`; return the exit status, and what it says of each profile."""
    result = CliRunner().invoke(build_app(), ["migrate", *arguments, "--json"], catch_exceptions=False)
    return result.exit_code, {found["profile"]: found for found in json.loads(result.stdout)["profiles"]}


def blocked(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the profiles that are not ready, with their reasons."""
    return {name: "; ".join(each["reasons"]) for name, each in found.items() if not each["ready"]}


@pytest.fixture(scope="module")
def program() -> Iterator[Callable[[str], int]]:
    """The integrators' own program, which no migration changes: it returns the company that a profile works for."""
    with backend.Client() as client:

        def company_of(profile: str) -> int:
            auth = ProcountorAuth(profile=profile)
            answer = client.get(f"{auth.api_url}/sessioninfo", auth=auth).raise_for_status()
            company: int = answer.json()["companyId"]
            return company

        yield company_of


def grants(sandbox: Sandbox) -> Counter[str]:
    """Count the token requests by their grant."""
    return Counter(
        str(entry["grant_type"]) for entry in sandbox.log() if entry["path"].rstrip("/").endswith("oauth/token")
    )


def spoil(companies: Companies, kind: str, name: str, other: dict[str, Any]) -> None:
    """Break a profile in one way."""
    table, world = companies.tables[name], companies.sandbox.world
    company, user = companies.company_id(name), companies.user_id(name)
    match kind:
        case "missing_key":
            del table["api_key"]
        case "malformed_key":
            table["api_key"] += " "
        case "misspelt_variable":
            table["api_kye"] = table.pop("api_key")
        case "key_of_another_company":
            table["api_key"] = other["api_key"]
        case "key_of_another_client":
            table["api_key"] = world.create_api_key(world.add_client("elsewhere").client_id, user, company)
        case "revoked_key":
            world.revoke_api_key(table["api_key"])
        case "wrong_secret":
            table["client_secret"] = "wrong"
        case "wrong_password":
            table["password"] = "wrong"
        case _:
            old = world.add_user(f"old user of {name}", "pw", companies=[company])
            table |= {"username": old.username, "password": "pw"}
            if kind == "user_without_rights":
                world.limit_user(user, company, set())
            else:
                world.revoke_user_access(user, company)


@pytest.fixture
def many(companies: Companies, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Companies, dict[str, str]]:
    """Many companies, twenty of them broken, each kind twice; return those twenty with their kinds."""
    monkeypatch.setenv("PROCOUNTOR_TOKEN_STORE", redis_url)
    for number in range(MANY):
        companies.add(f"c{number:03}")
    kinds = dict(zip([f"c{number:03}" for number in range(2, MANY, MANY // 20)][:20], [*BROKEN, *BROKEN], strict=True))
    for name, kind in kinds.items():
        spoil(companies, kind, name, companies.tables["c001"])
    companies.write()
    return companies, kinds


def test_all_move_and_some_go_back(many: tuple[Companies, dict[str, str]], program: Callable[[str], int]) -> None:
    """Through all the commands exactly the broken ones are named, with the reason, and none of them is switched."""
    companies, kinds = many
    sandbox = companies.sandbox
    good = [name for name in companies.tables if name not in kinds]
    seen_before = {name: kind for name, kind in kinds.items() if BROKEN[kind][1]}

    # check and plan: what can be seen before anything is sent
    status, checked = run("check", "--to", TARGET)
    assert (status, blocked(checked).keys()) == (1, seen_before.keys())
    status, planned = run("plan", "--to", TARGET)
    assert (status, blocked(planned).keys()) == (1, seen_before.keys())
    assert sandbox.log() == []

    # rehearse: all of them, with one token request for each profile and strategy
    status, rehearsed = run("rehearse", "--to", TARGET)
    assert (status, blocked(rehearsed).keys()) == (1, kinds.keys())
    for name, reasons in blocked(rehearsed).items():
        assert BROKEN[kinds[name]][0] in reasons, (name, kinds[name], reasons)
    asked = grants(sandbox)
    unsendable = sum(kind in UNSENDABLE for kind in kinds.values())
    logins = sum(entry["path"].rstrip("/").endswith("oauth/authz") for entry in sandbox.log())
    assert asked[TARGET] == logins == MANY - unsendable
    assert len(good) <= asked["authorization_code"] <= MANY - unsendable

    # switch those who are ready, by configuration alone
    lines = CliRunner().invoke(build_app(), ["migrate", "plan", "--to", TARGET, "--env"]).stdout.splitlines()
    assert len(lines) == len(good)
    Path(".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sandbox.clear_log()
    assert [program(name) for name in good] == [companies.company_id(name) for name in good]
    assert not grants(sandbox)  # the rehearsal's tokens are there already

    # status: who is done, and who is not
    status, standing = run("status", "--to", TARGET)
    assert status == 1
    assert Counter(each["state"] for each in standing.values()) == {"done": len(good), "blocked": len(kinds)}
    assert blocked(standing).keys() == kinds.keys()
    assert {standing[name]["strategy"] for name in kinds} == {LEGACY}
    assert {name for name, each in standing.items() if each["deprecated"]} == kinds.keys()

    # the way back, for some: the old tokens are still there
    back, stay = good[:BACK], good[BACK:]
    Path(".env").write_text("\n".join(line for line in lines if not _is_of(line, back)) + "\n", encoding="utf-8")
    assert [TokenSource.from_env(profile=name).token().strategy for name in back] == [LEGACY] * BACK
    assert [program(name) for name in back] == [companies.company_id(name) for name in back]
    assert not grants(sandbox)
    status, standing = run("status", "--to", TARGET)
    assert Counter(each["state"] for each in standing.values()) == {
        "done": len(stay),
        "can_switch": len(back),
        "blocked": len(kinds),
    }

    # and forth again, and the end
    Path(".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    status, finished = run("finish")
    assert (status, blocked(finished).keys()) == (1, kinds.keys())
    assert {name for name, each in finished.items() if each["removed"]} == set(good)
    assert {len(finished[name]["delete"]) for name in good} == {3}
    assert [program(name) for name in stay] == [companies.company_id(name) for name in stay]
    assert not grants(sandbox)


def _is_of(line: str, names: list[str]) -> bool:
    return line.split("__")[1].lower() in names


def test_the_day_on_which_legacy_is_removed(
    many: tuple[Companies, dict[str, str]], program: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has switched goes on; everybody else fails with the one error that says what to do."""
    companies, kinds = many
    good = [name for name in companies.tables if name not in kinds]
    switched, late = good[::2], good[1::2]
    for name in switched:
        monkeypatch.setenv(f"PROCOUNTOR_PROFILES__{name.upper()}__STRATEGY", TARGET)
    companies.sandbox.quirks = Quirks(legacy_removed="404")
    assert [program(name) for name in switched] == [companies.company_id(name) for name in switched]
    said = set()
    for name in late:
        with pytest.raises(LegacyRemoved) as caught:
            program(name)
        said.add(caught.value.message)
        assert f"Set either [profiles.{name}] strategy=client_credentials and api_key" in caught.value.hint
    assert len(said) == 1
    # A rehearsal says the same of each of them, and how to go on without today's strategy.
    status, rehearsed = run("rehearse", "--to", TARGET, *(f"--profile={name}" for name in late[:20]))
    assert status == 1
    assert {each["problems"][0]["code"] for each in rehearsed.values()} == {"legacy_removed"}
    status, rehearsed = run("rehearse", "--target-only", *(f"--profile={name}" for name in late[:20]))
    assert (status, blocked(rehearsed)) == (0, {})


def test_a_running_program_is_switched_without_a_restart(
    companies: Companies, monkeypatch: pytest.MonkeyPatch, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """A source of a profile picks up the switch, and the way back, with `reload`."""
    companies.add("acme")
    companies.write()
    source = TokenSource.from_env(profile="acme")
    assert source.token().strategy == LEGACY
    monkeypatch.setenv("PROCOUNTOR_PROFILES__ACME__STRATEGY", TARGET)
    assert source.reload()
    assert source.token().strategy == TARGET
    monkeypatch.delenv("PROCOUNTOR_PROFILES__ACME__STRATEGY")
    assert source.reload()
    assert source.token().strategy == LEGACY
    assert token_requests(companies.sandbox) == ["authorization_code", TARGET]
