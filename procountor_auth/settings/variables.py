"""The `PROCOUNTOR_*` variables, and where they are read: the environment, a `.env` file, a directory of secrets.

pydantic-settings has sources for all three. Ours (`env_file.py`, `secrets_directory.py`) replace them, because those of
pydantic-settings expand `${…}` in passwords from a `.env` file, strip spaces around passwords from a secrets directory,
log every value if `PYDANTIC_SETTINGS_DEBUG` is set, and do not report misspelt names in the environment.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX: Final = "PROCOUNTOR_"

ENV_FILE: Final = "PROCOUNTOR_ENV_FILE"
"""Names the `.env` file. If it is not set, `.env` in the working directory is read if it exists."""

SECRETS_DIR: Final = "PROCOUNTOR_SECRETS_DIR"
"""Names the secrets directory. If it is not set, `/run/secrets` (Docker's) is read if it exists."""

_WORD: Final = "(?:[A-Za-z]{1,24}[0-9]{0,3}|[0-9]{1,3})"

_NAME: Final = f"[_-]{{0,2}}{_WORD}(?:[_-]{{1,2}}{_WORD})*[_-]{{0,2}}"
"""Words of letters that may end with a number: keys and passwords hardly ever look like this."""

_MAX_NAME: Final = 64

_WORD_OF_PREFIX: Final = PREFIX.rstrip("_").lower()
_LETTERS: Final = frozenset(_WORD_OF_PREFIX)

_MIN_LETTERS: Final = 6
"""How many different letters a misspelt prefix has in common with the right one."""

_MIN_SIMILARITY: Final = 0.85
"""The minimum similarity of a misspelt prefix and the right one (`difflib`'s ratio)."""

_LENGTHS: Final = range(8, 14)
"""The lengths with which a word can be that similar."""

MAX_SIZE: Final = 2**20
"""The largest allowed size of the `.env` file and of each file in the secrets directory, in bytes."""

_logger = logging.getLogger("procountor_auth")


def shown_name(name: str) -> str | None:
    """Return a variable's name for display, or None if it may be a secret in the wrong place."""
    return name if len(name) <= _MAX_NAME and re.fullmatch(_NAME, name) else None


def named_values(variables: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
    """Yield the `PROCOUNTOR_*` variables, each with the setting's name and the value, except empty ones."""
    for variable, value in variables.items():
        name = variable.upper()
        if value and name.startswith(PREFIX) and name not in {ENV_FILE, SECRETS_DIR}:
            yield variable, name.removeprefix(PREFIX).lower(), value


def misspelt_values(variables: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Yield the variables whose prefix is nearly `PROCOUNTOR_`, such as `PROCOUNTER_`, in lower case."""
    for variable, value in variables.items():
        name = variable.lower()
        if value and setting_misspelt(name) is not None:
            yield name, value


def setting_misspelt(name: str) -> str | None:
    """Return the setting that a variable with a misspelt prefix means, or None if its prefix is another one."""
    # A quick look first, as it is done for every variable.
    if name[:1] not in {"p", "P"}:
        return None
    word, _, setting = name.lower().partition("_")
    if word == _WORD_OF_PREFIX or len(word) not in _LENGTHS or len(_LETTERS.intersection(word)) < _MIN_LETTERS:
        return None
    import difflib  # noqa: PLC0415 - only for such a name

    return setting if difflib.SequenceMatcher(None, word, _WORD_OF_PREFIX).ratio() >= _MIN_SIMILARITY else None


class Place(NamedTuple):
    """A place where variables are read from."""

    values: Mapping[str, str | None]
    """The variables."""

    looked: str
    """A description of the place, and whether it exists, for errors about missing variables."""

    skipped: tuple[str, ...] = ()
    """Descriptions of what is there but can't be read: it may have variables that nobody sees."""

    def __repr__(self) -> str:
        return f"<Place: {self.looked}>"


def from_environment() -> Place:
    """Return the environment of this process."""
    return Place(os.environ, "the environment")


def ignored(where: str, error: Exception) -> str:
    """Log that a default place can't be read: it may belong to another program.

    Returns:
        The description for `Place.looked` and `Place.skipped`.
    """
    _logger.warning("%s can't be read%s and is ignored", where, reason(error), extra={"procountor_ignored": where})
    return f"{where} (can't be read: {_words(error)})"


def reason(error: Exception) -> str:
    """Return why a file can't be read, in parentheses."""
    return f" ({_words(error)})"


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return "there is no such user" if isinstance(error, RuntimeError) else "it is not a path"


def unreadable(variable: str, message: str) -> ConfigurationError:
    """Return the error for a place that can't be read."""
    problem = Problem(variable, "unreadable", f"{variable} {message}")
    return ConfigurationError.from_problems(
        (problem,), hint=f"Correct {variable}, the access rights, or the encoding (UTF-8)."
    )
