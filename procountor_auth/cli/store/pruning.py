"""Removes unused entries that have no value: each under its lock, after checking it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.bridge.records import STRATEGY as BRIDGE
from procountor_auth.cli.store.inventory import StoredEntry, StoredLeftover, unlisted_as_dicts
from procountor_auth.errors import StoreError
from procountor_auth.stores.retention import worth_of

if TYPE_CHECKING:
    from procountor_auth.cli.store.inventory import Inventory
    from procountor_auth.stores.retention import Worth

_NOT_OPENED: Final = {
    "sealed": "it is sealed with another key",
    "newer": "a newer version of this package wrote it",
    "damaged": "it is damaged, and may contain a token",
    "unreadable": "it can't be read",
}

_WORTH: Final[dict[Worth, str]] = {
    "login": "its refresh token is still valid",
    "token": "its access token is still valid",
    "invalidation": "it was emptied less than a day ago",
    "answer": "its refresh token is in use",
}

_BRIDGE: Final = "programs may still use the bridge's tokens in it"

_LEFT: Final = {
    "damaged": "it is kept for inspection, and may contain a token",
    "foreign": "it is not a file of this package",
}

_LOCK_STAYS: Final = "on this file system a lock file can't be removed safely"

_CHANGED: Final = "it has changed in the meantime"


class Outcome(NamedTuple):
    """The result for one entry or leftover.

    Attributes:
        found: The entry or leftover.
        removed: Whether it was removed, or would be.
        reason: Why it was kept; empty if it was removed.
    """

    found: StoredEntry | StoredLeftover
    removed: bool
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return {**self.found.as_dict(), "removed": self.removed, "reason": self.reason or None}


class Pruned(NamedTuple):
    """The results for all entries and leftovers.

    Attributes:
        entries: The entries, in the order of the inventory.
        leftovers: The other files in the stores.
        unlisted: Why a store could not be listed, by the store's name.
        error: The first permanent error that prevented a removal, if there was one.
    """

    entries: tuple[Outcome, ...]
    leftovers: tuple[Outcome, ...]
    unlisted: dict[str, StoreError]
    error: StoreError | None

    @property
    def logins(self) -> int:
        """How many unused entries were kept because they have a login or a valid token."""
        return sum(
            isinstance(each.found, StoredEntry) and not each.found.users and each.reason in {*_WORTH.values(), _BRIDGE}
            for each in self.entries
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return {
            "entries": [each.as_dict() for each in self.entries],
            "leftovers": [each.as_dict() for each in self.leftovers],
            "not_listed": unlisted_as_dicts(self.unlisted),
        }


def prune(inventory: Inventory, *, all_unused: bool = False, dry_run: bool = False) -> Pruned:
    """Remove unused entries that have no value, and files that killed writers left behind.

    Args:
        inventory: The contents of the stores.
        all_unused: Whether to remove valid unused entries too, such as a login that a user would need a
            browser to restore.
        dry_run: Only determine what would be removed.

    Raises:
        ProcountorAuthError: A profile could not be read: entries that look unused may belong to it.
    """
    inventory.usage.refuse_if_incomplete()
    errors: list[StoreError] = []
    entries = tuple(_prune_entry(entry, errors, all_unused=all_unused, dry_run=dry_run) for entry in inventory.entries)
    leftovers = tuple(_prune_leftover(each, errors, dry_run=dry_run) for each in inventory.leftovers)
    return Pruned(entries, leftovers, inventory.unlisted, errors[0] if errors else None)


def _prune_entry(entry: StoredEntry, errors: list[StoreError], *, all_unused: bool, dry_run: bool) -> Outcome:
    reason = _reason_to_keep(entry, all_unused=all_unused)
    if reason or dry_run:
        return Outcome(entry, not reason, reason)
    try:
        with entry.store.transaction(entry.listed.key, timeout=0) as transaction:
            found = transaction.entry
            if found is not None:
                worth = worth_of(found, entry.now, entry.listed.written_at)
                if found != entry.found or not _may_go(worth, all_unused=all_unused):
                    return Outcome(entry, removed=False, reason=_CHANGED)
                transaction.remove()
    except StoreError as error:
        return _failed(entry, error, errors)
    return Outcome(entry, removed=True)


def _prune_leftover(each: StoredLeftover, errors: list[StoreError], *, dry_run: bool) -> Outcome:
    reason = _LEFT.get(each.leftover.kind, "")
    if reason or dry_run:
        return Outcome(each, not reason, reason)
    try:
        removed = each.store.remove_leftover(each.leftover, timeout=0)
    except StoreError as error:
        return _failed(each, error, errors)
    return Outcome(each, removed, "" if removed else _LOCK_STAYS)


def _reason_to_keep(entry: StoredEntry, *, all_unused: bool) -> str:
    if entry.users:
        return "it is used"
    worth = entry.worth
    if worth is None:
        return _NOT_OPENED[entry.state]
    if _may_go(worth, all_unused=all_unused):
        return ""
    is_bridge = entry.token is not None and entry.token.strategy == BRIDGE
    return _BRIDGE if is_bridge else _WORTH[worth]


def _may_go(worth: Worth, *, all_unused: bool) -> bool:
    return worth == "nothing" or (all_unused and worth != "answer")


def _failed(found: StoredEntry | StoredLeftover, error: StoreError, errors: list[StoreError]) -> Outcome:
    """Keep locked entries; a permanent error is raised after all others are processed."""
    if not error.retryable:
        errors.append(error)
    return Outcome(found, removed=False, reason=error.message)
