"""What `procountor-auth migrate status` prints as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.cli.screen import MAX_LISTED, WARNING, console, print_next
from procountor_auth.cli.table import print_table
from procountor_auth.protocol.sunset import day

from .blocked import show_blocked
from .labels import STATE_STYLES, STATES, age, count, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from procountor_auth.bridge.caller import Caller
    from procountor_auth.migration.status import ProfileStatus

_BAR_WIDTH: Final = 40

_MAX_NAME: Final = 24
"""Characters of a program's name in the table."""

_OTHER_LINES: Final = 9
"""Lines needed besides the table: its heading, a blocked profile, the counts, the next step, a prompt."""

_OPTIONAL_COLUMNS: Final = ("program", "refresh ends", "last token", "announced end", "rehearsed", "bridge")
"""The columns that are left out on a narrow terminal, the first one first."""


def show_statuses(statuses: Sequence[ProfileStatus], steps: Sequence[str], *, show_all: bool) -> None:
    """Print the state of profiles, what blocks some of them, and a bar with the counts.

    Each profile has a line of a table, unless there are more than the terminal has lines for.

    Args:
        statuses: The states.
        steps: What to do next.
        show_all: Print a line for each, however many there are.
    """
    screen = console()
    bridge = _bridge(statuses)
    most = min(MAX_LISTED, screen.height - _OTHER_LINES - len(bridge)) if screen.is_terminal else MAX_LISTED
    listed = show_all or len(statuses) <= most
    if listed:
        print_table(screen, _columns(statuses), _OPTIONAL_COLUMNS)
    blocked = [status.readiness for status in statuses if status.state == "blocked"]
    show_blocked(screen, blocked, "blocked", of=len(statuses), show_all=show_all)
    if not listed:
        for line in _summary(statuses):
            screen.print(line)
    elif any(status.deprecated for status in statuses):
        screen.print(Text("* deprecated", style=WARNING))
    for line in bridge:
        screen.print(Text(line, style=WARNING))
    _print_bar(screen, statuses)
    if not listed:
        screen.print("--all has a line for each profile.")
    print_next(screen, *steps)


def _columns(statuses: Sequence[ProfileStatus]) -> dict[str, list[Text]]:
    return {
        "profile": [Text(label(each.readiness.profile)) for each in statuses],
        "strategy": [Text(_strategy(each, "*"), WARNING if each.deprecated else "") for each in statuses],
        "state": [Text(STATES[each.state], STATE_STYLES[each.state]) for each in statuses],
        "last token": [Text(age(each.now - each.token.issued_at) if each.token else "none") for each in statuses],
        "rehearsed": [Text(_rehearsal(each)) for each in statuses],
        "refresh ends": [Text("" if each.refresh_days is None else _days(each.refresh_days)) for each in statuses],
        "announced end": [
            Text(day(each.token.sunset_at) if each.token and each.token.sunset_at else "", WARNING) for each in statuses
        ],
        "bridge": [
            Text(age(each.now - each.callers[0].last_login_at) if each.callers else "", WARNING) for each in statuses
        ],
        "program": [Text(_programs(each.callers)) for each in statuses],
    }


def _summary(statuses: Sequence[ProfileStatus]) -> list[str]:
    """Return a summary of a few lines, in place of a table of hundreds."""
    lines = ["strategies: " + _counted([_strategy(each, " (deprecated)") for each in statuses])]
    waiting = [each for each in statuses if each.state != "done"]
    said = [each.go for each in waiting if each.rehearsed is not None]
    if said:
        no_longer = f"{said.count(None)} no longer valid, " if None in said else ""
        lines.append(
            f"rehearsed: {said.count(True)} GO, {said.count(False)} NO GO, {no_longer}"
            f"{len(waiting) - len(said)} not rehearsed"
        )
    ends = [(each.refresh_days, label(each.readiness.profile)) for each in statuses if each.refresh_days is not None]
    if ends:
        first, name = min(ends)
        lines.append(f"refresh tokens: {len(ends)}, the first expires in {_days(first)} ({name})")
    announced = [each.token.sunset_at for each in statuses if each.token and each.token.sunset_at]
    if announced:
        lines.append(f"announced end: {day(min(announced))} ({count(len(announced))})")
    return lines


def _bridge(statuses: Sequence[ProfileStatus]) -> list[str]:
    """Return a line about the programs that still use the bridge, and one about finished profiles among them."""
    used = [each for each in statuses if each.callers]
    if not used:
        return []
    last = max(used, key=lambda each: each.callers[0].last_login_at)
    caller = last.callers[0]
    names = [label(last.readiness.profile)] if last.readiness.profile is not None else []
    who = ", ".join([*names, caller.user_agent or "a program without a name"])
    lines = [f"bridge: {count(len(used))}, last login {age(last.now - caller.last_login_at)} ({who})"]
    done = [each for each in used if each.state == "done" and each.has_old_programs]
    if done:
        have = "has" if len(done) == 1 else "have"
        lines.append(f"{count(len(done))} {have} switched, but a program still logs in through the bridge")
    return lines


def _programs(callers: Sequence[Caller]) -> str:
    """Return the name of the most recent program, and how many others there are."""
    if not callers:
        return ""
    name = callers[0].user_agent or "no name"
    shown = name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 3]}..."
    return f"{shown} and {len(callers) - 1} more" if callers[1:] else shown


def _counted(words: Sequence[str]) -> str:
    counts = {word: words.count(word) for word in dict.fromkeys(words)}
    return ", ".join(f"{number} {word}" for word, number in sorted(counts.items(), key=lambda item: -item[1]))


def _strategy(status: ProfileStatus, mark: str) -> str:
    return f"{status.readiness.strategy or '?'}{mark if status.deprecated else ''}"


def _rehearsal(status: ProfileStatus) -> str:
    if status.rehearsed is None:
        return ""
    words = {True: "GO ", False: "NO GO ", None: ""}  # without a word, a GO that no longer counts
    return words[status.go] + age(status.now - status.rehearsed.at)


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _print_bar(screen: Console, statuses: Sequence[ProfileStatus]) -> None:
    """Print a bar that shows how many are done, can switch and are blocked, and their numbers."""
    counts = {state: sum(each.state == state for each in statuses) for state in STATES}
    try:
        "█▒░".encode(screen.encoding)
        signs = "█▒░"
    except (UnicodeEncodeError, LookupError):
        signs = "#+."
    bar = Text()
    for (state, number), sign in zip(counts.items(), signs, strict=True):
        # Every part that is not empty is visible.
        width = max(1, round(_BAR_WIDTH * number / len(statuses))) if number else 0
        bar.append(sign * width, style=STATE_STYLES[state])
    numbers = (
        f"{counts['done']} of {len(statuses)} done, {counts['can_switch']} can switch, {counts['blocked']} blocked"
    )
    if bar.cell_len + 2 + len(numbers) <= screen.width:
        screen.print(bar + Text(f"  {numbers}"))
    else:
        screen.print(bar)
        screen.print(numbers)
