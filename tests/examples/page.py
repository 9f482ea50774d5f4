"""The pages that show the examples: their blocks, and the commands in them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.documents.document import blocks_of

if TYPE_CHECKING:
    from tests.documents.document import Block

DOCS: Final = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[Block]:
    """Return the blocks of a page that are in a language."""
    return [block for block in blocks_of(DOCS / page) if block.language == language]


def file(page: str, name: str) -> str:
    """Return the text of the block whose first line names a file."""
    (text,) = [block.text for block in blocks(page, "python") if block.file == name]
    return text


def arguments(page: str, program: str) -> list[str]:
    """Return what a page has typed behind the name of a program."""
    lines = [line for block in blocks(page, "sh") for line in block.lines]
    (line,) = [line for line in lines if line.startswith(f"{program} ")]
    return shlex.split(line)[1:]
