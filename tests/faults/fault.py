"""One line of a table: what goes wrong, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError

    from .acts import Act

SHORT: Final = 0.15
"""Seconds that a call may take where the server never ends its answer: all of them are waited for."""

LONG: Final = 30.0
"""Seconds that it may take elsewhere."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The call has to raise.

    Attributes:
        error: The exact kind of error.
        retryable: What it has to say about that.
        login: Whether it has to be `InteractionRequired` instead where a refresh token was sent.
        says: What its text has to say, as a regular expression.
        safe: How many requests have to be sent where repeating is safe.
        once: The same for a code or a refresh token, which work once.
    """

    error: type[ProcountorAuthError]
    retryable: bool = False
    login: bool = False
    says: str = ""
    safe: int = 1
    once: int = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """The call has to return the new token.

    Attributes:
        lifetime: The seconds that it lives.
        refresh: Whether it has the new refresh token; else the old one is kept, where there is one.
        safe: How many requests have to be sent where repeating is safe.
        once: The same for a code or a refresh token.
    """

    lifetime: float = 3600.0
    refresh: bool = True
    safe: int = 1
    once: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        family: The table that it is in.
        name: Its name, unique in its table.
        expected: What has to come of it.
        act: What the server does with the request.
        where: How the server is reached: `plain`, `tls`, `untrusted` (TLS with a certificate of nobody),
            `early`, `late` (with one that is not valid yet, or any more), `nothing-listens`, `never-accepts`,
            `no-such-host`, `proxy` (a plain request through the server), `tunnel` (a TLS request through it),
            `no-proxy` (through a proxy that does not listen).
        timeout: Seconds that the call may take.
        once: What has to come of it instead where the request can be sent only once.
        redirect_uri: What is registered, for the legacy login.
    """

    family: str
    name: str
    expected: Refused | Accepted
    act: Act | None = field(default=None, repr=False)
    where: str = "plain"
    timeout: float = LONG
    once: Refused | Accepted | None = None
    redirect_uri: str = "https://app.example/callback"

    @property
    def id(self) -> str:
        """Its name among all."""
        return f"{self.family}-{self.name}"
