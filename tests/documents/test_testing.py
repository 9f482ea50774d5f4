"""The tests that docs/testing.md shows pass, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.variables import inherited

from .document import blocks_of

if TYPE_CHECKING:
    from .document import Block

PAGE: Final = Path(__file__).parents[2] / "docs" / "testing.md"

pytestmark = pytest.mark.process


def test_each_test_of_the_page_passes(tmp_path: Path) -> None:
    """Whoever copies one has a test that passes, with the fixtures that pytest finds by itself."""
    pytest.importorskip("httpx")
    shown = shown_tests()
    for block in shown:
        (tmp_path / f"test_line_{block.line}.py").write_text(block.text, "utf-8")
    status, said = run(tmp_path)
    assert status == 0, said
    assert len(shown) > 5


@pytest.mark.parametrize("package", ["pytest_httpx", "respx"])
def test_mocked_tests_find_no_token_of_another(tmp_path: Path, package: str) -> None:
    """The recipes for servers that are mocked pass again after themselves in one process, in whatever order."""
    pytest.importorskip(package)
    mark = "(httpx_mock)" if package == "pytest_httpx" else "@respx.mock"
    (recipe,) = [block.text for block in shown_tests() if mark in block.text]
    for name in ("first", "again"):
        (tmp_path / f"test_{name}.py").write_text(recipe, "utf-8")
    status, said = run(tmp_path)
    assert (status, " passed" in said) == (0, True), said
    # Without the fixture, the token of the first test would be there: the recipe is about something.
    for name in ("first", "again"):
        (tmp_path / f"test_{name}.py").write_text(recipe.replace("procountor_memory_store, ", ""), "utf-8")
    status, said = run(tmp_path)
    assert status == 1, said


def shown_tests() -> list[Block]:
    """Return the blocks of the page that are tests."""
    return [block for block in blocks_of(PAGE) if block.language == "python" and "def test_" in block.text]


def run(folder: Path) -> tuple[int, str]:
    """Run the tests in a folder; return the status and what pytest printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(folder)],
        env=inherited() | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout
