"""Profiles that are not there: none at all, none of a name, and the standard place of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import Profiles, Settings
from procountor_auth.errors import ConfigurationError, Problem, UnknownProfile
from procountor_auth.settings import profiles as profiles_module
from procountor_auth.settings import profiles_file, secrets_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    Environment = Callable[[dict[str, str]], None]

_COMMON: Final = 'strategy = "client_credentials"\nclient_id = "c"\nclient_secret = "s"\nredirect_uri = "r"\n'


def test_without_profiles_there_is_nothing_to_go_through(environment: Environment) -> None:
    """A loop over no profiles would do nothing and look like success: that is an error, which says where it looked."""
    environment({"PROCOUNTOR_API_KEY": "k"})
    with pytest.raises(ConfigurationError) as caught:
        Profiles.read()
    directory = secrets_directory.DEFAULT_SECRETS_DIR
    looked = f"the environment, .env in the working directory (does not exist), {directory} (does not exist)"
    message = f"there are no profiles in {looked}"
    assert caught.value.problems == (Problem("PROCOUNTOR_PROFILES_FILE", "missing", message),)
    assert caught.value.hint == (
        "Profiles are the tables [profiles.…] of PROCOUNTOR_PROFILES_FILE, and variables like "
        "PROCOUNTOR_PROFILES__ACME__API_KEY. "
        f"The default of PROCOUNTOR_PROFILES_FILE is {profiles_file.default_file()}."
    )


def test_an_unknown_profile_is_another_error_than_a_broken_one(tmp_path: Path, environment: Environment) -> None:
    """Whoever asks for a name can tell the two apart by their classes."""
    (tmp_path / "p.toml").write_text(_COMMON + '[profiles.acme]\napi_key = "k"\n[profiles.broken]\n')
    environment({"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "p.toml")})
    assert Settings(profile="acme").profile == "acme"
    with pytest.raises(UnknownProfile, match=r"there is no profile 'acne': did you mean acme\?") as unknown:
        Settings(profile="acne")
    assert unknown.value.code == "unknown_profile"
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY is missing") as broken:
        Settings(profile="broken")
    assert not isinstance(broken.value, UnknownProfile)


@pytest.fixture
def standard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The standard place of the file, in a home of the test's own."""
    monkeypatch.setattr(profiles_module, "existing_default_file", profiles_file.existing_default_file)
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "config"))
    path = tmp_path / "config" / "procountor-auth" / "profiles.toml"
    path.parent.mkdir(parents=True)
    return path


def test_the_file_has_a_standard_place(standard: Path, environment: Environment) -> None:
    """A file there is read without a variable; the variable wins over it."""
    environment({})
    standard.write_text(_COMMON + '[profiles.acme]\napi_key = "k"\n')
    assert list(Profiles.read()) == ["acme"]
    assert Profiles.read().file == standard
    other = standard.with_name("other.toml")
    other.write_text('[profiles.beta]\napi_key = "k"\n')
    environment({"PROCOUNTOR_PROFILES_FILE": str(other)})
    assert list(Profiles.read()) == ["beta"]


@pytest.mark.parametrize("place", ["nowhere", "relative", "a file"])
def test_a_standard_place_that_is_not_there_is_no_error(
    standard: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Most have no such file, and some no home."""
    environment({})
    if place == "a file":
        standard.parent.rmdir()
        standard.parent.write_text("")
    if place == "relative":
        monkeypatch.setenv("XDG_CONFIG_HOME", "config")
        monkeypatch.setenv("APPDATA", "config")
        Path("config/procountor-auth").mkdir(parents=True, exist_ok=True)
        Path("config/procountor-auth/profiles.toml").write_text("[profiles.acme]\n")
    assert len(Profiles.search()) == 0
