"""When a 401 from the API is worth a renewal.

A 401 says either that the token has ended, or that this resource is closed to its user, whatever the token. A new token
tells which: if it is rejected where the old one was, no other will do better, and for `COOLDOWN` seconds no 401 costs a
token request. So a resource that always answers 401 costs one in that time, and a token that has really ended is
replaced at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.settings.profile import NO_PROFILE, Profile
from procountor_auth.tokens.cache import COOLDOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token


class Rejections:
    """What the API has said about the tokens of one cache. Without a lock: each step is one assignment.

    Args:
        monotonic: The clock for pauses, in seconds.
        whose: The profile that the tokens are of.
    """

    def __init__(self, monotonic: Callable[[], float], whose: Profile = NO_PROFILE) -> None:
        self._whose = whose
        self._monotonic = monotonic
        self._leaving: Token | None = None  # a rejected token, for which another one is got
        self._replacement: Token | None = None  # what came last in place of a rejected token
        self._replaced_at = float("-inf")
        self.unproven: Token | None = None  # the same, until the API accepts it
        self._cool_until = float("-inf")

    def are_worth_a_renewal(self, token: Token, current: Token | None, *, resendable: bool) -> bool:
        """Whether another token may be accepted where the API has just rejected one.

        Args:
            token: The rejected token.
            current: The token that callers get now; if it is another one, no request is needed.
            resendable: Whether the request can be sent again, and so tell what the other token is good for.
        """
        if current is None or current.access_token != token.access_token:
            return True
        if self._monotonic() < self._cool_until:
            return False
        if self._is_new(token):
            if token is self.unproven:
                self._cool()
                return False
            if not resendable:
                return False
        self._leaving = token
        return True

    def replaced(self, rejected: Token, token: Token) -> None:
        """Remember which token was got in place of a rejected one."""
        if self._leaving is rejected and self._replacement is not token:
            self._replaced_at = self._monotonic()
            self._replacement = self.unproven = token

    def accepted(self, token: Token) -> None:
        """Remember that the API has accepted a token: if it is rejected later, it has ended."""
        if self.unproven is token:
            self.unproven = None

    def again(self, token: Token) -> bool:
        """Record that a request was rejected with its second token too. Return whether that token is new."""
        is_new = self._is_new(token)
        if is_new:
            self._cool()
        return is_new

    def _is_new(self, token: Token) -> bool:
        return token is self._replacement and self._monotonic() < self._replaced_at + COOLDOWN

    def _cool(self) -> None:
        now = self._monotonic()
        if now >= self._cool_until:
            self._whose.warning(
                "the API rejects a token that has just come: for %d seconds no 401 leads to another one. A resource "
                "that is closed to this user may be the reason",
                COOLDOWN,
            )
        self._cool_until = now + COOLDOWN
