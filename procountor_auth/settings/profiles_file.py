"""Reads the profiles file: TOML with common values at the top, and a table for each profile."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from procountor_auth.errors import ConfigurationError, Problem, printable
from procountor_auth.protocol.json_object import is_json_object
from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.plain_file import read_bytes
from procountor_auth.settings.variables import ignored, shown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

PROFILES_FILE: Final = "PROCOUNTOR_PROFILES_FILE"
"""The variable that names the TOML file."""

MAX_SIZE: Final = 8 * 2**20
"""The largest allowed size, in bytes: ten thousand profiles with a key each take two million."""

_Name = TypeVar("_Name", bound=Hashable)

_NAME: Final = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:[_-][a-z0-9]+)*")
"""Two underscores end the name in a variable, so that a name neither contains two nor ends with one."""

_NAMES: Final = "a-z and 0-9, with single _ or - between them, at most 64"

_PLAIN: Final = (str, int, float, bool)

_MAX_PARTS: Final = 32
"""The most parts of a dotted key: Python's parser takes minutes and gigabytes for 100,000."""

_DEEP_KEY: Final = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_MAX_PARTS}}}"
)

_MAX_NUMBER: Final = 2**63

_TOO_LARGE: Final = "a number is too large"

_CONTENT: Final = "It is a TOML file with common values at the top, and a table [profiles.NAME] for each profile."

_CHECK_PATH: Final = f"Correct {PROFILES_FILE}, the file or its access rights. {_CONTENT}"


def default_file() -> Path:
    """Return the standard place of the file: this user's configuration folder."""
    # Without platformdirs, which is not a core dependency.
    if os.name == "nt":
        folder = Path(os.environ.get("APPDATA") or "~/AppData/Roaming")
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    return folder / "procountor-auth" / "profiles.toml"


def existing_default_file(skipped: list[str]) -> str | None:
    """Return the file in the standard place, if it exists. An inaccessible one is ignored with a warning.

    Args:
        skipped: Gets the description of an inaccessible one.
    """
    try:
        path = default_file().expanduser()
        if not path.is_absolute():
            return None
        path.stat()
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # RuntimeError: this user has no home
        return None
    except (OSError, ValueError) as error:
        skipped.append(ignored(str(default_file()), error))
        return None
    return str(path)


def folded(name: str) -> str:
    """Return a profile's name in the form that is used for comparison."""
    # Variable names can't contain hyphens.
    return name.lower().replace("-", "_")


def names_of(profiles: Iterable[str]) -> dict[str, str]:
    """Return the profiles' original names, by their folded form."""
    return {folded(name): name for name in profiles}


def read_file(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Return the common values, the values of each profile, and the profiles' names by their folded form.

    Raises:
        ConfigurationError: The file can't be read, or is not what it should be.
    """
    import tomllib  # noqa: PLC0415 - most configurations have no such file

    problem, hint = "names a file that can't be read", _CHECK_PATH
    try:
        path = Path(path).expanduser()
        status = path.stat()
        return _parsed(path, status.st_ino, status.st_mtime_ns, status.st_size)
    except FileNotFoundError:
        problem = f"names a file that does not exist: {printable(str(Path(path).absolute()))}"
    except WrongEncoding as error:
        problem, hint = f"names a file that {error}", "Save it as UTF-8."
    except tomllib.TOMLDecodeError as error:
        # Only the position from Python's message: the rest may quote the line.
        place = re.search(r"\(at [^()]*\)\Z", str(error))
        problem = f"names a file that is not TOML {place[0] if place else ''}".rstrip()
        hint = _CONTENT
    except _Malformed as error:
        problem, hint = f"names a file in which {error}", _CONTENT
    except (RecursionError, MemoryError):
        problem, hint = "names a file in which values are nested too deeply", _CONTENT
    except RuntimeError:  # from `expanduser`
        problem += " (there is no such user)"
    except ValueError as error:
        # A path with NUL, or a number with more digits than Python converts.
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
    """Marks a setting that one place sets twice, under two spellings of its name and with different values."""


class _Malformed(Exception):
    """The file is malformed. The message contains no value."""


@lru_cache(maxsize=1)
def _parsed(path: Path, *_state: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, str]]:
    """Parse the file, only once as long as it does not change: many profiles read the same file."""
    import tomllib  # noqa: PLC0415 - as above

    text = _text(path)
    if _DEEP_KEY.search(text):
        raise _Malformed(f"a key has more than {_MAX_PARTS} parts")
    document = tomllib.loads(text)
    tables = document.pop("profiles", {})
    if not is_json_object(tables):
        raise _Malformed("`profiles` is not a table")
    seen: dict[str, str] = {}
    for name, table in tables.items():
        if not is_json_object(table):
            raise _Malformed(f"`profiles.{_shown(name)}` is not a table")
        if not _NAME.fullmatch(name):
            raise _Malformed(f"{_shown(name)} is not a valid profile name ({_NAMES})")
        if (other := seen.setdefault(folded(name), name)) != name:
            raise _Malformed(f"the profiles {other} and {name} have the same name")
        _check(table, f"profiles.{name}.")
    _check(document, "")
    own = {name: _set(table) for name, table in tables.items()}
    return _set(document), own, names_of(own)


def _text(path: Path) -> str:
    """Read the file, but no pipe or device, which might never end."""
    return decoded(read_bytes(path, MAX_SIZE, pipes=False)).replace("\r\n", "\n")


def _check(table: dict[str, Any], where: str) -> None:
    for name, value in table.items():
        if not isinstance(value, _PLAIN):
            raise _Malformed(f"`{where}{_shown(name)}` is not text, a number, true or false")
        if isinstance(value, int) and abs(value) > _MAX_NUMBER:
            raise _Malformed(_TOO_LARGE)
        if isinstance(value, str) and "\0" in value:
            raise _Malformed(f"`{where}{_shown(name)}` contains NUL")


def _set(table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if value != "":
            put(found, name.lower(), value)
    return found


def put(found: dict[_Name, Any], name: _Name, value: object) -> None:
    """Add a value of one place, or `SpeltTwice` if it contradicts another spelling of the same name."""
    found[name] = SpeltTwice() if name in found and found[name] != value else value


def _shown(name: str) -> str:
    """Return a key of the file for display, unless it may be a secret in the wrong place."""
    return shown_name(name) or "a key"
