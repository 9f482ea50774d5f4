"""What each page has to be so that it is shown as it was meant."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def text_of(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"^( *)(```|~~~).*?^\1\2", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_footnote_is_defined_once(page: Path) -> None:
    """What is referred to is there, once, and what is there is referred to."""
    text = text_of(page)
    defined = Counter(re.findall(r"^\[\^([\w-]+)\]:", text, re.MULTILINE))
    used = set(re.findall(r"(?<!^)\[\^([\w-]+)\]", text, re.MULTILINE))
    assert {name: count for name, count in defined.items() if count > 1} == {}
    assert set(defined) == used


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_heading_begins_its_line(page: Path) -> None:
    """Nothing was put into the middle of a sentence."""
    assert re.findall(r"[^\s#]#{2,} .*", text_of(page)) == []


def test_the_decisions_are_in_their_order() -> None:
    """Each has the number of its place: code and pages name them by it."""
    numbers = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "decisions.md").read_text("utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
