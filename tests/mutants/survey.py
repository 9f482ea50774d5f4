"""Which functions each test reaches, and how long it takes, without a mutant."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from .forks import Forks, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

MAX_CPU_SECONDS: Final = 5
"""Slower tests are left out."""

_LIMIT: Final = 40
"""No test takes longer, in seconds; with a mutant, a test may take that and five times what it took without."""


class Survey:
    """What was seen of tests.

    Attributes:
        tests: By the test's ID: `failed`, `cpu` and `wall` in seconds, `reached`.
    """

    def __init__(self, tests: dict[str, dict[str, Any]]) -> None:
        self.tests = tests
        self._known = frozenset(tests)

    def run(self, items: Mapping[str, pytest.Item], jobs: int) -> None:
        """Run those that have not been seen yet."""
        by_file: dict[str, list[pytest.Item]] = {}
        for name, item in items.items():
            if name not in self.tests:
                by_file.setdefault(item.path.name + item.path.parent.name, []).append(item)
        forks = Forks(jobs)
        for result in forks.run([Job("stats", each, to_the_end=True) for each in by_file.values()]):
            self.tests |= {test["test"]: test for test in result.tests}
            sys.stderr.write(f"{len(self.tests)}/{len(items)} tests\n")
            rest = result.job.items[len(result.tests) :]
            if rest:  # the first of them has ended the process, or taken too long
                self.tests[rest[0].nodeid] = {"failed": True, "cpu": 0, "wall": _LIMIT, "reached": []}
                if rest[1:]:
                    forks.add(Job("stats", rest[1:], to_the_end=True))

    @property
    def left_out(self) -> list[str]:
        """The tests that can't be used."""
        return sorted(name for name, test in self.tests.items() if test["failed"] or test["cpu"] > MAX_CPU_SECONDS)

    @property
    def limits(self) -> dict[str, float]:
        """How long each test may take, in seconds."""
        return {name: _LIMIT + 5 * test["wall"] for name, test in self.tests.items()}

    def tests_of(self, function: str, path: str, names: Iterable[str], budget: float) -> list[str]:
        """Return the tests that reach a function: first new ones, then those of its file, its folder, and the fastest.

        Args:
            function: What the trampoline calls it.
            path: Its file.
            names: The tests that there are.
            budget: How many seconds of processor time they take together without a mutant.
        """
        usable = set(names) - set(self.left_out)
        reaching = [(name, test) for name, test in self.tests.items() if name in usable and function in test["reached"]]
        stem, folder = PurePath(path).stem, PurePath(path).parent.name

        def nearness(named: tuple[str, dict[str, Any]]) -> tuple[bool, bool, bool, float]:
            name, test = named
            file = PurePath(name.partition("::")[0])
            return name in self._known, file.stem != f"test_{stem}", file.parent.name != folder, test["cpu"]

        chosen: list[str] = []
        spent = 0.0
        for name, test in sorted(reaching, key=nearness):
            spent += test["cpu"]
            if chosen and spent > budget:
                break
            chosen.append(name)
        return chosen
