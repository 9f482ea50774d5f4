"""Limits of a host: no threads, no file descriptors, no locks, a clock of its own."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import NoReturn

from tests.hosts import users


def forbid_threads() -> None:
    """Let nobody start a thread or process. The kernel exempts root from that limit."""
    import resource  # noqa: PLC0415 - no Windows has it

    users.become()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def forbid_files(left: int) -> None:
    """Let the process have so many file descriptors more, and none beyond."""
    import resource  # noqa: PLC0415 - no Windows has it

    lowest = os.dup(0)
    os.close(lowest)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, hard))


def refuse_flock(name: str) -> None:
    """Have no locks: a filter for system calls, or a file system, says so with this error."""
    number = getattr(errno, name)

    def flock(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    fcntl.flock = flock


def set_clock(seconds: float, jump: float = 0.0) -> None:
    """Have a wall clock that is off by some seconds, and by more after it has been looked at three times."""
    real, looks = time.time, 0

    def shifted() -> float:
        nonlocal looks
        looks += 1
        return real() + seconds + (jump if looks > 3 else 0.0)

    time.time = shifted
