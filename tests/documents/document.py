"""A Markdown document, as the blocks in it that are to be executed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

EXECUTED: Final = frozenset({"console", "diff", "dotenv", "python", "shell", "toml"})
"""The languages of the blocks that are executed."""

SHOWN: Final = frozenset({"dockerfile", "ini", "json", "mermaid", "sh", "text", "xml", "yaml"})
"""The languages of the blocks that are only shown: the package's installation, or another program's configuration."""

CTRL_C: Final = "^C"
"""A line of a console block: the key that stops the server which was started last."""

_FENCE: Final = re.compile(r"\s*```(\w*)")
_EXIT: Final = re.compile(r"\[exit (\d+)\]")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: The document's name.
        line: The line of its first line, counted from 1.
        language: What stands behind the fence.
        lines: What is in it, without what indents all of it.
    """

    document: str
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines, as they stand in a file."""
        return "\n".join(self.lines) + "\n"

    @property
    def file(self) -> str | None:
        """The file that its first line names, or None."""
        named = re.fullmatch(r"# ([\w.-]+)", self.lines[0]) if self.lines else None
        return named[1] if named else None


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the document says of it.

    Attributes:
        document: The document's name.
        line: The line that it stands in.
        text: What is typed, or `CTRL_C`.
        expected: The lines that it prints.
        status: The exit status.
    """

    document: str
    line: int
    text: str
    expected: tuple[str, ...]
    status: int


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a document, in their order.

    Raises:
        ValueError: A block has no end, or a language that is neither executed nor known to be only shown.
    """
    blocks: list[Block] = []
    begun: tuple[int, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif begun is None:
            begun, lines = (number + 1, fence[1], line.index("`")), []
        else:
            first, language, indent = begun
            if language not in EXECUTED | SHOWN:
                raise ValueError(f"{path.name}:{first - 1}: the block's language, {language!r}, is not known")
            blocks.append(Block(path.name, first, language, tuple(line[indent:] for line in lines)))
            begun = None
    if begun is not None:
        raise ValueError(f"{path.name}:{begun[0] - 1}: the block has no end")
    return blocks


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a console block.

    Raises:
        ValueError: It does not begin with a command.
    """
    commands: list[Command] = []
    typed = ""
    line = block.line
    expected: list[str] = []
    status = 0

    def end() -> None:
        if typed:
            commands.append(Command(block.document, line, typed, tuple(expected), status))

    goes_on = False
    for number, text in enumerate(block.lines, start=block.line):
        if goes_on:
            typed += "\n" + text
        elif text.startswith("$ "):
            end()
            typed, line, expected, status = text[2:], number, [], 0
        elif text == CTRL_C:
            end()
            typed, line, expected, status = text, number, [], 0
        elif not typed:
            raise ValueError(f"{block.document}:{number}: output without a command")
        elif ended := _EXIT.fullmatch(text):
            status = int(ended[1])
        else:
            expected.append(text)
            continue
        goes_on = text.endswith("\\")
    end()
    return commands
