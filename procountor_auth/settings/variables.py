"""Where the `PROCOUNTOR_*` variables come from: the environment, a `.env` file, a directory of secrets.

pydantic-settings has sources for all three. This one stands in for them, because theirs expand `${…}` inside a
password from a `.env` file, strip the spaces around one from a secrets directory, write every value to the log when
`PYDANTIC_SETTINGS_DEBUG` is set, and say nothing of a misspelt name in the environment.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values

from procountor_auth.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "PROCOUNTOR_"

ENV_FILE: Final = "PROCOUNTOR_ENV_FILE"
"""Names the `.env` file. Without it, `.env` in the working directory is read if it is there."""

SECRETS_DIR: Final = "PROCOUNTOR_SECRETS_DIR"
"""Names the secrets directory. Without it, `/run/secrets` (Docker's) is read if it is there."""

DEFAULT_SECRETS_DIR: Final = "/run/secrets"

_WORD: Final = "(?:[A-Za-z]{1,24}[0-9]{0,3}|[0-9]{1,3})"

_NAME: Final = re.compile(f"[_-]{{0,2}}{_WORD}(?:[_-]{{1,2}}{_WORD})*[_-]{{0,2}}")
"""Words of letters, each with a number at its end at most: what keys and passwords hardly ever are."""

_MAX_NAME: Final = 64


def shown_name(name: str) -> str | None:
    """Return a name from outside as it may be shown, or None if somebody has put a secret where the name belongs."""
    return name if len(name) <= _MAX_NAME and _NAME.fullmatch(name) else None


def named_values(variables: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Yield the `PROCOUNTOR_*` variables by the settings' names; an empty value is no value."""
    for variable, value in variables.items():
        name = variable.upper()
        if value and name.startswith(PREFIX) and name not in {ENV_FILE, SECRETS_DIR}:
            yield name.removeprefix(PREFIX).lower(), value


def from_environment() -> Mapping[str, str | None]:
    """Return the environment of this process."""
    return os.environ


def from_env_file() -> Mapping[str, str | None]:
    """Return what the `.env` file says, with `${…}` left as it is: it may well be part of a password.

    Raises:
        ConfigurationError: It is named and not there, or can't be read.
    """
    named = os.environ.get(ENV_FILE)
    unreadable = "the .env file can't be read" if not named else "names a file that can't be read"
    try:
        path = Path(named or ".env").expanduser()
        if path.is_file():
            status = path.stat()
            return _parsed(path.absolute(), status.st_ino, status.st_mtime_ns, status.st_size)
        if not named:
            return {}
        unreadable = "names a file that does not exist"
    except (UnicodeDecodeError, RuntimeError, OSError) as error:
        unreadable += _reason(error)
    raise _unreadable(ENV_FILE, unreadable)


@lru_cache(maxsize=1)
def _parsed(path: Path, *_state: int) -> Mapping[str, str | None]:
    """Parse the file, again if it has changed: whoever makes a source for each of many profiles parses it once."""
    return dotenv_values(path, interpolate=False, encoding="utf-8")


def from_secrets_dir() -> Mapping[str, str | None]:
    """Return the files of the secrets directory (Docker, Kubernetes): a file's name is the variable's.

    Line ends at the end of a file are not part of the secret; spaces are.

    Raises:
        ConfigurationError: It is named and not there, or something in it can't be read.
    """
    named = os.environ.get(SECRETS_DIR)
    values: dict[str, str | None] = {}
    unreadable = "names a directory that can't be read"
    try:
        directory = Path(named or DEFAULT_SECRETS_DIR).expanduser()
        if directory.is_dir():
            for path in sorted(directory.iterdir()):
                if path.name.upper().startswith(PREFIX) and path.is_file():
                    unreadable = f"has the file {path.name}, which can't be read"
                    values[path.name] = path.read_text(encoding="utf-8").rstrip("\r\n")
            return values
        if not named:
            return {}
        unreadable = "names a directory that does not exist"
    except (UnicodeDecodeError, RuntimeError, OSError) as error:
        unreadable += _reason(error)
    values.clear()
    raise _unreadable(SECRETS_DIR, unreadable)


def _reason(error: UnicodeDecodeError | RuntimeError | OSError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return " as UTF-8"
    return f" ({error.strerror})" if isinstance(error, OSError) else " (there is no such user)"  # of `expanduser`


def _unreadable(variable: str, message: str) -> ConfigurationError:
    problem = Problem(variable, "unreadable", f"{variable} {message}")
    return ConfigurationError.from_problems((problem,), hint=f"Correct {variable} or the access rights.")
