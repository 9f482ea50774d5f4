"""The access token and its states."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, NoReturn

from procountor_auth.protocol.authorization import Authorization
from procountor_auth.protocol.claims import read_id, read_time, unverified_claims
from procountor_auth.protocol.secret_fields import SecretFields

LEEWAY: Final = 60.0
"""How many seconds before its expiry a token counts as expired, so that it does not expire in transit."""

LEEWAY_SHARE: Final = 0.1
"""The largest share of a short-lived token's lifetime that is used as leeway."""

MARGIN: Final = 300.0
"""How many seconds before its expiry a token becomes stale, at least: it is then renewed while still in use."""

MARGIN_SHARE: Final = 0.2
"""The largest share of a short-lived token's lifetime in which it is stale, before jitter."""

JITTER: Final = 0.5
"""The largest random increase of the margin, as a share: tokens that expire together are renewed at different times."""


class TokenState(enum.Enum):
    """Whether a token can be used, and whether it should be renewed."""

    FRESH = "fresh"
    """Use it."""

    STALE = "stale"
    """Use it, and renew it in the background."""

    EXPIRED = "expired"
    """Wait for a new one."""


@dataclass(frozen=True, slots=True, eq=False)
class Token(SecretFields):
    """An access token with its metadata.

    Its `repr` shows only the strategy and the times. A token can't be pickled: each process has its own
    `TokenSource`.

    Attributes:
        access_token: The bearer token (RFC 6750). A secret.
        issued_at: When it was requested, in Unix seconds of this machine's clock.
        expires_at: When it expires, in Unix seconds of this machine's clock.
        strategy: The name of the strategy that requested it, such as `client_credentials`.
        refresh_token: The refresh token, if the server issued one. A secret.
        deprecated_at: When the deprecation of its token endpoint starts, in Unix seconds, if the server says so.
        sunset_at: When that endpoint stops responding, in Unix seconds, if the server says so.
        authorization: The value of the `Authorization` header. A secret, whose `repr` shows nothing.
    """

    access_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    strategy: str
    refresh_token: str | None = field(default=None, repr=False)
    deprecated_at: float | None = field(default=None, repr=False)
    sunset_at: float | None = field(default=None, repr=False)
    authorization: Authorization = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Built once for each token, not for each request.
        object.__setattr__(self, "authorization", Authorization(f"Bearer {self.access_token}"))

    @property
    def usable_until(self) -> float:
        """Until when it may be sent, in Unix seconds: `expires_at` minus the leeway."""
        return self.expires_at - min(LEEWAY, LEEWAY_SHARE * (self.expires_at - self.issued_at))

    def stale_from(self, jitter: float = 0.0) -> float:
        """When it should be renewed, in Unix seconds: `expires_at` minus the margin.

        Args:
            jitter: A number from 0 (the latest time) to 1 (the earliest).
        """
        margin = min(MARGIN, MARGIN_SHARE * (self.expires_at - self.issued_at))
        return self.expires_at - margin * (1.0 + JITTER * jitter)

    def state(self, now: float, jitter: float = 0.0) -> TokenState:
        """Return its state.

        Args:
            now: The time, in Unix seconds.
            jitter: A number from 0 (stale as late as possible) to 1 (as early as possible).
        """
        if now >= self.usable_until:
            return TokenState.EXPIRED
        return TokenState.STALE if now >= self.stale_from(jitter) else TokenState.FRESH

    @property
    def company_id(self) -> int | None:
        """The company ID in the token (claim `cid`), or None. Not verified; `sessioninfo` is authoritative."""
        return read_id(unverified_claims(self.access_token).get("cid"))

    @property
    def user_id(self) -> int | None:
        """The user ID in the token (claim `sub`), or None. Not verified."""
        return read_id(unverified_claims(self.access_token).get("sub"))

    @property
    def refresh_expires_at(self) -> float | None:
        """The expiry of the refresh token (claim `exp`), in Unix seconds, or None. Not verified."""
        if self.refresh_token is None:
            return None
        expiry = read_time(unverified_claims(self.refresh_token).get("exp"))
        return None if expiry is None else float(expiry)

    def refresh_ended(self, now: float) -> bool:
        """Whether the refresh token has expired, according to its claim `exp`.

        Args:
            now: The time, in Unix seconds.
        """
        expiry = self.refresh_expires_at
        return expiry is not None and now >= expiry

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Token is not pickled, so that secrets don't end up in a queue or on disk by accident.")
