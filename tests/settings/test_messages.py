"""What is said of settings, word by word: people search for these sentences, and programs for the kinds of problems."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import Profiles, Settings
from procountor_auth.errors import ConfigurationError
from procountor_auth.settings import env_file
from procountor_auth.settings.base_url import without_api_path
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.plain_file import PATIENCE

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


def test_where_missing_values_of_a_profile_go(environment: Environment, tmp_path: Path) -> None:
    """Without a profiles file the hint does not send anybody to one, but says that none is named."""
    environment({**_COMPLETE, "PROCOUNTOR_PROFILES__ACME__COMPANY": "1"})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.hint.startswith(
        "Set it as PROCOUNTOR_PROFILES__ACME__API_KEY, or name the profiles file: PROCOUNTOR_PROFILES_FILE is not set."
    )
    environment(
        {name: value for name, value in _COMPLETE.items() if "CLIENT" not in name}
        | {"PROCOUNTOR_PROFILES__ACME__API_KEY": "k"}
    )
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.hint.startswith(
        "Set them as PROCOUNTOR_PROFILES__ACME__…, or for all profiles at once, or name"
    )
    file = tmp_path / "profiles.toml"
    file.write_text("[profiles.acme]\n")
    environment({**_COMPLETE, "PROCOUNTOR_PROFILES_FILE": str(file)})
    with pytest.raises(ConfigurationError) as caught:
        Settings(profile="acme")
    assert caught.value.hint.startswith(
        "Set it in [profiles.acme] of the profiles file, or as PROCOUNTOR_PROFILES__ACME"
    )
    environment({"PROCOUNTOR_PROFILES_FILE": "nowhere.toml"})
    with pytest.raises(ConfigurationError, match=r"names a file that does not exist: /.*/nowhere\.toml"):
        Settings()


def test_what_kubernetes_sets_is_noted(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """The variables that Kubernetes sets for a service named procountor are no mistakes; the log says why."""
    environment(_COMPLETE | {"PROCOUNTOR_PORT_443_TCP": "tcp://10.0.0.1:443"})
    with caplog.at_level(logging.DEBUG, "procountor_auth"):
        Settings()
    assert "PROCOUNTOR_PORT_443_TCP, which Kubernetes sets, is not a setting" in caplog.messages


def test_profiles_are_not_pickled() -> None:
    """Profiles say why they can't be sent to another process."""
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Profiles.search())
    assert str(caught.value) == "Profiles hold secrets and are not pickled: read them in each process."


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
    (message,) = caplog.messages
    assert message.endswith("it has no company, and does not inherit the common one")
