"""What the configuration alone says about a profile's way."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from procountor_auth import TokenSource
from procountor_auth.cli.status.report import make_reports
from procountor_auth.errors import LegacyNotAllowed
from procountor_auth.migration.check import check

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

TARGET = "client_credentials"


@pytest.mark.parametrize("strategy", ["legacy_password", TARGET], ids=["before the switch", "after it"])
def test_what_the_key_says_of_its_host_and_end(companies: Companies, strategy: str) -> None:
    """A key that has ended is in the way; one that another host has issued, or that ends soon, is only a note."""
    companies.common["strategy"] = strategy
    soon_over: dict[str, Any] = {"iss": "https://api.procountor.com", "exp": int(time.time()) + 86_400}
    companies.add("ended", api_key=jwt.encode({"exp": 1_600_000_000}, "c" * 32, algorithm="HS256"))
    companies.add("soon", api_key=jwt.encode(soon_over, "c" * 32, algorithm="HS256"))
    profiles = companies.write()
    ended, soon = (check(profiles, name, TARGET) for name in ("ended", "soon"))
    assert [(reason.code, reason.variable) for reason in ended.reasons] == [("expired", "PROCOUNTOR_API_KEY")]
    assert soon.ready
    elsewhere = "was issued by https://api.procountor.com (production), but the configured host is 127.0.0.1"
    day = f"{datetime.fromtimestamp(soon_over['exp'], UTC):%Y-%m-%d}"
    assert soon.notes == (
        f"PROCOUNTOR_API_KEY {elsewhere}",
        f"PROCOUNTOR_API_KEY says that it ends on {day}",
    )
    assert ended.notes == ()
    later = check(profiles, "soon", TARGET, clock=lambda: float(soon_over["exp"]))
    assert [reason.code for reason in later.reasons] == ["expired"]


def test_a_profile_with_everything_is_ready(companies: Companies) -> None:
    """Where nothing is missing or wrong, nothing is in the way, and nothing was sent to find that out."""
    companies.add("acme")
    verdict = check(companies.write(), "acme", TARGET)
    assert verdict.ready
    assert not verdict.done
    assert (verdict.strategy, verdict.notes) == ("legacy_password", ())
    assert companies.sandbox.log() == []


@pytest.mark.parametrize(
    ("values", "codes", "variables"),
    [
        ({"api_key": None}, ["missing"], ["PROCOUNTOR_API_KEY"]),
        ({"api_key": "with a space"}, ["invalid"], ["PROCOUNTOR_API_KEY"]),
        ({"client_id": "", "client_secret": "ä b"}, ["invalid"], ["PROCOUNTOR_CLIENT_SECRET"]),
        ({"api_kye": "x", "api_key": None}, ["missing", "unknown"], ["PROCOUNTOR_API_KEY", "PROCOUNTOR_API_KYE"]),
        ({"client_id": "another"}, ["other_client"], ["PROCOUNTOR_API_KEY"]),
        ({"company": "1"}, ["wrong_company"], ["PROCOUNTOR_API_KEY"]),
        ({"token_store": "drawer"}, ["invalid"], ["PROCOUNTOR_TOKEN_STORE"]),
        ({"api_key": "keyring:nothing-of-this-name"}, None, None),
    ],
)
def test_what_is_wrong_is_named(
    companies: Companies, values: dict[str, str], codes: list[str] | None, variables: list[str] | None
) -> None:
    """Each missing, wrong or misspelt variable is a reason with a code, the variable and what to do, and no value."""
    companies.add("acme", **values)
    verdict = check(companies.write(), "acme", TARGET)
    assert not verdict.ready
    assert all(reason.message and reason.hint for reason in verdict.reasons)
    said = [f"today: {reason.message}" for reason in verdict.reasons]
    assert not [note for note in verdict.notes if note in said]  # what is wrong with both is said once
    if codes is not None:
        assert [reason.code for reason in verdict.reasons] == codes
        assert [reason.variable for reason in verdict.reasons] == variables
    shown = json.dumps(verdict.as_dict()) + repr(verdict)
    for secret in (companies.tables["acme"].get("api_key", "·"), companies.tables["acme"]["password"], "with a space"):
        assert secret not in shown


def test_a_wrong_configuration_of_today_is_a_note(companies: Companies) -> None:
    """What is wrong with today's strategy only is told, and does not block the next one."""
    companies.add("acme", password=None)
    verdict = check(companies.write(), "acme", TARGET)
    assert verdict.ready
    assert verdict.notes == ("today: PROCOUNTOR_PASSWORD is missing (legacy_password needs it)",)


def test_a_strategy_that_does_not_exist_today_is_a_note(companies: Companies) -> None:
    """A profile whose strategy is misspelt is checked all the same."""
    companies.add("acme", strategy="legacy")
    verdict = check(companies.write(), "acme", TARGET)
    assert verdict.ready
    assert "PROCOUNTOR_STRATEGY must be one of" in verdict.notes[0]


def test_the_strategy_is_the_profile_s_own(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that can't be used today still says which strategy it has: its own, not the common one."""
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", TARGET)
    companies.add("acme", strategy="legacy_password", password=None)
    verdict = check(companies.write(), "acme", TARGET)
    assert (verdict.strategy, verdict.done) == ("legacy_password", False)


def test_a_profile_that_has_switched_is_done(companies: Companies) -> None:
    """There is no step to take any more; what is wrong with it is named all the same."""
    companies.add("acme", strategy=TARGET)
    companies.add("broken", strategy=TARGET, api_key=None)
    profiles = companies.write()
    assert check(profiles, "acme", TARGET).done
    assert check(profiles, "acme", TARGET).ready
    broken = check(profiles, "broken", TARGET)
    assert ([reason.code for reason in broken.reasons], broken.notes) == (["missing"], ())


def test_the_refusing_policy_is_not_in_the_way_of_looking(
    companies: Companies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at the legacy strategy neither warns nor is refused: nothing runs with it."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "error")
    companies.add("acme")
    assert check(companies.write(), "acme", TARGET).ready


@pytest.mark.parametrize("strategy", ["legacy_password", TARGET], ids=["before the switch", "after it"])
@pytest.mark.parametrize("policy", ["allow", "error"])
def test_a_fallback_that_the_policy_refuses_is_in_the_way(
    companies: Companies, monkeypatch: pytest.MonkeyPatch, strategy: str, policy: str
) -> None:
    """Where the policy forbids the fallback, programs get no token with the target: that blocks, as `status` says."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", policy)
    companies.add("acme", strategy=strategy, fallback_strategy="legacy_password")
    profiles = companies.write()
    found = check(profiles, "acme", TARGET)
    assert found.ready == (policy == "allow")
    companies.tables["acme"]["strategy"] = TARGET
    (report,) = make_reports(companies.write(), ["acme"])
    assert found.reasons == report.reasons
    assert [reason.code for reason in found.reasons] == ["legacy_not_allowed"] * (policy == "error")
    if policy == "error":
        with pytest.raises(LegacyNotAllowed):
            TokenSource.from_env(profile="acme").token()


def test_the_deprecated_target_is_refused_by_the_policy(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no way back to the legacy strategy while the policy refuses it."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "error")
    companies.add("acme", strategy=TARGET)
    (refused,) = check(companies.write(), "acme", "legacy_password").reasons
    assert refused.message == (
        "PROCOUNTOR_STRATEGY=legacy_password is not allowed, because PROCOUNTOR_LEGACY_POLICY=error."
    )


def test_a_login_is_missing_until_there_is_one(
    companies: Companies, log_in: Callable[[str, Sandbox], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For authorization_code a person must have logged in, into the profile's own entry of the store."""
    companies.add("acme", company=companies.sandbox.company)
    profiles = companies.write()
    verdict = check(profiles, "acme", "authorization_code")
    assert [reason.code for reason in verdict.reasons] == ["interaction_required"]
    assert (
        "PROCOUNTOR_PROFILES__ACME__STRATEGY=authorization_code procountor-auth login --profile acme"
        in verdict.reasons[0].hint
    )
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", "authorization_code")
    login = TokenSource.from_env(profile="acme").begin_login()
    login.complete(log_in(login.url, companies.sandbox))
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", "legacy_password")
    profiles = companies.write()
    assert check(profiles, "acme", "authorization_code").ready
    # It is not this profile's any more when the company changes.
    own = companies.company_id("acme")
    companies.tables["acme"]["company"] = "1"
    (wrong,) = check(companies.write(), "acme", "authorization_code").reasons
    assert (wrong.code, wrong.message) == (
        "wrong_company",
        f"The stored login is for company {own}, and is kept, but not used; PROCOUNTOR_COMPANY is 1.",
    )
    companies.tables["acme"]["company"] = str(own)
    # Until that login has ended, for today's strategy, too.
    later = time.time() + 365 * 86_400
    ended = check(profiles, "acme", "authorization_code", clock=lambda: later)
    assert ended.reasons == verdict.reasons
    companies.tables["acme"]["strategy"] = "authorization_code"
    profiles = companies.write()
    assert check(profiles, "acme", "authorization_code").ready
    ended = check(profiles, "acme", "authorization_code", clock=lambda: later)
    assert [reason.message for reason in ended.reasons] == ["a user has to log in"]


def test_a_login_needs_a_store_that_keeps_it(companies: Companies) -> None:
    """With the memory store a login would be forgotten: that is named, unless a refresh token is configured."""
    companies.add("acme", token_store="memory")
    companies.add("given", token_store="memory", refresh_token="opaque")
    profiles = companies.write()
    verdict = check(profiles, "acme", "authorization_code")
    assert [(reason.code, reason.variable) for reason in verdict.reasons] == [("token_store", "PROCOUNTOR_TOKEN_STORE")]
    assert check(profiles, "given", "authorization_code").ready


def test_without_profiles_there_is_one_configuration(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None], companies: Companies
) -> None:
    """An integration for one company is checked by the name None."""
    environment(sandbox.environment("client_credentials") | sandbox.environment("legacy_password"))
    profiles = type(companies.write()).search()
    assert len(profiles) == 0
    verdict = check(profiles, None, TARGET)
    assert verdict.ready
    assert verdict.as_dict()["profile"] is None
