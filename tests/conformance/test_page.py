"""The page about conformance can't go stale."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .page import PAGE, page
from .rules import RULES

if TYPE_CHECKING:
    from .rule import Rule

pytestmark = pytest.mark.once

TESTS = Path(__file__).parents[1]


@cache
def functions_in(path: Path) -> frozenset[str]:
    """Return the names of the test functions of a file, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_page_is_what_the_rules_say() -> None:
    """docs/conformance.md is what `make conformance` writes."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_there_are_53_rows() -> None:
    """The rows are numbered from 1 to 53."""
    assert [rule.number for rule in RULES] == list(range(1, 54))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"row-{rule.number:02}")
def test_a_row_is_held_by_tests_that_exist(rule: Rule) -> None:
    """Every row names tests, and each of them is there."""
    assert rule.tests
    for path, name in rule.tests:
        assert name in functions_in(TESTS / path)
