"""The profiles file: TOML with common values at its top, and a table for each profile."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROFILES_FILE: Final = "PROCOUNTOR_PROFILES_FILE"
"""Names the TOML file."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_PLAIN: Final = (str, int, float, bool)


def folded(name: str) -> str:
    """Return the form in which the names of profiles are compared."""
    # Shells allow no hyphen in a variable's name.
    return name.lower().replace("-", "_")


def names_of(profiles: Iterable[str]) -> dict[str, str]:
    """Return the profiles' names as they are spelt, by their folded form."""
    return {folded(name): name for name in profiles}


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Return the common values, the values of each profile, and the profiles' names by their folded form.

    Raises:
        ConfigurationError: The file can't be read, or is not what it should be.
    """
    problem = "names a file that can't be read"
    try:
        status = path.stat()
        return _parsed(path, status.st_ino, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        problem = "names a file that does not exist"
    except UnicodeDecodeError:
        problem += " as UTF-8"
    except tomllib.TOMLDecodeError as error:
        # Of Python's message only the place: the rest may quote the line.
        place = re.search(r"\(at [^()]*\)\Z", str(error))
        problem = f"names a file that is not TOML {place[0] if place else ''}".rstrip()
    except _Malformed as error:
        problem = f"names a file in which {error}"
    except OSError as error:
        problem += f" ({error.strerror})"
    raise ConfigurationError.from_problems(
        (Problem(PROFILES_FILE, "unreadable", f"{PROFILES_FILE} {problem}"),),
        hint="It is a TOML file with common values at its top, and a table [profiles.NAME] for each profile.",
    )


class _Malformed(Exception):
    """What is wrong with the file, with no value in it."""


@lru_cache(maxsize=1)
def _parsed(path: Path, *_state: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Read the file, again if it has changed: whoever makes a source for each profile reads it once."""
    document = tomllib.loads(path.read_text("utf-8"))
    tables = document.pop("profiles", {})
    if not isinstance(tables, dict):
        raise _Malformed("`profiles` is no table")
    seen: dict[str, str] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise _Malformed(f"`profiles.{_shown(name)}` is no table")
        if not _NAME.fullmatch(name):
            raise _Malformed(f"{_shown(name)} is no name for a profile (a-z, 0-9, _ and -, at most 64)")
        if (other := seen.setdefault(folded(name), name)) != name:
            raise _Malformed(f"the profiles {other} and {name} have the same name")
        _check(table, f"profiles.{name}.")
    _check(document, "")
    own = {name: _set(table) for name, table in tables.items()}
    return _set(document), own, names_of(own)


def _check(table: dict[str, Any], where: str) -> None:
    for name, value in table.items():
        if not isinstance(value, _PLAIN):
            raise _Malformed(f"`{where}{_shown(name)}` is neither text nor a number nor true or false")


def _set(table: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in table.items() if value != ""}


def _shown(name: str) -> str:
    """Show a key of the file, unless somebody has put a secret where the name belongs."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) else "a key"
