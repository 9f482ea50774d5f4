"""What `procountor-auth store` prints."""

from __future__ import annotations

from typing import Literal

from .base import Document, ErrorDetail, Problem


class User(Document):
    """A profile that uses an entry."""

    profile: str | None
    """The profile; null if there are no profiles."""
    account: str
    """The account, if the program has several."""
    strategy: str
    """The strategy that uses the entry; `bridge` for programs that log in through the bridge."""
    role: Literal["chosen", "fallback", "possible", "bridge"]
    """Whether that is the chosen strategy, the fallback, or one that the profile has the variables for; or `bridge`."""


class Entry(Document):
    """An entry of a token store, without its tokens."""

    key: str
    """Its key: a hash of strategy, host, client, company and account. For a login at the bridge, it begins with
    `bridge-`."""
    store: str
    """The store."""
    state: Literal["token", "empty", "sealed", "newer", "damaged", "unreadable"]
    """`token`: it has a token; `empty`: its token was removed; the others can't be read."""
    message: str | None
    """Why it can't be read."""
    used_by: list[User]
    """The profiles that use it in their current configuration."""
    useful_for: Literal["nothing", "token", "login", "answer", "invalidation"] | None
    """What would be lost with it: its token, its login (a refresh token), a pending response, the record of
    an invalidation, or nothing; null if it can't be read."""
    strategy: str | None
    """The strategy that got the token; `bridge` for the record of the bridge's tokens."""
    company_id: int | None
    """The company, from the token's own claims, which are not verified."""
    user_id: int | None
    """The user, from the token's own claims, which are not verified."""
    issued_at: float | None
    """When the token was issued."""
    expires_at: float | None
    """When it expires."""
    refresh_token: bool | None
    """Whether there is a refresh token."""
    refresh_token_expires_at: float | None
    """When the refresh token expires, if known."""
    refresh_token_ended: bool | None
    """Whether the refresh token has expired."""
    size: int
    """Bytes of the entry."""
    written_at: float | None
    """When it was last written, if the store records that."""
    kept_until: float | None
    """When the store removes it automatically, if it does."""


class Leftover(Document):
    """A file in a store that is not an entry."""

    name: str
    """Its name."""
    store: str
    """The store."""
    kind: Literal["lock", "temporary", "damaged", "foreign"]
    """The kind of file."""
    key: str | None
    """The key of the entry that it belongs to."""
    size: int
    """Its bytes."""
    written_at: float | None
    """When it was last written."""


class ProfileProblem(Problem):
    """Why a profile could not be read: its entries look unused."""

    profile: str | None
    """The profile."""


class StoreProblem(Problem):
    """Why a store could not be listed."""

    store: str
    """The store."""


class StoreListDocument(Document):
    """Printed by `procountor-auth store list --json`."""

    entries: list[Entry]
    """The entries of all stores."""
    leftovers: list[Leftover]
    """The other files in them."""
    problems: list[ProfileProblem]
    """Profiles that could not be read."""
    not_listed: list[StoreProblem]
    """Stores that could not be listed."""


class PrunedEntry(Entry):
    """The result for an entry."""

    removed: bool
    """Whether it was removed, or would be with `--dry-run`."""
    reason: str | None
    """Why it was kept."""


class PrunedLeftover(Leftover):
    """The result for a file."""

    removed: bool
    """Whether it was removed, or would be with `--dry-run`."""
    reason: str | None
    """Why it was kept."""


class StorePruneDocument(Document):
    """Printed by `procountor-auth store prune --json`."""

    dry_run: bool
    """Whether nothing was removed."""
    entries: list[PrunedEntry]
    """The entries of all stores."""
    leftovers: list[PrunedLeftover]
    """The other files in them."""
    not_listed: list[StoreProblem]
    """Stores that could not be listed."""
    error: ErrorDetail | None
    """The first error that prevented a removal; the exit status is then 1."""
