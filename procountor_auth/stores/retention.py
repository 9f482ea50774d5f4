"""How long a store that can forget keeps an entry, some time beyond its token; and what one is still good for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token
    from procountor_auth.stores.base import Entry

_DAY: Final = 86_400.0

KEEP_DAMAGED: Final = 30 * _DAY
"""Seconds that what can't be read is kept aside."""

_KEEP_REFRESH_TOKEN: Final = 366 * _DAY
"""Seconds that an entry is kept whose refresh token does not say when it expires. Each renewal starts them anew."""

_MAX_KEEP: Final = 10 * 366 * _DAY


def seconds_to_keep(token: Token | None) -> float:
    """Return how long an entry with this token, or with none, is kept from now on."""
    if token is None:
        return _DAY
    now = time.time()
    end = token.expires_at
    if token.refresh_token is not None:
        end = max(end, token.refresh_expires_at or now + _KEEP_REFRESH_TOKEN)
    return min(max(end - now, 0.0) + _DAY, _MAX_KEEP)


Worth: TypeAlias = Literal["nothing", "token", "login", "answer", "invalidation"]
"""What an entry is still good for: nothing, an access token, a refresh token, one whose answer may still come, or the
memory that a token was invalidated."""


def worth_of(entry: Entry, now: float, written_at: float | None = None) -> Worth:
    """Return what an entry would be missed for.

    Args:
        entry: The entry.
        now: The time, in Unix seconds.
        written_at: When it was written last, if the store knows.
    """
    token = entry.token
    if entry.use is not None and entry.use.is_pending(now):
        return "answer"
    if token is None:
        # Whoever has lost the lock of a renewal must not write an older token for some time.
        return "nothing" if written_at is not None and now - written_at >= _DAY else "invalidation"
    if token.refresh_token is not None and not token.refresh_ended(now):
        return "login"
    return "token" if now < token.expires_at else "nothing"
