"""Reads variables from a `.env` file, or from a pipe that a secrets manager puts in its place."""

from __future__ import annotations

import os
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values

from procountor_auth.errors import ConfigurationError, Problem, printable
from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.plain_file import PATIENCE, is_pipe, read_bytes
from procountor_auth.settings.variables import ENV_FILE, MAX_SIZE, Place, ignored, reason, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

_ONCE_MORE: Final = 1.0
"""Seconds to wait for a pipe that has been read before."""


def from_env_file() -> Place:
    """Return the variables of the `.env` file, without expanding `${…}`, which may be part of a password.

    Raises:
        ConfigurationError: The file can't be read although a variable names it, or it is not UTF-8.
    """
    named = os.environ.get(ENV_FILE)
    shown = printable(named or ".env in the working directory")
    encoded = True
    try:
        return Place(_read(Path(named or ".env").expanduser()), shown)
    except FileNotFoundError:
        problem = "does not exist"
    except IsADirectoryError:
        problem = "is a directory"
    except WrongEncoding as error:
        problem, encoded = str(error), False
    except (RuntimeError, OSError, ValueError) as error:
        if not named:
            skipped = ignored(shown, error)
            return Place({}, skipped, (skipped,))
        problem = f"can't be read{reason(error)}"
    if not encoded:
        message = f"{ENV_FILE} names a file that {problem}" if named else f"{shown} {problem}"
        raise ConfigurationError.from_problems((Problem(ENV_FILE, "unreadable", message),), hint="Save it as UTF-8.")
    if not named:
        return Place({}, f"{shown} ({problem})")
    raise unreadable(ENV_FILE, f"names a file that {problem}")


def _read(path: Path) -> Mapping[str, str | None]:
    if is_pipe(path):
        return _from_pipe(path)
    status = path.stat()
    return _parsed(path.absolute(), status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _parsed(path: Path, *_state: int) -> Mapping[str, str | None]:
    """Parse the file, only once as long as it does not change: many profiles read the same file."""
    return _variables_in(read_bytes(path, MAX_SIZE))


def _variables_in(content: bytes) -> Mapping[str, str | None]:
    return dotenv_values(stream=StringIO(decoded(content)), interpolate=False)


def _from_pipe(path: Path) -> Mapping[str, str | None]:
    """Read a pipe; if it is empty, return what was read the last time.

    A secrets manager's pipe provides the file each time, a shell's `<(…)` only once.
    """
    before = _from_pipes.get(path)
    found: Mapping[str, str | None] = {}
    try:
        found = _variables_in(read_bytes(path, MAX_SIZE, patience=PATIENCE if before is None else _ONCE_MORE))
    except OSError:
        if before is None:
            raise
    if found:
        _from_pipes[path] = found
    return found or before or {}


_from_pipes: Final[dict[Path, Mapping[str, str | None]]] = {}
