"""Which token follows on which: a chain of refresh tokens that began with one login.

No clock decides which of two tokens is the newer one: those of two hosts differ, and one may be set back. Each answer
of the server is one link more in the chain of its login, and nothing else is: a failure or a mark is written beside the
token, and leaves its lineage as it is.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.protocol.token import Token

MAX_SPENT: Final = 16
"""So many spent refresh tokens are remembered: the first one, which may be configured somewhere, and the last ones."""

_DIGEST_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Lineage:
    """The place of a token. Two places are equal if no answer of the server lies between them.

    Attributes:
        origin: Names the login, or whatever else the chain began with.
        link: How many answers of the server came since.
        spent: Digests of refresh tokens that the server has replaced by others.
        replaces: The origin of the chain that was there before.
    """

    origin: str = ""
    link: int = 0
    spent: tuple[str, ...] = field(default=(), compare=False)
    replaces: str = field(default="", compare=False)

    @classmethod
    def of(cls, token: Token | None, before: Lineage | None = None) -> Lineage:
        """Return the place of a token that begins a chain, in the place of the one before."""
        if token is None:
            return NO_LINEAGE
        before = before or cls()
        return cls(_digest(token.access_token), 0, before.spent, before.origin)

    def invalidated(self) -> Lineage:
        """Return the place of an invalidation: nothing that was requested before it follows on it."""
        return Lineage(secrets.token_hex(_DIGEST_LENGTH // 2), 0, self.spent)

    def next(self, sent: SecretStr | None, token: Token, *, begins: bool) -> Lineage:
        """Return the place of what the server gave.

        Args:
            sent: The refresh token that it was given for, if any.
            token: What it gave.
            begins: Whether a chain begins: the refresh token was not the one of this place.
        """
        spent = self.spent
        if sent is not None and token.refresh_token not in {None, sent.get_secret_value()}:
            others = [each for each in spent if each != refresh_digest(sent)]
            spent = (*others, refresh_digest(sent))
            spent = spent[:1] + spent[1:][1 - MAX_SPENT :]
        if begins:
            return replace(Lineage.of(token, self), spent=spent)
        return replace(self, link=self.link + 1, spent=spent)

    def spending(self, once: SecretStr) -> Lineage:
        """Return the same place, where something that is good for one time has been used."""
        others = [each for each in self.spent if each != refresh_digest(once)]
        return replace(self, spent=(*others[:1], *(*others[1:], refresh_digest(once))[1 - MAX_SPENT :]))

    def follows(self, other: Lineage) -> bool:
        """Whether it is a later place: in the same chain, in the one that replaces it, or than none at all."""
        if other == NO_LINEAGE:
            return self != NO_LINEAGE
        return self.replaces == other.origin or (self.origin == other.origin and self.link > other.link)

    def has_spent(self, refresh_token: SecretStr) -> bool:
        """Whether the server is known to have replaced a refresh token, or a login has been completed."""
        return refresh_digest(refresh_token) in self.spent


NO_LINEAGE: Final = Lineage()
"""The place of nothing, and of a token that has not been given one yet."""

INVALIDATED: Final = Lineage("invalidated")
"""The place of an invalidation that says nothing else."""


def refresh_digest(refresh_token: SecretStr) -> str:
    """Return what a refresh token is remembered by. It is as random as the token, and nothing leads back to it."""
    return _digest(refresh_token.get_secret_value())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:_DIGEST_LENGTH]
