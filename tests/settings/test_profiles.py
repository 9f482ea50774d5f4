"""Profiles: one configuration for each company, the common values inherited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import ConfigurationError, Settings, TokenSource
from procountor_auth.settings.profiles import Profiles
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

_COMMON: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Write the profiles file; return its path."""

    def to_file(text: str) -> str:
        path = tmp_path / "profiles.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return to_file


def _key(settings: Settings) -> str:
    return settings.required("api_key").get_secret_value()


def test_a_profile_inherits_what_it_does_not_say(environment: Environment) -> None:
    """The profile's own variable wins over the common one, and the rest is common."""
    environment(
        _COMMON
        | {"PROCOUNTOR_API_KEY": "common", "PROCOUNTOR_PROFILES__ACME__API_KEY": "acme", "PROCOUNTOR_TIMEOUT": "7"}
    )
    settings = Settings(profile="acme")
    assert (_key(settings), settings.timeout, settings.profile) == ("acme", 7.0, "acme")
    assert _key(Settings()) == "common"


def test_a_variable_names_the_profile(environment: Environment) -> None:
    """`PROCOUNTOR_PROFILE` chooses, and an argument wins over it."""
    environment(
        _COMMON
        | {
            "PROCOUNTOR_PROFILE": "acme",
            "PROCOUNTOR_PROFILES__ACME__API_KEY": "acme",
            "PROCOUNTOR_PROFILES__OTHER__API_KEY": "other",
        }
    )
    assert _key(Settings()) == "acme"
    assert _key(Settings(profile="other")) == "other"


def test_the_file_has_common_values_and_profiles(environment: Environment, write: Callable[[str], str]) -> None:
    """Of file and variables, the variables win; of profile and common, the profile."""
    file = write(
        'strategy = "legacy_password"\napi_key = "common"\ntimeout = 9\npkce = true\n'
        '[profiles.acme]\nstrategy = "client_credentials"\napi_key = "of the file"\ncompany = 14159\n'
        '[profiles.my-company]\napi_key = "mine"\n'
    )
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": file, "PROCOUNTOR_PROFILES__ACME__API_KEY": "of-the-variables"})
    acme = Settings(profile="acme")
    assert (_key(acme), acme.timeout, acme.pkce, acme.strategy) == ("of-the-variables", 9.0, True, "client_credentials")
    assert acme.required("company").get_secret_value() == "14159"
    # A variable's name has no hyphen.
    assert Settings(profile="MY_COMPANY").profile == "my-company"
    assert list(Profiles.read()) == ["acme", "my-company"]


def test_an_empty_value_is_none(environment: Environment, write: Callable[[str], str]) -> None:
    """An empty value in a profile leaves the common one, as an empty variable does."""
    environment(
        _COMMON | {"PROCOUNTOR_API_KEY": "common", "PROCOUNTOR_PROFILES_FILE": write('[profiles.a]\napi_key = ""')}
    )
    assert _key(Settings(profile="a")) == "common"


def test_an_unknown_profile_is_named_with_the_right_one(environment: Environment) -> None:
    """A misspelt profile is an error that knows what was meant."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES__ACME__API_KEY": "acme"})
    with pytest.raises(ConfigurationError, match="did you mean acme"):
        Settings(profile="acmee")


def test_what_is_missing_is_missing_in_the_profile(environment: Environment) -> None:
    """The error says which profile it is about, and how to correct it there; no value is in it."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES__ACME__TIMEOUT": "s3cret-slip"})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    text = str(caught.value)
    assert text.startswith("Profile acme: client_credentials needs PROCOUNTOR_API_KEY") or "Profile acme:" in text
    assert "PROCOUNTOR_PROFILES__ACME__" in text
    assert "s3cret-slip" not in text
    assert {problem.variable for problem in caught.value.problems} == {"PROCOUNTOR_API_KEY", "PROCOUNTOR_TIMEOUT"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('api_key = "s3cret', "is not TOML (at "),
        ("profiles = 1", "`profiles` is no table"),
        ("[profiles]\nacme = 1", "`profiles.acme` is no table"),
        ('[profiles."a b"]', "is no name for a profile"),
        ("[profiles.a-b]\n[profiles.a_b]", "have the same name"),
        ('[profiles.a]\napi_key = ["s3cret"]', "`profiles.a.api_key` is neither text nor"),
        ("[other]\nx = 1", "`other` is neither text nor"),
    ],
)
def test_a_broken_file_is_named_and_not_shown(
    environment: Environment, write: Callable[[str], str], text: str, said: str
) -> None:
    """What is wrong with the file is said in one error, without a value of it."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": write(text)})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="a")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.problems[0].variable == "PROCOUNTOR_PROFILES_FILE"


def test_a_file_that_is_not_there_is_named(environment: Environment) -> None:
    """A file that is named has to exist."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": "/nowhere/profiles.toml"})
    with pytest.raises(ConfigurationError, match="names a file that does not exist"):
        Settings()


def test_a_changed_file_is_read_again(environment: Environment, write: Callable[[str], str]) -> None:
    """What was read before is not served when the file has changed."""
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": write('[profiles.a]\napi_key = "one"')})
    assert _key(Settings(profile="a")) == "one"
    write('[profiles.a]\napi_key = "second"')
    assert _key(Settings(profile="a")) == "second"


def test_reading_gives_every_profile_s_settings(environment: Environment, write: Callable[[str], str]) -> None:
    """Profiles that were read once become settings without the places being read again."""
    file = write("".join(f'[profiles.c{number}]\napi_key = "k{number}"\n' for number in range(300)))
    environment(_COMMON | {"PROCOUNTOR_PROFILES_FILE": file})
    profiles = Profiles.read()
    environment({})
    assert [_key(Settings.of_profile(profiles, name)) for name in profiles] == [f"k{number}" for number in range(300)]
    assert "k1" not in repr(profiles)


def test_each_profile_has_its_own_token(sandbox: Sandbox, environment: Environment) -> None:
    """Two profiles in one process reach their own companies, even through one client."""
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    environment(
        sandbox.environment("client_credentials")
        | {"PROCOUNTOR_PROFILES__FIRST__COMPANY": "14159", "PROCOUNTOR_PROFILES__SECOND__API_KEY": second}
    )
    companies = [TokenSource.from_env(profile=name).token().company_id for name in ("first", "second")]
    assert companies == [14159, 14160]


def test_an_integration_takes_a_profile(sandbox: Sandbox, environment: Environment) -> None:
    """`ProcountorAuth(profile=…)` is all that a program needs, and a source beside it is refused."""
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_PROFILES__SECOND__API_KEY": second})
    module = pytest.importorskip(f"procountor_auth.{backend.__name__}")
    auth = module.ProcountorAuth(profile="second")
    with backend.Client(auth=auth, base_url=auth.api_url, trust_env=False) as client:
        assert client.get("sessioninfo").json()["companyId"] == 14160
    with pytest.raises(TypeError, match="one of the two"):
        module.ProcountorAuth(auth.source, profile="second")


def test_without_a_chosen_profile_the_error_says_so(
    environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    """Where there are profiles and none is chosen, what is missing is most likely in them."""
    (tmp_path / "p.toml").write_text("[profiles.acme]\napi_key = 'k3y'\n[profiles.beta]\napi_key = 'k3y'\n")
    environment({"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "p.toml"), "PROCOUNTOR_STRATEGY": "client_credentials"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert "There are profiles, 2 of them, and none is chosen: set PROCOUNTOR_PROFILE" in caught.value.hint
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.profile == "acme"
    assert "none is chosen" not in caught.value.hint
