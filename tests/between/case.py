"""One line of a table: what lies between, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.faults.fault import LONG, Accepted, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .network import Network, Route
    from .storage import Failover


@dataclass(frozen=True, slots=True)
class Way:
    """What lies between a program and the service.

    Attributes:
        family: The table that it is in.
        name: Its name, unique in its table.
        expected: What has to come of it, and how many token requests arrive.
        build: Builds it, and returns how the service is reached.
        once: What has to come of it instead where the request can be sent only once.
        timeout: Seconds that a call may take.
        connects: How many times a proxy is asked for a tunnel.
    """

    family: str
    name: str
    expected: Refused | Accepted
    build: Callable[[Network], Route] = field(repr=False)
    once: Refused | Accepted | None = None
    timeout: float = LONG
    connects: int | None = None

    @property
    def id(self) -> str:
        """Its name among all."""
        return f"{self.family}-{self.name}"


@dataclass(frozen=True, slots=True)
class Told:
    """What has to come of calls after a failover.

    Attributes:
        error: The name of the error's class; none where a token is returned.
        requests: How many token requests the service gets at most, however many calls there are.
        retryable: What the error has to say about that.
    """

    error: str = ""
    requests: int = 1
    retryable: bool = False

    @property
    def accepts(self) -> bool:
        """Whether a token is returned."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the store between two calls, or in the middle of one.

    Attributes:
        name: Its name, unique in its table.
        happens: Brings it about.
        key: What has to come of it where an API key gets the next token.
        same: What has to come of it for the program that has a rotated refresh token in memory.
        other: The same for a program that starts just then.
        kept: Whether the newest token is in the store after that call.
        key_kept: The same for an API key, whose token is not waited for; None where either is right.
        replicates: Whether the second server has the token before the last.
        recovers: Whether the store can be written before the next call, which then renews and stores again.
        stores: Where it can happen.
    """

    name: str
    happens: Callable[[Failover], Any] = field(repr=False)
    key: Told
    same: Told
    other: Told
    kept: bool = True
    key_kept: bool | None = True
    replicates: bool = False
    recovers: bool = False
    stores: tuple[str, ...] = ("redis", "postgresql")
