"""What `procountor-auth bridge` prints."""

from __future__ import annotations

from .base import Document


class LeftOutProfile(Document):
    """One profile that the bridge does not serve, because something is missing or wrong."""

    profile: str
    """The profile."""
    code: str
    """The error's code, such as `configuration`."""
    message: str
    """What is missing or wrong."""


class BridgeDocument(Document):
    """The first line of `procountor-auth bridge --json`."""

    base_url: str
    """The address that it listens on: the host for the old program."""
    profiles: list[str]
    """The profiles that it serves; empty if there are none."""
    left_out: list[LeftOutProfile]
    """The profiles that it does not serve, because a setting is missing or invalid."""
    store: str
    """The store that has its tokens: `memory`, `file`, `keyring`, `redis`, `sql`."""
    read_only: bool
    """Whether it forwards only GET and HEAD requests."""


class RevokedLogin(Document):
    """One login whose tokens were revoked."""

    profile: str | None
    """The profile; null if there are no profiles."""
    revoked: int
    """How many tokens were revoked."""


class NotRevokedLogin(Document):
    """One login whose tokens could not be revoked: they still work."""

    profile: str
    """The profile."""
    code: str
    """The error's code, such as `configuration`."""
    message: str
    """What is missing or wrong."""
    hint: str
    """What to do about it; may be empty."""


class RevokeDocument(Document):
    """Printed by `procountor-auth bridge revoke --json`."""

    profiles: list[RevokedLogin]
    """The profiles whose tokens were revoked."""
    failed: list[NotRevokedLogin]
    """The others; the exit status is then 1."""
