"""What a command prints: text for users, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from procountor_auth.errors import printable
from procountor_auth.settings.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from procountor_auth.migration.readiness import Reason

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

_MAX_WIDTH: Final = 10_000
"""Characters of a line where there is no terminal: nothing is cut off or wrapped in a file or a pipe."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for text: with colours on a terminal, and plain everywhere else."""
    screen = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        screen.width = _MAX_WIDTH
    return screen


def on_terminal() -> bool:
    """Whether standard output is a terminal; it may be closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_json(value: object) -> None:
    """Print one JSON document, in ASCII, on a line of its own."""
    typer.echo(json.dumps(value))


def print_table(screen: Console, table: Table) -> None:
    """Print a table; where there is no terminal, without the spaces that fill its last column."""
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as capture:
        screen.print(table)
    for line in capture.get().splitlines():
        screen.print(Text(line.rstrip()))


def indented(text: str, by: int, style: str = "") -> Padding:
    """Return text that stays indented where it is wrapped."""
    return Padding(Text(printable(text), style=style), (0, 0, 0, by), expand=False)


def print_reasons(screen: Console, reasons: Iterable[Reason]) -> None:
    """Print each reason, and below it what to do; the same hint is not printed twice in a row."""
    last_hint = ""
    for reason in reasons:
        screen.print(indented(reason.message, 2))
        if reason.hint and reason.hint != last_hint:
            screen.print(indented(reason.hint, 4, "dim"))
            last_hint = reason.hint


def format_time(seconds: float) -> str:
    """Return a time in Unix seconds as text, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"


def login_hint(profile: str | None) -> str:
    """Return how to log in."""
    return Profile(profile).hint("Run `procountor-auth login`, or set PROCOUNTOR_REFRESH_TOKEN.")
