"""What is said of settings, word by word: people search for these sentences, and programs for the kinds of problems."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import Profiles, Settings
from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.settings import env_file
from procountor_auth.settings.base_url import without_api_path
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.plain_file import PATIENCE
from procountor_auth.settings.problems import hint_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Environment = Callable[[dict[str, str]], None]

_COMPLETE: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_ENVIRONMENT": "production",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
    "PROCOUNTOR_API_KEY": "k3y",
}


def test_two_versions_are_an_invalid_base_url() -> None:
    """A base URL with another version than the one that is set is a problem of the kind `invalid`."""
    _, (problem,) = without_api_path({"base_url": "https://api.example/v2302/api", "api_version": "v2405"})
    assert (problem.variable, problem.kind) == ("PROCOUNTOR_BASE_URL", "invalid")
    assert problem.message == (
        "PROCOUNTOR_BASE_URL contains a different version than PROCOUNTOR_API_VERSION: set only one of them"
    )


@pytest.mark.parametrize(("named", "said"), [(True, "names"), (False, "is .env,")])
def test_a_directory_is_no_dotenv_file(tmp_path: Path, environment: Environment, *, named: bool, said: str) -> None:
    """A directory in the place of a `.env` file that is named is an error, and one that is not named is noted."""
    folder = tmp_path / ("variables" if named else ".env")
    folder.mkdir()
    environment({"PROCOUNTOR_ENV_FILE": str(folder)} if named else {})
    if not named:
        assert from_env_file().looked == ".env in the working directory (is a directory)"
        return
    with pytest.raises(ConfigurationError) as caught:
        from_env_file()
    (problem,) = caught.value.problems
    assert problem.message.endswith(f"{said} a file that is a directory")


def test_a_pipe_is_waited_for_longer_the_first_time(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secrets manager has time to start; a pipe that has brought something before is asked for a second."""
    waited = []

    def read(_path: Path, _max_size: int, *, patience: float) -> bytes:
        waited.append(patience)
        return b"PROCOUNTOR_API_KEY=k3y\n"

    monkeypatch.setattr(env_file, "is_pipe", lambda _path: True)
    monkeypatch.setattr(env_file, "read_bytes", read)
    environment({"PROCOUNTOR_ENV_FILE": str(tmp_path / "pipe")})
    from_env_file()
    from_env_file()
    assert waited == [PATIENCE, 1.0]
    assert PATIENCE > 1.0


_IN_FILE: Final = "in [profiles.a-b] of the profiles file"
_NO_FILE: Final = "or name the profiles file: PROCOUNTOR_PROFILES_FILE is not set."
_INHERITED: Final = (
    " Settings of one company (api_key, company, refresh_token) are never inherited from the common values."
)
_ELSEWHERE: Final = (
    "in the environment, in .env or in the secrets directory; `procountor-auth init` writes a commented .env."
)
_OR_AT_THE_TOP: Final = "in the environment, in .env, in the secrets directory or at the top of the profiles file."
_FOR_ALL: Final = "or for all profiles at once."
_KEY: Final = ("api_key", "missing")
_NAME: Final = ("client_id", "missing")
_WRONG: Final = ("timeout", "invalid")


@pytest.mark.parametrize(
    ("profile", "problems", "has_file", "hint"),
    [
        (None, (), True, f"Correct it {_OR_AT_THE_TOP}"),
        (None, (), False, f"Correct it {_ELSEWHERE}"),
        (None, (_NAME,), False, f"Set it {_ELSEWHERE}"),
        (None, (_NAME, _KEY), False, f"Set them {_ELSEWHERE}"),
        (None, (_NAME, _WRONG), True, f"Set or correct them {_OR_AT_THE_TOP}"),
        (
            "a-b",
            (_WRONG,),
            True,
            f"Correct it {_IN_FILE}, as PROCOUNTOR_PROFILES__A_B__…, or for all profiles at once.",
        ),
        (
            "a-b",
            (_NAME, _KEY),
            True,
            f"Set them {_IN_FILE}, or as variables that begin with PROCOUNTOR_PROFILES__A_B__.{_INHERITED}",
        ),
        (
            "a-b",
            (_KEY, ("company", "missing"), _WRONG),
            True,
            f"Set or correct them {_IN_FILE}, or as variables that begin with PROCOUNTOR_PROFILES__A_B__.{_INHERITED}",
        ),
        ("a-b", (_KEY,), True, f"Set it {_IN_FILE}, or as PROCOUNTOR_PROFILES__A_B__API_KEY.{_INHERITED}"),
        (
            "a-b",
            (_NAME, _KEY, _WRONG),
            False,
            f"Set or correct them as variables that begin with PROCOUNTOR_PROFILES__A_B__, {_NO_FILE}{_INHERITED}",
        ),
        ("a-b", (_WRONG,), False, f"Correct it as PROCOUNTOR_PROFILES__A_B__…, {_FOR_ALL}"),
        ("a-b", (_KEY,), False, f"Set it as PROCOUNTOR_PROFILES__A_B__API_KEY, {_NO_FILE}{_INHERITED}"),
        (
            "a-b",
            (_NAME,),
            False,
            f"Set it as PROCOUNTOR_PROFILES__A_B__…, or for all profiles at once, {_NO_FILE}",
        ),
    ],
)
def test_where_values_go_is_said(
    profile: str | None, problems: tuple[tuple[str, str], ...], hint: str, *, has_file: bool
) -> None:
    """The hint says what to do with how many variables, and where this profile's, or the only ones, can be set."""
    found = [Problem(f"PROCOUNTOR_{name.upper()}", kind, "") for name, kind in problems]
    assert hint_for(profile, found, has_file=has_file) == hint


def test_where_missing_values_of_a_profile_go(environment: Environment, tmp_path: Path) -> None:
    """Without a profiles file the hint does not send anybody to one, but says that none is named."""
    looked = " Looked in the environment, .env in the working directory (does not exist), "
    environment({**_COMPLETE, "PROCOUNTOR_PROFILES__ACME__COMPANY": "1"})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.hint.startswith(f"Set it as PROCOUNTOR_PROFILES__ACME__API_KEY, {_NO_FILE}{_INHERITED}{looked}")
    file = tmp_path / "profiles.toml"
    file.write_text("[profiles.acme]\n")
    environment({**_COMPLETE, "PROCOUNTOR_PROFILES_FILE": str(file)})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.hint.startswith(
        f"Set it in [profiles.acme] of the profiles file, or as PROCOUNTOR_PROFILES__ACME__API_KEY.{_INHERITED}{looked}"
    )
    assert caught.value.hint.endswith(f", the profiles file ({file}).")
    with pytest.raises(ConfigurationError) as caught:
        Settings.of_profile(Profiles.read(), "acme")
    assert caught.value.hint.endswith(_INHERITED)


@pytest.mark.parametrize(
    ("text", "profile", "hint"),
    [
        (None, "acme", f"Correct it as PROCOUNTOR_PROFILES__ACME__…, {_FOR_ALL}"),
        (
            "[profiles.acme]",
            "acme",
            f"Correct it in [profiles.acme] of the profiles file, as PROCOUNTOR_PROFILES__ACME__…, {_FOR_ALL}",
        ),
        (None, None, f"Correct it {_ELSEWHERE}"),
        ("timeout = 'x'", None, f"Correct it {_OR_AT_THE_TOP}"),
    ],
)
@pytest.mark.parametrize("wrong", ["invalid", "twice"])
def test_where_a_wrong_value_goes(
    environment: Environment, tmp_path: Path, text: str | None, profile: str | None, hint: str, wrong: str
) -> None:
    """A wrong value is corrected in the profiles file, too, where there is one, and only there."""
    variables = dict(_COMPLETE)
    if text is not None:
        (tmp_path / "profiles.toml").write_text(
            text.replace("'x'", "'x'\nTimeout = 'y'" if wrong == "twice" else "'x'")
        )
        variables["PROCOUNTOR_PROFILES_FILE"] = str(tmp_path / "profiles.toml")
    if profile is not None:
        variables |= {"PROCOUNTOR_PROFILES__ACME__API_KEY": "k", "PROCOUNTOR_PROFILES__ACME__TIMEOUT": "x"}
    elif text is None:
        variables["PROCOUNTOR_TIMEOUT"] = "x"
    if wrong == "twice":
        variables |= {name.lower(): "y" for name in variables if name.endswith("TIMEOUT")}
    environment(variables)
    with pytest.raises(ConfigurationError, match="set twice" if wrong == "twice" else "must be a number") as caught:
        Settings(profile=profile) if profile else Settings()
    assert caught.value.hint == hint


def test_what_is_missing_without_a_profile_is_in_one(environment: Environment) -> None:
    """Where there are profiles and none is selected, the hint says how to select one of how many."""
    environment({"PROCOUNTOR_STRATEGY": "client_credentials"} | {"PROCOUNTOR_PROFILES__ACME__API_KEY": "k"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.message == (
        "client_credentials needs PROCOUNTOR_CLIENT_ID, PROCOUNTOR_CLIENT_SECRET, PROCOUNTOR_API_KEY, "
        "which are missing."
    )
    assert caught.value.hint.startswith(
        "No profile is selected (available: 1): set PROCOUNTOR_PROFILE, pass `profile=…`, or --profile to a command. "
        "Looked in the environment, "
    )


@pytest.mark.parametrize(
    ("profile", "hint"),
    [
        (None, f"Correct it {_ELSEWHERE}"),
        (
            "x_y",
            f"Correct it as PROCOUNTOR_PROFILES__X_Y__…, {_FOR_ALL}",
        ),
    ],
)
def test_a_value_that_is_there_twice_is_told(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, profile: str | None, hint: str
) -> None:
    """Two values under two spellings of one name are a problem of the variable, with whose it is and where it goes."""
    environment(_COMPLETE | {"PROCOUNTOR_PROFILES__X_Y__PKCE": "1"})
    prefix = "PROCOUNTOR_PROFILES__X_Y__" if profile else "PROCOUNTOR_"
    for name, value in ((f"{prefix}TIMEOUT", "1"), (f"{prefix}TIMEOUT".lower(), "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile=profile) if profile else Settings()
    said = "PROCOUNTOR_TIMEOUT is set twice, under two spellings of its name, with different values"
    assert caught.value.problems == (Problem("PROCOUNTOR_TIMEOUT", "invalid", said),)
    assert (caught.value.profile, caught.value.hint) == (profile, hint)


_IGNORED: Final = "is not a setting of procountor_auth and is ignored"


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("INVOICE_BATCH_SIZE", f"PROCOUNTOR_INVOICE_BATCH_SIZE {_IGNORED}"),
        ("REDIRECT_URL", f"PROCOUNTOR_REDIRECT_URL {_IGNORED}: did you mean PROCOUNTOR_REDIRECT_URI?"),
        ("LEGACYPOLICY", f"PROCOUNTOR_LEGACYPOLICY {_IGNORED}: did you mean PROCOUNTOR_LEGACY_POLICY?"),
        ("X9F3K1Q8Z7W2", f"A name after PROCOUNTOR_ that is hidden {_IGNORED}"),
        ("ACCESS_TOKEN", None),
    ],
)
def test_a_name_that_is_no_setting_is_told(
    environment: Environment, caplog: pytest.LogCaptureFixture, variable: str, said: str | None
) -> None:
    """The log names what is ignored and what it may have meant; what may be a secret, and our own output, is hidden."""
    environment(_COMPLETE | {f"PROCOUNTOR_{variable}": "c4n4ry"})
    with caplog.at_level(logging.INFO):
        Settings()
    assert caplog.record_tuples == ([("procountor_auth", logging.WARNING, said)] if said else [])


@pytest.mark.parametrize(
    ("variable", "rest"),
    [
        ("PROCOUNTOR_API_URL", ["BASE_URL", "ENVIRONMENT"]),
        ("PROCOUNTOR_TEST_MODE", ["ENVIRONMENT", "BASE_URL"]),
    ],
)
def test_a_name_that_means_a_host_is_told(environment: Environment, variable: str, rest: list[str]) -> None:
    """What would have led to production says so, with the setting first that comes nearer to it."""
    environment(
        {name: value for name, value in _COMPLETE.items() if name != "PROCOUNTOR_ENVIRONMENT"} | {variable: "x"}
    )
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    message = (
        f"{variable} is unknown, and without it the host is https://api.procountor.com, which is production: "
        f"did you mean PROCOUNTOR_{rest[0]}, or PROCOUNTOR_{rest[1]}?"
    )
    assert caught.value.problems == (Problem(variable, "unknown", message),)
    assert caught.value.hint == f"Correct it {_ELSEWHERE}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"passwort": "c4n4ry"}, "passwort: did you mean password?"),
        ({"zzz": "c4n4ry", "clientid": "c4n4ry"}, "clientid, zzz: did you mean client_id?"),
        ({"zzz": "c4n4ry"}, "zzz"),
    ],
)
def test_an_argument_that_is_no_setting_is_told(environment: Environment, wrong: dict[str, str], said: str) -> None:
    """The error of a program's mistake names all of its arguments that are none, and what they may have meant."""
    environment(_COMPLETE)
    with pytest.raises(TypeError) as caught:
        Settings(**wrong)
    assert str(caught.value) == f"Settings has no {said}; its names are those of the variables without PROCOUNTOR_"


_QUOTED: Final = "has quotation marks around it, which become part of the value: remove them"
_STRATEGIES: Final = "legacy_password, authorization_code, client_credentials"
_STORES: Final = (
    "must be memory, file, file:PATH, keyring, or a URL with redis://, rediss://, unix://, postgresql+psycopg:// or "
    "sqlite:///"
)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STRATEGY", "Legacy_Password", f"must be one of {_STRATEGIES}: did you mean legacy_password?"),
        ("STRATEGY", "'x'", _QUOTED),
        ("STRATEGY", "zzz", f"must be one of {_STRATEGIES}"),
        ("ENVIRONMENT", "prod", "must be production or test: did you mean production?"),
        ("API_VERSION", "lates", "must be latest, supported or a version such as v2302: did you mean latest?"),
        ("API_VERSION", "v23", "must be latest, supported or a version such as v2302"),
        ("CLIENT_ID", "a b", "contains white space or control characters"),
        ("CLIENT_ID", "a\n", "ends with a line end, perhaps from a Windows file: remove it"),
        ("CLIENT_SECRET", "a\nb", "has more than one line"),
        ("COMPANY", "14159x", "must be the numeric company ID"),  # not ignored: a wrong company's token is rejected
        ("API_KEY", "kä", "contains characters other than visible ASCII"),
        ("API_KEY", '"k"', _QUOTED),
        ("REDIRECT_URI", "x?y", "must not have a query string or fragment"),
        ("TOKEN_STORE", "memroy", f"{_STORES}: did you mean memory?"),
        ("TOKEN_STORE", "zzz://", _STORES),
        ("TOKEN_STORE", "'file'", _QUOTED),
        ("PKCE", "x", "must be true or false"),
        ("TIMEOUT", "soon", "must be a number"),
        ("CA_BUNDLE", "~no-such-user/x", "names the home directory of a user that does not exist"),
    ],
)
def test_a_wrong_value_is_told(environment: Environment, variable: str, value: str, said: str) -> None:
    """The problem of a wrong value says what it must be, and what may be meant, in a sentence about the variable."""
    variable = f"PROCOUNTOR_{variable}"
    environment(_COMPLETE | {variable: value})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.problems == (Problem(variable, "invalid", f"{variable} {said}"),)


def test_a_staged_value_is_told(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong credential of another strategy is a line of the log that says why it is ignored."""
    environment(_COMPLETE | {"PROCOUNTOR_REFRESH_TOKEN": "a b"})
    assert Settings().refresh_token is None
    said = "PROCOUNTOR_REFRESH_TOKEN contains white space or control characters"
    assert caplog.messages == [f"{said}; it is ignored, because client_credentials does not need it"]


def test_what_kubernetes_sets_is_noted(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """The variables that Kubernetes sets for a service named procountor are no mistakes; the log says why."""
    environment(_COMPLETE | {"PROCOUNTOR_PORT_443_TCP": "tcp://10.0.0.1:443"})
    with caplog.at_level(logging.DEBUG, "procountor_auth"):
        Settings()
    assert "PROCOUNTOR_PORT_443_TCP, which Kubernetes sets, is not a setting" in caplog.messages


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Profiles.search, "Profiles hold secrets and are not pickled: read them in each process."),
        (Settings, "Settings hold secrets and are not pickled: call `Settings()` in each process."),
    ],
)
def test_what_has_secrets_is_not_pickled(environment: Environment, make: Callable[[], object], said: str) -> None:
    """Profiles and settings say why they can't be sent to another process."""
    environment(_COMPLETE)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(make())
    assert str(caught.value) == said


def test_a_client_has_what_the_settings_say(environment: Environment) -> None:
    """Each setting reaches the client, and what is not set is empty text."""
    environment(_COMPLETE | {"PROCOUNTOR_PKCE": "true"})
    client = Settings().oauth_client(lambda: 7.5)
    assert (client.client_id, client.redirect_uri, client.pkce) == ("client-1", "redirect-uri-placeholder", True)
    assert (client.client_secret.get_secret_value(), client.clock()) == ("cl13nt", 7.5)
    client = Settings.model_construct().oauth_client()
    assert (client.client_id, client.redirect_uri, client.pkce) == ("", "", False)
    assert client.client_secret.get_secret_value() == ""


def test_a_profile_without_a_company_is_warned_of_once(
    tmp_path: Path, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """A profile inherits no company; the warning says so, and does not come where the profile has one."""
    file = tmp_path / "profiles.toml"
    file.write_text(
        'company = "7"\n[profiles.acme]\ncompany = "8"\napi_key = "k3y"\n[profiles.other]\napi_key = "k3y"\n', "utf-8"
    )
    environment(_COMPLETE | {"PROCOUNTOR_PROFILES_FILE": str(file)})
    Settings(profile="acme")
    assert caplog.messages == []
    Settings(profile="other")
    assert caplog.messages == ["profile other: it has no company, and does not inherit the common one"]
