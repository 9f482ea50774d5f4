"""Moments of a command at which something happens to its process: a signal, a freeze. And a fork that Python misses."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def signal_at(moment: str, number: int) -> None:
    """Have a signal sent to the process at some moment."""
    _once_at(moment, lambda: os.kill(os.getpid(), number))


def freeze_at(moment: str, seconds: float) -> None:
    """Have the process stand still for some seconds, as `docker pause` or a closed laptop does it."""
    frozen, waker = os.pipe()
    process = os.getpid()
    if os.fork() == 0:  # what lets it go on
        os.close(waker)
        if os.read(frozen, 1):
            while ") T " not in Path(f"/proc/{process}/stat").read_text("utf-8"):
                time.sleep(0.002)
            time.sleep(seconds)
            os.kill(process, signal.SIGCONT)
        os._exit(0)
    os.close(frozen)

    def freeze() -> None:
        os.write(waker, b"!")
        os.kill(process, signal.SIGSTOP)

    _once_at(moment, freeze)


def fork_from_c() -> None:
    """Go on in a child that C code has forked, without the hooks that Python has for that."""
    import procountor_auth  # noqa: PLC0415 - a server imports its program, and forks then

    _ = procountor_auth.TokenSource
    child = ctypes.PyDLL(None).fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _once_at(moment: str, act: Callable[[], None]) -> None:
    lock = threading.Lock()

    def once() -> None:
        if lock.acquire(blocking=False):
            act()

    if moment == "start":
        once()
    elif moment == "lock":
        _before(fcntl, "flock", once)
    elif moment == "sent":
        _before(socket.socket, "recv", once)
    elif moment == "answered":
        _after(socket.socket, "recv", once)
    else:
        event, name = {
            "import": ("import", "pydantic_settings"),
            "connect": ("socket.connect", ""),
            "write": ("os.rename", ""),
        }[moment]

        def hear(heard: str, values: tuple[Any, ...]) -> None:
            if heard == event and (not name or values[0] == name):
                once()

        sys.addaudithook(hear)


def _before(owner: Any, name: str, once: Callable[[], None]) -> None:  # noqa: ANN401 - a module or a class
    real = getattr(owner, name)

    def wrapped(*values: Any) -> Any:  # noqa: ANN401 - as the one that it wraps
        once()
        return real(*values)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, once: Callable[[], None]) -> None:  # noqa: ANN401 - a module or a class
    real = getattr(owner, name)

    def wrapped(*values: Any) -> Any:  # noqa: ANN401 - as the one that it wraps
        result = real(*values)
        once()
        return result

    setattr(owner, name, wrapped)
