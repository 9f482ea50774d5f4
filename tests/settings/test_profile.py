"""Whose error it is: what is said of a profile names it, in its text, its hint and its attribute."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import (
    ConfigurationError,
    CredentialsRefused,
    InteractionRequired,
    LegacyNotAllowed,
    ProcountorAuthError,
    RedirectError,
    ServiceUnavailable,
    StoreError,
    WrongCompany,
)
from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.settings.profile import NO_PROFILE, Profile
from procountor_auth.strategies.deprecation import forget_warning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[Mapping[str, str]], None]
    Fails = Callable[..., ProcountorAuthError]

BETA = "PROCOUNTOR_PROFILES__BETA__"


@pytest.fixture
def fails(sandbox: Sandbox, environment: Environment) -> Fails:
    """Have profile beta ask for a token in vain; return the error."""

    def ask(chosen: str, **own: str) -> ProcountorAuthError:
        values = {"PROCOUNTOR_LEGACY_POLICY": "allow"} | sandbox.environment(chosen)
        values |= {f"{BETA}{name.upper()}": value for name, value in own.items()}
        if "PROCOUNTOR_API_KEY" in values:
            values.setdefault(f"{BETA}API_KEY", values.pop("PROCOUNTOR_API_KEY"))
        values.setdefault(f"{BETA}COMPANY", sandbox.company)
        environment(values)
        with pytest.raises(ProcountorAuthError) as failed:
            TokenSource.from_env(profile="beta").token()
        return failed.value

    return ask


@pytest.mark.parametrize(
    ("strategy", "own", "kind", "hint"),
    [
        ("client_credentials", {"api_key": "a.b.c"}, CredentialsRefused, "Check [profiles.beta] api_key"),
        ("legacy_password", {"password": "no"}, CredentialsRefused, "Check [profiles.beta] username, password and com"),
        ("authorization_code", {}, InteractionRequired, "`procountor-auth login --profile beta`"),
        ("authorization_code", {"refresh_token": "no"}, InteractionRequired, "`procountor-auth login --profile beta`"),
        ("client_credentials", {"company": "14160"}, WrongCompany, "Set [profiles.beta] api_key to a key of this"),
        ("client_credentials", {"token_store": "file:/dev/null/x"}, StoreError, "/dev/null"),
        ("client_credentials", {"strategy": "x"}, ConfigurationError, "Correct it as PROCOUNTOR_PROFILES__BETA__"),
        (
            "legacy_password",
            {"legacy_policy": "error"},
            LegacyNotAllowed,
            "[profiles.beta] strategy=client_",
        ),
    ],
)
@pytest.mark.both_error_shapes
def test_an_error_names_its_profile(
    fails: Fails, strategy: str, own: dict[str, str], kind: type[ProcountorAuthError], hint: str
) -> None:
    """Whoever reads it at night knows which of five hundred companies it is, and what to do for that one."""
    error = fails(strategy, **own)
    assert isinstance(error, kind)
    assert error.profile == "beta"
    assert str(error).startswith("Profile beta: ")
    assert str(error).count("beta: ") == 1
    assert hint in str(error)


@pytest.mark.usefixtures("keychain")
@pytest.mark.parametrize("read", [Settings.followed, lambda settings: settings.required("api_key")])
def test_a_reference_that_leads_nowhere_names_its_profile(
    sandbox: Sandbox, environment: Environment, read: Callable[[Settings], object]
) -> None:
    """Whoever follows a profile's reference learns whose it is, and the command that mends it for that profile."""
    environment(sandbox.environment("client_credentials") | {f"{BETA}API_KEY": "keyring:nope"})
    with pytest.raises(ConfigurationError, match=r"^Profile beta: PROCOUNTOR_API_KEY refers to an entry") as failed:
        read(Settings(profile="beta"))
    assert failed.value.profile == "beta"
    assert "`procountor-auth key create --profile beta --keyring`" in failed.value.hint


def test_a_fault_names_its_profile(sandbox: Sandbox, fails: Fails) -> None:
    """A fault of the server, too, says for which profile it was met."""
    sandbox.faults = Faults(status=503, retry_after=600)
    error = fails("client_credentials")
    assert isinstance(error, ServiceUnavailable)
    assert (error.profile, error.retryable) == ("beta", True)


def test_a_login_names_its_profile(sandbox: Sandbox, environment: Environment) -> None:
    """A redirect that can't be used says for which profile the login was."""
    environment(sandbox.environment("authorization_code") | {f"{BETA}COMPANY": sandbox.company})
    login = TokenSource.from_env(profile="beta").begin_login()
    with pytest.raises(RedirectError, match=r"^Profile beta: ") as failed:
        login.complete("https://app.example/callback?code=x&state=y")
    assert failed.value.profile == "beta"


def test_a_profile_without_a_login_page_is_named(sandbox: Sandbox, environment: Environment) -> None:
    """Where no login can begin, the error says for which profile."""
    environment(sandbox.environment("client_credentials") | {f"{BETA}API_KEY": sandbox.api_key})
    with pytest.raises(ConfigurationError, match=r"^Profile beta: ") as failed:
        TokenSource.from_env(profile="beta").begin_login()
    assert "[profiles.beta] strategy=authorization_code" in failed.value.hint


def test_without_profiles_nothing_is_named(sandbox: Sandbox, environment: Environment) -> None:
    """The only configuration has no name, and its hints name the environment's variables."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_API_KEY": "a.b.c"})
    with pytest.raises(CredentialsRefused) as failed:
        TokenSource.from_env().token()
    assert failed.value.profile is None
    assert "Check PROCOUNTOR_API_KEY" in str(failed.value)
    assert "rofile" not in str(failed.value)


def test_every_line_in_the_log_names_the_profile(
    sandbox: Sandbox, environment: Environment, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """All that is logged for a profile carries it, in the text and in the record; an event is not named twice."""
    caplog.set_level(logging.DEBUG, "procountor_auth")
    sandbox.quirks = Quirks(refresh_token_lifetime=100_000)
    refresh_token = sandbox.environment("authorization_code", refresh_token=True)["PROCOUNTOR_REFRESH_TOKEN"]
    environment(
        sandbox.environment("authorization_code")
        | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path}/tokens", f"{BETA}REFRESH_TOKEN": refresh_token}
    )
    source = TokenSource.from_env(profile="beta")
    source.renew(source.token())
    source.invalidate()
    lines = [record for record in caplog.records if record.name == "procountor_auth"]
    assert any("refresh token ends in" in record.getMessage() for record in lines)
    assert any(hasattr(record, "procountor_event") for record in lines)
    named = [record for record in lines if record.getMessage().startswith("profile beta: ")]
    assert named == lines
    assert {vars(record)["procountor_profile"] for record in lines} == {"beta"}
    assert not [record for record in lines if record.getMessage().count("profile beta") > 1]


def test_lines_of_no_profile_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """A percent sign, a mapping or no value at all in a line does no harm, with a profile and without."""
    logger = logging.getLogger("procountor_auth")
    for whose, before in ((NO_PROFILE, ""), (Profile("b%d"), "profile b%d: ")):
        caplog.clear()
        with whose.named():
            logger.warning("50 %")
            logger.warning("%s and %s", 1, 2)
            logger.warning("%(a)s", {"a": 3})
        assert [record.getMessage() for record in caplog.records] == [
            f"{before}{text}" for text in ("50 %", "1 and 2", "3")
        ]


def test_the_deprecation_names_the_profile(sandbox: Sandbox, environment: Environment) -> None:
    """The warning about the legacy strategy says which profile still chooses it."""
    forget_warning()
    environment(sandbox.environment("legacy_password") | {f"{BETA}COMPANY": sandbox.company})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TokenSource.from_env(profile="beta")
    assert [str(each.message).startswith("Profile beta: PROCOUNTOR_STRATEGY=legacy_password") for each in caught] == [
        True
    ]


def test_a_hint_is_for_the_profile() -> None:
    """Variables become the profile's own entries, commands get its name; what has a profile already is left alone."""
    beta = Profile("beta")
    assert beta.hint("Check PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD and PROCOUNTOR_COMPANY.") == (
        "Check [profiles.beta] username, password and company."
    )
    assert beta.hint("Run `procountor-auth login`. PROCOUNTOR_TOKEN_STORE is common.") == (
        "Run `procountor-auth login --profile beta`. PROCOUNTOR_TOKEN_STORE is common."
    )
    assert beta.hint("Call `TokenSource.from_env().begin_login()`") == (
        'Call `TokenSource.from_env(profile="beta").begin_login()`'
    )
    assert beta.hint("Run `procountor-auth migrate check --profile beta`") == (
        "Run `procountor-auth migrate check --profile beta`"
    )
    assert beta.hint("as PROCOUNTOR_PROFILES__BETA__API_KEY") == "as PROCOUNTOR_PROFILES__BETA__API_KEY"
    assert NO_PROFILE.hint("Check PROCOUNTOR_API_KEY.") == "Check PROCOUNTOR_API_KEY."
