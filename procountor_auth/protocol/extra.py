"""Describes an extra's package that is missing or can't be imported, and the command that installs it."""

from __future__ import annotations

from typing import NamedTuple

from procountor_auth.errors import printable


class MissingExtra(NamedTuple):
    """Why a feature can't be used, and the command to run."""

    what: str
    """What is missing or broken, as text that continues the name of the feature."""

    hint: str
    """The command."""


def missing_extra(error: ImportError, extra: str, *packages: str) -> MissingExtra:
    """Return the reason for a failed import.

    Args:
        error: The error.
        extra: The extra that contains the packages.
        packages: The packages; usually one of them is not installed.
    """
    named = " and ".join((", ".join(packages[:-1]), packages[-1]) if packages[1:] else packages)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in packages:
        return MissingExtra(f"needs {named}", f"Run: pip install 'procountor-auth[{extra}]'")
    # Something else is broken, such as incompatible packages or a deleted file. An import error contains no secret.
    return MissingExtra(
        f"needs {named}, which can't be imported ({type(error).__name__}: {printable(str(error))})",
        f"Run: pip install --force-reinstall 'procountor-auth[{extra}]'",
    )
