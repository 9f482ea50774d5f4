"""A program that is forked behaves as one that is started, for everything that the tests rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .forkserver import ForkServer


SHOW = "import os, sys; print(sys.argv[1:], os.getcwd(), os.environ['X'], sys.stdin.read()); sys.stderr.write('!')"
SLEEP = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


@pytest.fixture(params=["started", "forked"])
def python(request: pytest.FixtureRequest, fork_server: ForkServer) -> str:
    """An interpreter, and what stands for it."""
    return sys.executable if request.param == "started" else fork_server.python


def done(*command: str, **how: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401 - as for subprocess.run
    """Run a command to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **how)


def test_a_program_has_what_it_is_given(python: str, tmp_path: Path) -> None:
    """Arguments, directory, environment and the three streams are its own."""
    ended = done(python, "-c", SHOW, "a", "b c", cwd=tmp_path, env=os.environ | {"X": "ä"}, input="ö")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"['a', 'b c'] {tmp_path} ä ö\n", "!")


def is_alive(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("program", "status", "stderr"),
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("import os; os._exit(7)", 7, ""),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import atexit, os; atexit.register(os._exit, 5)", 5, ""),
    ],
)
def test_a_program_s_end_is_told(python: str, program: str, status: int, stderr: str) -> None:
    """The exit status is that of the program, or the signal that has killed it."""
    ended = done(python, "-c", program)
    assert (ended.returncode, ended.stderr.endswith(stderr), bool(ended.stderr)) == (status, True, bool(stderr))


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -9)]
)
def test_a_signal_reaches_the_program(python: str, number: int, status: int) -> None:
    """A signal ends the program as it ends an interpreter, and no process is left behind."""
    with subprocess.Popen(
        [python, "-c", SLEEP], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        program = int(process.stdout.readline())
        process.send_signal(number)
        assert process.stdout.read() == ""  # the program itself has let go of it
        assert process.wait(30) == status
    until = time.monotonic() + 10
    while is_alive(program) and time.monotonic() < until:  # its parent may have yet to hear of its end
        os.sched_yield()
    assert not is_alive(program)


def test_modules_and_scripts_are_run(python: str, tmp_path: Path) -> None:
    """A module is found where `PYTHONPATH` says, a script finds what is beside it, and both are `__main__`."""
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n", "utf-8")
    (tmp_path / "script.py").write_text("import sys, beside; print(__name__, beside.NAME, sys.argv[1:])\n", "utf-8")
    assert done(python, str(tmp_path / "script.py"), "a").stdout == "__main__ beside ['a']\n"
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    assert done(python, "-m", "script", "a", env=env).stdout == "__main__ beside ['a']\n"


def test_what_only_an_interpreter_can_do_is_done_by_one(fork_server: ForkServer) -> None:
    """Options of the interpreter, and variables that change it, are honoured."""
    program = "import sys; print(sys.flags.dev_mode, sys.warnoptions)"
    assert done(fork_server.python, "-W", "error", "-c", program).stdout == "False ['error']\n"
    assert done(fork_server.python, "-c", program, env=os.environ | {"PYTHONDEVMODE": "1"}).stdout.startswith("True")


def test_the_command_is_the_command(fork_server: ForkServer) -> None:
    """`procountor-auth` prints its version."""
    assert done(fork_server.command, "--version").stdout.startswith("procountor-auth ")
