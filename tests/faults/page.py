"""Writes docs/faults.md from the tables: `python -m tests.faults.page` in the project's folder."""

from __future__ import annotations

import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.between import page as between
from tests.guests import page as guests
from tests.hosts import page as hosts

from .bridge import API, BROKEN, PROGRAMS, TOKEN_FAULTS, Told, told_at_call, told_at_login
from .callbacks import CALLBACKS
from .conftest import CALLS, GRANTS, SAFE
from .fault import Accepted, Refused
from .references import REFERENCES
from .resumed import IN_ANOTHER_PROCESS
from .sql_stores import GONE, POSTGRESQL, SHARED, SQL, SQLITE
from .stores import FILE
from .tables import AUTHORIZATION_ENDPOINT, TOKEN_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .fault import Fault
    from .outcome import Outcome

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"

ELSEWHERE: Final = (hosts, guests, between)
"""The tables outside of this folder, each a module with `summary` and `lines`."""

_HEAD: Final = """# Faults

This page lists the faults that the tests inject, and the outcome of each. Each case runs over real sockets against a
test server that misbehaves, or with a store that fails, once through `token()` in a thread and once through `atoken()`
in an event loop. Six checks apply to each case:

1. The outcome is the one in the table: the new token, or the exact error, with the right `retryable`.
2. The server receives exactly the number of requests in the table; the first number is for a grant that can be repeated
   (API key, legacy login), the second for a code or a refresh token, which work once.
3. No secret is in the output, the logs of every library at DEBUG, the warnings, or the error's text, `repr`,
   attributes, causes or traceback with all locals; neither raw, nor percent-encoded, nor as JSON.
4. The store contains the old token or the new one, complete, and no stray file.
5. The call ends within half a second of its deadline; time in which the machine itself stalls is not counted.
6. The interpreter's audit events show connections and name lookups for the configured host only, and a server that is
   the target of the redirects receives no request.

So a run that passes has no exceptions of other libraries, no wrongly accepted answers, no data sent to other hosts, and
no leaks. `make faults` writes this page from the tables in `tests/faults/`; a test fails if the two differ.

"""

_BRIDGE: Final = """
## The bridge

These tables list how a bridge responds to an old program during a fault: with errors in the API's own shape, or with
the standard's codes at the OAuth endpoints. The tests check the answer, that neither it nor any log contains a secret,
that nothing is sent to another host, and that an answer that the service breaks off never looks complete.
`tests/faults/test_bridge.py` also covers a store that is down or broken: logins fail without it, and known tokens keep
working during an outage.
"""


def summary() -> list[tuple[str, int, int, int]]:
    """Return for each table its name, its cases, and how many of them are accepted and refused."""
    rows = []
    for family in dict.fromkeys(fault.family for fault in TOKEN_ENDPOINT):
        faults = [fault for fault in TOKEN_ENDPOINT if fault.family == family]
        rows.append(_row(f"token endpoint: {family}", [_accepts(fault, grant) for fault in faults for grant in GRANTS]))
    for family in dict.fromkeys(fault.family for fault in AUTHORIZATION_ENDPOINT):
        faults = [fault for fault in AUTHORIZATION_ENDPOINT if fault.family == family]
        rows.append(_row(f"oauth/authz: {family}", [_accepts(fault, "legacy") for fault in faults]))
    rows.append(_row("loopback listener", [each.stays_open or each.id == "right" for each in CALLBACKS]))
    rows.append(_row("file store", [each.error is None for fault in FILE for each in (fault.key, fault.refresh)]))
    rows.append(_row("resumed login", [_accepts(fault, "resumed") for fault in TOKEN_ENDPOINT]))
    rows.append(
        _row("SQLite", [each.error is None for fault in (*SQL, *SQLITE) for each in (fault.key, fault.refresh)])
    )
    found = [each.error is None for fault in (*SHARED, *POSTGRESQL, *GONE) for each in (fault.key, fault.refresh)]
    rows.append(("PostgreSQL", len(found), sum(found), found.count(False)))
    rows.append(("secret references", len(REFERENCES) * 3, 0, len(REFERENCES) * 3))
    return rows + bridge_summary() + [row for each in ELSEWHERE for row in each.summary()]


def bridge_summary() -> list[tuple[str, int, int, int]]:
    """Return the same for the bridge's tables: accepted is what brings a code, or the service's own answer."""
    told = {
        "bridge: token endpoint": [
            told for fault in TOKEN_FAULTS for told in (told_at_login(fault), told_at_call(fault))
        ],
        "bridge: API": [fault.told for fault in API],
        "bridge: programs": [fault.told for fault in PROGRAMS],
    }
    rows = []
    for name, each in told.items():
        accepted = [one.theirs or one.status == HTTPStatus.FOUND for one in each]
        rows.append((name, len(accepted), sum(accepted), accepted.count(False)))
    return rows


def _accepts(fault: Fault, grant: str) -> bool:
    expected = fault.expected if grant in SAFE or fault.once is None else fault.once
    return isinstance(expected, Accepted)


def _row(name: str, accepted: list[bool]) -> tuple[str, int, int, int]:
    times = len(CALLS)
    return name, len(accepted) * times, sum(accepted) * times, accepted.count(False) * times


def page() -> str:
    """Return the whole page."""
    rows = summary()
    total = ("**all**", sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows))
    lines = ["| | cases | a token is returned | refused |", "|---|---:|---:|---:|"]
    lines += [f"| {name} | {cases} | {accepted} | {refused} |" for name, cases, accepted, refused in (*rows, total)]
    parts = [_HEAD, "\n".join(lines), "\n"]
    for title, faults in (("The token endpoint", TOKEN_ENDPOINT), ("oauth/authz", AUTHORIZATION_ENDPOINT)):
        parts += [f"\n## {title}\n\n| Fault | Outcome | Requests |\n|---|---|---|\n", *_lines(faults)]
    parts.append("\n## The loopback listener\n\n| Visitor | Answer | The login |\n|---|---|---|\n")
    for each in CALLBACKS:
        login = "continues" if each.stays_open else "completes" if each.id == "right" else "ends"
        parts.append(f"| {each.id} | {each.status or 'none'} | {login} |\n")
    parts.append(
        "\n## The file store\n\n| Fault | With an API key | With a refresh token |\n|---|---|---|\n"
        + "".join(f"| {fault.id} | {_outcome(fault.key)} | {_outcome(fault.refresh)} |\n" for fault in FILE)
    )
    parts += [*_database_lines(), *_resumed_lines(), *_reference_lines(), *_bridge_lines()]
    parts += [line for each in ELSEWHERE for line in each.lines()]
    return "".join(parts)


def _database_lines() -> Iterator[str]:
    yield "\n## The SQL store\n\nThe refresh token is replaced by each renewal.\n"
    tables = (("SQLite and PostgreSQL", SQL), ("SQLite", SQLITE), ("PostgreSQL", (*POSTGRESQL, *GONE)))
    for title, faults in tables:
        yield f"\n### {title}\n\n| Fault | With an API key | With a refresh token |\n|---|---|---|\n"
        for fault in faults:
            mark = " (SQLite only)" if fault in SQL and fault not in SHARED else ""
            yield f"| {fault.id}{mark} | {_outcome(fault.key)} | {_outcome(fault.refresh)} |\n"


def _resumed_lines() -> Iterator[str]:
    yield (
        "\n## A resumed login\n\n"
        "A login that one source has begun and saved, and another one resumes, meets each fault of the token endpoint. "
        "The\noutcomes are those of a code above. Some of the faults also meet a login that another process resumes:\n"
        "\n"
    )
    for fault in IN_ANOTHER_PROCESS:
        yield f"- {fault.family}: {fault.name}\n"


def _reference_lines() -> Iterator[str]:
    yield (
        "\n## Secret references\n\n"
        "`PROCOUNTOR_API_KEY` has a reference that can't be followed: in `TokenSource.from_env()`, in\n"
        "`procountor-auth token` and in `procountor-auth doctor`. Each error names the variable and what to do, and no "
        "request is\nsent.\n\n| Fault | Error |\n|---|---|\n"
    )
    for each in REFERENCES:
        yield f"| {each.id} | `{each.error.__name__}`{', retryable' if each.error.retryable else ''} |\n"


def _bridge_lines() -> Iterator[str]:
    yield _BRIDGE
    yield "\n### The service's token endpoint\n\n| Fault | Answer to a login | Answer to a call |\n|---|---|---|\n"
    for fault in TOKEN_FAULTS:
        login, call = _told(told_at_login(fault)), _told(told_at_call(fault))
        yield f"| {fault.family}: {fault.name} | {login} | {call} |\n"
    yield "\n### The service's API\n\n| Fault | Answer to a call | Requests |\n|---|---|---|\n"
    for each in API:
        yield f"| {each.name} | {_told(each.told)} | {each.calls} |\n"
    yield "\n### Invalid requests\n\n| Request | Answer |\n|---|---|\n"
    for each in PROGRAMS:
        yield f"| {each.name} | {_told(each.told)} |\n"


def _told(told: Told) -> str:
    if told.status == BROKEN:
        return "an answer that breaks off"
    if told.theirs:
        return f"the service's own {told.status}"
    if told.status == HTTPStatus.FOUND:
        return "302 with a code"
    error = f" `{told.error}`" if told.error else ""
    return f"{told.status}{error}{', `Retry-After`' if told.retry else ''}"


def _lines(faults: Iterable[Fault]) -> Iterator[str]:
    for fault in faults:
        once: Accepted | Refused = fault.once or fault.expected
        outcome = _words(fault.expected)
        if fault.once is not None:
            outcome += f"; a code or refresh token: {_words(once)}"
        yield f"| {fault.family}: {fault.name} | {outcome} | {fault.expected.safe}, {once.once} |\n"


def _words(expected: Accepted | Refused) -> str:
    if isinstance(expected, Refused):
        return f"`{expected.error.__name__}`{', retryable' if expected.retryable else ''}"
    lifetime = "" if expected.lifetime == 3600 else f", {expected.lifetime:g} s"
    return f"a token{lifetime}{'' if expected.refresh else ', the old refresh token is kept'}"


def _outcome(outcome: Outcome) -> str:
    kept = {
        "new": "",
        "old": ", the store keeps the old one",
        "none": ", the store is empty",
        "left": ", nothing changed",
    }
    what = "a token" if outcome.error is None else f"`{outcome.error.__name__}`"
    return what + kept[outcome.kept]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for name, cases, accepted, refused in summary():
        sys.stdout.write(f"{name:30} {cases:5} cases: {accepted:4} a token, {refused:4} refused\n")
