"""The help of all commands: it teaches, and it is plain where there is no terminal."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from procountor_auth.cli.documents.contract import DOCUMENTS
from procountor_auth.cli.log_output import configure_log_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command, Run, Terminal

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = (
    "init",
    "doctor",
    "status",
    "token",
    "api",
    "login",
    "logout",
    "key",
    "migrate",
    "store",
    "bridge",
    "sandbox",
)

_ELSEWHERE = ("bridge", "migrate", "sandbox")
"""These have pages of their own."""


def test_the_help_begins_with_what_to_do(run: Run) -> None:
    """It lists every command in a whole sentence, the three to begin with, and the exit statuses."""
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    listed = dict(re.findall(r"^  ([a-z]+) +([A-Z].*)$", out, re.MULTILINE))
    assert set(listed) == set(COMMANDS)
    assert all(text.endswith(".") and not text.endswith("..") for text in listed.values())
    text = " ".join(out.split())
    assert all(f'"procountor-auth {name}"' in text for name in ("doctor", "status", "token"))
    assert (
        "0: success; 1: something failed, or a profile is not ready; 2: the configuration or the command line is wrong"
        in text
    )
    assert "130: interrupted with Ctrl-C" in text


@pytest.mark.parametrize("name", [*COMMANDS, "sandbox faults"])
def test_each_command_has_help(run: Run, name: str) -> None:
    """`--help` of each command is plain text without a terminal: no frames, no colours, nothing cut off."""
    status, out, err = run(*name.split(), "--help")
    assert (status, err) == (0, "")
    assert out.startswith("Usage: procountor-auth ")
    assert not re.search("[\u2500-\u257f]", out)


@pytest.mark.parametrize("name", ["token", "status", "doctor", "logout", "login"])
def test_the_common_options_are_everywhere(run: Run, name: str) -> None:
    """`--profile`, `--account` and `--json` are the same for each command that is about tokens."""
    out = run(name, "--help")[1]
    assert all(re.search(rf"^  {option}\b", out, re.MULTILINE) for option in ("--profile", "--account", "--json"))


def test_no_command_is_help(run: Run) -> None:
    """Without a command there is the help, with the status of a wrong call."""
    status, out, err = run()
    assert status == 2
    assert "procountor-auth doctor" in " ".join((out + err).split())


def test_on_a_terminal_help_has_frames(start: Callable[..., Command], make_terminal: Callable[[], Terminal]) -> None:
    """On a terminal of 80 columns help is framed, and each paragraph at its end is one."""
    terminal = make_terminal()
    variables = {"TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": ""}
    assert start("--help", environment=variables, pipes={"stdout": terminal.side}).ends()[0] == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown()).replace("\r", "")
    assert "╭─ Tokens ─" in plain
    assert max(len(line) for line in plain.split("\n")) <= 80
    assert "prints the access token for a script." in " ".join(plain.split())


def test_somebody_s_own_logging_is_left_alone() -> None:
    """Where there is a handler already, the command adds none: nothing is told twice."""
    logger = logging.getLogger("procountor_auth")
    assert logger.hasHandlers()  # pytest's
    before = list(logger.handlers)
    configure_log_output(verbose=False)
    assert logger.handlers == before


def test_the_page_has_each_command() -> None:
    """docs/cli.md lists each command, and leads to what each prints as JSON."""
    page = PAGE.read_text(encoding="utf-8")
    overview = page.partition("## Common behaviour")[0]
    assert all(f"`{name}" in overview for name in COMMANDS)
    assert all(f"(json.md#{name.replace(' ', '-')})" in page for name in DOCUMENTS if not name.startswith(_ELSEWHERE))
