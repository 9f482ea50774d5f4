"""What a program waits for when it starts: the modules that it uses, and no others."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import procountor_auth
from procountor_auth.settings.variables import PREFIX

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.process

_LISTED: Final = "; import sys; print(*sys.modules, file=sys.stderr)"

_TOKEN: Final = "from procountor_auth import TokenSource; TokenSource.from_env().token()"

_HTTP: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})

_FOR_REQUESTS: Final = _HTTP | {"authlib", "tenacity", "procountor_auth.transport.connection"}

_FOR_SOME: Final = frozenset(
    {"jwt", "opentelemetry", "procountor_auth.events", "procountor_auth.login.login", "procountor_auth.migration.check"}
)


def loaded_by(program: str, variables: dict[str, str] | None = None) -> set[str]:
    """Run a program in an interpreter of its own, and return the names of the modules that it has loaded."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run(
        # With an option, so that no server of programs that has imported everything takes it.
        [sys.executable, "-X", "utf8", "-c", program],
        stdout=subprocess.DEVNULL,  # it may be a token
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env=inherited | (variables or {}),
        cwd=Path(procountor_auth.__file__).parents[1],
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    """Return a program that runs the command line, and lists what it has loaded."""
    return (
        "import atexit, os, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "from procountor_auth.cli import main\n"
        "main()\n"
    )


def test_the_package_alone_needs_nothing() -> None:
    """`import procountor_auth` loads no module of the standard library that an interpreter does not have."""
    bare = loaded_by("pass" + _LISTED)
    assert loaded_by("import procountor_auth" + _LISTED) - bare <= {"procountor_auth", "__future__"}


@pytest.mark.parametrize("name", ["httpx", "httpx2", "requests"])
def test_an_integration_loads_its_own_library(name: str) -> None:
    """`import procountor_auth.httpx` loads httpx, and neither the settings nor what requests for tokens need."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    loaded = loaded_by(f"import procountor_auth.{name}" + _LISTED)
    allowed = {name, name.replace("httpx", "httpcore")} if name.startswith("httpx") else set()
    assert loaded & (_FOR_REQUESTS | _FOR_SOME | {"pydantic_settings"}) <= allowed
    assert name in loaded


@pytest.mark.server
def test_a_first_token_loads_what_it_needs(sandbox: Sandbox) -> None:
    """The first token loads one HTTP library, and nothing for what has not happened."""
    # Many containers have this variable: nobody has misspelt the prefix of ours in it.
    variables = sandbox.environment("client_credentials") | {"PYTHONUNBUFFERED": "1"}
    loaded = loaded_by(_TOKEN + _LISTED, variables)
    (http,) = loaded & {"httpx", "httpx2"}
    # An older httpx loads what its own command line needs, Rich among it.
    assert (
        loaded & (_FOR_SOME | {"difflib", "rich", "tenacity", "typer"}) - loaded_by(f"import {http}{_LISTED}") == set()
    )
    protocol = {f"procountor_auth.protocol.{name}" for name in ("error_response", "refusal", "authorization_response")}
    strategies = {f"procountor_auth.strategies.{name}" for name in ("legacy_password", "authorization_code")}
    assert loaded & (protocol | strategies) == set()
    assert "procountor_auth.strategies.client_credentials" in loaded


@pytest.mark.server
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_tokens_come_with_the_library_of_the_program(sandbox: Sandbox, name: str) -> None:
    """A program that has imported httpx, or httpx2, gets its tokens with that, and does not wait for the other one."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    loaded = loaded_by(f"import {name}; {_TOKEN}{_LISTED}", sandbox.environment("client_credentials"))
    assert loaded & {"httpx", "httpx2"} == {name}


@pytest.mark.server
@pytest.mark.parametrize("arguments", [["token"], ["token", "--json"], ["status", "--json"]])
def test_a_stored_token_needs_no_http(sandbox: Sandbox, tmp_path: Path, arguments: list[str]) -> None:
    """`token` and `status` look into the store before anything is loaded that a request would need, or a table."""
    pytest.importorskip("filelock", reason="the file store is not installed")
    variables = sandbox.environment("client_credentials") | {
        f"{PREFIX}TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
        "XDG_STATE_HOME": str(tmp_path),
    }
    assert "authlib" in loaded_by(command("token"), variables)
    loaded = loaded_by(command(*arguments), variables)
    assert loaded & (_FOR_REQUESTS | {"rich", "opentelemetry"}) == set()
    assert "procountor_auth.stores.file" in loaded


@pytest.mark.parametrize("arguments", [["--help"], ["token", "--help"], ["migrate", "plan", "--help"]])
def test_help_needs_no_settings(arguments: list[str]) -> None:
    """The help loads neither the settings nor pydantic, an HTTP library or, where there is no terminal, Rich."""
    loaded = loaded_by(command(*arguments))
    assert loaded & (_FOR_REQUESTS | _FOR_SOME | {"pydantic", "pydantic_settings", "rich", "flask"}) == set()


def test_a_command_does_not_load_the_others() -> None:
    """`procountor-auth token` loads its own module of the command line, and none of another command."""
    loaded = {name for name in loaded_by(command("token", "--help")) if name.startswith("procountor_auth.cli.")}
    assert "procountor_auth.cli.token" in loaded
    common = {"procountor_auth.cli.command"}
    assert not {name for name in loaded - common if name.endswith(("command", "commands", "logout"))}


def test_a_first_token_at_the_very_end_is_an_error_of_ours() -> None:
    """Where the interpreter imports nothing any more, a source that has asked for no token yet says so."""
    program = (
        "import builtins, sys\n"
        "from procountor_auth import ProcountorAuthError, Settings, TokenSource\n"
        "client = {'client_id': 'i', 'client_secret': 's', 'redirect_uri': 'r', 'base_url': 'http://127.0.0.1:1'}\n"
        "class Last:\n"
        "    def __del__(self):\n"
        "        try:\n"
        "            self.source.token()\n"
        "        except BaseException as error:\n"
        "            print(type(error).__name__, file=sys.__stderr__)\n"
        "builtins.last = Last()\n"
        "settings = Settings(strategy='client_credentials', api_key='k', **client)\n"
        "builtins.last.source = TokenSource.from_settings(settings)\n"
    )
    assert loaded_by(program) == {"ConnectionFailed"}
