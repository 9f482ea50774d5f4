"""A table that is never wider than its terminal, and never breaks a name in two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.text import Text

from .screen import indented

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

_GAP: Final = 2
"""Characters between two columns."""

_MAX_NAME: Final = 24
"""Characters of a name in the first column; a longer name gets its own line."""


def print_table(screen: Console, columns: dict[str, list[Text]], optional: Sequence[str] = ()) -> None:
    """Print a table with headings, without empty columns. A cell may have several lines.

    A long name in the first column gets its own line, with the rest of its row below it. If the terminal is too
    narrow, optional columns are left out one by one, and a line below names them. If that is not enough, each
    cell gets its own line.

    Args:
        screen: Where to print it.
        columns: The cells by their headings.
        optional: The headings of the columns that can be left out, the first one first.
    """
    columns = {heading: cells for heading, cells in columns.items() if any(cell.plain for cell in cells)}
    shown = dict(columns)
    left_out: list[str] = []
    for heading in optional:
        if _width(shown) <= screen.width:
            break
        if shown.pop(heading, None) is not None:
            left_out.append(heading)
    if _width(shown) > screen.width:
        _print_cells(screen, columns)
        return
    _print_rows(screen, shown)
    if left_out:
        screen.print(indented(f"This terminal has no room for: {', '.join(left_out)}. --json has everything.", 0))


def print_pairs(screen: Console, pairs: Sequence[tuple[str, Text]]) -> None:
    """Print a label and a value on each line; a long value is wrapped in its column."""
    width = max((len(label) for label, _ in pairs), default=0) + _GAP
    for label, value in pairs:
        lines = value.wrap(screen, max(1, screen.width - width)) if screen.is_terminal else [value]
        for number, line in enumerate(lines):
            line.rstrip()
            screen.print(Text(f"{label if number == 0 else '':{width}}") + line)


def _widths(columns: dict[str, list[Text]]) -> list[int]:
    """Return the width of each column; long names in the first one do not count."""
    widths = [max(cell_len(heading), *map(_cell_width, cells)) for heading, cells in columns.items()]
    first, names = next(iter(columns.items()))
    short = [_cell_width(name) for name in names if _cell_width(name) <= _MAX_NAME]
    return [max(cell_len(first), *short, 0), *widths[1:]]


def _cell_width(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split("\n")))


def _width(columns: dict[str, list[Text]]) -> int:
    return sum(_widths(columns)) + _GAP * (len(columns) - 1)


def _print_rows(screen: Console, columns: dict[str, list[Text]]) -> None:
    widths = _widths(columns)
    headings = [Text(heading, style="bold") for heading in columns]
    for row in (headings, *zip(*columns.values(), strict=True)):
        name, *rest = row
        if _cell_width(name) > widths[0]:
            screen.print(name)
            name = Text()
            if not any(cell.plain for cell in rest):
                continue
        for line in _lines([name, *rest], widths):
            screen.print(line)


def _print_cells(screen: Console, columns: dict[str, list[Text]]) -> None:
    """Print the first cell of each row, and below it each other cell with its heading."""
    first, *others = columns.items()
    for number, name in enumerate(first[1]):
        screen.print(name)
        for heading, cells in others:
            parts = list(cells[number].split()) if cells[number].plain else []
            if len(parts) == 1 and _GAP + len(heading) + 2 + parts[0].cell_len <= screen.width:
                screen.print(Text(f"{'':{_GAP}}{heading}: ") + parts[0])
            elif parts:
                screen.print(Text(f"{'':{_GAP}}{heading}:"))
                for part in parts:
                    screen.print(indented(part.plain, 2 * _GAP))


def _lines(row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    """Yield the lines of a row: a cell may have several."""
    cells = [cell.split(allow_blank=True) for cell in row]
    for number in range(max(map(len, cells))):
        line = Text()
        for cell, width in zip(cells, widths, strict=True):
            part = cell[number] if number < len(cell) else Text()
            line += part
            line.append(" " * (width - part.cell_len + _GAP))
        line.rstrip()
        yield line
