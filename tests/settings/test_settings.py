"""The configuration."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr, ValidationError

from procountor_auth import ConfigurationError, Settings
from procountor_auth.settings.key_login import KeyLoginSettings
from procountor_auth.strategies import build
from procountor_auth.strategies.registry import BUILT_IN as STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable

    Environment = Callable[[dict[str, str]], None]

_CLIENT: Final = {
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
}

_PROFILES: Final = {
    "legacy_password": {
        **_CLIENT,
        "PROCOUNTOR_STRATEGY": "legacy_password",
        "PROCOUNTOR_USERNAME": "us3r",
        "PROCOUNTOR_PASSWORD": "passw0rd",
        "PROCOUNTOR_COMPANY": "14159",
        "PROCOUNTOR_LEGACY_POLICY": "allow",
    },
    "authorization_code": {**_CLIENT, "PROCOUNTOR_STRATEGY": "authorization_code"},
    "client_credentials": {
        **_CLIENT,
        "PROCOUNTOR_STRATEGY": "client_credentials",
        "PROCOUNTOR_API_KEY": "k3y",
    },
}

_MACHINE: Final = _PROFILES["client_credentials"]


def _names(error: ConfigurationError) -> set[tuple[str, str]]:
    return {(problem.variable, problem.kind) for problem in error.problems}


@pytest.mark.parametrize("name", _PROFILES)
def test_a_profile_is_enough_for_its_strategy(environment: Environment, name: str) -> None:
    """Each strategy is built from its own variables alone, at the production host."""
    environment(_PROFILES[name])
    strategy = build(Settings())
    assert type(strategy).__name__ == STRATEGIES[name]
    assert strategy.client.endpoints.host == "https://api.procountor.com"


def test_there_is_no_default_strategy(environment: Environment) -> None:
    """Without `PROCOUNTOR_STRATEGY` there are no settings: the legacy login is never a silent choice."""
    everything = {name: value for profile in _PROFILES.values() for name, value in profile.items()}
    del everything["PROCOUNTOR_STRATEGY"]
    environment(everything)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert _names(caught.value) == {("PROCOUNTOR_STRATEGY", "missing")}
    assert all(name in str(caught.value) for name in STRATEGIES)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        (name, variable)
        for name, profile in _PROFILES.items()
        for variable in profile
        if variable not in {"PROCOUNTOR_STRATEGY", "PROCOUNTOR_LEGACY_POLICY"}
        and (name, variable) != ("client_credentials", "PROCOUNTOR_REDIRECT_URI")
    ],
)
@pytest.mark.parametrize("how", ["absent", "empty", "explicitly empty"])
def test_a_missing_variable_is_named_with_who_needs_it(
    environment: Environment, name: str, variable: str, how: str
) -> None:
    """A required variable that is absent or empty is missing, and the error says which strategy needs it."""
    environment({**_PROFILES[name], variable: ""} if how != "absent" else _without(_PROFILES[name], variable))
    explicit = {variable.removeprefix("PROCOUNTOR_").lower(): ""} if how == "explicitly empty" else {}
    with pytest.raises(ConfigurationError, match=f"{variable} is missing \\({name} needs it\\)") as caught:
        Settings(**explicit)
    assert (variable, "missing") in _names(caught.value)


def _without(variables: dict[str, str], name: str) -> dict[str, str]:
    return {each: value for each, value in variables.items() if each != name}


def test_a_key_needs_no_redirect_uri_but_a_misspelt_one_is_an_error(environment: Environment) -> None:
    """`client_credentials` can do without it; who has misspelt it wanted it sent."""
    without = _without(_MACHINE, "PROCOUNTOR_REDIRECT_URI")
    environment(without)
    assert Settings().redirect_uri is None
    environment(without | {"PROCOUNTOR_REDIRECT_URL": "redirect-uri-placeholder"})
    with pytest.raises(ConfigurationError, match="did you mean PROCOUNTOR_REDIRECT_URI"):
        Settings()


def test_one_error_names_everything_at_once(environment: Environment) -> None:
    """Missing, wrong and misspelt variables are in one error, as text and as data, with a hint."""
    environment(
        {
            "PROCOUNTOR_STRATEGY": "legacy_password",
            "PROCOUNTOR_CLIENT_ID": "client-1",
            "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
            "PROCOUNTOR_USERNAME": "us3r",
            "PROCOUNTOR_PASWORD": "passw0rd",
            "PROCOUNTOR_COMPANY": "fourteen",
            "PROCOUNTOR_TIMEOUT": "soon",
            "PROCOUNTOR_BASE_URL": "https://api.procountor.com/rest",
        }
    )
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    expected = {
        ("PROCOUNTOR_REDIRECT_URI", "missing"),
        ("PROCOUNTOR_PASSWORD", "missing"),
        ("PROCOUNTOR_COMPANY", "invalid"),
        ("PROCOUNTOR_TIMEOUT", "invalid"),
        ("PROCOUNTOR_BASE_URL", "invalid"),
        ("PROCOUNTOR_PASWORD", "unknown"),
    }
    assert _names(caught.value) == expected
    assert all(variable in caught.value.message for variable, _ in expected)
    assert "did you mean PROCOUNTOR_PASSWORD?" in caught.value.message
    assert {(each["variable"], each["kind"]) for each in json.loads(caught.value.json())} == expected
    assert ".env" in caught.value.hint


_WRONG: Final = {
    "PROCOUNTOR_STRATEGY": ["c4n4ry", "Legacy_Password", " client_credentials"],
    "PROCOUNTOR_ENVIRONMENT": ["c4n4ry", "Production"],
    "PROCOUNTOR_BASE_URL": [
        *("c4n4ry", "https://c4n4ry:pw@api.example", "http://c4n4ry.example", "https://c4n4ry.example/rest"),
        *("https://c4n4ry.example/latest/rest/", "https://c4n4ry.example?x=y", "ftp://c4n4ry.example"),
        *("https://c4n4ry.example:port", "https://c4n4ry example", "https://c4n4ry\\.example"),
    ],
    "PROCOUNTOR_API_VERSION": ["c4n4ry", "v23", "latest/", "../c4n4ry", "v2302\n"],
    "PROCOUNTOR_CLIENT_ID": ["c4n4ry c4n4ry", "c4n4ry\n", "c4n4ry\x00"],
    "PROCOUNTOR_CLIENT_SECRET": ["c4n4ry c4n4ry", "c4n4ry\r\nX: y", "\tc4n4ry"],
    "PROCOUNTOR_REDIRECT_URI": ["c4n4ry?a=b", "c4n4ry#a", "c4n4ry a", "c4n4ryä"],
    "PROCOUNTOR_API_KEY": ["c4n4ry c4n4ry", "c4n4ry\n", "c4n4ryä"],
    "PROCOUNTOR_TOKEN_STORE": ["c4n4ry", "c4n4ry://"],
    "PROCOUNTOR_LEGACY_POLICY": ["c4n4ry"],
    "PROCOUNTOR_ALLOW_MISSING_STATE": ["c4n4ry"],
    "PROCOUNTOR_PKCE": ["c4n4ry"],
    "PROCOUNTOR_TIMEOUT": ["c4n4ry", "0", "-1", "nan", "inf", "601"],
    "PROCOUNTOR_PROXY": ["http://c4n4ry proxy"],
}


@pytest.mark.parametrize("how", ["environment", "explicit"])
@pytest.mark.parametrize(
    ("variable", "value"), [(variable, value) for variable, values in _WRONG.items() for value in values]
)
def test_a_wrong_value_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, environment: Environment, variable: str, value: str, how: str
) -> None:
    """A wrong value is one problem of its own variable, and the value is nowhere in the error."""
    explicit: dict[str, Any] = {}
    if how == "explicit" or "\x00" in value:
        environment(_without(_MACHINE, variable))
        explicit[variable.removeprefix("PROCOUNTOR_").lower()] = value
    else:
        environment(_MACHINE)
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        Settings(**explicit)
    assert _names(caught.value) == {(variable, "invalid")}
    assert "c4n4ry" not in _everything_in(caught.value)


def _everything_in(error: ConfigurationError) -> str:
    """Return all that a program or a person could see of an error: texts, data, chain, and the locals of our frames."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert frames.__cause__ is None
    assert frames.__context__ is None
    assert error.__cause__ is None
    assert error.__context__ is None
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    assert "settings.py" in "".join(frames.format())
    return "".join(frames.format()) + repr(error) + str(error.errors()) + error.json() + repr(vars(error))


@pytest.mark.parametrize("value", [b"c4n4ry", ["c4n4ry"], {"c4n4ry": 1}, SecretStr("c4n4ry \n"), "c4n4ry\ud800"])
def test_a_value_of_a_wrong_type_is_not_shown_either(environment: Environment, value: object) -> None:
    """An explicit argument that is no text, or no text that can be sent, is refused without being shown."""
    environment(_MACHINE)
    with pytest.raises(ConfigurationError) as caught:
        Settings(api_key=value)
    assert _names(caught.value) == {("PROCOUNTOR_API_KEY", "invalid")}
    assert "c4n4ry" not in _everything_in(caught.value)


def test_no_right_value_is_shown_beside_a_wrong_one(environment: Environment) -> None:
    """An error about one variable shows no value of any other."""
    secrets = {"us3r", "passw0rd", "14159", "cl13nt", "k3y", "r3fresh"}
    environment(
        {
            **_PROFILES["client_credentials"],
            **_PROFILES["legacy_password"],
            "PROCOUNTOR_REFRESH_TOKEN": "r3fresh",
            "PROCOUNTOR_TIMEOUT": "soon",
        }
    )
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    shown = _everything_in(caught.value)
    assert not [secret for secret in secrets if secret in shown]


def test_valid_settings_show_no_secret(environment: Environment) -> None:
    """Neither repr, nor text, nor JSON of settings shows a secret."""
    environment({**_PROFILES["client_credentials"], **_PROFILES["legacy_password"]})
    settings = Settings(proxy="http://me:pr0xy@proxy.example")
    shown = repr(settings) + str(settings) + settings.model_dump_json() + repr(settings.model_dump())
    assert not [secret for secret in ("us3r", "passw0rd", "14159", "cl13nt", "k3y", "pr0xy") if secret in shown]


def test_the_debug_log_shows_no_value(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With every debugging switch on, no value of any place is logged."""
    environment({**_MACHINE, "PROCOUNTOR_API_KEY": "c4n4ry-environment", "PROCOUNTOR_SECRETS_DIR": "secrets"})
    (tmp_path / ".env").write_text("PROCOUNTOR_PASSWORD=c4n4ry-dotenv\nPROCOUNTOR_OTHER=c4n4ry-other\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "PROCOUNTOR_USERNAME").write_text("c4n4ry-secret")
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    with caplog.at_level(logging.DEBUG):
        Settings(refresh_token="c4n4ry-explicit")
    assert "c4n4ry" not in caplog.text
    assert not [record for record in caplog.records if "c4n4ry" in repr(vars(record))]


def test_staged_credentials_of_another_strategy_only_warn(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong credential of a strategy that is not in use is a line in the log, without its value, and ignored."""
    environment({**_PROFILES["legacy_password"], "PROCOUNTOR_API_KEY": "c4n4ry c4n4ry"})
    settings = Settings()
    assert settings.api_key is None
    assert build(settings).name == "legacy_password"
    assert "PROCOUNTOR_API_KEY contains white space" in caplog.text
    assert "c4n4ry" not in caplog.text


def test_staged_credentials_are_kept_for_the_switch(environment: Environment) -> None:
    """With both profiles in the environment, one variable switches the strategy, there and back."""
    both = {**_PROFILES["client_credentials"], **_PROFILES["legacy_password"]}
    for name in ("legacy_password", "client_credentials", "legacy_password"):
        environment({**both, "PROCOUNTOR_STRATEGY": name})
        assert build(Settings()).name == name


def test_a_wrong_staged_credential_does_not_hide_a_wrong_one(environment: Environment) -> None:
    """If the chosen strategy has a problem too, the error names both."""
    environment({**_PROFILES["legacy_password"], "PROCOUNTOR_COMPANY": "x", "PROCOUNTOR_API_KEY": "a b"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert _names(caught.value) == {("PROCOUNTOR_COMPANY", "invalid"), ("PROCOUNTOR_API_KEY", "invalid")}


@pytest.mark.parametrize(
    ("strategy", "misspelt", "meant"),
    [
        ("legacy_password", "PROCOUNTOR_PASWORD", "PROCOUNTOR_PASSWORD"),
        ("legacy_password", "PROCOUNTOR_USER_NAME", "PROCOUNTOR_USERNAME"),
        ("legacy_password", "PROCOUNTOR_COMPANY_ID", "PROCOUNTOR_COMPANY"),
        ("client_credentials", "procountor_apikey", "PROCOUNTOR_API_KEY"),
        ("client_credentials", "PROCOUNTOR_BASEURL", "PROCOUNTOR_BASE_URL"),
        ("client_credentials", "PROCOUNTOR_PROFIL", "PROCOUNTOR_PROFILE"),
        ("client_credentials", "PROCOUNTOR_ENVFILE", "PROCOUNTOR_ENV_FILE"),
        ("authorization_code", "PROCOUNTOR_REFRESH_TOKN", "PROCOUNTOR_REFRESH_TOKEN"),
    ],
)
def test_a_misspelt_name_that_decides_is_an_error(
    environment: Environment, strategy: str, misspelt: str, meant: str
) -> None:
    """A name that is nearly that of a setting which decides who is asked for whom is refused with what was meant."""
    environment({**_without(_PROFILES[strategy], meant), misspelt: "c4n4ry"})
    with pytest.raises(ConfigurationError, match=f"{misspelt.upper()} is unknown: did you mean {meant}\\?") as caught:
        Settings()
    assert (misspelt.upper(), "unknown") in _names(caught.value)
    assert "c4n4ry" not in _everything_in(caught.value)


@pytest.mark.parametrize("prefix", ["PROCOUNTER", "PROCUNTOR", "PROCONTOR", "Procounter", "PROCOUNTR", "PROCOUNTORS"])
@pytest.mark.parametrize("meant", ["CLIENT_ID", "API_KEY", "BASE_URL", "PROFILE"])
def test_a_misspelt_prefix_that_decides_is_an_error(environment: Environment, prefix: str, meant: str) -> None:
    """A variable with nearly the right prefix is refused where nothing else says who is asked, and for whom."""
    environment({**_without(_PROFILES["client_credentials"], f"PROCOUNTOR_{meant}"), f"{prefix}_{meant}": "c4n4ry"})
    misspelt = f"{prefix}_{meant}".upper()
    with pytest.raises(ConfigurationError, match=f"{misspelt} is unknown: did you mean PROCOUNTOR_{meant}") as caught:
        Settings()
    assert (misspelt, "unknown") in _names(caught.value)
    assert "c4n4ry" not in _everything_in(caught.value)


def test_a_misspelt_base_url_is_an_error_beside_an_environment(environment: Environment) -> None:
    """The templates of .env name an environment: a base URL that nobody reads would leave its host in place."""
    environment({**_MACHINE, "PROCOUNTOR_ENVIRONMENT": "production", "PROCOUNTER_BASE_URL": "http://127.0.0.1:8000"})
    with pytest.raises(ConfigurationError, match="PROCOUNTER_BASE_URL is unknown: did you mean PROCOUNTOR_BASE_URL"):
        Settings()
    environment({**_MACHINE, "PROCOUNTOR_BASE_URL": "https://x.example", "PROCOUNTER_ENVIRONMENT": "test"})
    assert Settings().base_url == "https://x.example"


def test_a_misspelt_prefix_that_decides_nothing_is_ignored(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it if it means a setting; other programs' variables with such a prefix are not mentioned."""
    environment(
        {**_MACHINE, "PROCOUNTOR_BASE_URL": "https://x.example", "PROCOUNTER_BASE_URL": "c4n4ry"}
        | {"PROCOUNTER_SIZE": "1", "PROCESSOR_CLIENT_ID": "1", "PRODUCER_API_KEY": "1"}
    )
    assert Settings().base_url == "https://x.example"
    assert caplog.messages == ["PROCOUNTER_BASE_URL is ignored: did you mean PROCOUNTOR_BASE_URL?"]


_HOSTS: Final = (
    "ENV",
    "URL",
    "API_URL",
    "HOST",
    "TEST_MODE",
    "TESTMODE",
    "BASE_URI",
    "API_BASE_URL",
    "DOMAIN",
    "USE_TEST",
)


@pytest.mark.parametrize("name", _HOSTS)
def test_a_name_that_speaks_of_a_host_stops_what_would_lead_to_production(environment: Environment, name: str) -> None:
    """Where no host is named, a name that means one is refused; where one is named, it is ignored."""
    variable = f"PROCOUNTOR_{name}"
    environment({**_MACHINE, variable: "test"})
    with pytest.raises(ConfigurationError, match=f"{variable} is unknown") as caught:
        Settings()
    assert "PROCOUNTOR_BASE_URL" in caught.value.message
    for named in ({"PROCOUNTOR_ENVIRONMENT": "test"}, {"PROCOUNTOR_BASE_URL": "https://x.example"}):
        environment({**_MACHINE, variable: "test"} | named)
        assert Settings().client_id == "client-1"


_KUBERNETES: Final = [
    "SERVICE_HOST",
    "SERVICE_PORT",
    "PORT",
    "PORT_80_TCP_ADDR",
    "TOKEN_PORT",
    "API_SERVICE_HOST",
    "API_PORT_80_TCP",
]


@pytest.mark.parametrize("name", _KUBERNETES)
def test_kubernetes_variables_are_nobody_s(
    environment: Environment, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """What Kubernetes sets for a service of this name neither stops a program nor fills its log."""
    environment({**_MACHINE, f"PROCOUNTOR_{name}": "tcp://10.0.0.1:80"})
    assert Settings().client_id == "client-1"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    "stranger",
    [
        "PROCOUNTOR_INVOICE_BATCH_SIZE",
        "PROCOUNTOR_API_KEY_2",
        "PROCOUNTOR_CLIENT_ID_",
        "PROCOUNTOR_COMPANY_ID",
        "PROCOUNTOR_USER_NAME",
        "PROCOUNTOR_VERSION",
        "PROCOUNTOR_REDIRECT_URL",
        "PROCOUNTOR_DATABASE_URL",
        "PROCOUNTOR_LEGACYPOLICY",
    ],
)
def test_a_stranger_is_a_line_in_the_log(
    environment: Environment, caplog: pytest.LogCaptureFixture, stranger: str
) -> None:
    """A program's own variable under the same prefix is ignored with a warning that names it, not its value."""
    environment({**_MACHINE, stranger: "c4n4ry"})
    assert Settings().client_id == "client-1"
    assert f"{stranger} is not a setting" in caplog.text
    assert "c4n4ry" not in caplog.text


@pytest.mark.parametrize("wrong", ["passwort", "client", "PROCOUNTOR_PASSWORD"])
def test_an_unknown_argument_is_a_type_error(environment: Environment, wrong: str) -> None:
    """An argument that is no setting is a mistake in the program, and its value is not shown."""
    environment(_MACHINE)
    with pytest.raises(TypeError, match=f"Settings has no {wrong}") as caught:
        Settings(**{wrong: "c4n4ry"})
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    assert "c4n4ry" not in "".join(frames.format())


def test_a_base_url_with_another_version_is_a_contradiction(environment: Environment) -> None:
    """A version in the path that differs from the one that is set is an error that names both variables."""
    url = "https://pts-api.procountor.com/v2605/api"
    environment({**_MACHINE, "PROCOUNTOR_BASE_URL": url, "PROCOUNTOR_API_VERSION": "v2602"})
    with pytest.raises(ConfigurationError, match=r"PROCOUNTOR_BASE_URL .* PROCOUNTOR_API_VERSION") as caught:
        Settings()
    assert [problem.variable for problem in caught.value.problems] == ["PROCOUNTOR_BASE_URL"]


@pytest.mark.parametrize(
    ("variables", "api"),
    [
        ({}, "https://api.procountor.com/api"),
        ({"PROCOUNTOR_ENVIRONMENT": "test"}, "https://pts-api.procountor.com/api"),
        ({"PROCOUNTOR_API_VERSION": "latest"}, "https://api.procountor.com/latest/api"),
        ({"PROCOUNTOR_API_VERSION": "v2302"}, "https://api.procountor.com/v2302/api"),
        ({"PROCOUNTOR_API_VERSION": "26.05"}, "https://api.procountor.com/v2605/api"),
        ({"PROCOUNTOR_BASE_URL": "https://next.example/api"}, "https://next.example/api"),
        ({"PROCOUNTOR_BASE_URL": "https://next.example/latest/api/"}, "https://next.example/latest/api"),
        (
            {"PROCOUNTOR_BASE_URL": "https://next.example/v2605/api", "PROCOUNTOR_API_VERSION": "26.05"},
            "https://next.example/v2605/api",
        ),
        ({"PROCOUNTOR_BASE_URL": "https://next.example/"}, "https://next.example/api"),
        ({"PROCOUNTOR_BASE_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/api"),
        (
            {"PROCOUNTOR_BASE_URL": "https://next.example", "PROCOUNTOR_ENVIRONMENT": "test"},
            "https://next.example/api",
        ),
    ],
)
def test_the_host_is_chosen(environment: Environment, variables: dict[str, str], api: str) -> None:
    """The environment picks one of the vendor's hosts, a base URL wins over it, a version stands before `/api`."""
    environment({**_MACHINE, **variables})
    assert Settings().endpoints.api == api


@pytest.mark.parametrize(
    "redirect_uri",
    ["redirect-uri-placeholder", "https://app.example/callback", "http://127.0.0.1:8765/", "myapp:/callback"],
)
def test_a_redirect_uri_may_be_a_word(environment: Environment, redirect_uri: str) -> None:
    """A redirect URI is whatever the vendor registered: a URL or a bare word, kept as it is."""
    environment({**_MACHINE, "PROCOUNTOR_REDIRECT_URI": redirect_uri})
    assert Settings().redirect_uri == redirect_uri


def test_a_company_may_be_given_as_a_number(environment: Environment) -> None:
    """In a program the company ID may be an integer."""
    environment(_PROFILES["legacy_password"])
    assert Settings(company=2718).required("company").get_secret_value() == "2718"


def test_every_setting_is_read_in_its_own_type(environment: Environment) -> None:
    """Numbers, switches and paths come out as such, although the environment has only text."""
    environment(
        {
            **_MACHINE,
            "PROCOUNTOR_TIMEOUT": "2.5",
            "PROCOUNTOR_PKCE": "true",
            "PROCOUNTOR_ALLOW_MISSING_STATE": "1",
            "PROCOUNTOR_CA_BUNDLE": "/etc/ssl/own.pem",
            "PROCOUNTOR_LEGACY_POLICY": "error",
        }
    )
    settings = Settings()
    assert (settings.timeout, settings.pkce, settings.allow_missing_state) == (2.5, True, True)
    assert (settings.ca_bundle, settings.legacy_policy) == (Path("/etc/ssl/own.pem"), "error")
    assert settings.oauth_client().pkce


def test_settings_are_frozen(environment: Environment) -> None:
    """Settings do not change once they are validated."""
    environment(_MACHINE)
    with pytest.raises(ValidationError, match="frozen"):
        Settings().strategy = "legacy_password"


def test_a_secret_that_another_strategy_needs_is_not_there(environment: Environment) -> None:
    """Asking settings for a credential that they were not validated for is a configuration error."""
    environment(_PROFILES["authorization_code"])
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY is missing"):
        Settings().required("api_key")


@pytest.mark.parametrize("strategy", [None, *STRATEGIES])
def test_a_key_login_needs_the_client_alone(environment: Environment, strategy: str | None) -> None:
    """Getting an API key needs no API key, whatever strategy is in use meanwhile."""
    environment(_CLIENT if strategy is None else {**_CLIENT, "PROCOUNTOR_STRATEGY": strategy})
    assert KeyLoginSettings().oauth_client().client_id == "client-1"


def test_a_key_login_needs_the_client(environment: Environment) -> None:
    """Getting an API key needs client ID, client secret and redirect URI."""
    environment({})
    with pytest.raises(ConfigurationError) as caught:
        KeyLoginSettings()
    assert _names(caught.value) == {(variable, "missing") for variable in _CLIENT}
