"""The profiles that can't switch, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from procountor_auth.cli.screen import (
    BAD,
    MAX_KINDS,
    MAX_LISTED,
    WARNING,
    group_by_reasons,
    indented,
    names_text,
    print_reasons,
)

from .labels import count, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from procountor_auth.migration.readiness import Readiness


def show_blocked(
    screen: Console,
    profiles: Sequence[Readiness],
    word: str,
    *,
    of: int,
    show_all: bool = False,
    brief: bool = False,
) -> None:
    """Print the blocked profiles with their reasons, separately or grouped by their reasons.

    Args:
        screen: Where to print it.
        profiles: The blocked profiles.
        word: The word for a blocked profile.
        of: How many profiles there are in all: if they are many, those with the same reasons are grouped.
        show_all: Print each profile separately, however many there are.
        brief: Leave out the hints of grouped profiles.
    """
    if show_all or of <= MAX_LISTED:
        for each in profiles:
            _show(screen, [each], word)
        return
    kinds = group_by_reasons(profiles, lambda each: each.reasons)
    for kind in kinds[:MAX_KINDS]:
        _show(screen, kind, word, brief=brief)
    left = [each for kind in kinds[MAX_KINDS:] for each in kind]
    if left:
        screen.print(Text(f"{count(len(left))} more {word}, for other reasons: --all lists them", style=WARNING))


def _show(screen: Console, alike: Sequence[Readiness], word: str, *, brief: bool = False) -> None:
    first = alike[0]
    names = [label(each.profile) for each in alike]
    line = names_text(names, screen.width - len(word) - 2)
    screen.print(Text(f"{line}  ") + Text(word, style=BAD))
    if brief:
        for reason in first.reasons:
            screen.print(indented(reason.message, 2))
        return
    if len(alike) > 1 and any(each.reasons != first.reasons for each in alike):
        print_reasons(screen, first.reasons, hints_are_for=names[0])
    else:
        print_reasons(screen, first.reasons)
    for note in first.notes:
        screen.print(indented(note, 2, WARNING))
