"""How modules of other packages are imported while other threads import the same packages.

If one thread begins with a module and another with its package, which imports that module, each waits for the other.
Python ends that by failing one of the two imports, which may be the program's own.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import procountor_auth
from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PACKAGE: Final = Path(procountor_auth.__file__).parent

_PROGRAMS: Final = {"bridge", "cli", "sandbox"}
"""The parts that are programs of their own, or start one: they import what they need before they have threads."""

_LEAVES: Final = {"authlib", "cryptography"}
"""Packages that import only a module of constants."""

_MODULES: Final = sorted(
    path for path in _PACKAGE.rglob("*.py") if path.relative_to(_PACKAGE).parts[0] not in _PROGRAMS
)


@functools.cache
def _imports_its_modules(package: str) -> bool:
    """Whether a package imports modules of its own."""
    spec = None if package in _LEAVES else importlib.util.find_spec(package)
    if spec is None or spec.origin is None or not spec.submodule_search_locations:
        return False
    for node in ast.walk(ast.parse(Path(spec.origin).read_text("utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else names
        is_relative = isinstance(node, ast.ImportFrom) and node.level == 1
        if is_relative or any(f"{name}.".startswith(f"{package}.") for name in names):
            return True
    return False


def _ancestors(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_there(package: str, imported: set[str]) -> bool:
    return package in imported or any(f"{each}.*" in imported for each in _ancestors(package))


def _too_early(statements: Iterable[ast.AST], imported: set[str]) -> Iterator[str]:
    """Yield the modules that are imported before one of their packages that imports them."""
    for statement in statements:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            continue
        names: list[str] = []
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            names = [statement.module]
        for name in names:
            if name.partition(".")[0] in {*sys.stdlib_module_names, "procountor_auth"}:
                continue
            if any(not _is_there(each, imported) and _imports_its_modules(each) for each in _ancestors(name)):
                yield name
            imported.update([*_ancestors(name), name])
        whole = _imported_whole(statement) if isinstance(statement, ast.With) else set()
        children = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.expr)]
        yield from _too_early(children, imported | whole)


def _imported_whole(statement: ast.With) -> set[str]:
    """Return the packages that `with importing(…)` names, and for each one mark that its packages are there as well."""
    calls = [item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call)]
    named = {
        str(ast.literal_eval(each)) for call in calls if ast.unparse(call.func) == "importing" for each in call.args
    }
    return {*named, *(f"{name}.*" for name in named), *(each for name in named for each in _ancestors(name))}


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_a_package_is_imported_before_its_modules(path: Path) -> None:
    """Whatever other threads import at the same time, no import of ours waits for a thread that waits for it."""
    assert list(_too_early(ast.parse(path.read_text("utf-8")).body, set())) == []


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("from requests.auth import AuthBase", ["requests.auth"]),
        ("def later():\n    from requests.auth import AuthBase", ["requests.auth"]),
        ("from requests import auth", []),
        ("import requests\nfrom requests.auth import AuthBase", []),
        ("with importing():\n    from requests.auth import AuthBase", ["requests.auth"]),
        ("with importing('requests'):\n    from requests.auth import AuthBase", []),
        ("from collections.abc import Iterable", []),
    ],
)
def test_the_rule_is_noticed_where_it_is_broken(program: str, told: list[str]) -> None:
    """An import of a module is told, unless its package is imported first, in one of the ways in which we do it."""
    if importlib.util.find_spec("requests") is None:
        pytest.skip("needs requests")
    assert list(_too_early(ast.parse(program).body, set())) == told


def test_packages_are_imported_before_the_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`importing("package")` has imported the whole package when the block begins."""
    folder = tmp_path / "package_of_this_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("from package_of_this_test.inner import value\n")
    (folder / "inner.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with importing("package_of_this_test"):
        assert sys.modules["package_of_this_test"].value == 1
    for name in ("package_of_this_test", "package_of_this_test.inner"):
        monkeypatch.delitem(sys.modules, name)
