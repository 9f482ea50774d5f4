"""How many rows of a test's table are run: in another configuration the first and the last of those that take long.

A row varies what its test is about, and the versions, the Python and the HTTP library are the same for all of them. So
the rows that need a process or a server are left to `make test`, and to the other configurations with `SLOW=yes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from .sizes import ROWS

if TYPE_CHECKING:
    from collections.abc import Hashable

COSTLY: Final = ("process", "server", "browser")
"""Marks of tests/resources.py."""


class Rows:
    """The hook. Register one: `config.pluginmanager.register(Rows())`.

    Args:
        wanted: How many rows of each table are run; 0 is all of them.
    """

    def __init__(self, wanted: int = ROWS) -> None:
        self._wanted = wanted

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the other rows."""
        if not self._wanted:
            return
        tables: dict[Hashable, list[pytest.Item]] = {}
        for item in items:
            if any(item.get_closest_marker(mark) for mark in COSTLY):
                tables.setdefault((item.parent, getattr(item, "originalname", item.name)), []).append(item)
        left_out = {row for rows in tables.values() for row in set(rows).difference(spread(rows, self._wanted))}
        if left_out:
            config.hook.pytest_deselected(items=[item for item in items if item in left_out])
            items[:] = [item for item in items if item not in left_out]


def spread(rows: list[pytest.Item], wanted: int) -> list[pytest.Item]:
    """Return as many rows as are wanted, or all if there are no more: the first, the last, and some between them."""
    if len(rows) <= wanted:
        return rows
    in_order = sorted(rows, key=_place)  # they come in a random one
    return [in_order[round(number * (len(rows) - 1) / max(wanted - 1, 1))] for number in range(wanted)]


def _place(row: pytest.Item) -> list[int]:
    parameters = getattr(row, "callspec", None)
    return [] if parameters is None else list(parameters.indices.values())
