"""Runs the examples in separate processes, in their folders and the test's environment."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.documents.conftest import session as session  # noqa: PLC0414 - a fixture, for the page about cron
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox

    from .example import Run, Serve

EXAMPLES: Final = Path(__file__).parents[2] / "examples"

_LONGEST: Final = 90
"""Seconds that an example may take."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python as a reader would: `run("cron_job.py")`."""

    def ended(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=inherited() | {"HOME": str(tmp_path), "PYTHONPATH": str(EXAMPLES)} | variables,
            cwd=EXAMPLES,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST,
        )

    return ended


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server or a worker that ends with the test. `{fd}` in an argument is a socket that listens."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **variables: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            processes.append(
                subprocess.Popen(
                    [sys.executable, *(argument.format(fd=listening.fileno()) for argument in arguments)],
                    env=inherited() | {"HOME": str(tmp_path), "PYTHONPATH": str(EXAMPLES)} | variables,
                    cwd=tmp_path,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[listening.fileno()],
                )
            )
            return int(listening.getsockname()[1])

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(_LONGEST)


@pytest.fixture
def companies(
    procountor_profiles: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[int], list[str]]:
    """Create a number of companies at the sandbox, with a profile each and one file store; return their names."""

    def make(number: int) -> list[str]:
        names = [f"company-{each:02}" for each in range(1, number + 1)]
        procountor_profiles(*names)
        monkeypatch.setenv("PROCOUNTOR_TOKEN_STORE", f"file:{tmp_path / 'tokens'}")
        return names

    return make


@pytest.fixture
def sandbox(procountor_sandbox: Sandbox) -> Sandbox:
    """The sandbox with the companies."""
    return procountor_sandbox
