"""What `import procountor_auth` gives, and what it costs."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import procountor_auth

PUBLIC: Final = (
    "errors",
    "events",
    "httpx",
    "httpx2",
    "requests",
    "sandbox",
    "stores",
    "stores.compliance",
    "strategies",
)
"""The modules that users import from, besides the package itself."""

ROOMS: Final = {"bridge", "cli", "login", "migration", "protocol", "settings", "tokens", "transport"}
"""The folders that are not public."""


def test_the_exports_are_few_and_sorted() -> None:
    """`__all__` is sorted, without doubles, and of at most fifteen names."""
    assert procountor_auth.__all__ == sorted(set(procountor_auth.__all__))
    assert len(procountor_auth.__all__) <= 15


@pytest.mark.server  # urllib3 opens a socket when it is imported
@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_module_says_what_is_public(module: str) -> None:
    """Each has an `__all__` of its own, sorted and without doubles, and everything in it is there."""
    if module in {"httpx", "httpx2"}:
        pytest.importorskip(module)
    found = importlib.import_module(f"procountor_auth.{module}")
    assert found.__all__ == sorted(set(found.__all__))
    assert all(hasattr(found, name) for name in found.__all__)


@pytest.mark.parametrize("module", ["errors", "events"])
def test_every_class_of_the_errors_and_events_is_public(module: str) -> None:
    """A new error or event is not forgotten in `__all__`."""
    found = importlib.import_module(f"procountor_auth.{module}")
    classes = {
        name for name, _ in inspect.getmembers(found, inspect.isclass) if vars(found)[name].__module__ == found.__name__
    }
    assert {name for name in classes if not name.startswith("_")} <= set(found.__all__)


def test_every_public_path_is_policed() -> None:
    """Whatever is at the top of the package is one of the public modules above, or a folder that is not public."""
    package = Path(procountor_auth.__file__).parent
    tops = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert tops - ROOMS - {"__init__", "__main__"} == {name for name in PUBLIC if "." not in name}


@pytest.mark.parametrize("name", procountor_auth.__all__)
def test_every_export_is_there(name: str) -> None:
    """Every exported name is found, is called what it is called, and is listed by `dir`."""
    assert getattr(procountor_auth, name).__name__ == name
    assert name in dir(procountor_auth)


def test_another_name_is_an_attribute_error() -> None:
    """A name that is not exported is missing as in any module, submodules that were not imported included."""
    with pytest.raises(AttributeError, match="'TokenSauce'"):
        _ = procountor_auth.TokenSauce


@pytest.mark.process
def test_importing_costs_next_to_nothing() -> None:
    """`import procountor_auth` imports none of the libraries that the package is built on."""
    heavy = ("httpx", "httpx2", "pydantic", "pydantic_settings", "authlib", "jwt", "requests", "flask", "asyncio")
    program = f"import sys, procountor_auth; print(*sorted(sys.modules.keys() & {set(heavy)!r}))"
    root = Path(procountor_auth.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == []
