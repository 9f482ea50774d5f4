"""Decides what is done with a cached token, without locks or I/O.

A token passes through three states (`TokenState`), in this order, at moments that are fixed when it is cached:

    FRESH ──stale_from──► STALE ──usable_until──► EXPIRED

| state | the caller | a renewal starts |
|---|---|---|
| fresh | is served at once | no |
| stale | is served at once | yes, behind the caller: unless one is under way, or one has just failed |
| expired, or none | waits | yes, unless one is under way: then for that one |

`stale_from` is random for each source, so that tokens that expire together are not renewed together; `usable_until` is
earlier than the expiry, so that a token does not expire on its way. A token that the API rejects is expired at once.
While a token is served, a failed renewal is nobody's error: the next one starts after `COOLDOWN`. The decision depends
on the clock alone: one that jumps costs one renewal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.protocol.token import TokenState

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token

COOLDOWN: Final = 30.0
"""Seconds without another early renewal after one has failed."""


@dataclass(slots=True, eq=False)  # not a tuple, whose fields take longer to read
class CachedToken:
    """A token with what may be done with it until when, in Unix seconds. One object: it is read without a lock.

    It is what a renewal is for: it stays the same object for as long as its token is kept.
    """

    token: Token
    stale_from: float
    usable_until: float

    @classmethod
    def of(cls, token: Token, jitter: float) -> CachedToken:
        """Cache a token; `jitter` from 0 to 1 says how early within its margin it is renewed."""
        return cls(token, token.stale_from(jitter), token.usable_until)

    def reject(self) -> None:
        """Count as expired from now on: the API has rejected the token."""
        # In place: another object would have a renewal of its own, and could replace a token that has just come.
        self.stale_from = float("-inf")
        self.usable_until = float("-inf")

    def state(self, now: float) -> TokenState:
        """Return what may be done with it at `now`, in Unix seconds."""
        if now >= self.usable_until:
            return TokenState.EXPIRED
        return TokenState.STALE if now >= self.stale_from else TokenState.FRESH


class Decision(NamedTuple):
    """What happens when a caller requests a token."""

    serves: bool
    """Whether the cached token is given at once; else the caller waits for a renewal."""

    renews: bool
    """Whether a renewal starts now."""


def decide(cached: CachedToken | None, now: float, *, renewing: bool, cooling: bool) -> Decision:
    """Return what is done: see the table above.

    Args:
        cached: The token that there is, if any.
        now: The wall clock, in Unix seconds.
        renewing: Whether a renewal is under way.
        cooling: Whether an early renewal has failed less than `COOLDOWN` seconds ago.
    """
    state = TokenState.EXPIRED if cached is None else cached.state(now)
    if state is TokenState.FRESH:
        return Decision(serves=True, renews=False)
    if state is TokenState.STALE:
        return Decision(serves=True, renews=not (renewing or cooling))
    return Decision(serves=False, renews=not renewing)
