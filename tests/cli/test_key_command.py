"""The command `procountor-auth key create`, run as a process."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from dotenv import dotenv_values

from procountor_auth import ConfigurationError, TokenSource
from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Command, Person
    from tests.forkserver.forkserver import ForkServer

    CompanyOf = Callable[[Sandbox, str, dict[str, str]], str]
    Start = Callable[..., Command]

_STORES: Final = Path(__file__).parents[1] / "stores"

_JWT: Final = re.compile(rb"eyJ[\w-]+\.eyJ")

#: An encrypted keychain in the test's own home, which needs no desktop.
_KEYCHAIN: Final = {"PYTHON_KEYRING_BACKEND": "keychain.Keychain"}

_FULL_KEYCHAIN: Final = """
from keyring.backend import KeyringBackend

class Keychain(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return None

    def set_password(self, service, username, password):
        raise OSError(f"no room for {password}")
"""


@pytest.fixture
def service() -> Iterator[Sandbox]:
    """A sandbox whose client has a redirect URI on this machine, without a port."""
    with Sandbox(redirect_uri="http://127.0.0.1/callback") as sandbox:
        yield sandbox


@pytest.fixture
def company_of(fork_server: ForkServer) -> Callable[..., str]:
    """Get a token with an API key, in a program of its own; return the company that it is for, or the error."""

    def ask(service: Sandbox, api_key: str, environment: dict[str, str]) -> str:
        program = "from procountor_auth import TokenSource; print(TokenSource.from_env().token().company_id)"
        variables = service.environment("client_credentials") | {"PROCOUNTOR_API_KEY": api_key}
        done = subprocess.run(
            [fork_server.python, "-c", program],
            env=os.environ | variables | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or done.stderr

    return ask


@pytest.fixture
def keychain(tmp_path: Path) -> dict[str, str]:
    """The variables with which a process has a keychain of the test's own."""
    home = tmp_path / "home"
    path = os.pathsep.join([str(_STORES), str(_STORES.parents[1])])
    return _KEYCHAIN | {"HOME": str(home), "XDG_DATA_HOME": str(home / "xdg_data_home"), "PYTHONPATH": path}


def test_a_key_is_printed_as_the_variable_to_set(
    service: Sandbox, start: Start, person: Person, environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    """Standard output is one line for `.env`; the key in it gets a token of the chosen company. No key was needed."""
    command = start("key", "create", at=service)
    url = command.login_url()
    assert url.startswith(f"{service.base_url}/keylogin?")
    assert "Login complete" in person.opens(person.logs_in(url, service, company="14160"))
    status, out, err = command.ends()
    assert (status, out.count("\n"), err.count("secret")) == (0, 1, 0)
    (tmp_path / ".env").write_text(out)
    assert dotenv_values(tmp_path / ".env").keys() == {"PROCOUNTOR_API_KEY"}
    client = service.environment("client_credentials")
    del client["PROCOUNTOR_API_KEY"]
    environment(client)
    assert TokenSource.from_env().token().company_id == 14160


def test_a_new_key_replaces_an_old_one(
    service: Sandbox, start: Start, person: Person, environment: Callable[[dict[str, str]], None]
) -> None:
    """The line has the variable as `.env` spells it: under another spelling, the two keys would contradict."""
    file = Path(".env")
    file.write_text("procountor_api_key=replaced\n")
    client = service.environment("client_credentials")
    del client["PROCOUNTOR_API_KEY"]
    command = start("key", "create", environment=client)
    person.opens(person.logs_in(command.login_url(), service, company="14160"))
    status, out, _ = command.ends()
    assert (status, out.partition("=")[0]) == (0, "procountor_api_key")
    file.write_text(file.read_text() + out)
    environment(client)
    assert TokenSource.from_env().token().company_id == 14160


def test_json_has_the_key(service: Sandbox, start: Start, person: Person, company_of: CompanyOf) -> None:
    """With `--json`, standard output is one object with the key and whose it is."""
    command = start("key", "create", "--json", "--no-browser", at=service)
    command.says(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    made = json.loads(out)
    assert (status, list(made)) == (0, ["profile", "api_key", "company_id", "user_id"])
    assert (made["company_id"], made["user_id"]) == (int(service.company), service.user_id)
    assert made["api_key"] not in err
    assert company_of(service, made["api_key"], {}) == service.company


def test_a_profile_s_key_is_the_profile_s_variable(
    service: Sandbox,
    start: Start,
    person: Person,
    *,
    environment: Callable[[dict[str, str]], None],
    write_profiles: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """With `--profile`, the line for `.env` sets the key of that profile alone."""
    file = write_profiles({"strategy": "client_credentials"}, acme={}, beta={})
    client = service.environment("client_credentials") | {"PROCOUNTOR_PROFILES_FILE": str(file)}
    del client["PROCOUNTOR_API_KEY"], client["PROCOUNTOR_STRATEGY"]
    command = start("key", "create", "--profile", "acme", environment=client)
    person.opens(person.logs_in(command.login_url(), service, company="14160"))
    status, out, _ = command.ends()
    assert (status, out.partition("=")[0]) == (0, "PROCOUNTOR_PROFILES__ACME__API_KEY")
    (tmp_path / ".env").write_text(out)
    environment(client)
    assert TokenSource.from_env(profile="acme").token().company_id == 14160
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY is missing"):
        TokenSource.from_env(profile="beta")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_key_in_the_keychain_is_pointed_to(
    service: Sandbox,
    start: Start,
    person: Person,
    keychain: dict[str, str],
    company_of: CompanyOf,
    *,
    tmp_path: Path,
    as_json: bool,
) -> None:
    """With `--keyring` only a pointer is printed; programs follow it to the key, which no file has in plain text."""
    command = start("key", "create", "--keyring", *(["--json"] if as_json else []), at=service, environment=keychain)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    pointer = json.loads(out)["api_key"] if as_json else out.strip().removeprefix("PROCOUNTOR_API_KEY=")
    assert status == 0
    assert pointer.startswith(f"keyring:api-key-{service.company}-")
    assert not _JWT.search((out + err).encode())
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if _JWT.search(path.read_bytes())]
    assert company_of(service, pointer, keychain) == service.company
    assert "does not have" in company_of(service, f"{pointer}x", keychain)


def test_keys_of_two_companies_are_two_entries(
    service: Sandbox, start: Start, person: Person, keychain: dict[str, str], company_of: CompanyOf
) -> None:
    """Each company has an entry of its own, and a new key of one takes the place of its old one."""
    pointers = []
    for company in ("14159", "14160", "14159"):
        command = start("key", "create", "--keyring", "--json", at=service, environment=keychain)
        person.opens(person.logs_in(command.login_url(), service, company=company))
        pointers.append(json.loads(command.ends()[1])["api_key"])
    assert pointers[0] == pointers[2] != pointers[1]
    assert [company_of(service, pointer, keychain) for pointer in pointers[:2]] == ["14159", "14160"]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.fail.Keyring", "stores nothing"),
        ("keyring.backends.null.Keyring", "stores nothing"),
        ("plain.PlaintextKeyring", "stores plain text"),
    ],
)
def test_a_keychain_that_keeps_no_secret_is_told_before_there_is_a_key(
    service: Sandbox, start: Start, backend: str, said: str, tmp_path: Path
) -> None:
    """Without a keychain that keeps secrets secret nobody logs in, and nothing is written."""
    (tmp_path / "plain.py").write_text(_FULL_KEYCHAIN.replace("class Keychain", "class PlaintextKeyring"))
    path = os.pathsep.join([str(tmp_path), str(_STORES.parents[1])])
    chosen = {"PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": path}
    status, out, err = start("key", "create", "--keyring", at=service, environment=chosen).ends()
    assert (status, out) == (1, "")
    assert said in err
    assert "set PROCOUNTOR_API_KEY to the key itself" in err
    assert service.log() == []


def test_without_the_keyring_package_the_extra_is_named(service: Sandbox, start: Start) -> None:
    """If the package is not there, the command says what to install before anybody logs in."""
    hide = "import sys; sys.modules['keyring'] = None; from procountor_auth.cli import main; main()"
    status, out, err = start("key", "create", "--keyring", at=service, program=hide).ends()
    assert (status, out) == (2, "")
    assert "procountor-auth[keyring]" in err
    assert service.log() == []


def test_a_key_that_could_not_be_kept_is_not_shown(
    service: Sandbox, start: Start, person: Person, tmp_path: Path
) -> None:
    """If the keychain does not take the key after all, the error says that it is lost, and has nothing of it."""
    (tmp_path / "full.py").write_text(_FULL_KEYCHAIN)
    path = os.pathsep.join([str(tmp_path), str(_STORES.parents[1])])
    chosen = {"PYTHON_KEYRING_BACKEND": "full.Keychain", "PYTHONPATH": path}
    command = start("key", "create", "--keyring", at=service, environment=chosen)
    person.opens(person.logs_in(command.login_url(), service))
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    assert "procountor-auth: The keychain failed (OSError).\nThe new key is lost: delete it" in err
    assert "no room" not in err
    assert "eyJ" not in err


def test_on_a_terminal_the_secret_is_announced(service: Sandbox, start: Start, person: Person) -> None:
    """Where a person would see the key on the screen, a line before it says that it is a secret."""
    ours, theirs = pty.openpty()
    try:
        command = start("key", "create", at=service, pipes={"stdout": theirs})
        person.opens(person.logs_in(command.login_url(), service))
        _, _, err = command.ends()
        shown = os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert err.endswith("The next line is a secret: it gets a token for the company until the key is revoked.\n")
    assert shown.startswith(b"PROCOUNTOR_API_KEY=eyJ")


def test_a_denial_brings_no_key(service: Sandbox, start: Start, person: Person) -> None:
    """If the person declines, there is no output, and the status is 1."""
    command = start("key", "create", at=service)
    assert "declined" in person.opens(person.logs_in(command.login_url(), service, action="deny"))
    status, out, err = command.ends()
    assert (status, out) == (1, "")
    assert "declined" in err


def test_the_client_s_variables_are_needed(service: Sandbox, start: Start) -> None:
    """Without the API client's variables there is no login, and all of them are named. No strategy is needed."""
    status, out, err = start(
        "key", "create", at=service, strategy="", client_id="", client_secret="", redirect_uri=""
    ).ends()
    assert (status, out) == (2, "")
    assert err.count("is missing") + err.count("are missing") == 1
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI"):
        assert f"PROCOUNTOR_{name}" in err
    assert "STRATEGY" not in err
    assert service.log() == []
