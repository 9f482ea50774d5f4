"""Forty profiles, and ten ways to mix up companies: no program sees another company's token, and every tool says so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from procountor_auth import TokenSource
from procountor_auth.cli.app import build_app
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings.profiles import Profiles
from procountor_auth.tokens.pool import ProviderPool
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.migration.conftest import Companies

KEY = "client_credentials"
LOGIN = "authorization_code"
PROFILES = 40

ProcountorAuth: Any = import_module(f"procountor_auth.{backend.__name__}").ProcountorAuth

MIX_UPS: dict[str, tuple[str, str]] = {
    # what is mixed up: the strategy, and what the tools have to say of it
    "inherited key": (KEY, "API_KEY is missing"),
    "pasted key": (KEY, "for company"),
    "common refresh token": (LOGIN, "log in|login|no refresh token"),
    "company changed after a login": (LOGIN, "for company"),
    "stored token of before": (KEY, "for company"),
    "fallback to another company": (KEY, "for company"),
    "reload in the middle": (KEY, "for company"),
    "two spellings": (KEY, "two spellings"),
    "login of another company": (LOGIN, "log in|login|no refresh token"),
    "key re-issued": (KEY, "for company"),
}

NOBODY_HAS_LOGGED_IN = ("common refresh token", "login of another company")


@dataclass
class Integration:
    """The profiles, what is wrong with them, and what their programs have seen.

    Attributes:
        companies: The profiles, as they are written.
        http: What the programs talk to the API with.
        mixed_up: The mix-ups by the profiles' names.
        seen: The companies that each profile's program has worked for.
        errors: What each program ended with.
    """

    companies: Companies
    http: backend.Client
    mixed_up: dict[str, str] = field(default_factory=dict)
    seen: dict[str, set[int]] = field(default_factory=dict)
    errors: dict[str, list[ProcountorAuthError]] = field(default_factory=dict)

    def program(self, name: str, source: TokenSource | None = None) -> None:
        """Run the program of a profile: look at the token, ask the API, have the token replaced, ask again."""
        seen = self.seen.setdefault(name, set())
        try:
            source = source or TokenSource.from_env(profile=name)
            auth = ProcountorAuth(source)
            for _ in range(2):
                token = source.token()
                assert token.company_id is not None
                seen.add(token.company_id)
                answer = self.http.get(f"{auth.api_url}/sessioninfo", auth=auth).raise_for_status()
                seen.add(answer.json()["companyId"])
                seen.add(source.renew(token).company_id or 0)
        except ProcountorAuthError as error:
            self.errors.setdefault(name, []).append(error)

    def log_in(self, name: str, company: str | None = None) -> None:
        """Have a person log in to a profile, to its company or to another one."""
        table = self.companies.tables[name]
        login = TokenSource.from_env(profile=name).begin_login()
        address = self.companies.sandbox.log_in(
            login.url,
            username=table["username"],
            password=table["password"],
            company=company or table["company"],
        )
        token = login.complete(address)
        self.seen.setdefault(name, set()).add(token.company_id or 0)


@pytest.fixture
def integration(companies: Companies) -> Iterator[Integration]:
    """Forty profiles in order: three of four have a key, the others a person's login. Ten are to be mixed up."""
    kinds = list(MIX_UPS)
    with backend.Client() as http:
        made = Integration(companies, http)
        for number in range(PROFILES):
            name = f"p{number:02}"
            kind = kinds[number // 4] if number % 4 == 1 else None
            strategy = MIX_UPS[kind][0] if kind else (LOGIN if number % 4 == 3 else KEY)
            companies.add(name, strategy=strategy, **({"api_key": None} if strategy == LOGIN else {}))
            if kind:
                made.mixed_up[name] = kind
        companies.write()
        for name, table in companies.tables.items():
            if table["strategy"] == LOGIN and made.mixed_up.get(name) not in NOBODY_HAS_LOGGED_IN:
                made.log_in(name)
        yield made


def mix_up(it: Integration, name: str, kind: str) -> None:  # noqa: C901 - a table
    """Mix up a profile, with a program running where that matters."""
    companies, table = it.companies, it.companies.tables[name]
    other = companies.tables["p00"]
    world = companies.sandbox.world
    user = companies.user_id(name)
    match kind:
        case "inherited key":
            del table["api_key"]
            companies.common["api_key"] = other["api_key"]
        case "pasted key":
            table["api_key"] = other["api_key"]
        case "common refresh token":
            companies.common["refresh_token"] = TokenSource.from_env(profile="p03").token().refresh_token
        case "company changed after a login":
            table["company"] = other["company"]
        case "stored token of before":
            table["api_key"] = other["api_key"]
            companies.write()
            token = TokenSource.from_env(profile="p00").token()
            provider = ProviderPool(Profiles.search()).provider(name)
            with provider.store.transaction(provider.key, timeout=5) as transaction:
                transaction.write(token)
        case "fallback to another company":
            world.revoke_api_key(table["api_key"])
            refresh_token = TokenSource.from_env(profile="p03").token().refresh_token
            table |= {"fallback_strategy": LOGIN, "refresh_token": refresh_token}
        case "reload in the middle":
            source = TokenSource.from_env(profile=name)
            it.program(name, source)
            table["api_key"] = other["api_key"]
            companies.write()
            source.reload()
            it.program(name, source)
        case "two spellings":
            table["API_KEY"] = other["api_key"]
        case "login of another company":
            world.grant_user_access(user, int(other["company"]))
            with pytest.raises(ProcountorAuthError):
                it.log_in(name, other["company"])
        case "key re-issued":
            it.program(name)
            world.grant_user_access(user, int(other["company"]))
            world.revoke_api_key(table["api_key"])
            table["api_key"] = world.create_api_key(companies.sandbox.client_id, user, int(other["company"]))
    companies.write()


def run(*arguments: str) -> dict[str, dict[str, Any]]:
    """Run a command with `--json`; return what it says of each profile."""
    result = CliRunner().invoke(build_app(), [*arguments, "--json"], catch_exceptions=False)
    return {found["profile"]: found for found in json.loads(result.stdout)["profiles"]}


def _status(_: Integration) -> dict[str, dict[str, Any]]:
    return run("status")


def _doctor(it: Integration) -> dict[str, dict[str, Any]]:
    return {name: found for each in it.companies.tables for name, found in run("doctor", f"--profile={each}").items()}


def _for_each_strategy(it: Integration, *command: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for strategy in (KEY, LOGIN):
        names = [name for name, table in it.companies.tables.items() if table["strategy"] == strategy]
        found |= run("migrate", *command, "--to", strategy, *(f"--profile={name}" for name in names))
    return found


TOOLS: dict[str, Callable[[Integration], dict[str, dict[str, Any]]]] = {
    "status": _status,
    "check": lambda it: _for_each_strategy(it, "check"),
    "plan": lambda it: _for_each_strategy(it, "plan"),
    "rehearse": lambda it: _for_each_strategy(it, "rehearse"),
    "rehearse --target-only": lambda it: _for_each_strategy(it, "rehearse", "--target-only"),
    "doctor": _doctor,
}


@pytest.mark.both_error_shapes
def test_nobody_works_for_another_company(integration: Integration) -> None:
    """Whatever is mixed up, each program works for its own company or for none, and each tool names the ten."""
    own = {name: int(table["company"]) for name, table in integration.companies.tables.items()}
    for name in own:
        integration.program(name)
    waiting = {name for name, kind in integration.mixed_up.items() if kind in NOBODY_HAS_LOGGED_IN}
    assert integration.seen == {name: set() if name in waiting else {company} for name, company in own.items()}
    for name, kind in integration.mixed_up.items():
        mix_up(integration, name, kind)
    integration.errors.clear()
    for name in own:
        integration.program(name)
    said = {tool: ask(integration) for tool, ask in TOOLS.items()}
    for name in own:
        integration.program(name)  # nor after the tools have looked

    foreign = {name: seen - {own[name]} for name, seen in integration.seen.items() if seen - {own[name]}}
    assert foreign == {}
    assert integration.errors.keys() == integration.mixed_up.keys()
    for tool, found in said.items():
        assert found.keys() == own.keys(), tool
        named = {name: "; ".join(each["reasons"]) for name, each in found.items() if not each["ready"]}
        assert named.keys() == integration.mixed_up.keys(), (tool, named)
        for name, kind in integration.mixed_up.items():
            assert re.search(MIX_UPS[kind][1], named[name]), (tool, kind, named[name])
