"""The places of variables as people have them: byte order marks, pipes, closed folders, marks around values."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth import Settings
from procountor_auth.errors import ConfigurationError
from procountor_auth.settings import secrets_directory
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.secrets_directory import from_secrets_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    Environment = Callable[[dict[str, str]], None]

_COMPLETE: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
    "PROCOUNTOR_API_KEY": "k3y",
}

_LINES: Final = "".join(f"{name}={value}\n" for name, value in _COMPLETE.items())


def key() -> str:
    """Return the API key of the settings that are found now."""
    found = Settings().api_key
    assert found is not None
    return found.get_secret_value()


def refuse(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """Let this process have no right to open a path or what is below it, and none to list it."""

    def is_closed(path: object) -> bool:
        return closed in {Path(str(path)).absolute(), *Path(str(path)).absolute().parents}

    def guarded(call: Callable[..., object]) -> Callable[..., object]:
        def guard(path: object, *rest: object, **named: object) -> object:
            if not isinstance(path, int) and is_closed(path):
                raise PermissionError(errno.EACCES, "Permission denied")
            return call(path, *rest, **named)

        return guard

    for name in ("open", "stat", "listdir", "scandir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name)))
    monkeypatch.setattr(Path, "stat", guarded(Path.stat))


@pytest.mark.parametrize("first", _COMPLETE)
def test_a_byte_order_mark_in_a_dotenv_file_is_none_of_its_text(first: str) -> None:
    """An editor on Windows may put one before the first variable, whichever that is."""
    order = {first: _COMPLETE[first]} | _COMPLETE
    Path(".env").write_text("".join(f"{name}={value}\r\n" for name, value in order.items()), encoding="utf-8-sig")
    assert key() == "k3y"


def test_a_byte_order_mark_in_a_secret_is_none_of_it(tmp_path: Path, environment: Environment) -> None:
    """A file of the secrets directory may have one as well."""
    environment(_COMPLETE | {"PROCOUNTOR_API_KEY": "", "PROCOUNTOR_SECRETS_DIR": str(tmp_path)})
    (tmp_path / "PROCOUNTOR_API_KEY").write_text("k3y\r\n", encoding="utf-8-sig")
    assert key() == "k3y"


def test_a_byte_order_mark_in_the_profiles_file_is_none_of_it(tmp_path: Path, environment: Environment) -> None:
    """And so may the TOML file."""
    (tmp_path / "p.toml").write_text("[profiles.acme]\napi_key = 'k3y'\n", encoding="utf-8-sig")
    environment(
        _COMPLETE | {"PROCOUNTOR_API_KEY": "", "PROCOUNTOR_PROFILES_FILE": "p.toml", "PROCOUNTOR_PROFILE": "acme"}
    )
    assert key() == "k3y"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "is UTF-16 or not text"),
        ("cp1252", "is not UTF-8 (it may be Windows-1252, also called ANSI)"),
    ],
)
def test_other_encodings_are_named(encoding: str, said: str) -> None:
    """A `.env` file in another encoding is refused, also where nobody has named it, and told which one it has."""
    Path(".env").write_text("PROCOUNTOR_PASSWORD=n0t4u-ä\n", encoding=encoding)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert str(caught.value) == f".env in the working directory {said}.\nSave it as UTF-8."
    assert "n0t4u" not in str(caught.value)
    assert caught.value.__context__ is None


def test_nothing_is_a_place_with_nothing_in_it(environment: Environment) -> None:
    """`/dev/null` is an empty file for whoever wants none."""
    environment(_COMPLETE | {"PROCOUNTOR_ENV_FILE": "/dev/null"})
    assert key() == "k3y"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
@pytest.mark.parametrize("named", [True, False])
def test_a_pipe_is_read_and_remembered(tmp_path: Path, environment: Environment, *, named: bool) -> None:
    """What a secrets manager writes into a pipe once is found by every source of the process; new text replaces it."""
    pipe = tmp_path / ("variables" if named else ".env")
    os.mkfifo(pipe)
    environment({"PROCOUNTOR_ENV_FILE": str(pipe)} if named else {})

    def written(text: str) -> threading.Thread:
        thread = threading.Thread(target=pipe.write_text, args=(text,))
        thread.start()
        return thread

    writer = written(_LINES)
    assert key() == "k3y"
    writer.join()
    assert key() == "k3y"
    writer = written(_LINES.replace("k3y", "n3w"))
    assert key() == "n3w"
    writer.join()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named pipe out of which nothing comes is an error that says so."""
    monkeypatch.setattr("procountor_auth.settings.env_file.PATIENCE", 0.05)
    os.mkfifo(tmp_path / "variables")
    environment(_COMPLETE | {"PROCOUNTOR_ENV_FILE": str(tmp_path / "variables")})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.message == "PROCOUNTOR_ENV_FILE names a file that can't be read (it has no data)."


def test_a_default_place_that_is_closed_is_a_warning(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has named `/run/secrets` and `.env`: what can't be read there may be another program's."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / ".env").write_text("X=1\n")
    monkeypatch.setattr(secrets_directory, "DEFAULT_SECRETS_DIR", str(tmp_path / "secrets"))
    environment(_COMPLETE)
    with monkeypatch.context() as closed, caplog.at_level(logging.WARNING):
        refuse(closed, tmp_path)
        assert key() == "k3y"
        looked = from_env_file().looked, from_secrets_dir().looked
    places = ".env in the working directory", str(tmp_path / "secrets")
    assert looked == tuple(f"{place} (can't be read: Permission denied)" for place in places)
    said = {f"{place} can't be read (Permission denied) and is ignored" for place in places}
    assert set(caplog.record_tuples) == {("procountor_auth", logging.WARNING, each) for each in said}


def test_a_closed_file_of_the_default_directory_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One secret that is another program's does not keep the others from being read."""
    for name, value in _COMPLETE.items():
        (tmp_path / name).write_text(value)
    (tmp_path / "PROCOUNTOR_PASSWORD").write_text("n0t4u")
    monkeypatch.setattr(secrets_directory, "DEFAULT_SECRETS_DIR", str(tmp_path))
    with monkeypatch.context() as closed, caplog.at_level(logging.WARNING):
        refuse(closed, tmp_path / "PROCOUNTOR_PASSWORD")
        assert key() == "k3y"
        looked = from_secrets_dir().looked
    file = tmp_path / "PROCOUNTOR_PASSWORD"
    assert looked == f"{tmp_path}; {file} (can't be read: Permission denied)"
    assert set(caplog.messages) == {f"{file} can't be read (Permission denied) and is ignored"}


@pytest.mark.parametrize("variable", ["PROCOUNTOR_ENV_FILE", "PROCOUNTOR_SECRETS_DIR"])
def test_a_named_place_that_is_closed_is_an_error(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Whoever names a place means it."""
    (tmp_path / "place").mkdir()
    environment(_COMPLETE | {variable: str(tmp_path / "place" / "x")})
    with monkeypatch.context() as closed:
        refuse(closed, tmp_path / "place")
        with pytest.raises(ConfigurationError, match=rf"{variable} .*\(Permission denied\)"):
            Settings()


def test_a_working_directory_that_is_gone_has_no_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program goes on where its working directory was removed."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert from_env_file().values == {}


def test_what_is_missing_comes_with_the_places_that_were_looked_at(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a variable is missing, the error says which places were read, and which were not there."""
    monkeypatch.setattr(secrets_directory, "DEFAULT_SECRETS_DIR", str(tmp_path))
    environment(_COMPLETE | {"PROCOUNTOR_API_KEY": ""})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    places = f"Looked in the environment, .env in the working directory (does not exist), {tmp_path}."
    assert caught.value.hint.endswith(places)
    file = tmp_path / "profiles.toml"
    file.write_text("timeout = 7.5\n")
    with_file = _COMPLETE | {"PROCOUNTOR_API_KEY": "", "PROCOUNTOR_PROFILES_FILE": str(file)}
    for variables in (with_file, with_file | {"PROCOUNTOR_PROFILES__ACME__TIMEOUT": "5"}):
        environment(variables)
        with pytest.raises(ConfigurationError) as caught:
            Settings()
        assert caught.value.hint.endswith(f"{places[:-1]}, the profiles file ({file}).")


def test_the_home_directory_may_be_written_as_a_tilde_everywhere(
    tmp_path: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` in the name of the `.env` file, the secrets directory and the profiles file is this user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.env").write_text("PROCOUNTOR_CLIENT_ID=of-env\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "PROCOUNTOR_CLIENT_SECRET").write_text("of-dir")
    (tmp_path / "p.toml").write_text("timeout = 7.5\n")
    environment(
        {name: value for name, value in _COMPLETE.items() if not name.startswith("PROCOUNTOR_CLIENT")}
        | {
            "PROCOUNTOR_ENV_FILE": "~/x.env",
            "PROCOUNTOR_SECRETS_DIR": "~/secrets",
            "PROCOUNTOR_PROFILES_FILE": "~/p.toml",
        }
    )
    settings = Settings()
    assert (settings.client_id, settings.timeout) == ("of-env", 7.5)
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == "of-dir"
    assert from_secrets_dir().looked == "~/secrets"


@pytest.mark.parametrize("name", [name for name in _COMPLETE if name != "PROCOUNTOR_REDIRECT_URI"])
@pytest.mark.parametrize(
    ("around", "said"), [('"{}"', "quotation marks"), ("'{}'", "quotation marks"), ("{}\r", "line end")]
)
def test_what_a_file_has_left_around_a_value_is_said(
    environment: Environment, name: str, around: str, said: str
) -> None:
    """`docker run --env-file` keeps quotation marks, and a shell keeps the CR of a file from Windows."""
    environment(_COMPLETE | {name: around.format(_COMPLETE[name])})
    with pytest.raises(ConfigurationError, match=f"{name} {'ends with a' if said == 'line end' else 'has'} {said}"):
        Settings()


def test_a_line_end_within_a_key_is_said(environment: Environment) -> None:
    """A key that a mail program has wrapped is told what is wrong with it."""
    environment(_COMPLETE | {"PROCOUNTOR_API_KEY": "k3\ny"})
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY has more than one line"):
        Settings()


@pytest.mark.parametrize(
    ("around", "said"),
    [
        ('"{}"', "has quotation marks around it, which become part of the value: remove them"),
        ("{}\r", "ends with a line end, perhaps from a Windows file: remove it"),
    ],
)
def test_a_password_may_have_them_and_is_warned_of(
    environment: Environment, caplog: pytest.LogCaptureFixture, around: str, said: str
) -> None:
    """A password may be anything, so that it is used as it is, and the log says what it looks like."""
    password = around.format("p4ssw0rd")
    environment(
        _COMPLETE
        | {
            "PROCOUNTOR_STRATEGY": "legacy_password",
            "PROCOUNTOR_USERNAME": "us3r",
            "PROCOUNTOR_COMPANY": "1",
            "PROCOUNTOR_PASSWORD": password,
        }
    )
    with caplog.at_level(logging.WARNING):
        settings = Settings()
    assert settings.password is not None
    assert settings.password.get_secret_value() == password
    assert caplog.messages == [f"PROCOUNTOR_PASSWORD {said}, unless it is intended"]


def test_two_spellings_of_a_variable_with_two_values_are_an_error(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one is meant can't be told."""
    environment(_COMPLETE)
    monkeypatch.setenv("procountor_api_key", "another")
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY is set twice"):
        Settings()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs links and pipes")
def test_what_is_no_file_in_the_secrets_directory_is_told(tmp_path: Path, environment: Environment) -> None:
    """Whoever has a variable there that is no file, such as the folder that Docker makes, is told what it is."""
    environment(_COMPLETE | {"PROCOUNTOR_API_KEY": "", "PROCOUNTOR_SECRETS_DIR": str(tmp_path)})
    (tmp_path / "unrelated").mkdir()
    entry = tmp_path / "PROCOUNTOR_API_KEY"
    made: list[tuple[Callable[[], object], str]] = [
        (entry.mkdir, "a directory, not a file"),
        (lambda: entry.symlink_to("nowhere"), "a link that leads nowhere"),
        (lambda: entry.symlink_to(entry.name), "a link that leads nowhere"),
        (lambda: os.mkfifo(entry), "not a file"),
    ]
    for make, kind in made:
        make()
        with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY is missing") as caught:
            Settings()
        assert f"{tmp_path}; {entry} ({kind})" in caught.value.hint
        assert "unrelated" not in caught.value.hint
        entry.rmdir() if entry.is_dir() else entry.unlink()
