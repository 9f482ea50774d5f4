"""What `import procountor_auth` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import procountor_auth


def test_the_exports_are_few_and_sorted() -> None:
    """`__all__` is sorted, without doubles, and of at most fifteen names."""
    assert procountor_auth.__all__ == sorted(set(procountor_auth.__all__))
    assert len(procountor_auth.__all__) <= 15


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
