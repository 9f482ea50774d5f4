"""The tests that docs/testing.md shows pass, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.variables import inherited

from .document import blocks_of

PAGE: Final = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.mark.process
def test_each_test_of_the_page_passes(tmp_path: Path) -> None:
    """Whoever copies one has a test that passes, with the fixtures that pytest finds by itself."""
    pytest.importorskip("httpx")
    shown = [block for block in blocks_of(PAGE) if block.language == "python" and "def test_" in block.text]
    for block in shown:
        (tmp_path / f"test_line_{block.line}.py").write_text(block.text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)],
        env=inherited() | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(shown) > 5
