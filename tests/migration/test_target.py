"""Which strategy a profile is to switch to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.migration.target import strategy_of, target_of

if TYPE_CHECKING:
    from tests.migration.conftest import Companies

KEY = "client_credentials"


@pytest.mark.parametrize(
    ("strategy", "target"),
    [
        ("legacy_password", KEY),
        ("authorization_code", "authorization_code"),
        (KEY, KEY),
        ("a misspelt one", KEY),
    ],
)
def test_who_has_left_the_legacy_login_stays(companies: Companies, strategy: str, target: str) -> None:
    """The target is the profile's own strategy if that is none to leave, and a key if nothing else is chosen."""
    companies.add("acme", strategy=strategy)
    profiles = companies.write()
    assert strategy_of(profiles, "acme") == strategy
    assert target_of(profiles, "acme", None) == target
    assert target_of(profiles, "acme", "legacy_password") == "legacy_password"


def test_the_common_strategy_is_that_of_no_profile(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a profile it is the common values that count, for a profile its own, and an unknown one has none."""
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", "authorization_code")
    companies.add("acme", strategy="legacy_password")
    profiles = companies.write()
    assert [strategy_of(profiles, name) for name in (None, "acme", "nobody")] == [
        "authorization_code",
        "legacy_password",
        None,
    ]
    assert [target_of(profiles, name, None) for name in (None, "acme", "nobody")] == ["authorization_code", KEY, KEY]


def test_a_strategy_that_is_no_text_is_shown(companies: Companies) -> None:
    """What somebody has written without quotes is the strategy's name as well; without any, there is none."""
    companies.add("acme", strategy=7)
    profiles = companies.write()
    assert (strategy_of(profiles, "acme"), target_of(profiles, "acme", None)) == ("7", KEY)


def test_without_a_strategy_the_target_is_a_key(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is configured, there is none, and it is to be the default one."""
    monkeypatch.delenv("PROCOUNTOR_STRATEGY")
    companies.add("acme")
    profiles = companies.write()
    assert (strategy_of(profiles, "acme"), target_of(profiles, "acme", None)) == (None, KEY)
