"""What happens to tokens, one typed event each: to the log always, to a callback, and to OpenTelemetry if it is there.

    def count(event: Event) -> None:
        statistics[event.name, event.strategy] += 1

    TokenSource.from_env(on_event=count)

No event holds a secret. A log record has the event's values as its attribute `procountor_event`.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from procountor_auth.errors import printable
from procountor_auth.protocol.sunset import SunsetNotice

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger("procountor_auth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the tokens of one source.

    Attributes:
        at: When, in Unix seconds.
        strategy: The strategy that did it.
        host: The host that the tokens are for.
        profile: The profile that they are of, if there are profiles.
    """

    name: ClassVar[str] = "event"
    level: ClassVar[int] = logging.INFO

    at: float
    strategy: str
    host: str
    profile: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, the name of the event as `event`."""
        return {"event": self.name, **asdict(self)}

    @property
    def message(self) -> str:
        """The line in the log, for a person."""
        return self.name

    def __str__(self) -> str:
        # Names of hosts, profiles and strategies come from files and from other packages.
        return printable(f"profile {self.profile}: {self.message}" if self.profile else self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAcquired(Event):
    """A token came from the server where there was none before.

    Attributes:
        expires_at: When it ends, in Unix seconds.
    """

    name: ClassVar[str] = "token_acquired"

    expires_at: float

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"new token from {self.host}, strategy {self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRenewed(TokenAcquired):
    """A token came from the server in the place of another one."""

    name: ClassVar[str] = "token_renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFailed(Event):
    """There is no new token.

    Attributes:
        error: The error's `code`, such as `invalid_grant`.
        retryable: Whether a later try may succeed with nothing changed.
    """

    name: ClassVar[str] = "token_failed"
    level: ClassVar[int] = logging.WARNING

    error: str
    retryable: bool

    @property
    def message(self) -> str:
        """The line in the log."""
        again = "a later try may succeed" if self.retryable else "something has to be changed first"
        return f"no token from {self.host}, strategy {self.strategy}: {self.error}; {again}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    """The strategy was refused, and the fallback strategy is used instead.

    Attributes:
        fallback: The strategy that is used.
        error: The `code` of the refusal.
        count: How often this source has fallen back by now, this time included.
        limit: After how many times it stops.
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
    """A token came by a deprecated strategy."""

    name: ClassVar[str] = "deprecated_strategy_used"
    level: ClassVar[int] = logging.INFO

    @property
    def message(self) -> str:
        """The line in the log."""
        return f"the strategy {self.strategy} is deprecated, and still in use for {self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SunsetAnnounced(Event):
    """The server announced that something ends: `Deprecation` (RFC 9745), `Sunset`, `rel="sunset"` (RFC 8594).

    Once for each change.

    Attributes:
        path: The path of the request whose answer said so.
        deprecated_at: From when on it is deprecated, in Unix seconds, if that was said.
        sunset_at: When it stops to answer, in Unix seconds, if that was said.
        link: A page about it, if one was named.
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
        # The path is one of the program's own requests, decoded: it may hold anything.
        path = "".join(character if character.isprintable() else "?" for character in self.path)
        if self.deprecated_at is None and self.sunset_at is None:
            return f"{self.host} names a page about the end of {path}: {self.link}"
        ending = SunsetNotice(self.deprecated_at, self.sunset_at, self.link)
        return f"{self.host} announces the end of {path}, {ending}"


Listener: TypeAlias = "Callable[[Event], None]"
"""Called with each event, on the thread where it happens: be quick, and raise nothing."""
