"""Which of some words a misspelt one probably stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

_MIN_BEGINNING: Final = 3
"""Characters of a word that stand for its beginning: `leg` may be `legacy_password`, and `l` may be anything."""


def nearest(word: str, words: Collection[str]) -> str | None:
    """Return the one of `words` that `word` resembles most, or begins like, even misspelt; None if none does.

    Args:
        word: What was written.
        words: What could have been meant.
    """
    import difflib  # noqa: PLC0415 - only after a mistake

    lowered = {each.lower(): each for each in words}
    found = difflib.get_close_matches(word.lower(), lowered, n=1)
    if found or len(word) < _MIN_BEGINNING:
        return lowered[found[0]] if found else None
    # `lgacy` for `legacy_password`: as much of each word as was written, and one character more.
    begun = {each[: len(word) + 1]: full for each, full in reversed(lowered.items())}
    found = difflib.get_close_matches(word.lower(), begun, n=1)
    return begun[found[0]] if found else None


def did_you_mean(word: str, words: Collection[str]) -> str:
    """Return `: did you mean …?` for what `nearest` finds, or nothing."""
    found = nearest(word, words)
    return f": did you mean {found}?" if found else ""
