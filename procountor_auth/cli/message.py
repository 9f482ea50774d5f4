"""Sentences for users, wrapped between words on a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import TextIO


_MIN_FRAMED: Final = 80
"""The least columns of a terminal for framed help; on a narrower one, frames would cut off names."""


def is_framed() -> bool:
    """Whether help and usage errors are framed: only on a terminal, not in a file or a pipe."""
    return bool(sys.stdout and sys.stdout.isatty()) and shutil.get_terminal_size().columns >= _MIN_FRAMED


def say(message: str) -> None:
    """Write a message that is not a result to stderr."""
    _write(sys.stderr, message)


def print_text(message: str) -> None:
    """Write a result to stdout."""
    _write(sys.stdout, message)


def _write(stream: TextIO | None, message: str) -> None:
    if stream is not None:  # it may be closed
        stream.write(_fitted(message) if stream.isatty() else message)
        stream.write("\n")


def _fitted(message: str) -> str:
    """Return a message wrapped to the width of the terminal; a longer word is not broken."""
    width = shutil.get_terminal_size().columns
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in message.split("\n")
    )
