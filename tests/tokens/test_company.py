"""A token of another company than the configured one is given to nobody, and not stored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from procountor_auth import Settings, Token, TokenSource
from procountor_auth.errors import WrongCompany
from procountor_auth.sandbox import Quirks
from procountor_auth.stores import Entry
from procountor_auth.tokens.company import Company, check_same_company
from procountor_auth.tokens.known_problems import find_wrong_company, find_wrong_fallback
from procountor_auth.tokens.provider import TokenProvider
from tests.tokens.scripted import NOW, Other, Script, Scripted

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


TAKE_KEY = (
    "Set PROCOUNTOR_API_KEY to a key of this company: `procountor-auth key create` makes one. "
    "Or correct PROCOUNTOR_COMPANY."
)
LOG_IN = (
    "Set PROCOUNTOR_REFRESH_TOKEN to one of this company, or take it out, run `procountor-auth login`, and choose the "
    "company. Or correct PROCOUNTOR_COMPANY."
)
TAKE_OTHER = "Take the credentials of this company, or correct PROCOUNTOR_COMPANY."


def of(company: object, strategy: str = "primary", *, refresh: object = None) -> Token:
    """Return a token that says whose it is, and whose its refresh token is."""
    access, refresh_token = (jwt.encode({"cid": each}, "x" * 32, "HS256") for each in (company, refresh))
    return Token(access, NOW, NOW + 3600, strategy, refresh_token)


def named(script: Script, name: str, *, unattended: bool = False) -> Scripted:
    """Return a strategy of this name whose credential is of company 502."""
    base = Other if unattended else Scripted
    kind = type(name, (base,), {"name": name, "credential_claims": lambda _: {"cid": "502"}})
    found: Scripted = kind(script)
    return found


@pytest.mark.parametrize(
    ("strategy", "variable", "hint"),
    [
        ("client_credentials", "PROCOUNTOR_API_KEY", TAKE_KEY),
        ("authorization_code", "PROCOUNTOR_REFRESH_TOKEN", LOG_IN),
        ("vault", None, TAKE_OTHER),
    ],
)
def test_each_error_says_both_companies_and_what_to_do(strategy: str, variable: str | None, hint: str) -> None:
    """Each place that finds another company says what is whose; what to do depends on the strategy alone."""
    company = Company(501)
    with pytest.raises(WrongCompany) as caught:
        company.check_received(of(502, strategy))
    attended, unattended = named(Script(), strategy), named(Script(), strategy, unattended=True)
    with pytest.raises(WrongCompany) as unsent:
        company.check_credential(attended)
    company.check_credential(unattended)  # a key is not used up
    errors = [
        caught.value,
        company.wrong_session(strategy, 502),
        unsent.value,
        company.wrong_credential(unattended, 502),
    ]
    assert [error.message.removesuffix("; PROCOUNTOR_COMPANY is 501.") for error in errors] == [
        f"The token from {strategy} is for company 502",
        f"The token of {strategy} reaches company 502",
        f"{variable or 'The credential of vault'} is for company 502",
        f"{variable or 'The credential of vault'} is for company 502",
    ]
    assert {error.hint for error in errors} == {hint}
    assert [error.variable for error in errors] == [
        WrongCompany.variable,
        WrongCompany.variable,
        variable,
        variable,
    ]


def test_a_kept_login_says_how_to_go_on() -> None:
    """The error says whose login is stored, and each way on."""
    error = Company(14159).kept_login(of(14160))
    assert error.message == (
        "The stored login is for company 14160, and is kept, but not used; PROCOUNTOR_COMPANY is 14159."
    )
    assert error.hint == (
        "Run `procountor-auth login` and choose the company, which replaces it; `procountor-auth logout` ends it. "
        "Or correct PROCOUNTOR_COMPANY."
    )


def test_a_token_and_its_refresh_token_both_say_whose_they_are() -> None:
    """The other company of either is found, the access token's first; who has no company finds none."""
    company = Company(14159)
    assert company.stranger(of(14160, refresh=14161)) == 14160
    assert company.stranger(of(14159, refresh=14161)) == 14161
    assert company.stranger(of(None, refresh=14161)) == 14161
    assert company.stranger(of(14159, refresh=14159)) is None
    assert company.stranger(Token("access", NOW, NOW, "primary")) is None
    assert Company().stranger(of(14160)) is None


@pytest.mark.parametrize(("company", "told"), [(14160, True), (14159, False), (None, False)])
def test_a_replaced_login_is_told_if_it_is_another_company_s(
    caplog: pytest.LogCaptureFixture, company: int | None, *, told: bool
) -> None:
    """One line says so; for nothing, an invalidation, or a login of the same company there is none."""
    for entry in (None, Entry(1, None), Entry(1, of(company))):
        Company(14159).tell_of_replaced(entry)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "a login to PROCOUNTOR_COMPANY replaces the stored one, which was to another company")
    ] * told


def test_a_secret_that_has_moved_to_another_company_is_told() -> None:
    """Both companies are named, in their order, and what leads to the new one; who says nothing is no other."""
    with pytest.raises(WrongCompany) as caught:
        check_same_company(of(14159), of(14160))
    assert (caught.value.message, caught.value.hint) == (
        "The secret that is configured is of company 14160 by now; it was of company 14159 before.",
        "Call `reload()`, or restart the program, to go on with the other company.",
    )
    check_same_company(of(14159), of(14159))
    check_same_company(of(None), of(14159))
    check_same_company(of(14159), of(None))


def test_what_is_fallen_back_with_may_be_another_company_s(configured: Configured) -> None:
    """It is found before anything is sent, whether or not the provider was built with its fallback."""
    chosen: dict[str, Any] = {"fallback_strategy": "authorization_code"}
    theirs = jwt.encode({"cid": OTHER}, "x" * 32, "HS256")
    settings = configured("client_credentials", refresh_token=theirs, **chosen)
    for provider in (TokenProvider.from_settings(settings), TokenProvider.from_settings(settings, on_fallback=print)):
        for wrong in (find_wrong_fallback(provider), find_wrong_company(provider, None, NOW)):
            assert wrong is not None
            assert wrong.message == "PROCOUNTOR_REFRESH_TOKEN is for company 14160; PROCOUNTOR_COMPANY is 14159."
            assert (wrong.hint, wrong.variable) == (LOG_IN, "PROCOUNTOR_REFRESH_TOKEN")
    ours = jwt.encode({"cid": 14159}, "x" * 32, "HS256")
    for settings in (
        configured("client_credentials", refresh_token=theirs),
        configured("client_credentials", refresh_token=ours, **chosen),
        configured("client_credentials", refresh_token=theirs, fallback_strategy="client_credentials"),
    ):
        assert find_wrong_company(TokenProvider.from_settings(settings), None, NOW) is None


def test_the_chosen_credential_comes_before_what_is_stored(configured: Configured) -> None:
    """Of a configured refresh token and a stored login of another company, the first one is told first."""
    theirs = jwt.encode({"cid": OTHER}, "x" * 32, "HS256")
    stored = of(14161, "authorization_code", refresh=14161)
    provider = TokenProvider.from_settings(configured("authorization_code", refresh_token=theirs))
    first = find_wrong_company(provider, stored, NOW)
    assert first is not None
    assert first.message == "PROCOUNTOR_REFRESH_TOKEN is for company 14160; PROCOUNTOR_COMPANY is 14159."
    provider = TokenProvider.from_settings(configured("authorization_code"))
    then = find_wrong_company(provider, stored, NOW)
    assert then is not None
    assert then.message.startswith("The stored login is for company 14161, and is kept, but not used;")
    assert find_wrong_company(provider, of(14159, "authorization_code"), NOW) is None
