"""What `procountor-auth migrate finish` prints as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.cli.screen import MAX_LISTED, WARNING, console, indented, names_text, print_next
from procountor_auth.errors import printable
from procountor_auth.strategies.registry import find_strategy

from .blocked import show_blocked
from .labels import count, label
from .next_steps import leave_the_bridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from procountor_auth.migration.finish import Finished
    from procountor_auth.migration.readiness import Readiness

    from .call import Call

_EXAMPLES: Final = 5
"""How many places are shown at most."""


def show_finished(finished: Sequence[Finished], call: Call, *, dry_run: bool, all_done: bool) -> None:
    """Print what was removed, which variables to delete, and which profiles were left unchanged.

    Args:
        finished: What was done for each profile.
        call: What the command was called with.
        dry_run: Whether nothing was removed.
        all_done: Whether every profile has switched.
    """
    screen = console()
    removed = sum(each.removed for each in finished)
    would = "would be " if dry_run else ""
    screen.print(f"{removed} stored {'token' if removed == 1 else 'tokens'} of {call.old} {would}removed.")
    delete: dict[str, dict[str, None]] = {}
    has_passwords = False
    for change in (change for each in finished for change in each.delete):
        delete.setdefault(change.place, {})[change.variable] = None
        has_passwords |= change.setting == "password"
    if delete:
        passwords = ", and change the passwords that were in them" if has_passwords else ""
        screen.print(f"Delete these now, wherever they are kept{passwords}:")
        shown = list(delete.items())[: MAX_LISTED if len(delete) <= MAX_LISTED else _EXAMPLES]
        for place, variables in shown:
            screen.print(indented(f"{', '.join(variables)}  ({place})", 2))
        if len(delete) > len(shown):
            screen.print(indented(f"and the same in {len(delete) - len(shown)} more places; --json lists them", 2))
        old = find_strategy(call.old)
        # The policy would block profiles that still need it.
        if all_done and old is not None and old.lifecycle is not None:
            screen.print("Then set PROCOUNTOR_LEGACY_POLICY=error, so that the legacy login can't be used again.")
    _show_notes(screen, [each.readiness for each in finished])
    _show_left_alone(screen, [each.readiness for each in finished if not each.readiness.ready], of=len(finished))
    if dry_run and removed:
        print_next(screen, f"{call.command('finish')} removes them")
    elif not all_done:
        print_next(screen, call.command("status"))
    elif bridged := sum(each.has_old_programs for each in finished):
        print_next(screen, *leave_the_bridge(bridged, call))


def _show_notes(screen: Console, profiles: Sequence[Readiness]) -> None:
    """Print each note once, with the profiles concerned."""
    noted: dict[str, list[str]] = {}
    for each in profiles:
        for note in each.notes:
            noted.setdefault(printable(note), []).append(label(each.profile))
    for note, names in noted.items():
        whose = names[0] if len(names) == 1 else names_text(names, screen.width - 2)
        screen.print(Text(f"{whose}: {note}", style=WARNING))


def _show_left_alone(screen: Console, profiles: Sequence[Readiness], *, of: int) -> None:
    not_switched = [each for each in profiles if each.reasons[0].code == "not_switched"]
    if not_switched:
        names = [label(each.profile) for each in not_switched]
        prefix = f"Not switched, and left unchanged ({count(len(not_switched))}): "
        screen.print(Text(names_text(names, screen.width, prefix=prefix), style=WARNING))
        if len(not_switched) == 1:
            screen.print(indented(not_switched[0].reasons[0].hint, 2))
    show_blocked(screen, [each for each in profiles if each not in not_switched], "left alone", of=of)
