"""The token that everybody waits for."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, NoReturn

from procountor_auth.protocol.claims import read_id, read_time, unverified_claims
from procountor_auth.protocol.secret_fields import SecretFields

LEEWAY: Final = 60.0
"""A token counts as expired this many seconds before it is, so that it does not expire on its way."""

LEEWAY_SHARE: Final = 0.1
"""A short-lived token gives up at most this share of its life to the leeway."""

MARGIN: Final = 300.0
"""A token is stale, and renewed while it is still served, at least this many seconds before it expires."""

MARGIN_SHARE: Final = 0.2
"""A short-lived token is stale for at most this share of its life, before jitter."""

JITTER: Final = 0.5
"""The margin grows by up to this share at random, so that tokens that expire together are not renewed together."""


class TokenState(enum.Enum):
    """What may be done with a token."""

    FRESH = "fresh"
    """Use it."""

    STALE = "stale"
    """Use it, and renew it meanwhile."""

    EXPIRED = "expired"
    """Wait for another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Token(SecretFields):
    """An access token with what is known about it.

    `repr` shows the strategy and the times, nothing else. A token is not pickled: every process has its own
    `TokenSource`.

    Attributes:
        access_token: The bearer token (RFC 6750). A secret.
        issued_at: When it was requested, in Unix seconds of this machine's clock.
        expires_at: When it expires, in Unix seconds of this machine's clock.
        strategy: The name of the strategy that got it, such as `client_credentials`.
        refresh_token: What gets the next one without a user, if the server gave it. A secret.
        deprecated_at: From when on the way to get it is deprecated, in Unix seconds, if the server said so.
        sunset_at: When that way ends, in Unix seconds, if the server said so.
    """

    access_token: str = field(repr=False)
    issued_at: float
    expires_at: float
    strategy: str
    refresh_token: str | None = field(default=None, repr=False)
    deprecated_at: float | None = field(default=None, repr=False)
    sunset_at: float | None = field(default=None, repr=False)

    @property
    def usable_until(self) -> float:
        """Until when it may be put on a request, in Unix seconds: `expires_at` less the leeway."""
        return self.expires_at - min(LEEWAY, LEEWAY_SHARE * (self.expires_at - self.issued_at))

    def stale_from(self, jitter: float = 0.0) -> float:
        """From when on it should be renewed, in Unix seconds: `expires_at` less the margin.

        Args:
            jitter: From 0 for the latest moment to 1 for the earliest.
        """
        margin = min(MARGIN, MARGIN_SHARE * (self.expires_at - self.issued_at))
        return self.expires_at - margin * (1.0 + JITTER * jitter)

    def state(self, now: float, jitter: float = 0.0) -> TokenState:
        """Return what may be done with it at `now`, in Unix seconds."""
        if now >= self.usable_until:
            return TokenState.EXPIRED
        return TokenState.STALE if now >= self.stale_from(jitter) else TokenState.FRESH

    @property
    def company_id(self) -> int | None:
        """The company that the token says it is for (claim `cid`), or None. Unverified: `sessioninfo` decides."""
        return read_id(unverified_claims(self.access_token).get("cid"))

    @property
    def user_id(self) -> int | None:
        """The user that the token says it is for (claim `sub`), or None. Unverified."""
        return read_id(unverified_claims(self.access_token).get("sub"))

    @property
    def refresh_expires_at(self) -> float | None:
        """When the refresh token says that it expires (claim `exp`), in Unix seconds, or None. Unverified."""
        if self.refresh_token is None:
            return None
        expiry = read_time(unverified_claims(self.refresh_token).get("exp"))
        return None if expiry is None else float(expiry)

    def refresh_ended(self, now: float) -> bool:
        """Whether the refresh token says that it has expired by `now`, in Unix seconds."""
        expiry = self.refresh_expires_at
        return expiry is not None and now >= expiry

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Token is not pickled, so that no secret ends up in a queue or on a disk by accident.")
