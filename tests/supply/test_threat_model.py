"""The pages about threats name code and tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
MODELS: Final = [ROOT / "docs" / "threat-model.md", ROOT / "docs" / "bridge-threat-model.md"]

_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_CODE: Final = re.compile(r"`((?:\w+/)*\w+\.py|\w+/)`")

TESTS: Final = sorted({test for page in MODELS for test in _TEST.findall(page.read_text("utf-8"))})
PAGES: Final = [*MODELS, ROOT / "SECURITY.md", ROOT / "docs" / "supply-chain.md", ROOT / "docs" / "bridge.md"]


def rows(page: Path) -> list[list[str]]:
    """Return the rows of the tables of defences, each with its cells."""
    defended = page.read_text("utf-8").partition("## What is defended\n")[2].partition("## What is not defended\n")[0]
    lines = [line for line in defended.splitlines() if line.startswith("|") and not line.startswith("|---")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [each for each in cells if each[0] != "threat"]


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_the_tests_that_it_names_are_there(file: str, name: str) -> None:
    """Each test that a page names is a test of that file."""
    path = ROOT / file
    assert path.is_file()
    tree = ast.parse(path.read_text("utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not name or (name.startswith("test_") and name in functions)


@pytest.mark.parametrize(
    ("page", "least"), list(zip(MODELS, (40, 25), strict=True)), ids=[page.name for page in MODELS]
)
def test_every_defence_has_its_code_and_its_test(page: Path, least: int) -> None:
    """No row of a table of defences goes without code and a test; the code is there."""
    found = rows(page)
    assert len(found) > least
    for row in found:
        threat, _, code, held_by = row
        files = _CODE.findall(code)
        assert files, threat
        assert all((ROOT / "procountor_auth" / file).exists() for file in files), threat
        assert _TEST.findall(held_by), threat


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link of these pages to a file or a heading of ours leads to one that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8"))
    assert targets
    for target in targets:
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_file(), target
        titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not heading or heading in slugs, target
