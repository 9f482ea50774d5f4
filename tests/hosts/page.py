"""The part of docs/faults.md about hosts, from the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .hosts import HOSTS
from .runner import COMMANDS
from .table import USUAL, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """
## Hosts

These tables list how a command ends on unusual hosts: `TokenSource.from_env()`, `token()` with an API key (token) or
with a stored refresh token (renew), and the commands `status`, `doctor`, `migrate rehearse` and `login`, each in a
process of its own with the file store. The service replaces refresh tokens, so a lost response would be a lost login.
`tests/hosts/` has the hosts as data; `make hosts` runs every cell, and `make check` a fixed part of them.

"done", "fails", "configuration" and "interrupted" are the exit statuses 0, 1, 2 and 130; "ended" is the signal's own.
A frozen process is suspended for longer than `PROCOUNTOR_TIMEOUT`: its outcome depends on what has arrived
meanwhile. The summary above counts an outcome other than the usual host's as refused.

"""


def summary() -> list[tuple[str, int, int, int]]:
    """Return for each kind of host its cases, and how many of them come to what they should, or are refused."""
    rows = []
    for kind in dict.fromkeys(host.kind for host in HOSTS):
        outcomes = [
            expected(host, command)[0] == USUAL[command] for host in HOSTS if host.kind == kind for command in COMMANDS
        ]
        rows.append((f"host: {kind}", len(outcomes), sum(outcomes), outcomes.count(False)))
    return rows


def lines() -> Iterator[str]:
    """Yield the section of the page."""
    yield _HEAD
    yield f"| Host | {' | '.join(COMMANDS)} |\n|---|{'---|' * len(COMMANDS)}\n"
    for host in HOSTS:
        cells = (" or ".join(_word(each) for each in expected(host, command)) for command in COMMANDS)
        yield f"| {host.id} | {' | '.join(cells)} |\n"


def _word(outcome: str) -> str:
    return f"`{outcome}`" if outcome[:1].isupper() else outcome
