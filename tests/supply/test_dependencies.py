"""The page about dependencies and `pyproject.toml` say the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "supply-chain.md").read_text("utf-8")
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

_ROW: Final = re.compile(
    r"^\| (?P<where>[^|]+) \| `(?P<name>[\w.-]+)` \| `(?P<bounds>[^`]+)` \| (?P<rest>.+) \|$", re.MULTILINE
)

INDIRECT: Final = {
    "pydantic": "pydantic-settings",
    "pydantic_core": "pydantic-settings",
    "dotenv": "pydantic-settings",
    "werkzeug": "flask",
    "h11": "uvicorn",
    "pytest": "whoever runs the plugin",
    "trio": "whoever runs on it",
}
"""What the package imports and gets from one of its dependencies, by the names of the modules."""


def declared() -> set[tuple[str, str, str]]:
    """Return where each dependency stands, its name, and its bounds as `pyproject.toml` has them."""
    places = {
        "core": PYPROJECT["project"]["dependencies"],
        "build": PYPROJECT["build-system"]["requires"],
        **PYPROJECT["project"]["optional-dependencies"],
        **PYPROJECT["dependency-groups"],
    }
    found = set()
    for place, lines in places.items():
        for line in lines:
            if isinstance(line, dict):  # the group that another one includes
                continue
            needed = Requirement(line)
            if needed.name != "procountor-auth":
                found.add((place, needed.name, bounds(str(needed.specifier))))
    return found


def described() -> set[tuple[str, str, str]]:
    """Return the same as the page has it."""
    return {(row["where"].strip(" `[]"), row["name"], bounds(row["bounds"])) for row in _ROW.finditer(PAGE)}


def bounds(text: str) -> str:
    """Return bounds in one order; `any` is none."""
    return ",".join(sorted(text.split(","))) if text not in {"", "any"} else "any"


def test_the_page_and_the_project_agree() -> None:
    """Each dependency with its bounds is on the page, and the page has no other."""
    assert described() == declared()
    assert len(described()) > 20


def test_every_dependency_has_a_lower_bound_and_reasons() -> None:
    """What users install has a lower bound, a word on the upper one, a maintainer and a licence."""
    for row in _ROW.finditer(PAGE):
        reasons = [cell.strip() for cell in row["rest"].split(" | ")]
        where = row["where"].strip(" `[]")
        users = where not in {*PYPROJECT["dependency-groups"], "build"}
        assert len(reasons) == (5 if users else 3), row["name"]
        assert all(reasons), row["name"]
        if users:
            assert row["bounds"].startswith(">="), row["name"]
            assert ("no bound" in reasons[0]) is ("<" not in row["bounds"]), row["name"]


@pytest.mark.parametrize("row", list(_ROW.finditer(PAGE)), ids=lambda row: f"{row['where']}-{row['name']}")
def test_the_licence_is_the_package_s(row: re.Match[str]) -> None:
    """The licence on the page is the one that the installed package names for itself."""
    try:
        fields = metadata(row["name"])
    except PackageNotFoundError:
        pytest.skip(f"{row['name']} is not installed")
    named = (fields.get_all("License-Expression") or fields.get_all("License") or [""])[0]
    expression = re.compile(r"[\w.-]+\d[\w.-]*(?: (?:OR|AND) [\w.-]+)*|MIT")
    if expression.fullmatch(named) is None:
        pytest.skip(f"{row['name']} names its licence in another way")
    assert row["rest"].split(" | ")[-1].strip() == named


def test_what_is_imported_is_declared() -> None:
    """Each package that the code imports is a dependency, or comes with one that the page names."""
    imported = set()
    for path in (ROOT / "procountor_auth").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    imported -= {*sys.stdlib_module_names, "procountor_auth"}
    homes = packages_distributions()
    names = {canonicalize_name(name) for place, name, _ in declared() if place not in PYPROJECT["dependency-groups"]}
    undeclared = {
        module
        for module in imported
        if names.isdisjoint(canonicalize_name(home) for home in homes.get(module, [module]))
    }
    assert undeclared == set(INDIRECT)
    assert all(f"`{module}`" in PAGE for module in INDIRECT)
