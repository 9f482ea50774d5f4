"""What ``procountor-auth doctor`` prints as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.cli.screen import BAD, GOOD, WARNING, console, indented, print_next
from procountor_auth.settings.profile import Profile

if TYPE_CHECKING:
    from rich.console import Console

    from .check import Check
    from .diagnosis import Diagnosis

_STYLES: Final = {"ok": GOOD, "warning": WARNING, "failed": BAD}

_MIN_WIDTH: Final = 72
"""The least columns of a terminal for a table that breaks no variable's name."""


def show(diagnosis: Diagnosis) -> None:
    """Print each check, and a hint for each that failed."""
    screen = console()
    checks = diagnosis.checks
    width = max((len(check.name) for check in checks), default=0)
    last_name = ""
    for check, following in zip(checks, [*checks[1:], None], strict=True):
        name = check.name if check.name != last_name else ""
        last_name = check.name
        _print(screen, Text(f"{check.state:9}", _STYLES[check.state]) + f"{name:{width}}  ", check.message)
        if check.hint and check.state != "ok" and not (following and _is_the_same(check, following)):
            _print(screen, Text(" " * (9 + width + 2)), f"-> {check.hint}")
    counts = {state: sum(check.state == state for check in checks) for state in _STYLES}
    warnings = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    screen.print(f"{counts['ok']} ok, {warnings}, {counts['failed']} failed")
    again = Profile(diagnosis.profile).hint("`procountor-auth doctor`").strip("`")
    token = Profile(diagnosis.profile).hint("`procountor-auth token`").strip("`")
    print_next(screen, f"fix what failed, then run {again}" if counts["failed"] else token)


def _is_the_same(check: Check, following: Check) -> bool:
    """Whether the next check has the same hint, which is printed once, below the last of them."""
    return (following.name, following.hint, following.state) == (check.name, check.hint, check.state)


def _print(screen: Console, label: Text, said: str) -> None:
    """Print a result beside its label, or below it on a narrow terminal."""
    if not screen.is_terminal:
        screen.print(label + said)
    elif screen.width >= _MIN_WIDTH:
        for number, line in enumerate(Text(said).wrap(screen, screen.width - label.cell_len)):
            line.rstrip()
            screen.print((label if number == 0 else Text(" " * label.cell_len)) + line)
    else:
        label.rstrip()
        if label:
            screen.print(label)
        screen.print(indented(said, 2))
