"""Reads variables from a directory of secrets (Docker, Kubernetes): the name of a file is the variable's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from procountor_auth.errors import printable
from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.plain_file import read_bytes
from procountor_auth.settings.variables import (
    MAX_SIZE,
    PREFIX,
    SECRETS_DIR,
    Place,
    ignored,
    reason,
    shown_name,
    unreadable,
)

DEFAULT_SECRETS_DIR: Final = "/run/secrets"


def from_secrets_dir() -> Place:
    """Return the files of the secrets directory. Trailing line ends are not part of the secret; spaces are.

    Raises:
        ConfigurationError: The directory can't be read although a variable names it, or a file is not UTF-8.
    """
    named = os.environ.get(SECRETS_DIR)
    shown = printable(named or DEFAULT_SECRETS_DIR)
    try:
        return _read(Path(named or DEFAULT_SECRETS_DIR).expanduser(), shown, skips=not named)
    except FileNotFoundError:
        problem = "does not exist"
    except NotADirectoryError:
        problem = "is not a directory"
    except _Unusable as error:
        problem = str(error)
        named = named or DEFAULT_SECRETS_DIR
    except (RuntimeError, OSError, ValueError) as error:
        if not named:
            skipped = ignored(shown, error)
            return Place({}, skipped, (skipped,))
        problem = f"can't be read{reason(error)}"
    if not named:
        return Place({}, f"{shown} ({problem})")
    raise unreadable(SECRETS_DIR, f"{'names' if os.environ.get(SECRETS_DIR) else 'is'} a directory that {problem}")


class _Unusable(Exception):
    """A file of the directory can't be used. The message says why, without its content."""


def _read(directory: Path, shown: str, *, skips: bool) -> Place:
    values: dict[str, str | None] = {}
    looked = [shown]
    skipped: list[str] = []
    problem: str | None = None
    for path in sorted(directory.iterdir()):
        if not path.name.upper().startswith(PREFIX):
            continue
        file = shown_name(path.name) or "a file"
        try:
            if not path.is_file():
                looked.append(f"{shown}/{file} ({_kind(path)})")
                continue
            values[path.name] = decoded(read_bytes(path, MAX_SIZE)).rstrip("\r\n")
        except WrongEncoding as error:
            problem = f"has the file {file}, which {error}"
            break
        except OSError as error:
            if not skips:
                problem = f"has the file {file}, which can't be read{reason(error)}"
                break
            skipped.append(ignored(f"{shown}/{file}", error))
            looked.append(skipped[-1])
    if problem is not None:
        values.clear()
        raise _Unusable(problem)
    return Place(values, "; ".join(looked), tuple(skipped))


def _kind(path: Path) -> str:
    """Say what an entry is that has the name of a variable and is no file: Docker makes a folder of a missing file."""
    if path.is_dir():
        return "a directory, not a file"
    return "not a file" if path.exists() else "a link that leads nowhere"
