"""What happens to tokens, as typed events: for the log, for a callback, and for OpenTelemetry if it is installed.

    def count(event: Event) -> None:
        statistics[event.name, event.strategy] += 1

    TokenSource.from_env(on_event=count)

Events contain no secrets. A log record has the event's values in its attribute `procountor_event`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from procountor_auth.errors import printable
from procountor_auth.protocol.sunset import SunsetNotice

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BridgeLogin",
    "BridgeLoginRefused",
    "DeprecatedStrategyUsed",
    "Event",
    "FellBack",
    "Listener",
    "SunsetAnnounced",
    "TokenAcquired",
    "TokenFailed",
    "TokenRenewed",
]

_logger = logging.getLogger("procountor_auth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the tokens of a source.

    Attributes:
        at: When it happened, in Unix seconds.
        strategy: The strategy that was used.
        host: The host that the tokens are for.
        profile: The profile of the tokens, if there are profiles.
    """

    name: ClassVar[str] = "event"
    level: ClassVar[int] = logging.INFO

    at: float
    strategy: str
    host: str
    profile: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with the event's name as `event`."""
        return {"event": self.name, **asdict(self)}

    @property
    def message(self) -> str:
        """The text for the log."""
        return self.name

    def __str__(self) -> str:
        # Names of hosts, profiles and strategies come from files and from other packages.
        return printable(f"profile {self.profile}: {self.message}" if self.profile else self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAcquired(Event):
    """The source got its first token from the server.

    Attributes:
        expires_at: When the token expires, in Unix seconds.
    """

    name: ClassVar[str] = "token_acquired"

    expires_at: float

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"new token from {self.host}, strategy {self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(TokenAcquired):
    """The source got a token from the server that replaces another one."""

    name: ClassVar[str] = "token_renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFailed(Event):
    """A token request failed.

    Attributes:
        error: The error's `code`, such as `invalid_grant`.
        retryable: Whether a later attempt may succeed without any change.
    """

    name: ClassVar[str] = "token_failed"
    level: ClassVar[int] = logging.WARNING

    error: str
    retryable: bool

    @property
    def message(self) -> str:
        """The line in the log."""
        again = "a later attempt may succeed" if self.retryable else "trying again will not help"
        return f"no token from {self.host}, strategy {self.strategy}: {self.error}; {again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    """The server rejected the strategy, and the fallback strategy is used instead.

    Attributes:
        fallback: The strategy that is used instead.
        error: The `code` of the error.
        count: How many times this source has fallen back, including this one.
        limit: How many times it may fall back.
    """

    name: ClassVar[str] = "fell_back"
    level: ClassVar[int] = logging.WARNING

    fallback: str
    error: str
    count: int
    limit: int

    @property
    def message(self) -> str:
        """The line in the log."""
        return (
            f"{self.host} refused the strategy {self.strategy} ({self.error}): falling back to {self.fallback}, "
            f"{self.count} of at most {self.limit} times"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeprecatedStrategyUsed(Event):
    """A token was requested with a deprecated strategy."""

    name: ClassVar[str] = "deprecated_strategy_used"
    level: ClassVar[int] = logging.INFO

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"the strategy {self.strategy} is deprecated, and still in use for {self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SunsetAnnounced(Event):
    """The server announced a deprecation (`Deprecation`, RFC 9745) or a sunset (`Sunset`, `rel="sunset"`, RFC 8594).

    It is reported once, and again when the announcement changes.

    Attributes:
        path: The path of the request whose response contained the announcement.
        deprecated_at: When the deprecation starts, in Unix seconds, if the server says so.
        sunset_at: When the path stops responding, in Unix seconds, if the server says so.
        link: The URL of a page about it, if the server names one.
    """

    name: ClassVar[str] = "sunset_announced"
    level: ClassVar[int] = logging.WARNING

    path: str
    deprecated_at: float | None
    sunset_at: float | None
    link: str | None

    @property
    def message(self) -> str:
        """The line in the log."""
        # The path is from one of the program's own requests, decoded: it may contain anything.
        path = "".join(character if character.isprintable() else "?" for character in self.path)
        if self.deprecated_at is None and self.sunset_at is None:
            return f"{self.host} names a page about the end of {path}: {self.link}"
        ending = SunsetNotice(self.deprecated_at, self.sunset_at, self.link)
        return f"{self.host} announces the end of {path}, {ending}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLogin(Event):
    """A program logged in at the bridge with the legacy login, or refreshed its token there.

    Attributes:
        user_agent: The program's `User-Agent`.
        grant_type: `authorization_code` for a login, `refresh_token` for a refresh.
    """

    name: ClassVar[str] = "bridge_login"

    user_agent: str
    grant_type: str

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"{self.user_agent or 'a program without a name'} logged in through the bridge ({self.grant_type})"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLoginRefused(Event):
    """The bridge rejected a program's login.

    Attributes:
        user_agent: The program's `User-Agent`.
        error: The reason: `invalid_grant`, `too_many_attempts`, or the code of the error that prevents a token.
    """

    name: ClassVar[str] = "bridge_login_refused"
    level: ClassVar[int] = logging.WARNING

    user_agent: str
    error: str

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"{self.user_agent or 'a program without a name'} was refused by the bridge: {self.error}"


Listener: TypeAlias = "Callable[[Event], None]"
"""Called with each event, on the thread where it happens: it must be fast and must not raise."""
