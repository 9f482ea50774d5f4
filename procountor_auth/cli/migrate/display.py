"""What the commands of `procountor-auth migrate` print as text."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.cli.output import console, indented, print_reasons, print_table
from procountor_auth.errors import printable
from procountor_auth.protocol.sunset import day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from procountor_auth.migration.finish import Finished
    from procountor_auth.migration.plan import Change, Plan
    from procountor_auth.migration.readiness import Readiness
    from procountor_auth.migration.status import ProfileStatus

_MAX_LISTED: Final = 20
"""Up to so many profiles have a line each; of more only those that need attention."""

_BAR_WIDTH: Final = 40

_COLOURS: Final = {"done": "green", "ready": "cyan", "blocked": "red"}


def show_results(results: Sequence[Readiness], *, ready: str, blocked: str) -> None:
    """Print the results of a check or a rehearsal.

    Args:
        results: The results.
        ready: The word for a profile that can switch.
        blocked: The word for one that can't.
    """
    screen = console()
    width = max((len(_label(result.profile)) for result in results), default=0)
    if len(results) <= _MAX_LISTED:
        for result in results:
            if not result.ready:
                continue
            line = Text(f"{_label(result.profile):{width}}  ")
            if not result.done:
                line += Text(f"{result.strategy} -> {result.target}  ")
            screen.print(line + Text("done" if result.done else ready, style="green"))
            for note in result.notes:
                screen.print(indented(note, 2, "yellow"))
    _show_blocked([result for result in results if not result.ready], blocked)
    counts = {
        ready: sum(result.ready and not result.done for result in results),
        blocked: sum(not result.ready for result in results),
        "done": sum(result.ready and result.done for result in results),
    }
    screen.print(_count(len(results)) + ": " + ", ".join(f"{number} {word}" for word, number in counts.items()))


def show_progress(results: Iterable[Readiness], total: int) -> Iterator[Readiness]:
    """Pass results on, and show on stderr how many there are: a bar on a terminal, a line now and then elsewhere."""
    from rich.progress import (  # noqa: PLC0415 - help need not wait for it
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    screen = console(stderr=True)
    if not screen.is_terminal:
        step = max(_MAX_LISTED, total // 10)
        for number, result in enumerate(results, start=1):
            if number % step == 0 and number < total:
                screen.print(f"{number} of {total} profiles rehearsed")
            yield result
        return
    columns = (TextColumn("rehearsal"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[blocked]}"))
    with Progress(*columns, TimeRemainingColumn(), console=screen, transient=True) as progress:
        task = progress.add_task("rehearsal", total=total, blocked="")
        blocked = 0
        for result in results:
            blocked += not result.ready
            progress.update(task, advance=1, blocked=f"{blocked} NO GO" if blocked else "")
            yield result


def show_plans(plans: Sequence[Plan]) -> None:
    """Print plans as diffs, with what blocks them."""
    screen = console()
    for plan in plans:
        readiness = plan.readiness
        label = _label(readiness.profile)
        if readiness.done and not plan.later:
            screen.print(f"{label}: nothing to do, {readiness.target} is in use")
            continue
        if not readiness.done:
            screen.print(Text(f"--- {label}: {readiness.strategy}", style="bold"))
            screen.print(Text(f"+++ {label}: {readiness.target}", style="bold"))
            _show_changes(plan.now)
        if plan.later:
            screen.print(Text(f"--- {label}: after the switch, with `migrate finish`", style="bold"))
            _show_changes(plan.later)
        if not readiness.ready:
            _show_blocked([readiness], "blocked")
        screen.print()


def print_switches(plans: Sequence[Plan]) -> None:
    """Print the line of a .env file that switches each profile that is ready; on stderr, what is left out."""
    for plan in plans:
        readiness = plan.readiness
        if readiness.ready and not readiness.done:
            variable, value = plan.switch
            sys.stdout.write(f"{printable(variable)}={shlex.quote(value)}\n")
    for plan in plans:
        readiness = plan.readiness
        if not readiness.ready:
            reasons = "; ".join(reason.message for reason in readiness.reasons)
            sys.stderr.write(f"# left out: {_label(readiness.profile)}: {printable(reasons)}\n")


def show_statuses(statuses: Sequence[ProfileStatus]) -> None:
    """Print a table with a line for each profile, what blocks profiles, and a bar with the counts."""
    from rich.table import Table  # noqa: PLC0415 - help need not wait for it

    screen = console()
    columns = _columns(statuses)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in columns:
        # Where the terminal is narrow, a long name is wrapped; nothing is cut off.
        table.add_column(heading, no_wrap=heading != "profile", overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    print_table(screen, table)
    _show_blocked([status.readiness for status in statuses if status.state == "blocked"], "blocked")
    if any(status.deprecated for status in statuses):
        screen.print(Text("* deprecated", style="yellow"))
    screen.print(_bar(statuses, screen.encoding))


def show_finished(finished: Sequence[Finished], old: str, *, dry_run: bool, all_done: bool) -> None:
    """Print what was removed, which variables to delete, and which profiles were left alone.

    Args:
        finished: What was done for each profile.
        old: The strategy that was left.
        dry_run: Whether nothing was removed.
        all_done: Whether every profile has switched.
    """
    screen = console()
    removed = sum(each.removed for each in finished)
    would = "would be " if dry_run else ""
    screen.print(f"{removed} stored {'token' if removed == 1 else 'tokens'} of {old} {would}removed.")
    delete: dict[str, dict[str, None]] = {}
    for change in (change for each in finished for change in each.delete):
        delete.setdefault(change.place, {})[change.variable] = None
    if delete:
        screen.print("Delete these now, wherever they are kept, and change the passwords that were in them:")
        for place, variables in list(delete.items())[:_MAX_LISTED]:
            screen.print(indented(f"{', '.join(variables)}  ({place})", 2))
        if len(delete) > _MAX_LISTED:
            screen.print(f"  and the same in {len(delete) - _MAX_LISTED} more places, which --json lists")
        if all_done:  # else the policy would shut out those who still need it
            screen.print("Then PROCOUNTOR_LEGACY_POLICY=error keeps the legacy login from coming back.")
    for each in finished:
        for note in each.readiness.notes:
            screen.print(Text(f"{_label(each.readiness.profile)}: {printable(note)}", style="yellow"))
    _show_left_alone([each.readiness for each in finished if not each.readiness.ready])


def _show_left_alone(profiles: Sequence[Readiness]) -> None:
    screen = console()
    not_switched = [each for each in profiles if each.reasons[0].code == "not_switched"]
    if not_switched:
        names = ", ".join(_label(each.profile) for each in not_switched[:_MAX_LISTED])
        names += ", …" if len(not_switched) > _MAX_LISTED else ""
        screen.print(Text(f"Not switched, and left alone ({_count(len(not_switched))}): {names}", style="yellow"))
        screen.print(indented(not_switched[0].reasons[0].hint, 2, "dim"))
    _show_blocked([each for each in profiles if each not in not_switched], "left alone")


def _show_blocked(profiles: Sequence[Readiness], word: str) -> None:
    screen = console()
    for each in profiles:
        screen.print(Text(f"{_label(each.profile)}  ") + Text(word, style="bold red"))
        print_reasons(screen, each.reasons)
        for note in each.notes:
            screen.print(indented(note, 2, "yellow"))


def _show_changes(changes: Sequence[Change]) -> None:
    screen = console()
    place = ""
    for change in changes:
        if change.place != place:
            place = change.place
            screen.print(Text(f"@@ {printable(place)} @@", style="cyan"))
        screen.print(Text(printable(str(change)), style={"+": "green", "-": "red"}.get(change.sign, "")))


def _columns(statuses: Sequence[ProfileStatus]) -> dict[str, list[Text]]:
    """Return the table, column by column, without those that would be empty."""
    columns = {
        "profile": [Text(_label(each.readiness.profile)) for each in statuses],
        "strategy": [
            Text(
                f"{each.readiness.strategy or '?'}{'*' if each.deprecated else ''}", "yellow" if each.deprecated else ""
            )
            for each in statuses
        ],
        "state": [Text(each.state, _COLOURS[each.state]) for each in statuses],
        "last token": [Text(_age(each.now - each.token.issued_at) if each.token else "none") for each in statuses],
        "rehearsed": [Text(_rehearsal(each)) for each in statuses],
        "refresh ends": [Text("" if each.refresh_days is None else f"{each.refresh_days} days") for each in statuses],
        "announced end": [
            Text(day(each.token.sunset_at) if each.token and each.token.sunset_at else "", "yellow")
            for each in statuses
        ],
    }
    return {heading: cells for heading, cells in columns.items() if any(cell.plain for cell in cells)}


def _rehearsal(status: ProfileStatus) -> str:
    if status.rehearsed is None:
        return ""
    return f"{'GO' if status.rehearsed.readiness.ready else 'NO GO'} {_age(status.now - status.rehearsed.at)}"


def _bar(statuses: Sequence[ProfileStatus], encoding: str) -> Text:
    """Return a bar that shows how many are done, ready and blocked."""
    counts = {state: sum(each.state == state for each in statuses) for state in ("done", "ready", "blocked")}
    try:
        "█▒░".encode(encoding)
        signs = "█▒░"
    except (UnicodeEncodeError, LookupError):
        signs = "#+."
    bar = Text()
    for (state, number), sign in zip(counts.items(), signs, strict=True):
        # A part that is not empty can be seen.
        width = max(1, round(_BAR_WIDTH * number / len(statuses))) if number else 0
        bar.append(sign * width, style=_COLOURS[state])
    bar.append(f"  {counts['done']} of {len(statuses)} done, {counts['ready']} ready, {counts['blocked']} blocked")
    return bar


def _age(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def _label(profile: str | None) -> str:
    return "this configuration" if profile is None else printable(profile)


def _count(number: int) -> str:
    return f"{number} profile" if number == 1 else f"{number} profiles"
