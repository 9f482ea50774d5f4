"""The mark that a refresh token is being used, written before it is sent.

Whoever comes next, without the lock that the first one has lost, learns from it that the refresh token may be spent by
now, and waits for the one that is coming. One whose holder has died is no reason to wait, but to say what happened.
"""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

_SKEW: Final = 10.0
"""Seconds that the clocks of two hosts may differ; a mark from farther in the future is no reason to wait."""


@dataclass(frozen=True, slots=True)
class Use:
    """A refresh token that was sent, or will be in a moment, and whose answer is not known.

    Attributes:
        refresh_token: Its digest.
        since: When, in Unix seconds of the holder's clock.
        until: When the holder gives up waiting for the answer.
        host: The name of the holder's host.
        pid: The holder's process.
        namespace: Among which processes of that host the holder has this number; empty if the system doesn't say.
    """

    refresh_token: str
    since: float
    until: float
    host: str
    pid: int
    namespace: str = ""

    @classmethod
    def here(cls, refresh_token: str, now: float, seconds: float) -> Use:
        """Return the mark of this process."""
        return cls(refresh_token, now, now + max(0.0, seconds), platform.node(), os.getpid(), _namespace())

    def ended(self, now: float) -> Use:
        """Return the mark of a use whose process has ended without an answer."""
        return replace(self, until=min(self.until, now))

    @contextmanager
    def under_way(self) -> Generator[None]:
        """Remember that this process is using it."""
        _under_way.add(self)
        try:
            yield
        finally:
            _under_way.discard(self)

    def is_pending(self, now: float) -> bool:
        """Whether its answer may still come, so that it is worth waiting."""
        return self.since - _SKEW <= now < self.until and not self._holder_is_gone()

    def _holder_is_gone(self) -> bool:
        # Containers may have one name and the same numbers for their processes: only who sees the holder's can tell.
        if (self.host, self.namespace) != (platform.node(), _namespace()):
            return False
        if self.pid == os.getpid():
            return self not in _under_way
        if os.name != "posix":  # elsewhere, this would end the process
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC)
        return f"process {self.pid} on {self.host} since {since:%Y-%m-%d %H:%M:%S} UTC"


_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")


def _namespace() -> str:
    """Return what tells the processes that this one sees by their numbers: the kernel's boot, and the PID namespace.

    It is read each time: a child may be in another namespace than its parent.
    """
    # A boot alone would be that of all containers of a machine, and the first namespace has one number on all machines.
    with suppress(OSError, UnicodeError):
        return f"{_BOOT.read_text('ascii').strip()} {_PID_NAMESPACE.readlink()}"
    return ""


_under_way: set[Use] = set()
"""The uses that this process is at. Each step is one operation on a set, which nothing cuts in two."""
