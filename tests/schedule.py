"""The order of the tests: random, but what takes long comes first, so that no core waits for it at the end.

Each worker of pytest-xdist begins with a part of its own, and takes from another's part when it has done that. So each
part begins with whole modules of long tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Hashable

LONG: Final = ("browser", "fuzz", "long")
"""Marks of the modules that take long."""

LONG_FOLDERS: Final = frozenset({"documents", "examples", "foreign", "screens"})


class Schedule:
    """The hook. Register one: `config.pluginmanager.register(Schedule())`."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Put the long ones first, in each worker's part."""
        workers = getattr(config, "workerinput", {}).get("workercount", 1)
        modules: dict[Hashable, list[pytest.Item]] = {}
        short: list[pytest.Item] = []
        for item in items:
            if takes_long(item):
                modules.setdefault(item.path, []).append(item)
            else:
                short.append(item)
        parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
        for number, module in enumerate(modules.values()):
            parts[number % workers] += module
        size = -(-len(items) // workers)
        rest = iter(short)
        for part in parts:
            part += [item for item, _ in zip(rest, range(size - len(part)), strict=False)]
        items[:] = [item for part in parts for item in part] + list(rest)


def takes_long(item: pytest.Item) -> bool:
    """Whether a test is of a module that takes long."""
    return item.path.parent.name in LONG_FOLDERS or any(item.get_closest_marker(mark) for mark in LONG)
