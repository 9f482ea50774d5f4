"""What ``procountor-auth store list`` and ``prune`` print as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from procountor_auth.bridge.records import PREFIX
from procountor_auth.cli.screen import MAX_LISTED, WARNING, console, indented, print_next, print_reasons
from procountor_auth.cli.store.inventory import StoredEntry
from procountor_auth.cli.table import print_table
from procountor_auth.errors import printable
from procountor_auth.migration.readiness import reasons_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from procountor_auth.cli.store.inventory import Inventory, StoredLeftover
    from procountor_auth.cli.store.pruning import Outcome, Pruned

_KEY_LENGTH: Final = 10
"""How many characters of a key's hash are shown; --json has all of them."""

_OPTIONAL_COLUMNS: Final = ("store", "size", "age", "refresh token", "company")
"""The columns that are left out on a narrow terminal, the first one first."""

_STATES: Final = {
    "empty": "none",
    "sealed": "sealed with\nanother key",
    "newer": "of a newer\nversion",
    "damaged": "damaged",
    "unreadable": "can't be read",
}

_KINDS: Final = {
    "lock": "lock files without an entry",
    "temporary": "temporary files of writers that were killed",
    "damaged": "damaged entries that were set aside; they may contain tokens",
    "foreign": "not ours",
}


def show_inventory(inventory: Inventory) -> None:
    """Print a line for each entry, the other contents of the stores, and what could not be read."""
    screen = console()
    labels = {entry.label for entry in inventory.entries}
    if len(labels) == 1:
        screen.print(Text(printable(f"token store: {labels.pop()}")))
    if inventory.entries:
        print_table(screen, _columns(inventory.entries), _OPTIONAL_COLUMNS)
    _show_leftovers(screen, inventory.leftovers)
    for name, reasons in inventory.problems:
        if name:
            screen.print(Text(printable(name), "bold"))
        print_reasons(screen, reasons)
    total = len(inventory.entries)
    unused = sum(not entry.users for entry in inventory.entries)
    dead = sum(not entry.users and entry.worth == "nothing" for entry in inventory.entries)
    line = f"{_count(total, 'entry', 'entries')}: {total - unused} used, {unused} unused"
    screen.print(line)
    if inventory.usage.unread:
        screen.print(Text("Unused entries may belong to a profile that can't be read.", WARNING))
    elif dead:
        print_next(screen, f"procountor-auth store prune removes {dead} that can no longer be used")


def show_pruned(pruned: Pruned, *, dry_run: bool) -> None:
    """Print a line for everything that was removed, and why unused entries were kept."""
    screen = console()
    verb = "would remove" if dry_run else "removed"
    for outcome in (*pruned.entries, *pruned.leftovers):
        if outcome.removed:
            screen.print(Text(printable(f"{verb} {_name(outcome, screen)}")))
    left = [each for each in (*pruned.entries, *pruned.leftovers) if not each.removed and not _is_used(each)]
    for outcome in left[:MAX_LISTED]:
        screen.print(Text(printable(f"kept {_name(outcome, screen)}: {outcome.reason}"), WARNING))
    if len(left) > MAX_LISTED:
        screen.print(Text(f"kept {len(left) - MAX_LISTED} more; --json lists all", WARNING))
    for label, error in pruned.unlisted.items():
        screen.print(Text(printable(label), "bold"))
        print_reasons(screen, reasons_of(error))
    entries = sum(each.removed for each in pruned.entries)
    files = sum(each.removed for each in pruned.leftovers)
    used = sum(_is_used(each) for each in pruned.entries)
    counts = f"{_count(entries, 'entry', 'entries')}" + (f" and {_count(files, 'file', 'files')}" if files else "")
    would = "would be removed" if dry_run else "removed"
    screen.print(f"{counts} {would}; {used} in use, {len(left)} kept")
    if pruned.logins:
        hint = f"{pruned.logins} unused kept: removing them would lose a login or a valid token; see --all-unused."
        screen.print(indented(hint, 0))


def _columns(entries: Sequence[StoredEntry]) -> dict[str, list[Text]]:
    several = len({entry.label for entry in entries}) > 1
    columns = {
        "entry": [_key(entry) for entry in entries],
        "token": [_token_text(entry) for entry in entries],
        "refresh token": [_refresh_text(entry) for entry in entries],
        "strategy": [printable(entry.token.strategy) if entry.token else "" for entry in entries],
        "company": [str(entry.token.company_id or "") if entry.token else "" for entry in entries],
        "age": [_age_text(entry) for entry in entries],
        "size": [f"{entry.listed.size} B" for entry in entries],
        "store": [printable(entry.label) if several else "" for entry in entries],
        "used by": [_users_text(entry) for entry in entries],
    }
    return {heading: [Text(cell) for cell in cells] for heading, cells in columns.items()}


def _show_leftovers(screen: Console, leftovers: Sequence[StoredLeftover]) -> None:
    for kind, what in _KINDS.items():
        alike = [each for each in leftovers if each.leftover.kind == kind]
        if alike:
            screen.print(f"{what} ({len(alike)}):")
        for each in alike[:MAX_LISTED]:
            screen.print(indented(_short_name(each, screen.width - 2), 2))
        if len(alike) > MAX_LISTED:
            screen.print(f"  and {len(alike) - MAX_LISTED} more; --json lists them")


def _short_name(each: StoredLeftover, width: int) -> str:
    """Return a leftover's name, with a shortened key if there is no room."""
    name, key = each.leftover.name, each.leftover.key
    return name.replace(key, f"{key[:_KEY_LENGTH]}...") if key is not None and len(name) > width else name


def _name(outcome: Outcome, screen: Console) -> str:
    """Return a short name for an entry or leftover."""
    found = outcome.found
    if not isinstance(found, StoredEntry):
        return f"{found.leftover.kind} {_short_name(found, screen.width // 2)}"
    parts = [_key(found)]
    if found.token is not None:
        parts.append(found.token.strategy)
        parts += [f"company {found.token.company_id}"] if found.token.company_id is not None else []
        left = found.token.expires_at - found.now
        parts.append(f"valid for {_span(left)}" if left > 0 else f"expired {_span(-left)} ago")
    elif found.state == "empty":
        parts.append("no token")
    return ", ".join(parts)


def _key(entry: StoredEntry) -> str:
    """Return the beginning of an entry's key, and the login for a record of the bridge."""
    key = entry.listed.key
    return key[: _KEY_LENGTH + (len(PREFIX) if key.startswith(PREFIX) else 0)]


def _is_used(outcome: Outcome) -> bool:
    return isinstance(outcome.found, StoredEntry) and bool(outcome.found.users)


def _token_text(entry: StoredEntry) -> str:
    if entry.token is None:
        return _STATES[entry.state]
    left = entry.token.expires_at - entry.now
    return f"expires in {_span(left)}" if left > 0 else "expired"


def _refresh_text(entry: StoredEntry) -> str:
    token = entry.token
    if token is None or token.refresh_token is None:
        return ""
    if token.refresh_ended(entry.now):
        return "expired"
    ends = token.refresh_expires_at
    return "expiry unknown" if ends is None else f"expires in {_span(ends - entry.now)}"


def _age_text(entry: StoredEntry) -> str:
    since = entry.token.issued_at if entry.token is not None else entry.listed.written_at
    return "" if since is None else _span(max(0.0, entry.now - since))


def _users_text(entry: StoredEntry) -> str:
    """Return the users, one on each line, so that no name is broken."""
    names = dict.fromkeys(
        printable(user.profile or "this configuration") + (f" ({printable(user.account)})" if user.account else "")
        for user in entry.users
    )
    return "\n".join(names) or "nobody"


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
