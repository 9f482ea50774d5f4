"""What ``procountor-auth status`` prints as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.cli.output import format_time
from procountor_auth.cli.screen import (
    BAD,
    GOOD,
    MAX_KINDS,
    MAX_LISTED,
    WARNING,
    console,
    group_by_reasons,
    names_text,
    print_next,
    print_reasons,
)
from procountor_auth.cli.table import print_pairs, print_table
from procountor_auth.errors import printable
from procountor_auth.protocol.sunset import SunsetNotice, day
from procountor_auth.settings.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from .report import Report

_OPTIONAL_COLUMNS: Final = ("token store", "host", "company", "refresh", "announced end")
"""The columns that are left out on a narrow terminal, the first one first."""

_COLOURS: Final = {"fresh": GOOD, "stale": GOOD, "expired": WARNING, "none": ""}


def show_one(report: Report) -> None:
    """Print everything about one profile."""
    screen = console()
    print_pairs(screen, _lines(report))
    print_reasons(screen, report.reasons)
    print_next(screen, *_steps([report]))


def _lines(report: Report) -> list[tuple[str, Text]]:
    lines = [] if report.profile is None else [("profile", Text(printable(report.profile)))]
    if report.provider is not None:
        settings = report.provider.settings
        deprecated = Text(f"{settings.strategy}, deprecated", WARNING)
        lines += [
            ("strategy", deprecated if report.deprecated else Text(settings.strategy)),
            ("host", Text(settings.endpoints.host)),
            ("client ID", Text(printable(settings.client_id or ""))),
            ("token store", Text(printable(settings.store_label))),
        ]
        if settings.fallback_strategy not in {None, settings.strategy}:
            lines.insert(-3, ("fallback", Text(str(settings.fallback_strategy), WARNING)))
        if report.provider.forgets:
            lines.append(("token", Text("in the memory of each program, where this command can't see it")))
        else:
            lines.append(("token", Text(_token_text(report), _COLOURS[report.token_state])))
    token = report.token
    if token is not None:
        if report.provider is not None and not report.provider.strategy.owns(token):
            lines.append(("by", Text(f"{token.strategy}, the fallback strategy", WARNING)))
        whose = f"{_id_text(token.company_id)}, user {_id_text(token.user_id)} (from the token)"
        lines.append(("company", Text(whose)))
        if token.refresh_expires_at is not None:
            expiry = f"expires {format_time(token.refresh_expires_at)}, in {_days(report)}"
            lines.append(("refresh token", Text(expiry)))
        if announcement := _announcement(report):
            lines.append(("announced", Text(announcement, WARNING)))
    if report.failure is not None and report.failure.retryable:
        lines.append(("last renewal", Text(printable(f"failed: {report.failure.message}"), WARNING)))
    return [*lines, ("state", _state(report))]


def show_many(reports: Sequence[Report], *, show_all: bool) -> None:
    """Print one line for each profile, unless there are many, and why some are not ready."""
    screen = console()
    for label, value in _shared(reports):
        screen.print(Text(printable(f"{label}: {value}")))
    listed = show_all or len(reports) <= MAX_LISTED
    if listed:
        print_table(screen, _columns(reports), _OPTIONAL_COLUMNS)
    else:
        _show_counts(screen, reports)
    kinds = group_by_reasons((report for report in reports if not report.ready), lambda report: report.reasons)
    shown = kinds if listed else kinds[:MAX_KINDS]
    for alike in shown:  # a store that is unavailable is reported once, not five hundred times
        names = [printable(report.profile or "") for report in alike]
        screen.print(Text(names_text(names, screen.width), "bold"))
        differ = any(report.reasons != alike[0].reasons for report in alike)
        print_reasons(screen, alike[0].reasons, hints_are_for=names[0] if differ else "")
    left = sum(map(len, kinds[len(shown) :]))
    if left:
        screen.print(Text(f"{left} more are not ready, for other reasons: --all lists them", WARNING))
    if listed and any(report.deprecated for report in reports):
        screen.print(Text("* deprecated", style=WARNING))
    ready = sum(report.ready for report in reports)
    all_of_them = "" if listed else ". --all lists each"
    screen.print(f"{len(reports)} profiles: {ready} ready, {len(reports) - ready} not ready{all_of_them}")
    print_next(screen, *_steps(reports))


def _show_counts(screen: Console, reports: Sequence[Report]) -> None:
    """Print a summary of two lines, in place of a table of hundreds."""
    strategies = Counter(_strategy(report).replace("*", " (deprecated)") or "unknown" for report in reports)
    tokens = Counter(report.token_state for report in reports)
    for label, counts in (("strategies", strategies), ("tokens", tokens)):
        screen.print(f"{label}: " + ", ".join(f"{number} {word}" for word, number in counts.most_common()))


def _steps(reports: Sequence[Report]) -> list[str]:
    """Return the next steps."""
    if not all(report.ready for report in reports):
        broken = next(report for report in reports if not report.ready)
        return [Profile(broken.profile).hint("`procountor-auth doctor` checks everything.").replace("`", "")]
    if any(report.deprecated for report in reports):
        return ["procountor-auth migrate check"]
    return ["procountor-auth token"] if len(reports) == 1 else []


def _shared(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """Return the host and the store, if all profiles have the same."""
    settings = [report.provider.settings for report in reports if report.provider is not None]
    values = {
        "host": {each.endpoints.host for each in settings},
        "token store": {each.store_label for each in settings},
    }
    return [(label, next(iter(names))) for label, names in values.items() if len(names) == 1]


def _columns(reports: Sequence[Report]) -> dict[str, list[Text]]:
    """Return the table, column by column; columns that are printed above it are empty."""
    above = dict(_shared(reports))
    return {
        "profile": [Text(printable(report.profile or "")) for report in reports],
        "state": [_state(report) for report in reports],
        "strategy": [Text(_strategy(report), WARNING if report.deprecated else "") for report in reports],
        "host": [Text(_host(report) if "host" not in above else "") for report in reports],
        "token store": [Text(printable(_store(report)) if "token store" not in above else "") for report in reports],
        "token": [Text(_short_token_text(report), _COLOURS[report.token_state]) for report in reports],
        "company": [Text(str(report.token.company_id or "") if report.token else "") for report in reports],
        "refresh": [Text("" if report.refresh_days is None else _days(report)) for report in reports],
        "announced end": [Text(_announced_end(report), WARNING) for report in reports],
    }


def _strategy(report: Report) -> str:
    return f"{report.provider.settings.strategy}{'*' if report.deprecated else ''}" if report.provider else ""


def _host(report: Report) -> str:
    return report.provider.settings.endpoints.host if report.provider else ""


def _store(report: Report) -> str:
    return report.provider.settings.store_label if report.provider else ""


def _state(report: Report) -> Text:
    return Text("ready", GOOD) if report.ready else Text("not ready", BAD)


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
    return str(SunsetNotice(report.token.deprecated_at, report.token.sunset_at)) if report.token else ""


def _announced_end(report: Report) -> str:
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
