"""What `procountor-auth migrate plan` prints: diffs, or the lines that switch profiles."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from typing import TYPE_CHECKING, Final

import typer
from rich.text import Text

from procountor_auth.cli.screen import BAD, GOOD, NEUTRAL, console, indented, names_text, print_next
from procountor_auth.errors import printable
from procountor_auth.migration.plan import env_file_obstacle
from procountor_auth.strategies.registry import find_strategy

from .blocked import show_blocked
from .call import DEFAULT_OLD, from_option
from .labels import count, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from procountor_auth.migration.plan import Change, Plan
    from procountor_auth.settings.profiles import Profiles

_MAX_SHOWN: Final = 3
"""The most profiles that have separate diffs; if there are more, equal diffs are grouped."""


def show_plans(plans: Sequence[Plan], steps: Sequence[str], *, show_all: bool) -> None:
    """Print plans as diffs, with what blocks them.

    If there are many profiles, those with the same changes are grouped, with the first one as the example.

    Args:
        plans: The plans.
        steps: What to do next.
        show_all: Print each plan, however many there are.
    """
    screen = console()
    if show_all or len(plans) <= _MAX_SHOWN:
        for plan in plans:
            _show(screen, plan)
        print_next(screen, *steps)
        return
    alike: dict[object, list[Plan]] = {}
    for plan in plans:
        if plan.readiness.ready:
            alike.setdefault(_kind(plan), []).append(plan)
    for kind in sorted(alike.values(), key=len, reverse=True):
        names = [label(each.readiness.profile) for each in kind]
        if len(kind) > 1:
            screen.print(Text(names_text(names, screen.width, prefix=f"{len(kind)} alike: "), style="bold"))
        _show(screen, kind[0], brief=True)
    blocked = [plan.readiness for plan in plans if not plan.readiness.ready]
    show_blocked(screen, blocked, "blocked", of=len(plans), brief=True)
    can_switch = sum(plan.readiness.ready and not plan.readiness.done for plan in plans)
    done = len(plans) - can_switch - len(blocked)
    screen.print(
        f"{count(len(plans))}: {can_switch} can switch, {len(blocked)} blocked, {done} done. --all shows each."
    )
    print_next(screen, *steps)


def print_switches(plans: Sequence[Plan], profiles: Profiles) -> bool:
    """Print the line of a .env file for each profile that it switches; on stderr, the profiles that are left out.

    Args:
        plans: The plans.
        profiles: The profiles.

    Returns:
        Whether no profile is left out.
    """
    if _continues_a_file():
        typer.echo()  # its last line may lack a newline
    left_out: dict[str | None, str] = {}
    for plan in plans:
        readiness = plan.readiness
        if not readiness.ready:
            left_out[readiness.profile] = "; ".join(reason.message for reason in readiness.reasons)
        elif not readiness.done:
            obstacle = env_file_obstacle(profiles, readiness.profile)
            if obstacle:
                left_out[readiness.profile] = obstacle
            else:
                variable, value = plan.switch
                typer.echo(f"{printable(variable)}={shlex.quote(value)}")
    for profile, why in left_out.items():
        typer.echo(f"# left out: {label(profile)}: {printable(why)}", err=True)
    return not left_out


def _continues_a_file() -> bool:
    """Whether standard output is a file that is not empty, as with `>> .env`."""
    try:
        status = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _kind(plan: Plan) -> object:
    """Return a key that is equal for plans that differ only in the profile's name."""
    return (
        plan.readiness.strategy,
        tuple((change.sign, change.setting, change.value, change.kind_of_place) for change in (*plan.now, *plan.later)),
    )


def _show(screen: Console, plan: Plan, *, brief: bool = False) -> None:
    readiness = plan.readiness
    name = label(readiness.profile)
    if not readiness.ready:
        show_blocked(screen, [readiness], "blocked", of=1)
    if readiness.done and not plan.later:
        screen.print(f"{name}: nothing to do, {readiness.target} is in use")
        return
    if not readiness.done:
        screen.print(Text(f"--- {name}: {readiness.strategy or 'no strategy'}", style="bold"))
        screen.print(Text(f"+++ {name}: {readiness.target}", style="bold"))
        _show_changes(screen, plan.now)
    old = readiness.strategy if not readiness.done and readiness.strategy else DEFAULT_OLD
    finish = shlex.join(["migrate", "finish", *(from_option(old) if find_strategy(old) else ())])
    if plan.later and brief:
        names = ", ".join(change.setting for change in plan.later)
        screen.print(indented(f"after the switch, `{finish}` lists what to delete: {names}", 2))
    elif plan.later:
        screen.print(Text(f"--- {name}: after the switch, with `{finish}`", style="bold"))
        _show_changes(screen, plan.later)
    screen.print()


def _show_changes(screen: Console, changes: Sequence[Change]) -> None:
    place = ""
    for change in changes:
        if change.place != place:
            place = change.place
            screen.print(Text(f"@@ {printable(place)} @@", style=NEUTRAL))
        screen.print(Text(printable(str(change)), style={"+": GOOD, "-": BAD}.get(change.sign, "")))
