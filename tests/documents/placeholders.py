"""What stands in a document for what a sandbox makes up, and the values that it stands for."""

from __future__ import annotations

import re
from typing import Final

LEARNT: Final = (
    "<client ID>",
    "<client secret>",
    "<redirect URI>",
    "<user name>",
    "<password>",
    "<API key>",
    "<new API key>",
)
"""Those whose value may come from the output of a command: the first time, whatever stands in that place."""


class Placeholders:
    """Names and values, put in for each other.

    Args:
        known: The values that are known from the start.
    """

    def __init__(self, known: dict[str, str]) -> None:
        self.values = dict(known)

    def filled(self, text: str) -> str:
        """Return a document's text as it is typed or written to a file.

        Raises:
            ValueError: A value has not come up yet.
        """
        for name, value in self.values.items():
            text = text.replace(name, value)
        for name in LEARNT:
            if name in text:
                raise ValueError(f"{name} has no value yet")
        return text

    def hidden(self, text: str) -> str:
        """Return a text with the names in the place of the values."""
        for name, value in sorted(self.values.items(), key=lambda each: -len(each[1])):
            text = text.replace(value, name)
        return text

    def match(self, expected: tuple[str, ...], printed: str) -> bool:
        """Whether that is what was printed; `…` stands for anything in a line, and alone for any lines."""
        names: list[str] = []
        pattern = "".join(
            r"(?:[^\n]*\n)*?" if line == "…" else self._pattern_of(line, names) + r"\n" for line in expected
        )
        found = re.fullmatch(pattern, printed if printed.endswith("\n") or not printed else f"{printed}\n")
        if found is None:
            return False
        self.values |= {name: found[number] for number, name in enumerate(names, start=1)}
        return True

    def _pattern_of(self, line: str, names: list[str]) -> str:
        for name, value in self.values.items():
            line = line.replace(name, value)
        pattern = re.escape(line).replace("…", r"[^\n]*?")
        for name in LEARNT:
            while (escaped := re.escape(name)) in pattern:
                if name in names:
                    pattern = pattern.replace(escaped, rf"\{names.index(name) + 1}", 1)
                else:
                    # The groups are numbered from left to right: one new name in a line.
                    names.append(name)
                    pattern = pattern.replace(escaped, r"(\S+?)", 1)
        return pattern
