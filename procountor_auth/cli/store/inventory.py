"""The contents of the configured stores, and who uses them. Nothing is written, or sent to Procountor."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from procountor_auth.cli.store.usage import Usage, User, find_usage
from procountor_auth.errors import ProcountorAuthError, StoreError, StoreNotListable, StoreUnavailable, UnreadableEntry
from procountor_auth.migration.readiness import Reason, for_profile, reasons_of
from procountor_auth.stores.base import Entry
from procountor_auth.stores.retention import worth_of
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.stores.base import Store
    from procountor_auth.stores.listing import Leftover, ListedEntry
    from procountor_auth.stores.retention import Worth

State: TypeAlias = Literal["token", "empty", "sealed", "newer", "damaged", "unreadable"]

_MAX_CONCURRENT_READS: Final = 16
"""How many entries are read at the same time: a remote store may be slow."""


class StoredEntry(NamedTuple):
    """One entry of a store.

    Attributes:
        store: The store.
        label: The store's name for users, without a secret.
        listed: The store's listing of the entry.
        found: Its content, or the error that prevents reading it; None if it is damaged.
        users: Who uses it; empty if it is unused.
        now: The time of the inventory, in Unix seconds.
    """

    store: Store
    label: str
    listed: ListedEntry
    found: Entry | StoreError | None
    users: tuple[User, ...]
    now: float

    @property
    def token(self) -> Token | None:
        """The token, if the entry can be read and has one."""
        return self.found.token if isinstance(self.found, Entry) else None

    @property
    def state(self) -> State:
        """The state of its content: a token, emptied, or why it can't be read."""
        if isinstance(self.found, Entry):
            return "token" if self.found.token is not None else "empty"
        if isinstance(self.found, UnreadableEntry):
            return "sealed" if self.found.sealed else "newer"
        return "damaged" if self.found is None else "unreadable"

    @property
    def worth(self) -> Worth | None:
        """What would be lost with it, or None if unknown."""
        return worth_of(self.found, self.now, self.listed.written_at) if isinstance(self.found, Entry) else None

    def as_dict(self) -> dict[str, Any]:
        """Return the contents as JSON-ready values, without secrets; times are Unix seconds."""
        token = self.token
        return {
            "key": self.listed.key,
            "store": self.label,
            "state": self.state,
            "message": self.found.message if isinstance(self.found, StoreError) else None,
            "used_by": [user.as_dict() for user in self.users],
            "useful_for": self.worth,
            "strategy": token and token.strategy,
            "company_id": token and token.company_id,
            "user_id": token and token.user_id,
            "issued_at": token and token.issued_at,
            "expires_at": token and token.expires_at,
            "refresh_token": token and token.refresh_token is not None,
            "refresh_token_expires_at": token and token.refresh_expires_at,
            "refresh_token_ended": token and token.refresh_token is not None and token.refresh_ended(self.now),
            "size": self.listed.size,
            "written_at": self.listed.written_at,
            "kept_until": self.listed.kept_until,
        }


class StoredLeftover(NamedTuple):
    """A file in a store that is not an entry."""

    store: Store
    label: str
    leftover: Leftover

    def as_dict(self) -> dict[str, Any]:
        """Return the leftover as JSON-ready values."""
        found = self.leftover
        return {
            "name": found.name,
            "store": self.label,
            "kind": found.kind,
            "key": found.key,
            "size": found.size,
            "written_at": found.written_at,
        }


class Inventory(NamedTuple):
    """The contents of all stores.

    Attributes:
        usage: What the profiles use.
        entries: The entries of all stores.
        leftovers: The other files in them.
        unlisted: Why a store could not be listed, by the store's name.
        now: The time of the inventory, in Unix seconds.
    """

    usage: Usage
    entries: tuple[StoredEntry, ...]
    leftovers: tuple[StoredLeftover, ...]
    unlisted: dict[str, StoreError]
    now: float

    @property
    def problems(self) -> list[tuple[str, tuple[Reason, ...]]]:
        """What could not be read, profiles first: a name, and why."""
        profiles = [(name or "", for_profile(name, reasons_of(error))) for name, error in self.usage.unread.items()]
        return profiles + [(label, reasons_of(error)) for label, error in self.unlisted.items()]

    def as_dict(self) -> dict[str, Any]:
        """Return the inventory as JSON-ready values."""
        return {
            "entries": [entry.as_dict() for entry in self.entries],
            "leftovers": [each.as_dict() for each in self.leftovers],
            "problems": [
                {"profile": name, **reason.as_dict()}
                for name, error in self.usage.unread.items()
                for reason in for_profile(name, reasons_of(error))
            ],
            "not_listed": unlisted_as_dicts(self.unlisted),
        }


def unlisted_as_dicts(unlisted: dict[str, StoreError]) -> list[dict[str, Any]]:
    """Return as JSON-ready values why stores could not be listed."""
    return [{"store": label, **reason.as_dict()} for label, error in unlisted.items() for reason in reasons_of(error)]


class _Place(NamedTuple):
    """One store, with a handle for each way in which profiles seal its entries."""

    label: str
    handles: list[Store]


def take_inventory(
    profiles: Profiles, accounts: Sequence[str] = (), *, clock: Callable[[], float] = time.time
) -> Inventory:
    """List the stores of all profiles.

    Args:
        profiles: The profiles, with their variables from all places.
        accounts: The program's names for further accounts, besides each profile's.
        clock: The wall clock, in Unix seconds.

    Raises:
        StoreNotListable: No store of any profile can be listed.
        StoreError: A store can't be read.
        ProcountorAuthError: The only configuration is wrong.
    """
    pool = ProviderPool(profiles, clock=clock)
    usage = find_usage(pool, accounts)
    now = clock()
    entries: list[StoredEntry] = []
    leftovers: list[StoredLeftover] = []
    places, unlisted = _places(usage)
    listed = 0
    for label, handles in places.values():
        try:
            entries += _entries(label, handles, usage, now)
            leftovers += [StoredLeftover(handles[0], label, each) for each in handles[0].list_leftovers()]
            listed += 1
        except StoreNotListable as error:
            unlisted[label] = error
    if not listed:
        raise next(iter((*unlisted.values(), *usage.unread.values())))
    return Inventory(usage, tuple(entries), tuple(leftovers), unlisted, now)


def _places(usage: Usage) -> tuple[dict[str, _Place], dict[str, StoreError]]:
    """Return the stores of all profiles without duplicates, and those that this process can't read."""
    places: dict[str, _Place] = {}
    unlisted: dict[str, StoreError] = {}
    for provider in usage.providers:
        settings = provider.settings
        if provider.forgets:
            unlisted[settings.store_label] = StoreNotListable(
                "PROCOUNTOR_TOKEN_STORE is memory: each program has its own tokens, which no other process can see.",
                hint="They end with it. To keep them, set PROCOUNTOR_TOKEN_STORE=file, redis://… or a database.",
            )
            continue
        try:
            store = provider.store
        except ProcountorAuthError as error:
            usage.unread[settings.profile] = error
            continue
        place = places.setdefault(settings.token_store.get_secret_value(), _Place(settings.store_label, []))
        if not any(store is each for each in place.handles):
            place.handles.append(store)
    return places, unlisted


def _entries(label: str, handles: Sequence[Store], usage: Usage, now: float) -> Iterator[StoredEntry]:
    listed = handles[0].list_entries()
    with ThreadPoolExecutor(min(_MAX_CONCURRENT_READS, max(1, len(listed))), "procountor-auth") as pool:
        found = list(pool.map(partial(_read, handles), (each.key for each in listed)))
    vanished: set[str] = set()
    if any(entry is None for _, entry in found):
        vanished = {each.key for each in listed} - {each.key for each in handles[0].list_entries()}
    for each, (store, entry) in zip(listed, found, strict=True):
        if each.key not in vanished:
            yield StoredEntry(store, label, each, entry, tuple(usage.users.get(each.key, ())), now)


def _read(handles: Sequence[Store], key: str) -> tuple[Store, Entry | StoreError | None]:
    """Read an entry with the handle that has its key."""
    found: Entry | StoreError | None = None
    for store in handles:
        try:
            found = store.read(key)
        except StoreUnavailable:
            raise
        except StoreError as error:
            found = error
        else:
            return store, found
    return handles[0], found
