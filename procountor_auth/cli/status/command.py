"""``procountor-auth status``: what is configured, and what the token store has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from rich.table import Table
from rich.text import Text

from procountor_auth.cli.exit_status import FAILED
from procountor_auth.cli.options import AccountOption, ProfilesOption, select_profiles
from procountor_auth.cli.output import Json, console, format_time, print_json, print_reasons, print_table
from procountor_auth.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.migration.readiness import Reason

    from .report import Report

_COLUMN_GAP: Final = 2
"""Characters between two columns."""

_MIN_NAME_WIDTH: Final = 12
"""Characters that the column of the profiles' names has at least, before they are wrapped."""

_OPTIONAL_COLUMNS: Final = ("token store", "host", "company", "refresh", "announced end")
"""The columns that a narrow terminal goes without, beginning with the first."""

_COLOURS: Final = {"fresh": "green", "stale": "green", "expired": "yellow", "none": ""}


def status(*, profile: ProfilesOption = None, account: AccountOption = "", as_json: Json = False) -> None:
    """Show what is configured, and what the token store has.

    Nothing is sent to Procountor. Exit status 1 says that some profile is not ready: its configuration is wrong, a
    person has to log in, the store can't be read, or the last renewal was refused. An expired token is no such reason:
    the next program renews it.
    """
    from procountor_auth.settings.profiles import Profiles  # noqa: PLC0415 - help need not wait for it

    from .report import make_reports  # noqa: PLC0415 - the same

    profiles = Profiles.read()
    reports = make_reports(profiles, select_profiles(profiles, profile or []), account=account)
    if as_json:
        print_json({"profiles": [report.as_dict() for report in reports]})
    elif len(reports) == 1:
        _show_one(reports[0])
    else:
        _show_many(reports)
    if not all(report.ready for report in reports):
        raise typer.Exit(FAILED)


def _show_one(report: Report) -> None:
    screen = console()
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for label, value in _lines(report):
        lines.add_row(label, value)
    print_table(screen, lines)
    print_reasons(screen, report.reasons)


def _lines(report: Report) -> list[tuple[str, Text]]:
    lines = [] if report.profile is None else [("profile", Text(printable(report.profile)))]
    if report.provider is not None:
        settings = report.provider.settings
        deprecated = Text(f"{settings.strategy}, deprecated", "yellow")
        lines += [
            ("strategy", deprecated if report.deprecated else Text(settings.strategy)),
            ("host", Text(settings.endpoints.host)),
            ("client ID", Text(printable(settings.client_id or ""))),
            ("token store", Text(printable(settings.store_label))),
        ]
        if settings.fallback_strategy not in {None, settings.strategy}:
            lines.insert(-3, ("fallback", Text(str(settings.fallback_strategy), "yellow")))
        if report.provider.forgets:
            lines.append(("token", Text("in the memory of each program, where this command can't see it")))
        else:
            lines.append(("token", Text(_token_text(report), _COLOURS[report.token_state])))
    token = report.token
    if token is not None:
        if report.provider is not None and not report.provider.strategy.owns(token):
            lines.append(("by", Text(f"{token.strategy}, the fallback strategy", "yellow")))
        whose = f"{_id_text(token.company_id)}, user {_id_text(token.user_id)}, as the token says"
        lines.append(("company", Text(whose)))
        if token.refresh_expires_at is not None:
            expiry = f"ends {format_time(token.refresh_expires_at)}, in {_days(report)}"
            lines.append(("refresh token", Text(expiry)))
        if announcement := _announcement(report):
            lines.append(("announced", Text(announcement, "yellow")))
    if report.failure is not None and report.failure.retryable:
        lines.append(("last renewal", Text(printable(f"failed: {report.failure.message}"), "yellow")))
    return [*lines, ("state", _state(report))]


def _show_many(reports: Sequence[Report]) -> None:
    screen = console()
    for label, value in _shared(reports):
        screen.print(Text(printable(f"{label}: {value}")))
    columns = _columns(reports)
    left_out = _left_out(columns, screen.width)
    columns = {heading: cells for heading, cells in columns.items() if heading not in left_out}
    table = Table(box=None, padding=(0, _COLUMN_GAP, 0, 0), pad_edge=False)
    for heading in columns:
        # Where the terminal is narrow, a long name is wrapped; nothing is cut off.
        table.add_column(heading, no_wrap=heading != "profile", overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    print_table(screen, table)
    if left_out:
        screen.print(Text(f"This terminal has no room for: {', '.join(left_out)}. --json has everything.", "dim"))
    by_reasons: dict[tuple[Reason, ...], list[Report]] = {}
    for report in reports:
        if not report.ready:
            by_reasons.setdefault(report.reasons, []).append(report)
    for reasons, alike in by_reasons.items():  # a store that is down is named once, not five hundred times
        screen.print(Text(printable(", ".join(report.profile or "" for report in alike)), "bold"))
        print_reasons(screen, reasons)
    if any(report.deprecated for report in reports):
        screen.print(Text("* deprecated", style="yellow"))
    ready = sum(report.ready for report in reports)
    screen.print(f"{len(reports)} profiles: {ready} ready, {len(reports) - ready} not ready")


def _shared(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """Return the host and the store, where all have the same."""
    settings = [report.provider.settings for report in reports if report.provider is not None]
    values = {
        "host": {each.endpoints.host for each in settings},
        "token store": {each.store_label for each in settings},
    }
    return [(label, next(iter(names))) for label, names in values.items() if len(names) == 1]


def _columns(reports: Sequence[Report]) -> dict[str, list[Text]]:
    """Return the table, column by column, without those that would be empty, or that stand above it."""
    above = dict(_shared(reports))
    columns = {
        "profile": [Text(printable(report.profile or "")) for report in reports],
        "state": [_state(report) for report in reports],
        "strategy": [Text(_strategy(report), "yellow" if report.deprecated else "") for report in reports],
        "host": [Text(_host(report) if "host" not in above else "") for report in reports],
        "token store": [Text(printable(_store(report)) if "token store" not in above else "") for report in reports],
        "token": [Text(_short_token_text(report), _COLOURS[report.token_state]) for report in reports],
        "company": [Text(str(report.token.company_id or "") if report.token else "") for report in reports],
        "refresh": [Text("" if report.refresh_days is None else _days(report)) for report in reports],
        "announced end": [Text(_announced_end(report), "yellow") for report in reports],
    }
    return {heading: cells for heading, cells in columns.items() if any(cell.plain for cell in cells)}


def _left_out(columns: dict[str, list[Text]], width: int) -> list[str]:
    """Return the headings of the columns that there is no room for."""
    widths = {heading: max(len(heading), *(len(cell.plain) for cell in cells)) for heading, cells in columns.items()}
    widths["profile"] = min(widths["profile"], _MIN_NAME_WIDTH)
    left_out: list[str] = []
    for heading in _OPTIONAL_COLUMNS:
        if sum(widths.values()) + _COLUMN_GAP * len(widths) <= width:
            break
        if widths.pop(heading, None) is not None:
            left_out.append(heading)
    return left_out


def _strategy(report: Report) -> str:
    return f"{report.provider.settings.strategy}{'*' if report.deprecated else ''}" if report.provider else ""


def _host(report: Report) -> str:
    return report.provider.settings.endpoints.host if report.provider else ""


def _store(report: Report) -> str:
    return report.provider.settings.store_label if report.provider else ""


def _state(report: Report) -> Text:
    return Text("ready", "green") if report.ready else Text("not ready", "bold red")


def _token_text(report: Report) -> str:
    if report.token is None:
        return "none"
    word = "expired" if report.now >= report.token.expires_at else "ends"
    return f"{report.token_state}, {word} {format_time(report.token.expires_at)}"


def _short_token_text(report: Report) -> str:
    if report.token is None:
        return "" if report.provider is None or report.provider.forgets else "none"
    left = int((report.token.expires_at - report.now) // 60)
    state = report.token_state
    return state if left < 0 or state == "expired" else f"{state}, {left} min"


def _announcement(report: Report) -> str:
    from procountor_auth.protocol.sunset import SunsetNotice  # noqa: PLC0415 - help need not wait for it

    return str(SunsetNotice(report.token.deprecated_at, report.token.sunset_at)) if report.token else ""


def _announced_end(report: Report) -> str:
    from procountor_auth.protocol.sunset import day  # noqa: PLC0415 - help need not wait for it

    if report.token is None:
        return ""
    if report.token.sunset_at is not None:
        return day(report.token.sunset_at)
    return "deprecated" if report.token.deprecated_at is not None else ""


def _days(report: Report) -> str:
    days = report.refresh_days
    return "1 day" if days == 1 else f"{days} days"


def _id_text(number: int | None) -> str:
    return "unknown" if number is None else str(number)
