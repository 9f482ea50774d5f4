"""Limits login attempts: a number per minute, and a growing delay after failures.

Ours: the library `limits` starts a thread for each count in memory, and keeps every name that a stranger makes up.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

MAX_PER_MINUTE: Final = 60
"""Attempts of one login from one address in a minute."""

MAX_OF_ADDRESS: Final = 1_200
"""Failed attempts from one address in a minute, for any login: all programs behind a load balancer share one."""

FREE_FAILURES: Final = 3
"""Consecutive failures after which the next attempt is delayed."""

FIRST_DELAY: Final = 0.5
"""Seconds of the first delay; each further delay is twice as long."""

MAX_DELAY: Final = 8.0
"""The longest delay, in seconds."""

FORGET_SECONDS: Final = 900.0
"""Seconds after which failures are forgotten."""

MAX_REMEMBERED: Final = 10_000
"""How many logins are remembered: the most recently tried ones."""

_MINUTE: Final = 60.0


class TooManyAttempts(Exception):
    """A login was tried too often.

    Attributes:
        retry_after: Whole seconds after which it can be tried again.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__("the login was tried too often")
        self.retry_after = retry_after


@dataclass
class _Tried:
    """The recent attempts of one login, or from one address."""

    times: deque[float] = field(default_factory=deque[float])
    failures: int = 0
    failed_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Attempts:
    """Limits the attempts of each login from each address. Several bridges count separately.

    Args:
        monotonic: The clock, in seconds.
        sleep: How to wait, in seconds.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._tried: OrderedDict[str, _Tried] = OrderedDict()

    @asynccontextmanager
    async def one(self, address: str, most: int, *login: str) -> AsyncGenerator[Attempt]:
        """Make the only attempt of a login at this moment, after its delay; other attempts wait.

        Args:
            address: The address that the attempt comes from.
            most: How many there may be of this login in a minute.
            login: What is tried, but for the password.

        Raises:
            TooManyAttempts: There were too many within a minute.
        """
        of_login, of_address = self._find(address, *login), self._find(address)
        # First the login's own: what is beyond it is no attempt of the address.
        self._count(of_login, most)
        self._count(of_address, MAX_OF_ADDRESS)
        async with of_login.lock:
            delay = self._delay(of_login)
            if delay:
                await self._sleep(delay)
            yield Attempt(of_login, of_address, self._monotonic)

    def count(self, address: str, most: int, *login: str) -> None:
        """Count an attempt that can't be used for guessing.

        Raises:
            TooManyAttempts: There were too many within a minute.
        """
        self._count(self._find(address, *login), most)

    def _find(self, *names: str) -> _Tried:
        # What a stranger sends may be long: its hash is not.
        name = hashlib.sha256("\0".join(names).encode("utf-8", "replace")).hexdigest()
        tried = self._tried.setdefault(name, _Tried())
        self._tried.move_to_end(name)
        while len(self._tried) > MAX_REMEMBERED:
            self._tried.popitem(last=False)
        return tried

    def _count(self, tried: _Tried, most: int) -> None:
        now = self._monotonic()
        while tried.times and now - tried.times[0] >= _MINUTE:
            tried.times.popleft()
        if len(tried.times) >= most:
            raise TooManyAttempts(max(1, round(_MINUTE - (now - tried.times[0]))))
        tried.times.append(now)

    def _delay(self, tried: _Tried) -> float:
        if self._monotonic() - tried.failed_at >= FORGET_SECONDS:
            tried.failures = 0
        return delay_after(tried.failures)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and its outcome."""

    _tried: _Tried
    _of_address: _Tried
    _monotonic: Callable[[], float]

    def failed(self) -> None:
        """Remember a failure."""
        self._tried.failures += 1
        self._tried.failed_at = self._monotonic()

    def succeeded(self) -> None:
        """Forget the login's failures. The address's earlier attempts still count, but not this one."""
        self._tried.failures = 0
        if self._of_address.times:
            self._of_address.times.pop()


def delay_after(failures: int) -> float:
    """Return the delay in seconds after a number of consecutive failures."""
    if failures < FREE_FAILURES:
        return 0.0
    return min(FIRST_DELAY * 2.0 ** min(failures - FREE_FAILURES, 10), MAX_DELAY)
