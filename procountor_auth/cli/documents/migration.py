"""What `procountor-auth migrate` prints."""

from __future__ import annotations

from typing import Literal

from .base import Document, Problem, Profile


class MigrationProfile(Profile):
    """A profile in a migration to another strategy: ready if it can use that strategy."""

    problems: list[Problem]
    """The reasons with all details."""
    strategy: str | None
    """The current strategy; null if unknown."""
    target: str
    """The strategy to switch to."""
    notes: list[str]
    """Notes that do not prevent the switch."""


class Reached(Document):
    """The user and company of a strategy's token, according to the API."""

    company_id: int | None
    """The company's number."""
    company: str | None
    """The company's name."""
    user_id: int | None
    """The user's number."""
    user: str | None
    """The user's name."""
    expires_at: float
    """When the token expires."""
    refresh_expires_at: float | None
    """When its refresh token expires, if known."""
    announced: list[str]
    """The server's announcements that the API is deprecated or will be shut down."""


class RehearsedProfile(MigrationProfile):
    """A profile after a rehearsal: ready means GO."""

    today: Reached | None = None
    """The result of the current strategy; null or missing if it was not tried."""
    next: Reached | None = None
    """The result of the target strategy; null or missing if it was not tried."""


class Change(Document):
    """A line to add, change or remove."""

    sign: Literal["+", "-", " "]
    """`+` to add, `-` to remove, a space for an unchanged line."""
    variable: str
    """The variable, or its name in the profiles file."""
    value: str
    """Its value; a secret is masked."""
    place: str
    """Where it is set, or has to be set."""
    shared: bool
    """Whether it is common to all profiles."""


class Switch(Document):
    """The one variable that switches a profile."""

    variable: str
    """Its name."""
    value: str
    """The strategy."""


class PlannedProfile(RehearsedProfile):
    """A profile with its plan."""

    add: list[Change]
    """What to add."""
    change: list[Change]
    """What to change, as the new lines."""
    remove: list[Change]
    """What to remove."""
    remove_later: list[Change]
    """What can be removed after the switch, when switching back is no longer needed."""
    switch: Switch
    """The variable that switches it."""
    diff: list[str]
    """The changes for the switch, line by line."""


class BridgeCaller(Document):
    """A program that logs in through the bridge."""

    user_agent: str
    """Its `User-Agent`; empty if it sends none."""
    last_login_at: float
    """When it last logged in or refreshed its token."""
    logins: int
    """How often it has logged in."""


class MigrationStatusProfile(RehearsedProfile):
    """The state of a profile's migration."""

    state: Literal["done", "can_switch", "blocked"]
    """`done`: it uses the target; `can_switch`: it is ready to switch; `blocked`: it is not ready, or still
    uses the fallback."""
    deprecated: bool
    """Whether the current strategy is deprecated."""
    last_token_at: float | None
    """When the stored token of the current strategy was issued."""
    token_expires_at: float | None
    """When that token expires."""
    refresh_token_days: int | None
    """Whole days until its refresh token expires."""
    deprecated_at: float | None
    """Since when the server calls the API deprecated."""
    sunset_at: float | None
    """When the API will be shut down, as the server announced."""
    rehearsed_at: float | None
    """The time of the last rehearsal with this configuration. A GO counts for a day, and only while nothing blocks."""
    bridge: list[BridgeCaller]
    """The programs that logged in through the bridge within six months, the most recent first."""


class Variable(Document):
    """A variable that is no longer needed."""

    variable: str
    """Its name."""
    place: str
    """Where it is set."""
    shared: bool
    """Whether it is common to all profiles."""


class FinishedProfile(MigrationProfile):
    """A profile after `migrate finish`: not ready if it was left unchanged."""

    removed: bool
    """Whether a token of the old strategy was removed, or would be with `--dry-run`."""
    delete: list[Variable]
    """What to delete now."""


class CheckDocument(Document):
    """Printed by `procountor-auth migrate check --json`."""

    profiles: list[MigrationProfile]
    """The profiles."""


class RehearsalDocument(Document):
    """Printed by `procountor-auth migrate rehearse --json`."""

    profiles: list[RehearsedProfile]
    """The profiles."""


class PlanDocument(Document):
    """Printed by `procountor-auth migrate plan --json`."""

    profiles: list[PlannedProfile]
    """The profiles."""


class MigrationStatusDocument(Document):
    """Printed by `procountor-auth migrate status --json`."""

    profiles: list[MigrationStatusProfile]
    """The profiles."""
    done: int
    """How many profiles are done."""
    can_switch: int
    """How many can switch."""
    blocked: int
    """How many are blocked."""


class FinishDocument(Document):
    """Printed by `procountor-auth migrate finish --json`."""

    profiles: list[FinishedProfile]
    """The profiles."""
