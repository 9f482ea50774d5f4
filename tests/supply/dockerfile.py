"""A Dockerfile, as far as the checks of ours need to read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        name: Such as `RUN`.
        options: What stands before the value, such as `--mount=type=bind,from=build`.
        value: The rest, on one line.
    """

    name: str
    options: tuple[str, ...]
    value: str

    @property
    def words(self) -> list[str]:
        """The words of a value in JSON, the form that needs no shell. Raises ValueError in another form."""
        words = json.loads(self.value.removeprefix("CMD "))
        if not isinstance(words, list):
            raise ValueError(f"{self.name} is not in JSON")  # noqa: TRY004 - as for what is no JSON at all
        return words


class Dockerfile:
    """The instructions of a Dockerfile.

    Attributes:
        instructions: All of them, in their order.
    """

    def __init__(self, text: str) -> None:
        self.instructions: Final = list(_instructions(text))

    def all(self, name: str) -> list[Instruction]:
        """Return the instructions with a name, in their order."""
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """Return the last instruction with a name: the one that counts."""
        return self.all(name)[-1]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, *words = line.split(" ")
        words = [word for word in words if word]
        options = [word for word in words if word.startswith("--")]
        first = next((number for number, word in enumerate(words) if not word.startswith("--")), len(words))
        rest = line.split(words[first], 1)[1] if first < len(words) else ""
        yield Instruction(name, tuple(options[:first]), (words[first] + rest if first < len(words) else ""))


def context(root: Path, ignore: Iterable[str]) -> list[Path]:
    """Return the files at and below the top that a build may see, with a `.dockerignore` of names and `**/NAME`."""
    lines = [line.strip() for line in ignore if line.strip() and not line.startswith("#")]
    found = []
    for top in sorted(root.iterdir()):
        kept = True
        for line in lines:
            if fnmatch(top.name, line.removeprefix("!")):
                kept = line.startswith("!")
        if kept:
            found += [path for path in ([top] if top.is_file() else sorted(top.rglob("*"))) if path.is_file()]
    nowhere = {line.removeprefix("**/") for line in lines if line.startswith("**/")}
    return [path for path in found if nowhere.isdisjoint(path.relative_to(root).parts)]
