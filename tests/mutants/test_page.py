"""The page about mutants, and what explains those that survive."""

from __future__ import annotations

import re

import pytest

from .mutant import FOLDERS
from .page import PAGE, explanations

pytestmark = pytest.mark.once


def test_each_explanation_is_on_the_page() -> None:
    """No explanation outlives its mutant: each of them, with its sentence, is a row of the page."""
    rows = PAGE.read_text("utf-8").partition("## Survivors")[2].splitlines()
    for (path, function, *_), why in explanations().items():
        assert any(row.startswith(f"| `{path}`: `{function}` |") and row.endswith(f"| {why} |") for row in rows)


def test_the_scores_are_what_is_promised() -> None:
    """At least 85 of 100 mutants are found in each folder, and 80 in `migration/`."""
    scores = dict(re.findall(r"^\| `(\w+)/` \|.* ([0-9.]+) % \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert scores.keys() == set(FOLDERS)
    for folder, score in scores.items():
        assert float(score) >= (80 if folder == "migration" else 85)
