"""Imports modules when they are needed, so that a program waits only for those that it uses.

The garbage collector is paused meanwhile. It would take a tenth of the time to the first token: it inspects all
imported objects again and again, and none of them is garbage.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.fork_guard import no_fork

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

_paused: list[bool] = []


@contextmanager
def importing(*packages: str) -> Generator[None]:
    """Prevent forks and garbage collection during the imports in the `with` block.

    Args:
        packages: Packages that import their own modules, and whose modules the block imports. They are imported first:
            if one thread begins with a module and another with its package, each waits for the other, and Python ends
            that by failing one of the two imports.

    Raises:
        ConnectionFailed: The interpreter is shutting down, and can't import modules any more; or the process has no
            file descriptor left to read a module with.
    """
    ended = full = False
    with no_fork() as held:
        pauses = held and gc.isenabled()
        if pauses:
            gc.disable()
            _paused.append(True)
        try:
            for package in packages:
                importlib.import_module(package)
            yield
        except ImportError:
            if not sys.is_finalizing():
                raise
            ended = True
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            full = True
        finally:
            if pauses:
                _paused.clear()
                gc.enable()
    if ended:
        raise too_late()
    if full:
        raise _too_many_files()


def load(package: str, homes: Mapping[str, str], name: str) -> object:
    """Import and cache an exported name: the `__getattr__` of packages whose exports are imported on first use.

    Args:
        package: The package's name.
        homes: For each exported name, its module within `procountor_auth`.
        name: The requested name.

    Raises:
        AttributeError: The package has no such export.
        ImportError: The module, or one that it needs, can't be imported.
    """
    home = homes.get(name)
    if home is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    with importing():
        try:
            value: object = getattr(importlib.import_module(f"procountor_auth.{home}"), name)
        except AttributeError as error:
            # Python would only report a missing name, and not what is broken.
            raise ImportError(f"procountor_auth.{home} can't be imported: {error}", name=home) from error
    setattr(sys.modules[package], name, value)
    return value


def too_late() -> ConnectionFailed:
    """Return the error for a token request while the interpreter is shutting down."""
    error = ConnectionFailed(
        "No connection can be opened: the interpreter is shutting down.",
        hint="Request a token earlier, not in a finalizer.",
    )
    error.sent = False
    return error


def _too_many_files() -> ConnectionFailed:
    error = ConnectionFailed(
        "This process can't open another file, and so can't load what a token needs.",
        hint="Try again when some are closed, or allow more of them (ulimit -n).",
    )
    error.sent = False
    return error


def _in_a_child() -> None:
    # The fork did not wait for an import, and the importing thread does not exist in the child.
    if _paused:
        _paused.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)
