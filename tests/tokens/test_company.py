"""A token of another company than the configured one is given to nobody, and not stored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import WrongCompany
from procountor_auth.sandbox import Quirks
from procountor_auth.tokens.company import Company
from procountor_auth.tokens.provider import TokenProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    TokenRequests = Callable[[Sandbox], list[str]]
    Configured = Callable[..., Settings]

OTHER = "14160"


@pytest.fixture
def configured(sandbox: Sandbox, tmp_path: Path) -> Callable[..., Settings]:
    """Return settings of a strategy, with a store of the test's own; named values win."""

    def settings(strategy: str, **values: Any) -> Settings:  # noqa: ANN401 - settings
        variables = sandbox.environment(strategy)
        named = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()}
        given = {"token_store": f"file:{tmp_path}/tokens", "company": sandbox.company, **values}
        return Settings(**named | {name: value for name, value in given.items() if value})

    return settings


def stored(settings: Settings) -> Any:  # noqa: ANN401 - an entry or none
    """Return what is stored for these settings."""
    return TokenProvider.from_settings(settings).entry()


def other_key(sandbox: Sandbox) -> str:
    """Return a key of the user's other company."""
    return sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, int(OTHER))


def test_a_new_token_of_another_company_is_refused(
    sandbox: Sandbox, configured: Configured, token_requests: TokenRequests
) -> None:
    """The error names both companies and the variable; the token is not stored, nor the key sent again at once."""
    settings = configured("client_credentials", api_key=other_key(sandbox))
    for _ in range(2):
        with pytest.raises(WrongCompany, match=r"company 14160; PROCOUNTOR_COMPANY is 14159") as refused:
            TokenSource.from_settings(settings).token()
        assert "PROCOUNTOR_API_KEY" in refused.value.hint
        assert not refused.value.retryable
    assert stored(settings).token is None
    assert token_requests(sandbox) == ["client_credentials"]


def test_the_corrected_key_is_tried_at_once(sandbox: Sandbox, configured: Configured) -> None:
    """Whoever puts the right key in, or corrects the company, waits for nothing."""
    wrong = other_key(sandbox)
    with pytest.raises(WrongCompany):
        TokenSource.from_settings(configured("client_credentials", api_key=wrong)).token()
    assert TokenSource.from_settings(configured("client_credentials")).token().company_id == 14159
    corrected = configured("client_credentials", api_key=wrong, company=OTHER)
    assert TokenSource.from_settings(corrected).token().company_id == 14160


def test_without_a_company_any_is_right(sandbox: Sandbox, configured: Configured) -> None:
    """Where no company is configured there is nothing to compare with."""
    settings = configured("client_credentials", api_key=other_key(sandbox), company=None)
    assert TokenSource.from_settings(settings).token().company_id == 14160


def test_a_token_that_says_nothing_is_taken(sandbox: Sandbox, configured: Configured) -> None:
    """A token may not say whose it is; `doctor` and the rehearsal ask the server then."""
    sandbox.quirks = Quirks(company="omit")
    assert TokenSource.from_settings(configured("client_credentials")).token().company_id is None


def test_a_login_to_another_company_is_refused(
    sandbox: Sandbox, configured: Configured, token_requests: TokenRequests
) -> None:
    """The person picked the wrong company: nothing is stored, and the login that was there stays."""
    settings = configured("authorization_code")
    source = TokenSource.from_settings(settings)
    login = source.begin_login()
    kept = login.complete(sandbox.log_in(login.url))
    again = source.begin_login()
    with pytest.raises(WrongCompany, match="company 14160") as refused:
        again.complete(sandbox.log_in(again.url, company=OTHER))
    assert "procountor-auth login" in refused.value.hint
    assert source.token() == kept
    assert stored(settings).token == kept
    assert token_requests(sandbox) == ["authorization_code"] * 2


def test_a_login_of_before_is_kept_and_not_used(
    sandbox: Sandbox, configured: Configured, token_requests: TokenRequests, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the company was changed after a login, that login is neither used nor lost until the next login."""
    before = configured("authorization_code", company=OTHER)
    source = TokenSource.from_settings(before)
    login = source.begin_login()
    kept = login.complete(sandbox.log_in(login.url, company=OTHER))
    settings = configured("authorization_code")
    with pytest.raises(WrongCompany, match="is kept, but not used"):
        TokenSource.from_settings(settings).token()
    assert TokenSource.from_settings(before).token() == kept
    assert len(token_requests(sandbox)) == 1
    new = TokenSource.from_settings(settings)
    login = new.begin_login()
    with caplog.at_level(logging.WARNING, "procountor_auth"):
        login.complete(sandbox.log_in(login.url))
    assert "replaces the stored one, which was to another company" in caplog.text
    assert new.token().company_id == 14159


def test_a_stored_token_of_before_is_replaced(configured: Configured) -> None:
    """A key's token can be had again: another company's is not served, and the next one takes its place."""
    settings = configured("legacy_password", legacy_policy="allow")
    provider = TokenProvider.from_settings(settings)
    foreign = TokenSource.from_settings(configured("legacy_password", legacy_policy="allow", company=OTHER)).token()
    with provider.store.transaction(provider.key, timeout=5) as transaction:
        transaction.write(foreign)
    assert TokenSource.from_settings(settings).token().company_id == 14159
    assert stored(settings).token.company_id == 14159


def test_a_refresh_token_of_another_company_is_not_sent(sandbox: Sandbox, configured: Configured) -> None:
    """The server might replace it, and its owners would be locked out: it says whose it is, so it is not sent."""
    source = TokenSource.from_settings(configured("authorization_code", company=OTHER))
    login = source.begin_login()
    token = login.complete(sandbox.log_in(login.url, company=OTHER))
    sandbox.clear_log()
    settings = configured("authorization_code", refresh_token=token.refresh_token, token_store=None)
    with pytest.raises(WrongCompany, match="PROCOUNTOR_REFRESH_TOKEN is for company 14160"):
        TokenSource.from_settings(settings).token()
    assert sandbox.log() == []


def test_a_reload_leaves_the_token_of_before_behind(
    sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """A program that reads its configuration again is not served with the token of the company of before."""
    variables = sandbox.environment("client_credentials") | {"PROCOUNTOR_COMPANY": sandbox.company}
    environment(variables)
    source = TokenSource.from_env()
    assert source.token().company_id == 14159
    environment(variables | {"PROCOUNTOR_COMPANY": OTHER})
    assert source.reload()
    with pytest.raises(WrongCompany):
        source.token()


@pytest.mark.parametrize(("number", "other"), [("14159", 14160), ("014159", 14160)])
def test_companies_are_numbers(configured: Configured, number: str, other: int) -> None:
    """Leading zeros make no other company."""
    company = Company.of(configured("client_credentials", company=number))
    assert company.other_than(other)
    assert not company.other_than(14159)
    assert not company.other_than(None)
    assert number.lstrip("0") not in repr(company)
