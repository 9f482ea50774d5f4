"""The profiles file: TOML with common values at its top, and a table for each profile."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
import tomllib
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.settings.variables import shown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

PROFILES_FILE: Final = "PROCOUNTOR_PROFILES_FILE"
"""Names the TOML file."""

MAX_SIZE: Final = 8 * 2**20
"""A file of more bytes is not read: ten thousand profiles with a key each take two million."""

_Name = TypeVar("_Name", bound=Hashable)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_PLAIN: Final = (str, int, float, bool)

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_MAX_PARTS: Final = 32
"""A key of more parts is refused unread: Python's parser takes minutes and gigabytes for 100,000."""

_DEEP_KEY: Final = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_MAX_PARTS}}}"
)

_MAX_NUMBER: Final = 2**63

_TOO_LARGE: Final = "a number is too large"

_CONTENT: Final = "It is a TOML file with common values at its top, and a table [profiles.NAME] for each profile."

_CHECK_PATH: Final = f"Correct {PROFILES_FILE}, the file or its access rights. {_CONTENT}"


def folded(name: str) -> str:
    """Return the form in which the names of profiles are compared."""
    # Shells allow no hyphen in a variable's name.
    return name.lower().replace("-", "_")


def names_of(profiles: Iterable[str]) -> dict[str, str]:
    """Return the profiles' names as they are spelt, by their folded form."""
    return {folded(name): name for name in profiles}


def read_file(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Return the common values, the values of each profile, and the profiles' names by their folded form.

    Raises:
        ConfigurationError: The file can't be read, or is not what it should be.
    """
    problem, hint = "names a file that can't be read", _CHECK_PATH
    try:
        path = Path(path).expanduser()
        status = path.stat()
        return _parsed(path, status.st_ino, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        problem = "names a file that does not exist"
    except UnicodeDecodeError:
        problem += " as UTF-8"
        hint = "Save it as UTF-8."
    except tomllib.TOMLDecodeError as error:
        # Of Python's message only the place: the rest may quote the line.
        place = re.search(r"\(at [^()]*\)\Z", str(error))
        problem = f"names a file that is not TOML {place[0] if place else ''}".rstrip()
        hint = _CONTENT
    except _Malformed as error:
        problem, hint = f"names a file in which {error}", _CONTENT
    except (RecursionError, MemoryError):
        problem, hint = "names a file in which values are nested too deeply", _CONTENT
    except RuntimeError:  # of `expanduser`
        problem += " (there is no such user)"
    except ValueError as error:
        # A path with a NUL; or a number of more digits than Python converts.
        if "digits" in str(error):
            problem, hint = f"names a file in which {_TOO_LARGE}", _CONTENT
        else:
            problem = "is not a path"
    except OSError as error:
        problem += f" ({error.strerror})"
    raise ConfigurationError.from_problems(
        (Problem(PROFILES_FILE, "unreadable", f"{PROFILES_FILE} {problem}"),), hint=hint
    )


class SpeltTwice:
    """Stands for a value that one place has under two spellings of one name, and which differ."""


class _Malformed(Exception):
    """What is wrong with the file, with no value in it."""


@lru_cache(maxsize=1)
def _parsed(path: Path, *_state: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Read the file, again if it has changed: whoever makes a source for each profile reads it once."""
    text = _text(path)
    if _DEEP_KEY.search(text):
        raise _Malformed(f"a key has more than {_MAX_PARTS} parts")
    document = tomllib.loads(text)
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


def _text(path: Path) -> str:
    """Read the file: a pipe or a device might never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    # Should a pipe have taken its place meanwhile, it is not waited for.
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_SIZE // 2**20} MiB")
    if content.startswith(codecs.BOM_UTF8):
        raise _Malformed("a byte order mark comes first: save it as UTF-8 without one")
    return content.decode("utf-8").replace("\r\n", "\n")


def _check(table: dict[str, Any], where: str) -> None:
    for name, value in table.items():
        if not isinstance(value, _PLAIN):
            raise _Malformed(f"`{where}{_shown(name)}` is neither text nor a number nor true or false")
        if isinstance(value, int) and abs(value) > _MAX_NUMBER:
            raise _Malformed(_TOO_LARGE)
        if isinstance(value, str) and "\0" in value:
            raise _Malformed(f"`{where}{_shown(name)}` has a NUL in it")


def _set(table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if value != "":
            put(found, name.lower(), value)
    return found


def put(found: dict[_Name, Any], name: _Name, value: object) -> None:
    """Add a value to what one place says, where each spelling stands once at most: which one is meant can't be told."""
    found[name] = SpeltTwice() if name in found and found[name] != value else value


def _shown(name: str) -> str:
    """Show a key of the file, unless somebody has put a secret where the name belongs."""
    return shown_name(name) or "a key"
