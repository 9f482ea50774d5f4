"""Checks of this machine: installed packages, where variables are set, and who can read the files with secrets."""

from __future__ import annotations

import os
import platform
import shlex
import stat
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings import variables
from procountor_auth.settings.env_file import from_env_file
from procountor_auth.settings.problems import variable_named
from procountor_auth.settings.profiles import TOP_OF_FILE
from procountor_auth.settings.profiles_file import SpeltTwice, read_file
from procountor_auth.settings.secrets_directory import from_secrets_dir
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from procountor_auth.settings.profiles import Profiles

    from .check import Findings

_PLACES: Final = ("the environment", "the .env file", "the secrets directory")
"""Where variables are read from: the first place that has a variable wins."""

_REQUIRED_PACKAGES: Final = ("procountor-auth", "authlib", "pydantic-settings", "pyjwt")
_HTTP_LIBRARIES: Final = ("httpx2", "httpx", "requests")


def check_versions(findings: Findings) -> None:
    """Report which versions are installed."""
    python = f"Python {platform.python_version()} on {platform.system()}"
    findings.add("versions", "ok", ", ".join([python, *_installed(_REQUIRED_PACKAGES)]))
    libraries = ", ".join(_installed(_HTTP_LIBRARIES))
    findings.add("HTTP library", "ok", f"{backend.__name__} sends the token requests; installed: {libraries}")


def check_variables(findings: Findings, profiles: Profiles, profile: str | None) -> None:
    """Report where variables are set, without their values, and which of them contradict each other."""
    named = [name for name in (variables.ENV_FILE, variables.SECRETS_DIR) if os.environ.get(name)]
    places = {"the environment": named} if named else {}
    try:
        names = profiles.values_of(profile)
    except ProcountorAuthError:
        names = {}  # PROCOUNTOR_PROFILE names an unknown profile: the check of the configuration reports it
    for name in sorted(names):
        origin = profiles.origin(profile, name)
        if origin is not None:
            places.setdefault(origin.place, []).append(origin.written)
    for place in sorted(places, key=lambda each: _PLACES.index(each) if each in _PLACES else len(_PLACES)):
        findings.add("variables", "ok", f"from {place}: {', '.join(places[place])}")
    if not places and not _env_file().exists():
        findings.add(
            "variables",
            "warning",
            "none is set",
            "Run `procountor-auth init`, which writes a commented .env, and fill that in.",
        )
    for name, (winner, loser) in _contradictions(profiles.file).items():
        message = f"{name} differs between {winner} and {loser}; {winner} wins"
        findings.add("variables", "warning", message, "Remove the wrong one.")


def check_access_rights(findings: Findings, profiles: Profiles) -> None:
    """Check that other users of this machine can't read the files with secrets."""
    for path in (_env_file(), profiles.file):
        if path is None or not path.is_file() or os.name == "nt":
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if not os.access(path, os.R_OK):
            message = f"this user can't read {path} (mode {mode:04o})"
            findings.add("access rights", "warning", message, f"Run: chmod u+r {shlex.quote(str(path))}")
        elif mode & 0o077:
            message = f"other users of this machine can access {path} (mode {mode:04o})"
            findings.add("access rights", "warning", message, f"Run: chmod 600 {shlex.quote(str(path))}")
        else:
            findings.add("access rights", "ok", f"only this user can access {path}")


def _env_file() -> Path:
    return Path(os.environ.get(variables.ENV_FILE) or ".env").expanduser()


def _installed(packages: tuple[str, ...]) -> list[str]:
    """Return the packages that are installed, with their versions."""
    found: list[str] = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _contradictions(file: Path | None) -> dict[str, tuple[str, str]]:
    """Return the variables with different values in two places, with the place that wins and one that loses.

    Args:
        file: The profiles file, if there is one. Only its top counts: a profile's table is meant to differ.
    """
    readers = (variables.from_environment, from_env_file, from_secrets_dir)
    first: dict[str, tuple[str, str]] = {}
    found: dict[str, tuple[str, str]] = {}
    for place, read in zip(_PLACES, readers, strict=True):
        for _, name, value in variables.named_values(read().values):
            winner, won = first.setdefault(name, (place, value))
            if won != value:
                found.setdefault(variable_named(name), (winner, place))
    common = read_file(file)[0] if file is not None else {}
    for name, (winner, won) in first.items():
        value = common.get(name, won)
        if not isinstance(value, SpeltTwice) and not _same(won, value):  # the check of the configuration reports those
            found.setdefault(variable_named(name), (winner, TOP_OF_FILE))
    return found


def _same(text: str, value: object) -> bool:
    """Whether a variable has the value that TOML has as text, a number, true or false."""
    try:
        return bool(TypeAdapter(type(value)).validate_python(text) == value)
    except ValidationError:
        return False
