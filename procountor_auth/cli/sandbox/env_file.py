"""`sandbox --env-file`: fills in the empty values of a `.env` file with the sandbox's credentials."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from dotenv import dotenv_values, set_key

from procountor_auth.cli.env_template import STRATEGIES, env_template
from procountor_auth.settings.encoding import WrongEncoding, decoded
from procountor_auth.settings.variables import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.sandbox import Sandbox

MARK: Final = "# The values below belong to a sandbox. If it does not respond, it has stopped."
"""How the first line of such a file begins; then comes the digest of the values."""

WRITTEN: Final = frozenset(
    {
        "PROCOUNTOR_STRATEGY",
        "PROCOUNTOR_BASE_URL",
        "PROCOUNTOR_CLIENT_ID",
        "PROCOUNTOR_CLIENT_SECRET",
        "PROCOUNTOR_REDIRECT_URI",
        "PROCOUNTOR_USERNAME",
        "PROCOUNTOR_PASSWORD",
        "PROCOUNTOR_COMPANY",
        "PROCOUNTOR_API_KEY",
        "PROCOUNTOR_REFRESH_TOKEN",
    }
)
"""The variables that a sandbox sets, whatever the strategy: the digest is of their values."""

_OPTION: Final = "--env-file"


class EnvFile:
    """A `.env` file that a sandbox fills in.

    Args:
        path: The file; if there is none, a commented one is created.
        strategy: The strategy that it configures.
    """

    def __init__(self, path: Path, strategy: str) -> None:
        self.path = path
        self.strategy = strategy

    def check(self) -> None:
        """Check that the file may be filled in: it is new, or has no values but those that a sandbox has written.

        Raises:
            BadParameter: It has other values, or can't be read.
        """
        self._lines()

    def fill(self, served: Sandbox) -> None:
        """Write the variables that a client of the sandbox needs, and empty the others of an earlier sandbox.

        All other lines stay as they are.

        Raises:
            BadParameter: It has other values, or it can't be read or written: then it is unchanged.
        """
        lines = self._lines()
        variables = served.environment(self.strategy, refresh_token=self.strategy == "authorization_code")
        problem = ""
        try:
            _replace(Path(os.path.realpath(self.path)), lines, variables)
        except OSError as error:
            problem = f"{self.path} can't be written: {error.strerror}"
        if problem:
            raise typer.BadParameter(problem, param_hint=_OPTION)

    def _lines(self) -> str:
        """Return the lines to fill in, without the mark."""
        text = self._text()
        if text is None:
            return env_template(self.strategy)
        first, _, rest = text.partition("\n")
        is_marked = first.startswith(MARK)
        lines = rest if is_marked else text
        values = _values(lines)
        taken = sorted(name for name, _ in values.items() - _templates())
        if taken and first.rstrip("\r") != _mark(values):
            problem = "was changed after a sandbox had filled it in" if is_marked else "already has values"
            raise typer.BadParameter(
                f"{self.path} {problem}, and was left unchanged: {', '.join(taken)}. Name another file",
                param_hint=_OPTION,
            )
        return lines

    def _text(self) -> str | None:
        """Return the content of the file, or None if there is no file."""
        problem = "is not a regular file"
        try:
            if stat.S_ISREG(self.path.stat().st_mode):
                return decoded(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except WrongEncoding as error:
            problem = str(error)
        except OSError as error:
            problem = f"can't be read: {error.strerror}"
        raise typer.BadParameter(f"{self.path} {problem}: name another file", param_hint=_OPTION)


def _templates() -> set[tuple[str, str]]:
    """Return the values of the commented files before they are filled in."""
    return {pair for strategy in STRATEGIES for pair in _values(env_template(strategy)).items()}


def _values(lines: str) -> dict[str, str]:
    """Return the values of our variables, in whatever case their names are, that are not empty."""
    found = dotenv_values(stream=StringIO(lines), interpolate=False)
    return {name: value for name, value in found.items() if value and name.upper().startswith(PREFIX)}


def _mark(values: Mapping[str, str]) -> str:
    """Return the first line of a file with these values; with another one, they are not (only) a sandbox's."""
    written = sorted((name, value) for name, value in values.items() if name.upper() in WRITTEN)
    return f"{MARK} Digest: {hashlib.sha256(json.dumps(written).encode()).hexdigest()[:16]}"


def _replace(path: Path, lines: str, variables: Mapping[str, str]) -> None:
    """Put a file with the lines and the variables in place of another one, which is whole until then.

    Values of `WRITTEN` in the lines are an earlier sandbox's; those that are not replaced are emptied.

    Raises:
        OSError: It can't be written.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(lines)
        for variable in _values(lines):
            if variable in WRITTEN and variable not in variables:
                set_key(temporary, variable, "", quote_mode="never", encoding="utf-8")
        for variable, value in variables.items():
            set_key(temporary, variable, value, quote_mode="auto", encoding="utf-8")
        filled = temporary.read_text(encoding="utf-8")
        temporary.write_text(f"{_mark(_values(filled))}\n{filled}", encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
