"""A terminal of some width, in this process, and what a command shows on it."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from procountor_auth import cli

if TYPE_CHECKING:
    import pytest

WIDTHS: Final = (50, 80, 120)
"""Columns of the terminals."""

LINES: Final = 24

_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

_CHANGING: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2030-01-31 12:00 UTC"),
    (re.compile(r"127\.0\.0\.1:\d{5}"), "127.0.0.1:40000"),
    (re.compile(r"sandbox-[0-9a-f]{8}"), "sandbox-0a1b2c3d"),
    (re.compile(r"\b18[123] days"), "182 days"),
    (re.compile(r"\b\d\d min\b"), "59 min"),
    (re.compile(r"\b[0-9a-f]{10}\b"), "0123456789"),
    (re.compile(r"\b[0-9a-f]{10}(\.\.\.|[0-9a-f]{30})"), r"0123456789\1"),
    (re.compile(r"0123456789[0-9a-f]{30}"), "0123456789" * 4),
    (re.compile(r"\b\d{3,4} B\b"), "900 B"),
    (re.compile(r"^eyJ\S+$", re.MULTILINE), "<the token>"),
)
"""What differs from run to run, and what stands for it: as long as it is, so that lines break in the
same places. A token is one line, however long it is: it is made to be copied."""


class _Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def show(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: str) -> str:
    """Run the command as on a terminal; return what it shows there, and its exit status, as text without colours."""
    # The bar of a rehearsal shows how long it takes: without a terminal it is lines.
    screen, errors = _Screen(), io.StringIO() if "rehearse" in arguments else _Screen()
    with monkeypatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR", "CI", "GITHUB_ACTIONS"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLUMNS", str(width))
        patch.setenv("LINES", str(LINES))
        patch.setattr("typer.rich_utils.MAX_WIDTH", width)
        patch.setattr(sys, "argv", ["procountor-auth", *arguments])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", errors)
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    said = _ESCAPE.sub("", screen.getvalue() + errors.getvalue()).replace("\r", "")
    lines = [line.rstrip() for line in said.splitlines()]
    shown = "\n".join([f"$ {' '.join(['procountor-auth', *arguments])}", *lines, f"[exit status {status}]", ""])
    for changing, constant in _CHANGING:
        shown = changing.sub(constant, shown)
    return shown


def widest(shown: str) -> int:
    """Return how many columns the widest line has that the command has shown on its screen.

    A line of one word, which is made to be copied, does not count: the terminal breaks it, and copies it whole.
    """
    return max((cell_len(line) for line in shown.splitlines()[1:-1] if " " in line.strip()), default=0)
