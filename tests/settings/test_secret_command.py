"""`command:…`: a secret that a program prints."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from procountor_auth.settings.secret_command import MAX_SIZE, run_secret_command
from procountor_auth.settings.unfollowed import Unfollowed

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name == "nt", reason="the programs are those of a Unix"),
]

_PYTHON: Final = shlex.quote(sys.executable)


def run(command: str, time_limit: float = 30.0) -> str | Unfollowed:
    """Return what a command gives, or why it gives nothing."""
    found = run_secret_command(SecretStr(command), time_limit=time_limit)
    return found.get_secret_value() if isinstance(found, SecretStr) else found


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        ("printf s3cret", "s3cret"),
        ("echo s3cret", "s3cret"),
        (r"printf 's3cret\r\n'", "s3cret"),
        ("printf ' two words '", " two words "),
        ("printf 'pä55 🔑'", "pä55 🔑"),
        (r"printf '\357\273\277s3cret'", "s3cret"),
        ("echo $HOME ~ *", "$HOME ~ *"),
        ("sh -c 'echo noise >&2; echo s3cret'", "s3cret"),
    ],
)
def test_the_output_less_one_line_end_is_the_secret(command: str, secret: str) -> None:
    """Spaces stay, one line end goes, no shell expands anything, and what it says elsewhere does not matter."""
    assert run(command) == secret


_RUN_IT: Final = "Run the command yourself: it must print only the secret, as one line, and exit with status 0."
_INSTALL_IT: Final = "Install it, or write its full path: cron and services have a shorter PATH than your shell."


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("false", "runs a program (false) that ended with status 1; it said nothing"),
        (
            "sh -c 'echo n0t4u; echo not signed in >&2; exit 3'",
            "runs a program (sh) that ended with status 3; it said: not signed in",
        ),
        (
            "sh -c 'echo n0t4u; echo got n0t4u >&2; exit 3'",
            "runs a program (sh) that ended with status 3; it said: got …",
        ),
        (
            "sh -c 'echo key=n0t4u-n0t4u for op://vault/item >&2; exit 3'",
            "runs a program (sh) that ended with status 3; it said: … for op://vault/item",
        ),
        (
            "sh -c 'echo n0t4u >&2'",
            "runs a program (sh) that printed nothing; what it wrote to its standard error is not shown",
        ),
        ("sh -c 'kill -9 $$'", "runs a program (sh) that was ended by SIGKILL; it said nothing"),
        ("true", "runs a program (true) that printed nothing"),
        ("echo", "runs a program (echo) that printed nothing"),
        (r"printf 'n0t4u\nn0t4u\n'", "runs a program (printf) that printed 2 lines instead of one"),
        ("sh -c 'printf \"a\\0b\"'", "runs a program (sh) that printed output that is UTF-16 or not text"),
        (
            r"printf 'n0t4u\344'",
            "runs a program (printf) that printed output that is not UTF-8 (it may be Windows-1252, also called ANSI)",
        ),
        ("yes n0t4u", f"runs a program (yes) that printed more than {MAX_SIZE // 1024} KiB; it said nothing"),
        ("'n0t4u", "has a quotation mark that is not closed in its command"),
        ("", "must name a program: command:PROGRAM ARGUMENT …"),
        ("a\0b", "must name a program: command:PROGRAM ARGUMENT …"),
    ],
)
def test_what_gives_no_secret_says_why(command: str, said: str) -> None:
    """A program that fails, prints nothing or too much is named with the end of its errors, and without its output."""
    assert run(command) == Unfollowed(said, _RUN_IT)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "no-such-program-here n0t4u",
            "a program (no-such-program-here) that can't be run (No such file or directory)",
        ),
        ("/", "a program that can't be run (Permission denied)"),
        ("n0t4u-s3cr3t/k3y9876543210zyxw", "a program that can't be run (No such file or directory)"),
        ("\ud800 n0t4u", "a program that can't be run (it is not the name of a program)"),
    ],
)
def test_what_can_t_be_run_says_why(command: str, said: str) -> None:
    """A program that does not start is named with the reason, and without its arguments."""
    assert run(command) == Unfollowed(f"runs {said}", _INSTALL_IT)


def test_a_program_that_hangs_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    """Within the time limit there is an error, and nothing of the program goes on running."""
    (tmp_path / "hang.py").write_text(
        "import os, pathlib, subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('children').write_text(f'{os.getpid()} {child.pid}')\n"
        "child.wait()\n"
    )
    began = time.monotonic()
    found = run(f"{_PYTHON} {tmp_path / 'hang.py'}", time_limit=2.0)
    assert isinstance(found, Unfollowed)
    assert found.what.endswith(" that has not ended within 2 seconds; it said nothing")
    assert time.monotonic() - began < 20
    processes = [int(number) for number in (tmp_path / "children").read_text().split()]
    while any(map(_runs, processes)) and time.monotonic() - began < 20:
        threading.Event().wait(0.01)  # the system needs a moment to end them
    assert not any(map(_runs, processes))


def test_one_that_closes_its_output_and_goes_on_is_ended() -> None:
    """A program that has printed the secret and does not end is no answer either."""
    found = run("sh -c 'echo n0t4u; exec >&-; exec sleep 600'", time_limit=1.0)
    assert found == Unfollowed("runs a program (sh) that has not ended within 1 seconds; it said nothing", _RUN_IT)


def test_its_input_is_empty() -> None:
    """A program that asks for something gets no answer, and does not take what this one is given."""
    assert run("sh -c 'cat; echo s3cret'") == "s3cret"


def _runs(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
