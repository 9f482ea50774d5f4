"""Other configurations run two rows of a table that takes long: tests/rows.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from .plugins import NO_OTHERS

ROOT: Final = Path(__file__).parents[2]

CONFTEST: Final = """
import sys
sys.path.insert(0, {root!r})
from tests.rows import Rows

def pytest_configure(config):
    config.addinivalue_line("markers", "process: starts a process")
    config.pluginmanager.register(Rows({wanted}), "rows")
"""

TABLES: Final = """
import pytest

@pytest.mark.process
@pytest.mark.parametrize("second", ["x", "y", "z"])
@pytest.mark.parametrize("first", [1, 2, 3])
def test_long(first, second): ...

@pytest.mark.parametrize("row", range(4))
def test_quick(row): ...

@pytest.mark.process
def test_no_table(): ...
"""


@pytest.mark.parametrize(
    ("wanted", "long"), [(0, 9), (1, ["1-x"]), (2, ["1-x", "3-z"]), (3, ["1-x", "2-y", "3-z"]), (9, 9), (99, 9)]
)
def test_the_first_and_the_last_rows_are_run(tmp_path: Path, wanted: int, long: list[str] | int) -> None:
    """Of a table that needs a process, so many rows are run, from the first to the last; of a quick one, all."""
    (tmp_path / "conftest.py").write_text(CONFTEST.format(root=str(ROOT), wanted=wanted), "utf-8")
    (tmp_path / "test_tables.py").write_text(TABLES, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *NO_OTHERS, "-rA", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = sorted(line.partition("::")[2] for line in done.stdout.splitlines() if line.startswith("PASSED"))
    rows = [each.partition("[")[2].rstrip("]") for each in run if each.startswith("test_long")]
    assert (rows if isinstance(long, list) else len(rows)) == long
    assert len(run) == len(rows) + 5
