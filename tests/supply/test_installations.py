"""The wheel and the source distribution work where they are installed: each extra, on each Python of this machine.

`make check` installs the command with this Python; `make installations` everything.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.fernet import Fernet

import procountor_auth
from tests.sizes import LONG

from .installations import Environment, pythons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from procountor_auth.sandbox import Sandbox

pytestmark = [pytest.mark.long, pytest.mark.once]

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Use:
    """What somebody installs an extra for.

    Attributes:
        module: A module that does not work without the extra.
        client: The HTTP library of the program.
        store: `PROCOUNTOR_TOKEN_STORE`.
    """

    module: str
    client: str = "httpx"
    store: str = "memory"


WITH_COMMAND: Final = frozenset({"cli", "sandbox", "bridge", "all"})
WITH_SANDBOX: Final = frozenset({"sandbox", "all"})
WITH_BRIDGE: Final = frozenset({"bridge", "all"})

USES: Final[dict[str, Use]] = {
    "": Use("procountor_auth.tokens.source"),
    "cli": Use("procountor_auth.cli.app", store="file:{folder}/tokens"),
    "sandbox": Use("procountor_auth.sandbox.sandbox"),
    "httpx2": Use("procountor_auth.httpx2", client="httpx2"),
    "requests": Use("procountor_auth.requests", client="requests"),
    "file": Use("procountor_auth.stores.file", store="file:{folder}/tokens"),
    "encryption": Use("procountor_auth.stores.sealing"),
    "keyring": Use("procountor_auth.stores.keyring", store="keyring"),
    "redis": Use("procountor_auth.stores.redis", store="redis"),
    "sql": Use("procountor_auth.stores.sql", store="sqlite:///{folder}/tokens.db"),
    "bridge": Use("procountor_auth.bridge.server"),
    "otel": Use("opentelemetry.metrics"),
    "all": Use("procountor_auth.bridge.server", client="httpx2", store="sqlite:///{folder}/tokens.db"),
}

PROGRAM: Final = """
import importlib, json, sys
from importlib.metadata import version
import procountor_auth
module, client = sys.argv[1:]
importlib.import_module(module)
auth = importlib.import_module(f"procountor_auth.{client}").ProcountorAuth()
http = importlib.import_module(client)
with (http.Session if client == "requests" else http.Client)() as session:
    session.auth = auth
    company = session.get(f"{auth.api_url}/sessioninfo").json()["companyId"]
print(json.dumps([company, procountor_auth.__version__, version("procountor-auth"), procountor_auth.__file__]))
"""

TOKEN: Final = """
import subprocess
done = subprocess.run(["procountor-auth", "token"], stdout=subprocess.PIPE)
print(done.returncode, len(done.stdout) > 100)
"""
"""Says whether a token was printed, and not which one."""

COMPLETION: Final = """
eval "$(procountor-auth --show-completion)"
COMP_WORDS=(procountor-auth migrate st) COMP_CWORD=2
_procountor_auth_completion procountor-auth
echo "${COMPREPLY[@]}"
"""


def cases() -> Iterator[tuple[Path, str, str]]:
    """Name the interpreter, the distribution and the extra of each installation."""
    if not LONG:
        yield Path(sys.executable), "wheel", "cli"
        return
    for python in pythons():
        yield python, "sdist", ""
        for extra in USES:
            yield python, "wheel", extra


@pytest.mark.parametrize(("python", "kind", "extra"), list(cases()), ids=lambda value: str(value) or "core")
def test_an_installation_works(
    python: Path, kind: str, extra: str, request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path
) -> None:
    """In a clean environment, the distribution with an extra gets a token, and has the extra's commands."""
    distribution: Path = request.getfixturevalue(kind)
    environment = Environment.make(tmp_path / "env", python, distribution, extra)
    use = USES[extra]
    store = request.getfixturevalue("redis_url") if use.store == "redis" else use.store.format(folder=environment.work)
    variables = sandbox.environment("client_credentials") | {
        "PROCOUNTOR_TOKEN_STORE": store,
        "PROCOUNTOR_TOKEN_STORE_KEY": "" if store == "memory" else Fernet.generate_key().decode(),
    }
    if use.store == "keyring":
        backend = {"PYTHON_KEYRING_BACKEND": "keychain.Keychain", "PYTHONPATH": str(ROOT / "tests" / "stores")}
        variables |= backend
    fetches(environment, use, variables)
    if extra in WITH_COMMAND:
        has_the_command(environment, variables)
    else:
        names_the_extra(environment)
    if extra in WITH_SANDBOX:
        serves_a_sandbox(environment, use)
    if extra in WITH_BRIDGE:
        hashed = environment.run("procountor-auth", "bridge", "hash", typed="a-password-of-nobody\n")
        assert hashed.stdout.startswith("$argon2id$"), hashed.stderr


def fetches(environment: Environment, use: Use, variables: Mapping[str, str]) -> None:
    """Make sure that a program reads the company with a token, and runs nothing of this checkout."""
    done = environment.run("python", "-P", "-c", PROGRAM, use.module, use.client, environment=variables)
    assert done.returncode == 0, done.stderr
    company, version, installed, file = json.loads(done.stdout)
    assert (company, version, installed) == (14159, procountor_auth.__version__, procountor_auth.__version__)
    assert Path(file).is_relative_to(environment.folder)


def has_the_command(environment: Environment, variables: Mapping[str, str]) -> None:
    """Make sure that the command prints its version and a token, and that bash completes it."""
    asked = environment.run("procountor-auth", "--version")
    assert (asked.stdout, asked.stderr) == (f"procountor-auth {procountor_auth.__version__}\n", "")
    token = environment.run("python", "-P", "-c", TOKEN, environment=variables)
    assert (token.stdout, token.stderr) == ("0 True\n", "")
    bash = shutil.which("bash")
    if bash is not None:
        completed = subprocess.run(
            [bash, "--norc", "-c", COMPLETION],
            cwd=environment.work,
            env=environment.variables({}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (completed.stdout, completed.stderr) == ("status\n", "")


def names_the_extra(environment: Environment) -> None:
    """Make sure that the command says in one line which extra it needs."""
    done = environment.run("procountor-auth", "--version")
    line = "procountor-auth needs its command line extra: pip install 'procountor-auth[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def serves_a_sandbox(environment: Environment, use: Use) -> None:
    """Make sure that the sandbox of the installation fills in a `.env` with which a program gets its token."""
    command = ["sandbox", "--json", "--env-file", ".env", "--strategy", "client_credentials"]
    with subprocess.Popen(
        [environment.program("procountor-auth"), *command],
        cwd=environment.work,
        env=environment.variables({}),
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        try:
            assert served.stdout is not None
            assert json.loads(served.stdout.readline())["company"] == "14159"
            fetches(environment, use, {})
        finally:
            served.terminate()
    assert served.returncode == 0
