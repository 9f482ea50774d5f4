"""What the page about threats calls not defended is really so: where that changes, the page has to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from procountor_auth import Settings, Token
from procountor_auth.sandbox import Sandbox
from procountor_auth.stores.base import Entry
from procountor_auth.stores.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Iterator

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


_PROGRAM: Final = (
    "import gc, os; from pathlib import Path; from procountor_auth import TokenSource\n"
    "source = TokenSource.from_env(); source.token(); source.invalidate()\n"
    "del source; gc.collect()\n"
    "for name in [name for name in os.environ if name.startswith('PROCOUNTOR_')]: del os.environ[name]\n"
    "print('ready', flush=True); input()\n"
    "print(Path('/proc/self/environ').read_text())"
)
"""Gets a token, forgets all it can, waits, and shows what it was started with."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left in a process that has forgotten all it can.

    Attributes:
        memory: Its memory.
        environment: What the system says it was started with.
    """

    memory: bytes = field(repr=False)
    environment: str = field(repr=False)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def remains(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Remains]:
    """What is left of the sandbox's variables in a process, by whether they were in files."""
    with ExitStack() as stack:
        processes = {
            in_files: stack.enter_context(_started(sandbox, tmp_path_factory.mktemp("files"), in_files=in_files))
            for in_files in (False, True)
        }
        return {in_files: _left_in(process) for in_files, process in processes.items()}


def test_a_plain_entry_is_read_where_a_key_is_set() -> None:
    """Who may write to the store can plant a plain entry, even where entries are sealed."""
    key = "0" * 40
    planted = Entry(7, Token("planted", 1.0, 2.0, "client_credentials"))
    sealing = Codec((SecretStr(Fernet.generate_key().decode()),))
    assert sealing.decode(key, Codec().encode(key, planted)) == planted


@on_linux
def test_memory_keeps_what_was_deleted(sandbox: Sandbox, remains: dict[bool, Remains]) -> None:
    """After the token was invalidated and every object deleted, the process's memory still has the secrets."""
    memory = remains[True].memory
    assert sandbox.api_key.encode() in memory
    assert sandbox.client_secret.encode() in memory


@on_linux
@pytest.mark.parametrize("in_files", [False, True])
def test_the_environment_of_a_process_stays(sandbox: Sandbox, remains: dict[bool, Remains], *, in_files: bool) -> None:
    """`/proc/PID/environ` has what a process was started with, although it has deleted it; files are not in it."""
    assert (sandbox.api_key in remains[in_files].environment) is not in_files


def test_the_working_directory_s_file_decides_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `.env` in the working directory chooses the host where the environment does not, unless another is named."""
    credentials = dict.fromkeys(("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API_KEY"), "word")
    for name, value in (credentials | {"STRATEGY": "client_credentials"}).items():
        monkeypatch.setenv(f"PROCOUNTOR_{name}", value)
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("PROCOUNTOR_BASE_URL=https://elsewhere.example\n", "utf-8")
    assert Settings().endpoints.host == "https://elsewhere.example"
    Path("own.env").touch()
    monkeypatch.setenv("PROCOUNTOR_ENV_FILE", str(tmp_path / "own.env"))
    assert Settings().endpoints.host == "https://api.procountor.com"


def _started(sandbox: Sandbox, folder: Path, *, in_files: bool) -> subprocess.Popen[str]:
    """Start the program with the sandbox's variables, in files or in its environment."""
    variables = sandbox.environment("client_credentials")
    if in_files:
        for name, value in variables.items():
            (folder / name).write_text(value, "utf-8")
        variables = {"PROCOUNTOR_SECRETS_DIR": str(folder)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROCOUNTOR_")}
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env=inherited | variables,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _left_in(process: subprocess.Popen[str]) -> Remains:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    memory = _memory_of(process.pid)
    environment, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return Remains(memory, environment)


def _memory_of(pid: int) -> bytes:
    """Read what a debugger can read: all of a child's own memory."""
    read = []
    with Path(f"/proc/{pid}/maps").open(encoding="ascii") as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if area is not None:
                start, end = (int(each, 16) for each in area.groups())
                memory.seek(start)
                with suppress(OSError):  # not all that is mapped can be read
                    read.append(memory.read(end - start))
    return b"".join(read)
