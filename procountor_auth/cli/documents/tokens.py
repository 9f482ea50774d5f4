"""What the commands about tokens print."""

from __future__ import annotations

from typing import Literal

from .base import Document, ErrorDetail, Problem, Profile


class DoctorCheck(Document):
    """One check."""

    name: str
    """The subject of the check."""
    state: Literal["ok", "warning", "failed"]
    """`failed`: programs can't get or use tokens; `warning`: that may happen later."""
    message: str
    """The result, in a sentence."""
    hint: str
    """What to do about it; may be empty."""


class DoctorProfile(Profile):
    """A profile that `doctor` has checked: ready if no check failed."""

    checks: list[DoctorCheck]
    """All checks, in order."""


class DoctorDocument(Document):
    """Printed by `procountor-auth doctor --json`."""

    profiles: list[DoctorProfile]
    """The one profile that was checked."""


class LastFailure(Document):
    """Why the last renewal failed."""

    code: str
    """The error's `code`."""
    message: str
    """What happened."""


class StatusProfile(Profile):
    """A profile's configuration and stored token: ready if no known problem prevents programs from getting tokens."""

    problems: list[Problem]
    """The reasons with all details."""
    strategy: str | None
    """The strategy; null, like the other settings, if the configuration is wrong."""
    deprecated: bool
    """Whether the strategy is deprecated."""
    fallback_strategy: str | None
    """The strategy that is used if the chosen one is rejected."""
    host: str | None
    """The host that requests are sent to."""
    client_id: str | None
    """The ID of the API client."""
    store: str | None
    """`memory`, `file`, `file:PATH`, `keyring`, `redis`, `postgresql` or `sqlite`: never a URL."""
    token_state: Literal["fresh", "stale", "expired", "none"]
    """The state of the stored token; a stale one is valid, and due for renewal."""
    token_strategy: str | None
    """The strategy that got the stored token."""
    token_expires_at: float | None
    """When the stored token expires."""
    company_id: int | None
    """The company, from the stored token's own claims, which are not verified."""
    user_id: int | None
    """The user, from the stored token's own claims, which are not verified."""
    refresh_token_expires_at: float | None
    """When the stored refresh token expires, if known."""
    refresh_token_days: int | None
    """Whole days until then."""
    deprecated_at: float | None
    """Since when the server calls the API deprecated, as it announced with the token."""
    sunset_at: float | None
    """When the API will be shut down, as the server announced with the token."""
    last_failure: LastFailure | None
    """The last renewal, if it failed."""


class StatusDocument(Document):
    """Printed by `procountor-auth status --json`."""

    profiles: list[StatusProfile]
    """The profiles, in the order of their names."""


class TokenDocument(Document):
    """Printed by `procountor-auth token --json`."""

    access_token: str
    """The access token: a secret."""
    expires_at: float
    """When it expires."""
    strategy: str
    """The strategy that got it."""
    company_id: int | None
    """The company, from the token's own claims, which are not verified."""
    user_id: int | None
    """The user, from the token's own claims, which are not verified."""
    profile: str | None
    """The profile."""


class LoginDocument(Document):
    """Printed by `procountor-auth login --json`."""

    profile: str | None
    """The profile."""
    company_id: int | None
    """The company, from the token's own claims, which are not verified."""
    user_id: int | None
    """The user, from the token's own claims, which are not verified."""
    expires_at: float
    """When the access token expires."""
    refresh_expires_at: float | None
    """When the refresh token expires, if known."""
    store: str
    """Where it is stored."""


class LogoutDocument(Document):
    """Printed by `procountor-auth logout --json`."""

    profile: str | None
    """The profile."""
    store: str
    """Where the token was stored."""
    removed: bool
    """Whether a token was removed."""
    invalidated: bool
    """Whether Procountor has invalidated it."""
    error: ErrorDetail | None
    """Why Procountor or the store failed to remove it; the exit status is then 1, or 2 if a setting is wrong."""


class KeyDocument(Document):
    """Printed by `procountor-auth key create --json`."""

    profile: str | None
    """The profile."""
    api_key: str
    """The API key, which is a secret; with `--keyring`, the reference to it, which is not."""
    company_id: int | None
    """The company, from the key's own claims, which are not verified."""
    user_id: int | None
    """The user, from the key's own claims, which are not verified."""
