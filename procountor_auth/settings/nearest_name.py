"""Finds the profile name that was probably meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar name. Among names that differ only in a number, it is the one with the nearest number."""
    import difflib  # noqa: PLC0415 - only after a mistake

    def parted(text: str) -> tuple[str, int | None]:
        found = re.fullmatch(r"(.*?)([0-9]{1,18})", text)
        return (found[1], int(found[2])) if found else (text, None)

    stem, number = parted(name)
    if number is not None:
        numbered = {each: other for each, (begin, other) in ((each, parted(each)) for each in names) if begin == stem}
        with_number = {each: abs(other - number) for each, other in numbered.items() if other is not None}
        if with_number:
            return min(with_number, key=lambda each: (with_number[each], each))
    return next(iter(difflib.get_close_matches(name, names, n=1)), None)
