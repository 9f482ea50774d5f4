"""Writes docs/faults.md from the tables: `python -m tests.faults.page` in the project's folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .callbacks import CALLBACKS
from .conftest import CALLS, GRANTS, SAFE
from .fault import Accepted, Refused
from .stores import FILE, Outcome
from .tables import AUTHORIZATION_ENDPOINT, TOKEN_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .fault import Fault

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"

_HEAD: Final = """# Faults

What goes wrong in the tests, and what comes of it. Each case runs over real sockets against a server of the tests' own
that misbehaves, or with a store that fails, once through `token()` in a thread and once through `atoken()` in an
event loop. Six oracles judge each case:

1. The outcome is the one that stands here: the new token, or the exact error of ours, with the right `retryable`.
2. The server got exactly as many requests as stand here; the first number is for a grant that may be repeated (API key,
   legacy login), the second for a code or a refresh token, which work once.
3. No secret is in the output, the logs of every library at DEBUG, the warnings, the error's text, `repr`, attributes,
   causes, or in its traceback with all locals; raw, percent-encoded or as JSON.
4. The store holds the old token or the new one, whole, and no stray file.
5. The call ended within its deadline and half a second; what the machine itself stood still is not counted.
6. The interpreter's audit events show no connection and no name lookup but for the configured host, and a server
   to which the redirects lead has seen nobody.

So in a run that passes there are no exceptions of others, no answers that were wrongly accepted, no bytes to hosts
that were not configured, and no leaks. This page is written by `make faults` from the tables in `tests/faults/`; a
test fails if the two differ.

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
        login = "goes on" if each.stays_open else "is complete" if each.id == "right" else "ends"
        parts.append(f"| {each.id} | {each.status or 'none'} | {login} |\n")
    parts.append(
        "\n## The file store\n\n| Fault | With an API key | With a refresh token |\n|---|---|---|\n"
        + "".join(f"| {fault.id} | {_outcome(fault.key)} | {_outcome(fault.refresh)} |\n" for fault in FILE)
    )
    return "".join(parts)


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
