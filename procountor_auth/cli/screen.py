"""Text for users, with Rich. Commands import this module only to print text, not JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from procountor_auth.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procountor_auth.migration.readiness import Reason

_MAX_WIDTH: Final = 10_000
"""Characters of a line without a terminal: nothing is cut off or wrapped in a file or a pipe."""

GOOD: Final = "color(28)"
NEUTRAL: Final = "color(31)"
WARNING: Final = "color(130)"
BAD: Final = "bold color(160)"
"""Green, blue, orange and red of the fixed part of the palette: the terminal's own yellow and cyan can't be read on
white, and its blue can't be read on black. These have a contrast of about 4 to 1 or more on both."""

T = TypeVar("T")

_NEXT: Final = "Next: "

_COMMAND: Final = (
    r"procountor-auth (?:(?:migrate|store|key|sandbox) )?[a-z]+"
    r"(?: --(?:env|all|fresh)| --(?:to|profile) (?:'[^']*'|[^ ,]+))*"
)
"""A command in a step, with its options."""

MAX_LISTED: Final = 20
"""The most profiles that have a line each; if there are more, only those that need attention do."""

MAX_KINDS: Final = 3
"""How many kinds of reasons, with their hints, fit on a screen of 24 lines."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for text: coloured on a terminal, plain everywhere else."""
    screen = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        screen.width = _MAX_WIDTH
    return screen


def indented(text: str, by: int, style: str = "") -> Padding:
    """Return text that stays indented when it is wrapped."""
    return Padding(Text(printable(text), style=style), (0, 0, 0, by), expand=False)


def print_reasons(screen: Console, reasons: Iterable[Reason], *, hints_are_for: str = "") -> None:
    """Print each reason with its hint below; a hint is not printed twice in a row.

    Args:
        screen: Where to print it.
        reasons: The reasons.
        hints_are_for: The profile that the hints are for, if several have the same reasons.
    """
    last_hint = ""
    for reason in reasons:
        screen.print(indented(reason.message, 2))
        if reason.hint and reason.hint != last_hint:
            whose = f"For {hints_are_for}: " if hints_are_for else ""
            screen.print(indented(f"{whose}{reason.hint}", 4))
            last_hint = reason.hint


def group_by_reasons(items: Iterable[T], reasons: Callable[[T], Iterable[Reason]]) -> list[list[T]]:
    """Group things by their reasons, ignoring the hints; the largest group comes first."""
    groups: dict[tuple[str, ...], list[T]] = {}
    for item in items:
        groups.setdefault(tuple(reason.message for reason in reasons(item)), []).append(item)
    return sorted(groups.values(), key=len, reverse=True)


def print_next(screen: Console, *steps: str) -> None:
    """Print the next steps: commands to run, or lines to copy, which are indented and never wrapped.

    A command is bold, and nothing else.
    """
    gap = " " * len(_NEXT)
    for number, step in enumerate(filter(None, steps)):
        first = Text(_NEXT if number == 0 else gap)
        if step.startswith(" "):
            screen.print(
                Text(gap + printable(step) if screen.width > len(gap + step) else step.strip()), soft_wrap=True
            )
            continue
        text = Text(printable(step))
        text.highlight_regex(_COMMAND, "bold")
        lines = text.wrap(screen, screen.width - len(gap)) if screen.is_terminal else [text]
        for line in lines:
            line.rstrip()
            screen.print(first + line)
            first = Text(gap)


def names_text(names: list[str], width: int, *, prefix: str = "") -> str:
    """Return as many names as fit on one line, and how many more there are.

    Args:
        names: The names.
        width: The characters of the line.
        prefix: The text before the names.
    """
    shown: list[str] = []
    for number, name in enumerate(names):
        left = len(names) - number - 1
        more = f" and {left} more" if left else ""
        if shown and len(prefix + ", ".join([*shown, name]) + more) > width:
            break
        shown.append(name)
        if len(shown) >= MAX_LISTED and left:
            break
    left = len(names) - len(shown)
    return prefix + ", ".join(shown) + (f" and {left} more" if left else "")
