"""Makes a fork wait while a thread imports a module or sets up TLS.

Modules are imported when they are needed, often on a background thread. A child that is forked during an import
inherits the lock of the import, or of OpenSSL, but not the thread that releases it, and would wait forever.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

PATIENCE: Final = 5.0
"""The longest wait of a fork or another thread, in seconds: a module may fork while it is imported."""

# Reentrant: an imported module may import others through this guard, or fork.
_guard = RLock()
_held: list[bool] = []


@contextmanager
def no_fork() -> Generator[bool]:
    """Prevent other threads from forking this process meanwhile; yield whether that is certain."""
    guard = _guard  # a child that is forked in here has a new guard, but must release this one
    held = guard.acquire(timeout=PATIENCE)
    try:
        yield held
    finally:
        if held:
            guard.release()


def _before_fork() -> None:
    _held.append(_guard.acquire(timeout=PATIENCE))


def _after_in_parent() -> None:
    if _held.pop():
        _guard.release()


def _after_in_child() -> None:
    # A new guard: if the fork did not wait, the thread that holds the old one does not exist in the child.
    global _guard  # noqa: PLW0603 - used only in this module
    _guard = RLock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
