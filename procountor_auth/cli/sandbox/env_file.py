"""`sandbox --env-file`: fills in the empty values of a `.env` file with the sandbox's credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer
from dotenv import dotenv_values, set_key

from procountor_auth.cli.env_template import STRATEGIES, env_template
from procountor_auth.cli.init import write_new

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

MARK: Final = "# The values below belong to a sandbox. If it does not respond, it has stopped."
"""The first line of such a file: the next sandbox may replace its values."""

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
        """Check that the file may be filled in: it is new, from a sandbox, or has no values for another host.

        Raises:
            BadParameter: It has other values.
        """
        if not self.path.exists():
            return
        values = self._values()
        taken = sorted(
            name
            for name, value in values.items()
            if value and name.startswith("PROCOUNTOR_") and (name, value) not in self._templates()
        )
        if taken and not self._is_a_sandbox_s():
            raise typer.BadParameter(
                f"{self.path} already has values, and was left unchanged: {', '.join(taken)}. Name another file",
                param_hint=_OPTION,
            )

    def fill(self, served: Sandbox) -> None:
        """Write the variables that a client of the sandbox needs.

        Raises:
            BadParameter: It can't be written.
        """
        if not self.path.exists() or self._is_a_sandbox_s():
            self.path.unlink(missing_ok=True)
            write_new(self.path, f"{MARK}\n{env_template(self.strategy)}")
        else:
            text = self.path.read_text(encoding="utf-8")
            self.path.unlink()
            write_new(self.path, f"{MARK}\n{text}")
        refresh_token = self.strategy == "authorization_code"
        problem = ""
        try:
            for name, value in served.environment(self.strategy, refresh_token=refresh_token).items():
                set_key(self.path, name, value, quote_mode="auto", encoding="utf-8")
            self.path.chmod(0o600)
        except OSError as error:
            problem = f"{self.path} can't be written: {error.strerror}"
        if problem:
            raise typer.BadParameter(problem, param_hint=_OPTION)

    def _values(self) -> Mapping[str, str | None]:
        problem = ""
        try:
            return dotenv_values(self.path, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "it is not UTF-8"
        raise typer.BadParameter(f"{self.path} can't be read: {problem}", param_hint=_OPTION)

    def _is_a_sandbox_s(self) -> bool:
        return self.path.read_text(encoding="utf-8", errors="replace").startswith(MARK)

    @staticmethod
    def _templates() -> set[tuple[str, str]]:
        """Return the values of the commented files before they are filled in."""
        found: set[tuple[str, str]] = set()
        for strategy in STRATEGIES:
            for line in env_template(strategy).splitlines():
                name, equals, value = line.partition("=")
                if equals and value and not line.startswith("#"):
                    found.add((name, value))
        return found
