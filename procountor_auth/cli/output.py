"""What a command prints: text for people, or one JSON document for machines."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from procountor_auth.migration.verdict import Reason
    from procountor_auth.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

_WIDE: Final = 10_000
"""Characters of a line where no terminal has a say in it: nothing is cut off or wrapped in a file or a pipe."""


def console(*, stderr: bool = False) -> Console:
    """Return where text for people goes: with colours on a terminal, and plain everywhere else."""
    screen = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        screen.width = _WIDE
    return screen


def on_terminal() -> bool:
    """Whether a person sees what is printed. Standard output may be closed."""
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
    """Return text that keeps its indentation where it is wrapped."""
    return Padding(Text(text, style=style), (0, 0, 0, by), expand=False)


def print_reasons(screen: Console, reasons: Iterable[Reason]) -> None:
    """Print what is in the way, and below each what to do; the same hint is not said twice running."""
    said = ""
    for reason in reasons:
        screen.print(indented(reason.message, 2))
        if reason.hint and reason.hint != said:
            screen.print(indented(reason.hint, 4, "dim"))
            said = reason.hint


def moment(seconds: float) -> str:
    """Return a time in Unix seconds for a person, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "a time that no calendar has"


def store_name(settings: Settings) -> str:
    """Name the token store as `PROCOUNTOR_TOKEN_STORE` does, but of a URL, which may hold a password, only `redis`."""
    configured = settings.token_store.get_secret_value()
    return configured if configured in {"memory", "file", "keyring"} or configured.startswith("file:") else "redis"
