"""A difference that a document shows, applied to a file as a person does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_OLD: Final = re.compile(r"--- ([\w.-]+)")


def file_of(lines: Sequence[str]) -> str:
    """Return the file that a difference is for.

    Raises:
        ValueError: It does not begin with the same file's name twice.
    """
    named = _OLD.fullmatch(lines[0]) if lines else None
    if named is None or list(lines[1:2]) != [f"+++ {named[1]}"]:
        raise ValueError("the difference begins with no file: --- .env, +++ .env")
    return named[1]


def applied(text: str, lines: Sequence[str]) -> str:
    """Return what becomes of a file's text.

    Lines that are only added go to the end. An `@@` line begins another part of the file.

    Raises:
        ValueError: What is to be removed, or stands around it, is not there, or is there more than once.
    """
    hunks: list[list[str]] = [[]]
    for line in lines[2:]:
        if line.startswith("@@"):
            hunks.append([])
        else:
            hunks[-1].append(line)
    before = text.splitlines()
    for hunk in filter(None, hunks):
        if strange := [line for line in hunk if line[:1] not in {"+", "-", " "}]:
            raise ValueError(f"is neither added, removed nor kept: {strange[0]}")
        old = [line[1:] for line in hunk if line[0] != "+"]
        new = [line[1:] for line in hunk if line[0] != "-"]
        places = [place for place in range(len(before)) if before[place : place + len(old)] == old] if old else []
        if old and len(places) != 1:
            where = "is not in the file" if not places else "is in the file more than once"
            raise ValueError(f"{where}:\n" + "\n".join(old))
        place = places[0] if places else len(before)
        before[place : place + len(old)] = new
    return "\n".join(before) + "\n"
