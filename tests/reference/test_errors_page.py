"""docs/errors.md says of each error what its class does."""

from __future__ import annotations

from typing import Final

from .scripts import page_script

SCRIPT: Final = page_script("errors_page")


def test_the_page_is_current() -> None:
    """docs/errors.md is what `make errors-page` writes from the classes of today."""
    assert SCRIPT.PAGE.read_text(encoding="utf-8") == SCRIPT.page()


def test_there_is_something_to_do_about_each_error() -> None:
    """Each class, and nothing else, has a sentence about what to do, and one about when it is raised."""
    assert SCRIPT.WHAT_TO_DO.keys() == SCRIPT.classes().keys()
    assert all(text.endswith(".") for text in SCRIPT.WHAT_TO_DO.values())
    assert all(SCRIPT.first_sentence(found).endswith(".") for found in SCRIPT.classes().values())
