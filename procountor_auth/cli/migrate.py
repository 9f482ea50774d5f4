"""``procountor-auth migrate``: look, plan, rehearse, watch, and finish. None of it changes a configuration."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from procountor_auth.protocol.ending import day

from .failure import FAILED
from .output import Json, console, indented, print_json, print_reasons, print_table
from .selection import ProfilesOption, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from procountor_auth.migration.finish import Finished
    from procountor_auth.migration.plan import Change, Plan
    from procountor_auth.migration.record import Record
    from procountor_auth.migration.standing import Standing
    from procountor_auth.migration.verdict import Verdict
    from procountor_auth.profiles import Profiles

TARGET: Final = "client_credentials"

_FEW: Final = 20
"""Of so many profiles each has its line; of more only those that need attention."""

_BAR: Final = 40

_COLOURS: Final = {"done": "green", "ready": "cyan", "blocked": "red"}

app = typer.Typer(
    no_args_is_help=True,
    help="Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish.",
    epilog="The switch itself is one variable, PROCOUNTOR_STRATEGY; `migrate plan` writes it out. Exit status: 0 if "
    "all is well, 1 if some profile is blocked or something failed, 2 if the command or the configuration has to be "
    "written differently.",
)

To = Annotated[str, typer.Option("--to", metavar="STRATEGY", help="The strategy to switch to.")]
RecordOption = Annotated[
    Path | None,
    typer.Option("--record", metavar="FILE", help="Where rehearsals keep their results; by default a file of yours."),
]


@app.callback()
def root() -> None:
    """Move from the legacy login to another strategy: check, plan, rehearse, switch, watch, finish."""
    from procountor_auth.migration.lifecycle import LegacyAuthWarning  # noqa: PLC0415 - help need not wait for it

    # Whoever migrates knows that it is deprecated.
    warnings.simplefilter("ignore", LegacyAuthWarning)


@app.command()
def check(*, to: To = TARGET, profile: ProfilesOption = None, as_json: Json = False) -> None:
    """Say what is set, missing and wrong for a strategy, profile by profile. Nothing is sent to Procountor."""
    from procountor_auth.migration.check import check as check_one  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.migration.side import Connections  # noqa: PLC0415 - the same

    profiles, names = _selected(to, profile)
    connections = Connections()
    verdicts = [check_one(profiles, name, to, connections=connections) for name in names]
    if as_json:
        print_json({"profiles": [verdict.as_dict() for verdict in verdicts]})
    else:
        _show_verdicts(verdicts, ready="ready", blocked="blocked")
    _exit_if_blocked(verdicts)


@app.command()
def plan(
    *,
    to: To = TARGET,
    profile: ProfilesOption = None,
    env: Annotated[
        bool,
        typer.Option(
            "--env", help="Print the lines that switch the ready profiles, and nothing else: for a .env file."
        ),
    ] = False,
    record: RecordOption = None,
    as_json: Json = False,
) -> None:
    """Show the exact variables to add, change and remove, as a diff. Secrets are masked, blockers are named."""
    from procountor_auth.migration.plan import plan as plan_one  # noqa: PLC0415 - help need not wait for it

    profiles, names = _selected(to, profile)
    plans = [plan_one(profiles, stands.verdict) for stands in _standings(profiles, names, to, _record(record))]
    if as_json:
        print_json({"profiles": [each.as_dict() for each in plans]})
    elif env:
        _print_switches(plans)
    else:
        _show_plans(plans)
    _exit_if_blocked([each.verdict for each in plans])


@app.command()
def rehearse(
    *,
    to: To = TARGET,
    profile: ProfilesOption = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=64, metavar="N", help="How many profiles to try at the same time.")
    ] = 8,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="RESOURCE",
            help="A resource of the API that the user must be able to read, such as users. May be given many times.",
        ),
    ] = None,
    target_only: Annotated[
        bool,
        typer.Option(
            "--target-only",
            help="Don't try today's strategy, where that does not work any more; PROCOUNTOR_COMPANY says which company "
            "is right.",
        ),
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Try all profiles again, also those that said GO within the last day.")
    ] = False,
    record: RecordOption = None,
    as_json: Json = False,
) -> None:
    """Get a token with today's strategy and with the next, call sessioninfo with both, and say GO or NO GO.

    Nothing is switched, and the old token stays valid. It goes on where an interrupted rehearsal has stopped.
    """
    from procountor_auth.migration.rehearsal import Rehearsal  # noqa: PLC0415 - help need not wait for it

    resources = [_resource(path) for path in also or []]
    profiles, names = _selected(to, profile)
    rehearsal = Rehearsal(
        profiles,
        to,
        at_once=at_once,
        resources=resources,
        target_only=target_only,
        record=_record(record),
        fresh=fresh,
    )
    found = {verdict.profile: verdict for verdict in _watched(rehearsal.run(names), len(names))}
    verdicts = [found[name] for name in names]
    if as_json:
        print_json({"profiles": [verdict.as_dict() for verdict in verdicts]})
    else:
        _show_verdicts(verdicts, ready="GO", blocked="NO GO")
    _exit_if_blocked(verdicts)


@app.command()
def status(
    *, to: To = TARGET, profile: ProfilesOption = None, record: RecordOption = None, as_json: Json = False
) -> None:
    """Show where every profile stands: strategy, last token, days until the refresh token ends, ready or not."""
    profiles, names = _selected(to, profile)
    standings = list(_standings(profiles, names, to, _record(record)))
    if as_json:
        counts = {state: sum(each.state == state for each in standings) for state in ("done", "ready", "blocked")}
        print_json({"profiles": [each.as_dict() for each in standings], **counts})
    else:
        _show_standings(standings)
    _exit_if_blocked([each.verdict for each in standings])


@app.command()
def finish(
    *,
    old: Annotated[str, typer.Option("--from", metavar="STRATEGY", help="The strategy that was left.")] = (
        "legacy_password"
    ),
    profile: ProfilesOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the old strategy's stored tokens of profiles that have switched, and name the secrets to delete.

    After it the way back begins with a new login. Profiles that have not switched are left alone.
    """
    from procountor_auth.migration.finish import finish as finish_one  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.migration.side import Connections  # noqa: PLC0415 - the same

    profiles, names = _selected(old, profile, option="--from")
    connections = Connections()
    done = [finish_one(profiles, name, old, connections=connections, dry_run=dry_run) for name in names]
    # What is common to all stays while one profile may need it.
    all_done = all(each.verdict.ready for each in done) and len(names) >= len(profiles)
    done = [
        each._replace(delete=tuple(change for change in each.delete if all_done or not change.shared)) for each in done
    ]
    if as_json:
        print_json({"profiles": [each.as_dict() for each in done]})
    else:
        _show_finished(done, old, dry_run=dry_run, all_done=all_done)
    _exit_if_blocked([each.verdict for each in done])


def _show_finished(done: Sequence[Finished], old: str, *, dry_run: bool, all_done: bool) -> None:
    screen = console()
    removed = sum(each.removed for each in done)
    would = "would be " if dry_run else ""
    screen.print(f"{removed} stored {'token' if removed == 1 else 'tokens'} of {old} {would}removed.")
    delete: dict[str, dict[str, None]] = {}
    for change in (change for each in done for change in each.delete):
        delete.setdefault(change.place, {})[change.variable] = None
    if delete:
        screen.print("Delete these now, wherever they are kept, and change the passwords that were in them:")
        for place, variables in list(delete.items())[:_FEW]:
            screen.print(indented(f"{', '.join(variables)}  ({place})", 2))
        if len(delete) > _FEW:
            screen.print(f"  and the same in {len(delete) - _FEW} more places, which --json lists")
        if all_done:  # else the policy would shut out those who still need it
            screen.print("Then PROCOUNTOR_LEGACY_POLICY=error keeps the legacy login from coming back.")
    for each in done:
        for note in each.verdict.notes:
            screen.print(Text(f"{_named(each.verdict.profile)}: {note}", style="yellow"))
    left = [each.verdict for each in done if not each.verdict.ready]
    late = [verdict for verdict in left if verdict.reasons[0].code == "not_switched"]
    if late:
        names = ", ".join(_named(verdict.profile) for verdict in late[:_FEW]) + (", …" if len(late) > _FEW else "")
        screen.print(Text(f"Not switched, and left alone ({_counted(len(late))}): {names}", style="yellow"))
        screen.print(indented(late[0].reasons[0].hint, 2, "dim"))
    _show_blocked([verdict for verdict in left if verdict not in late], "left alone")


def _selected(strategy: str, names: list[str] | None, *, option: str = "--to") -> tuple[Profiles, list[str | None]]:
    from procountor_auth.profiles import Profiles  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.strategies.registry import find_strategy, strategy_names  # noqa: PLC0415 - the same

    if find_strategy(strategy) is None:
        raise typer.BadParameter(f"must be one of {', '.join(strategy_names())}", param_hint=option)
    profiles = Profiles.read()
    return profiles, chosen(profiles, names or [])


def _standings(profiles: Profiles, names: Sequence[str | None], to: str, record: Record) -> Iterator[Standing]:
    from procountor_auth.migration.side import Connections  # noqa: PLC0415 - help need not wait for it
    from procountor_auth.migration.standing import standing  # noqa: PLC0415 - the same

    connections = Connections()
    return (standing(profiles, name, to, connections=connections, record=record) for name in names)


def _record(path: Path | None) -> Record:
    from procountor_auth.migration.record import Record  # noqa: PLC0415 - help need not wait for it

    return Record.default() if path is None else Record(path)


def _resource(path: str) -> str:
    if not path or not all(part and part.strip("._-~").isalnum() for part in path.strip("/").split("/")):
        raise typer.BadParameter("must be a path below the API's base, such as users", param_hint="--also")
    return path.strip("/")


def _watched(verdicts: Iterable[Verdict], total: int) -> Iterator[Verdict]:
    """Show on stderr how far the rehearsal is: a bar on a terminal, a line now and then elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    screen = console(stderr=True)
    if not screen.is_terminal:
        step = max(_FEW, total // 10)
        for number, verdict in enumerate(verdicts, start=1):
            if number % step == 0 and number < total:
                screen.print(f"{number} of {total} profiles rehearsed")
            yield verdict
        return
    columns = (TextColumn("rehearsal"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[blocked]}"))
    with Progress(*columns, TimeRemainingColumn(), console=screen, transient=True) as progress:
        task = progress.add_task("rehearsal", total=total, blocked="")
        blocked = 0
        for verdict in verdicts:
            blocked += not verdict.ready
            progress.update(task, advance=1, blocked=f"{blocked} NO GO" if blocked else "")
            yield verdict


def _exit_if_blocked(verdicts: Iterable[Verdict]) -> None:
    if not all(verdict.ready for verdict in verdicts):
        raise typer.Exit(FAILED)


def _named(profile: str | None) -> str:
    return "this configuration" if profile is None else profile


def _show_verdicts(verdicts: Sequence[Verdict], *, ready: str, blocked: str) -> None:
    screen = console()
    width = max((len(_named(verdict.profile)) for verdict in verdicts), default=0)
    if len(verdicts) <= _FEW:
        for verdict in verdicts:
            if not verdict.ready:
                continue
            word = Text("done" if verdict.done else ready, style="green")
            line = Text(f"{_named(verdict.profile):{width}}  {verdict.strategy} -> {verdict.target}  ")
            screen.print(line + word if not verdict.done else Text(f"{_named(verdict.profile):{width}}  ") + word)
            for note in verdict.notes:
                screen.print(indented(note, 2, "yellow"))
    _show_blocked([verdict for verdict in verdicts if not verdict.ready], blocked)
    counts = {
        ready: sum(verdict.ready and not verdict.done for verdict in verdicts),
        blocked: sum(not verdict.ready for verdict in verdicts),
        "done": sum(verdict.ready and verdict.done for verdict in verdicts),
    }
    screen.print(_counted(len(verdicts)) + ": " + ", ".join(f"{number} {word}" for word, number in counts.items()))


def _show_blocked(verdicts: Sequence[Verdict], word: str) -> None:
    screen = console()
    for verdict in verdicts:
        screen.print(Text(f"{_named(verdict.profile)}  ") + Text(word, style="bold red"))
        print_reasons(screen, verdict.reasons)
        for note in verdict.notes:
            screen.print(indented(note, 2, "yellow"))


def _counted(number: int) -> str:
    return f"{number} profile" if number == 1 else f"{number} profiles"


def _show_plans(plans: Sequence[Plan]) -> None:
    screen = console()
    for each in plans:
        verdict = each.verdict
        name = _named(verdict.profile)
        if verdict.done and not each.later:
            screen.print(f"{name}: nothing to do, {verdict.target} is in use")
            continue
        if not verdict.done:
            screen.print(Text(f"--- {name}: {verdict.strategy}", style="bold"))
            screen.print(Text(f"+++ {name}: {verdict.target}", style="bold"))
            _show_changes(each.now)
        if each.later:
            screen.print(Text(f"--- {name}: after the switch, with `migrate finish`", style="bold"))
            _show_changes(each.later)
        if not verdict.ready:
            _show_blocked([verdict], "blocked")
        screen.print()


def _show_changes(changes: Sequence[Change]) -> None:
    screen = console()
    place = ""
    for change in changes:
        if change.place != place:
            place = change.place
            screen.print(Text(f"@@ {place} @@", style="cyan"))
        screen.print(Text(str(change), style={"+": "green", "-": "red"}.get(change.sign, "")))


def _print_switches(plans: Sequence[Plan]) -> None:
    for each in plans:
        verdict = each.verdict
        if verdict.ready and not verdict.done:
            variable, value = each.switch
            sys.stdout.write(f"{variable}={shlex.quote(value)}\n")
    for each in plans:
        if not each.verdict.ready:
            reasons = "; ".join(reason.message for reason in each.verdict.reasons)
            sys.stderr.write(f"# left out: {_named(each.verdict.profile)}: {reasons}\n")


def _show_standings(standings: Sequence[Standing]) -> None:
    from rich.table import Table  # noqa: PLC0415 - help need not wait for it

    screen = console()
    columns = _columns(standings)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in columns:
        # Where the terminal is narrow, a long name is broken; nothing is cut off.
        table.add_column(heading, no_wrap=heading != "profile", overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    print_table(screen, table)
    _show_blocked([each.verdict for each in standings if each.state == "blocked"], "blocked")
    if any(each.deprecated for each in standings):
        screen.print(Text("* deprecated", style="yellow"))
    screen.print(_picture(standings, screen.encoding))


def _columns(standings: Sequence[Standing]) -> dict[str, list[Text]]:
    """Return the table, column by column, without those that would be empty."""
    columns = {
        "profile": [Text(_named(each.verdict.profile)) for each in standings],
        "strategy": [
            Text(f"{each.verdict.strategy or '?'}{'*' if each.deprecated else ''}", "yellow" if each.deprecated else "")
            for each in standings
        ],
        "state": [Text(each.state, _COLOURS[each.state]) for each in standings],
        "last token": [Text(_ago(each.now - each.token.issued_at) if each.token else "none") for each in standings],
        "rehearsed": [Text(_rehearsed(each)) for each in standings],
        "refresh ends": [Text("" if each.refresh_days is None else f"{each.refresh_days} days") for each in standings],
        "announced end": [
            Text(day(each.token.sunset_at) if each.token and each.token.sunset_at else "", "yellow")
            for each in standings
        ],
    }
    return {heading: cells for heading, cells in columns.items() if any(cell.plain for cell in cells)}


def _rehearsed(each: Standing) -> str:
    if each.rehearsed is None:
        return ""
    return f"{'GO' if each.rehearsed.verdict.ready else 'NO GO'} {_ago(each.now - each.rehearsed.at)}"


def _picture(standings: Sequence[Standing], encoding: str) -> Text:
    """Draw how many are done, ready and blocked."""
    counts = {state: sum(each.state == state for each in standings) for state in ("done", "ready", "blocked")}
    try:
        "█▒░".encode(encoding)
        signs = "█▒░"
    except (UnicodeEncodeError, LookupError):
        signs = "#+."
    picture = Text()
    for (state, number), sign in zip(counts.items(), signs, strict=True):
        picture.append(sign * _share(number, len(standings)), style=_COLOURS[state])
    picture.append(f"  {counts['done']} of {len(standings)} done, {counts['ready']} ready, {counts['blocked']} blocked")
    return picture


def _share(number: int, total: int) -> int:
    """Return how long a part of the bar is; a part that is there can be seen."""
    return max(1, round(_BAR * number / total)) if number else 0


def _ago(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"
