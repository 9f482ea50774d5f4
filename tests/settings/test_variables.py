"""Where the variables come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import ConfigurationError, Settings
from procountor_auth.errors import Problem
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.secrets_directory import from_secrets_dir
from procountor_auth.settings.variables import MAX_SIZE
from procountor_auth.strategies import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Environment = Callable[[dict[str, str]], None]

_COMPLETE: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
    "PROCOUNTOR_API_KEY": "k3y",
}

_HARD: Final = {
    "spaces around it": " a b ",
    "a dollar": "pa$$word",
    "a reference": "${HOME}",
    "a default": "${NOTHING:-x}",
    "a hash": "a#b",
    "a percent sign": "%41%",
    "other alphabets": "pässwörd€",
    "an emoji": "🔑",
    "a backslash": "a\\nb",
    "an equals sign": "a=b==",
}
"""Passwords that a reader of files is tempted to change."""


def _secret(settings: Settings, name: str = "password") -> str:
    return settings.required(name).get_secret_value()


def _write(path: Path, variables: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")


def _mount(directory: Path, variables: dict[str, str]) -> None:
    """Lay secrets out as Kubernetes does: files that are links into a hidden directory that is a link itself."""
    (directory / "..2026_01_01").mkdir(parents=True)
    (directory / "..data").symlink_to("..2026_01_01")
    for name, value in variables.items():
        (directory / "..2026_01_01" / name).write_text(value, encoding="utf-8")
        (directory / name).symlink_to(f"..data/{name}")


def test_the_environment_is_read(environment: Environment) -> None:
    """The variables of the environment are enough for a strategy."""
    environment(_COMPLETE)
    assert build(Settings()).name == "client_credentials"


def test_names_may_have_any_case(environment: Environment) -> None:
    """A variable counts whatever the case of its name."""
    environment({name.lower(): value for name, value in _COMPLETE.items()})
    assert Settings().client_id == "client-1"


def test_a_dotenv_file_in_the_working_directory_is_read(tmp_path: Path) -> None:
    """`.env` in the working directory is read without being named, `export` and quotes included."""
    _write(tmp_path / ".env", {f"export {name}": f'"{value}"' for name, value in _COMPLETE.items()})
    assert _secret(Settings(), "api_key") == "k3y"


def test_another_dotenv_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PROCOUNTOR_ENV_FILE` names the file that is read instead of `.env`, `~` included."""
    _write(tmp_path / ".env", {**_COMPLETE, "PROCOUNTOR_CLIENT_ID": "not-this"})
    _write(tmp_path / "other.env", _COMPLETE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PROCOUNTOR_ENV_FILE", "~/other.env")
    assert Settings().client_id == "client-1"


@pytest.mark.parametrize("password", _HARD.values(), ids=_HARD)
def test_a_password_in_a_dotenv_file_is_taken_literally(tmp_path: Path, password: str) -> None:
    """Nothing inside quotes is expanded, stripped or cut: `${HOME}` may well be part of a password."""
    _write(tmp_path / ".env", {**_COMPLETE, "PROCOUNTOR_PASSWORD": f"'{password}'"})
    assert _secret(Settings()) == password


def test_a_dotenv_file_does_not_change_the_environment(tmp_path: Path) -> None:
    """Reading `.env` leaves the environment, which every child process inherits, as it was."""
    _write(tmp_path / ".env", _COMPLETE)
    before = dict(os.environ)
    Settings()
    assert dict(os.environ) == before


@pytest.mark.parametrize("password", _HARD.values(), ids=_HARD)
def test_a_secret_file_is_taken_literally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """A secret's file is its value, spaces included; line ends at its end are not."""
    _mount(tmp_path / "secrets", {**_COMPLETE, "PROCOUNTOR_PASSWORD": f"{password}\r\n\n"})
    monkeypatch.setenv("PROCOUNTOR_SECRETS_DIR", str(tmp_path / "secrets"))
    assert _secret(Settings()) == password


def test_a_kubernetes_mount_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links into `..data` are followed, and what is no variable in there is left alone."""
    directory = tmp_path / "secrets"
    _mount(directory, {name.lower(): value for name, value in _COMPLETE.items()})
    (directory / "tls.key").write_bytes(b"\xff")
    (directory / "PROCOUNTOR_DIRECTORY").mkdir()
    (directory / "PROCOUNTOR_DANGLING").symlink_to("..data/nothing")
    monkeypatch.setenv("PROCOUNTOR_SECRETS_DIR", str(directory))
    assert Settings().client_id == "client-1"
    assert set(from_secrets_dir().values) == {name.lower() for name in _COMPLETE}


def test_the_default_secrets_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's directory is read without being named."""
    _mount(tmp_path / "run-secrets", _COMPLETE)
    monkeypatch.setattr("procountor_auth.settings.secrets_directory.DEFAULT_SECRETS_DIR", str(tmp_path / "run-secrets"))
    assert Settings().client_id == "client-1"


_PLACES: Final = ("explicit", "environment", "dotenv", "secrets")


@pytest.mark.parametrize("first", range(len(_PLACES)), ids=_PLACES)
def test_the_nearer_place_wins(tmp_path: Path, environment: Environment, first: int) -> None:
    """An explicit argument beats the environment, which beats `.env`, which beats the secrets directory."""
    values = [{"PROCOUNTOR_CLIENT_ID": place} if number >= first else {} for number, place in enumerate(_PLACES)]
    _, in_environment, in_dotenv, in_secrets = values
    environment({**_COMPLETE, "PROCOUNTOR_CLIENT_ID": "", "PROCOUNTOR_SECRETS_DIR": "secrets"} | in_environment)
    _write(tmp_path / ".env", in_dotenv)
    _mount(tmp_path / "secrets", in_secrets)
    settings = Settings(client_id="explicit") if first == 0 else Settings()
    assert settings.client_id == _PLACES[first]


def test_an_empty_value_is_no_value(tmp_path: Path, environment: Environment) -> None:
    """An empty variable leaves the next place its turn, and a default its default."""
    environment({**_COMPLETE, "PROCOUNTOR_API_KEY": "", "PROCOUNTOR_TIMEOUT": "", "PROCOUNTOR_BASE_URL": ""})
    _write(tmp_path / ".env", {"PROCOUNTOR_API_KEY": "from-dotenv", "PROCOUNTOR_CLIENT_ID": ""})
    settings = Settings()
    assert _secret(settings, "api_key") == "from-dotenv"
    assert settings.client_id == "client-1"
    assert (settings.timeout, settings.base_url) == (30.0, None)


def test_other_programs_variables_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names without the prefix are not read from anywhere."""
    _write(tmp_path / ".env", {**_COMPLETE, "CLIENT_ID": "other", "PASSWORD": "other"})
    monkeypatch.setenv("API_KEY", "other")
    settings = Settings()
    assert (settings.client_id, settings.password) == ("client-1", None)
    assert _secret(settings, "api_key") == "k3y"


def test_a_place_that_is_not_there_is_empty() -> None:
    """Without `.env` and without a secrets directory there is nothing to read and nothing to complain about."""
    assert from_env_file().values == {}
    assert from_secrets_dir().values == {}


def _not_utf8(path: Path) -> str:
    path.write_bytes(b"PROCOUNTOR_PASSWORD=s3cret\xff\xfe\n")
    return str(path)


_UNREADABLE: Final[dict[str, tuple[Callable[[Path], str], str]]] = {
    "nothing there": (str, "does not exist"),
    "a name that is too long": (lambda path: str(path) + "x" * 5_000, "can't be read (File name too long)"),
    "the home of nobody": (lambda _path: "~no-such-user/x", "can't be read (there is no such user)"),
}


@pytest.mark.parametrize(
    ("variable", "what"), [("PROCOUNTOR_ENV_FILE", "file"), ("PROCOUNTOR_SECRETS_DIR", "directory")]
)
@pytest.mark.parametrize(("place", "said"), _UNREADABLE.values(), ids=_UNREADABLE)
def test_a_named_place_must_be_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    what: str,
    place: Callable[[Path], str],
    said: str,
) -> None:
    """A file or directory that is named and can't be read is a configuration error that names the variable."""
    monkeypatch.setenv(variable, place(tmp_path / "place"))
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    problem = Problem(variable, "unreadable", f"{variable} names a {what} that {said}")
    assert caught.value.problems == (problem,)
    assert caught.value.hint == f"Correct {variable}, the access rights, or the encoding (UTF-8)."
    assert caught.value.__context__ is None


_ANSI: Final = "is not UTF-8 (it may be Windows-1252, also called ANSI)"


@pytest.mark.parametrize(
    ("named", "said"), [(True, "PROCOUNTOR_ENV_FILE names a file that"), (False, ".env in the working directory")]
)
def test_a_dotenv_file_must_be_utf8(tmp_path: Path, environment: Environment, *, named: bool, said: str) -> None:
    """A `.env` file of bytes that are not UTF-8 is refused, and nothing of it is shown or kept."""
    file = _not_utf8(tmp_path / ("latin.env" if named else ".env"))
    environment({"PROCOUNTOR_ENV_FILE": file} if named else {})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.problems == (Problem("PROCOUNTOR_ENV_FILE", "unreadable", f"{said} {_ANSI}"),)
    assert caught.value.hint == "Save it as UTF-8."
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("named", "said"), [(True, "names"), (False, "is")])
def test_a_secret_file_must_be_utf8(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, *, named: bool, said: str
) -> None:
    """A secret of bytes that are not UTF-8 is refused with the file's name, and nothing of it is shown or kept."""
    (tmp_path / "secrets").mkdir()
    _not_utf8(tmp_path / "secrets" / "PROCOUNTOR_PASSWORD")
    monkeypatch.setattr("procountor_auth.settings.secrets_directory.DEFAULT_SECRETS_DIR", str(tmp_path / "secrets"))
    environment({"PROCOUNTOR_SECRETS_DIR": str(tmp_path / "secrets")} if named else {})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    (problem,) = caught.value.problems
    assert (problem.variable, problem.kind) == ("PROCOUNTOR_SECRETS_DIR", "unreadable")
    assert problem.message == (
        f"PROCOUNTOR_SECRETS_DIR {said} a directory that has the file PROCOUNTOR_PASSWORD, which {_ANSI}"
    )
    assert caught.value.hint == "Correct PROCOUNTOR_SECRETS_DIR, the access rights, or the encoding (UTF-8)."
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_named_directory_with_a_file_that_can_t_be_read_is_an_error(tmp_path: Path, environment: Environment) -> None:
    """The file is named with the reason; what stands beside it is not used, as the next one may be missing."""
    (tmp_path / "PROCOUNTOR_CLIENT_ID").write_text("client-1", "utf-8")
    (tmp_path / "PROCOUNTOR_PASSWORD").write_bytes(b"s3cret" * (MAX_SIZE // 5))
    environment({"PROCOUNTOR_SECRETS_DIR": str(tmp_path)})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    (problem,) = caught.value.problems
    assert (problem.variable, problem.kind) == ("PROCOUNTOR_SECRETS_DIR", "unreadable")
    assert "has the file PROCOUNTOR_PASSWORD, which can't be read" in problem.message
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("change", ["time", "size", "file"])
def test_a_changed_dotenv_file_is_read_again(tmp_path: Path, change: str) -> None:
    """What was read before is served as long as the file is the same one, of the same time and size, and no longer."""
    path, other = tmp_path / ".env", tmp_path / "other.env"
    for each in (path, other):
        each.write_text("PROCOUNTOR_CLIENT_ID=client-1\n", "utf-8")
        os.utime(each, ns=(1, 1))
    before = from_env_file().values
    assert from_env_file().values is before
    text = "PROCOUNTOR_CLIENT_ID=client-2" + ("-and-more\n" if change == "size" else "\n")
    (other if change == "file" else path).write_text(text, "utf-8")
    for each in (path, other):
        os.utime(each, ns=(1, 2 if change == "time" else 1))
    if change == "file":
        other.replace(path)
    assert str(from_env_file().values["PROCOUNTOR_CLIENT_ID"]).startswith("client-2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("variable", ["PROCOUNTOR_ENV_FILE", "PROCOUNTOR_SECRETS_DIR"])
def test_missing_rights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A place that this user may not look into is a configuration error, never a bare `PermissionError`."""
    (tmp_path / "locked" / "place").mkdir(parents=True)
    (tmp_path / "locked").chmod(0)
    monkeypatch.setenv(variable, str(tmp_path / "locked" / "place"))
    try:
        with pytest.raises(ConfigurationError, match="Permission denied"):
            Settings()
    finally:
        (tmp_path / "locked").chmod(0o700)
