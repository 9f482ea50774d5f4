"""``procountor-auth status``: what is configured, and what the token store has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from rich.table import Table
from rich.text import Text

from .failure import FAILED
from .output import Json, console, moment, print_json, print_reasons, print_table, store_name
from .selection import AccountOption, ProfilesOption, chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.migration.verdict import Reason

    from .overview import Overview

_GAP: Final = 2
"""Characters between two columns."""

_NARROWEST: Final = 12
"""Characters that a profile's name has at least, before it is broken."""

_DISPENSABLE: Final = ("token store", "host", "company", "refresh", "announced end")
"""The columns that a narrow terminal goes without, the first ones first."""

_COLOURS: Final = {"fresh": "green", "stale": "green", "expired": "yellow", "none": ""}


def status(*, profile: ProfilesOption = None, account: AccountOption = "", as_json: Json = False) -> None:
    """Show what is configured, and what the token store has.

    Nothing is sent to Procountor. Exit status 1 says that some profile is not ready: its configuration is wrong, a
    person has to log in, the store can't be read, or the last renewal was refused. An expired token is no such reason:
    the next program renews it.
    """
    from procountor_auth.profiles import Profiles  # noqa: PLC0415 - help need not wait for it

    from .overview import overviews  # noqa: PLC0415 - the same

    profiles = Profiles.read()
    found = overviews(profiles, chosen(profiles, profile or []), account=account)
    if as_json:
        print_json({"profiles": [each.as_dict() for each in found]})
    elif len(found) == 1:
        _show_one(found[0])
    else:
        _show_many(found)
    if not all(each.ready for each in found):
        raise typer.Exit(FAILED)


def _show_one(found: Overview) -> None:
    screen = console()
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for label, value in _lines(found):
        lines.add_row(label, value)
    print_table(screen, lines)
    print_reasons(screen, found.reasons)


def _lines(found: Overview) -> list[tuple[str, Text]]:
    lines = [] if found.profile is None else [("profile", Text(found.profile))]
    if found.side is not None:
        settings = found.side.settings
        deprecated = Text(f"{settings.strategy}, deprecated", "yellow")
        lines += [
            ("strategy", deprecated if found.deprecated else Text(settings.strategy)),
            ("host", Text(settings.endpoints.host)),
            ("client ID", Text(settings.client_id or "")),
            ("token store", Text(store_name(settings))),
        ]
        if settings.fallback_strategy not in {None, settings.strategy}:
            lines.insert(-3, ("fallback", Text(str(settings.fallback_strategy), "yellow")))
        if found.side.forgets:
            lines.append(("token", Text("in the memory of each program, where this command can't see it")))
        else:
            lines.append(("token", Text(_token(found), _COLOURS[found.token_state])))
    token = found.token
    if token is not None:
        if found.side is not None and not found.side.strategy.serves(token):
            lines.append(("by", Text(f"{token.strategy}, the fallback strategy", "yellow")))
        whose = f"{_number(token.company_id)}, user {_number(token.user_id)}, as the token says"
        lines.append(("company", Text(whose)))
        if token.refresh_expires_at is not None:
            ends = f"ends {moment(token.refresh_expires_at)}, in {_days(found)}"
            lines.append(("refresh token", Text(ends)))
        if announced := _announced(found):
            lines.append(("announced", Text(announced, "yellow")))
    if found.failure is not None and found.failure.retryable:
        lines.append(("last renewal", Text(f"failed: {found.failure.message}", "yellow")))
    return [*lines, ("state", _state(found))]


def _show_many(found: Sequence[Overview]) -> None:
    screen = console()
    for label, value in _shared(found):
        screen.print(Text(f"{label}: {value}"))
    columns = _columns(found)
    left_out = _left_out(columns, screen.width)
    columns = {heading: cells for heading, cells in columns.items() if heading not in left_out}
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for heading in columns:
        # Where the terminal is narrow, a long name is broken; nothing is cut off.
        table.add_column(heading, no_wrap=heading != "profile", overflow="fold")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    print_table(screen, table)
    if left_out:
        screen.print(Text(f"This terminal has no room for: {', '.join(left_out)}. --json has everything.", "dim"))
    alike: dict[tuple[Reason, ...], list[Overview]] = {}
    for each in found:
        if not each.ready:
            alike.setdefault(each.reasons, []).append(each)
    for those in alike.values():  # a store that is down is said once, not five hundred times
        screen.print(Text(", ".join(each.profile or "" for each in those), "bold"))
        print_reasons(screen, those[0].reasons)
    if any(each.deprecated for each in found):
        screen.print(Text("* deprecated", style="yellow"))
    ready = sum(each.ready for each in found)
    screen.print(f"{len(found)} profiles: {ready} ready, {len(found) - ready} not ready")


def _shared(found: Sequence[Overview]) -> list[tuple[str, str]]:
    """Return the host and the store, where all have the same."""
    settings = [each.side.settings for each in found if each.side is not None]
    values = {
        "host": {each.endpoints.host for each in settings},
        "token store": {store_name(each) for each in settings},
    }
    return [(label, next(iter(names))) for label, names in values.items() if len(names) == 1]


def _columns(found: Sequence[Overview]) -> dict[str, list[Text]]:
    """Return the table, column by column, without those that would be empty, or that are said above it."""
    said = dict(_shared(found))
    columns = {
        "profile": [Text(each.profile or "") for each in found],
        "state": [_state(each) for each in found],
        "strategy": [Text(_strategy(each), "yellow" if each.deprecated else "") for each in found],
        "host": [Text(each.side.settings.endpoints.host if each.side and "host" not in said else "") for each in found],
        "token store": [
            Text(store_name(each.side.settings) if each.side and "token store" not in said else "") for each in found
        ],
        "token": [Text(_short_token(each), _COLOURS[each.token_state]) for each in found],
        "company": [Text(str(each.token.company_id or "") if each.token else "") for each in found],
        "refresh": [Text("" if each.refresh_days is None else _days(each)) for each in found],
        "announced end": [Text(_ends_on(each), "yellow") for each in found],
    }
    return {heading: cells for heading, cells in columns.items() if any(cell.plain for cell in cells)}


def _left_out(columns: dict[str, list[Text]], width: int) -> list[str]:
    """Return the headings of the columns that there is no room for."""
    widths = {heading: max(len(heading), *(len(cell.plain) for cell in cells)) for heading, cells in columns.items()}
    widths["profile"] = min(widths["profile"], _NARROWEST)
    left_out: list[str] = []
    for heading in _DISPENSABLE:
        if sum(widths.values()) + _GAP * len(widths) <= width:
            break
        if widths.pop(heading, None) is not None:
            left_out.append(heading)
    return left_out


def _strategy(found: Overview) -> str:
    return f"{found.side.settings.strategy}{'*' if found.deprecated else ''}" if found.side else ""


def _state(found: Overview) -> Text:
    return Text("ready", "green") if found.ready else Text("not ready", "bold red")


def _token(found: Overview) -> str:
    if found.token is None:
        return "none"
    word = "expired" if found.now >= found.token.expires_at else "ends"
    return f"{found.token_state}, {word} {moment(found.token.expires_at)}"


def _short_token(found: Overview) -> str:
    if found.token is None:
        return "" if found.side is None or found.side.forgets else "none"
    left = int((found.token.expires_at - found.now) // 60)
    state = found.token_state
    return state if left < 0 or state == "expired" else f"{state}, {left} min"


def _announced(found: Overview) -> str:
    from procountor_auth.protocol.ending import Ending  # noqa: PLC0415 - help need not wait for it

    return str(Ending(found.token.deprecated_at, found.token.sunset_at)) if found.token else ""


def _ends_on(found: Overview) -> str:
    from procountor_auth.protocol.ending import day  # noqa: PLC0415 - help need not wait for it

    if found.token is None:
        return ""
    if found.token.sunset_at is not None:
        return day(found.token.sunset_at)
    return "deprecated" if found.token.deprecated_at is not None else ""


def _days(found: Overview) -> str:
    days = found.refresh_days
    return "1 day" if days == 1 else f"{days} days"


def _number(number: int | None) -> str:
    return "unknown" if number is None else str(number)
