"""Make sure that the lowest versions which `pyproject.toml` allows are what is installed.

Usage: lowest.py PYPROJECT

A bound that lies below what another package asks for is named too: nobody can install that version, so nobody has tried
it.
Ends with status 0 if all is as it should be, else 1.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def main(pyproject: str) -> int:
    """Return the status to end with."""
    project = tomllib.loads(Path(pyproject).read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], *extras, project["dependency-groups"]["test"]]
    wrong = {each for group in groups for line in group if (each := _higher(Requirement(line))) is not None}
    for line in sorted(wrong):
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


def _higher(needed: Requirement) -> str | None:
    """Return what is installed instead of the lowest version, or None."""
    lowest = [Version(each.version) for each in needed.specifier if each.operator == ">="]
    if not lowest or Version(version(needed.name)) == lowest[0]:
        return None
    return f"{needed.name} {version(needed.name)} is installed, and {needed} would allow {lowest[0]}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
