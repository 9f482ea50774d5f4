"""What the page about threats calls not defended is really so: where that changes, the page has to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

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


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox."""
    with Sandbox() as running:
        yield running


def test_a_plain_entry_is_read_where_a_key_is_set() -> None:
    """Who may write to the store can plant a plain entry, even where entries are sealed."""
    key = "0" * 40
    planted = Entry(7, Token("planted", 1.0, 2.0, "client_credentials"))
    sealing = Codec((SecretStr(Fernet.generate_key().decode()),))
    assert sealing.decode(key, Codec().encode(key, planted)) == planted


@on_linux
def test_memory_keeps_what_was_deleted(sandbox: Sandbox, tmp_path: Path) -> None:
    """After the token was invalidated and every object deleted, the process's memory still has the secrets."""
    program = (
        "import gc; from procountor_auth import TokenSource\n"
        "source = TokenSource.from_env(); source.token(); source.invalidate()\n"
        "del source; gc.collect(); print('ready', flush=True); input()"
    )
    with _started(program, sandbox, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        memory = _memory_of(process.pid)
        process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert sandbox.api_key.encode() in memory
    assert sandbox.client_secret.encode() in memory


@on_linux
@pytest.mark.parametrize("in_files", [False, True])
def test_the_environment_of_a_process_stays(sandbox: Sandbox, tmp_path: Path, *, in_files: bool) -> None:
    """`/proc/PID/environ` has what a process was started with, although it has deleted it; files are not in it."""
    program = (
        "import os; from pathlib import Path; from procountor_auth import TokenSource\n"
        "TokenSource.from_env().token()\n"
        "for name in [name for name in os.environ if name.startswith('PROCOUNTOR_')]: del os.environ[name]\n"
        "print(Path('/proc/self/environ').read_text())"
    )
    with _started(program, sandbox, tmp_path, in_files=in_files) as process:
        environment, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert (sandbox.api_key in environment) is not in_files


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


def _started(program: str, sandbox: Sandbox, folder: Path, *, in_files: bool = True) -> subprocess.Popen[str]:
    """Start Python with a program that has the sandbox's variables, in files or in its environment."""
    variables = sandbox.environment("client_credentials")
    if in_files:
        for name, value in variables.items():
            (folder / name).write_text(value, "utf-8")
        variables = {"PROCOUNTOR_SECRETS_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | variables,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


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
