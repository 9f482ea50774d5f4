"""Runs the tests on the mutants: `python -m tests.mutants.run PLAN RESULTS`, in the copy that has them.

One process collects all tests, and forks: first one child for each file of tests, which finds out which functions each
test reaches; then one for each mutant, which runs the tests that reach its function until one fails. So nothing is
imported twice. A test that fails on the copy without a mutant is left out, as is one that takes too long. A kill counts
when the same test fails once more by itself, a timeout when it happens again with nothing else running.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from .forks import Forks, Job
from .survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .forks import Result

TESTS: Final = ("strategies", "settings", "stores", "tokens", "migration", "protocol", "model")
LEFT_OUT: Final = ("stores/test_kills.py", "migration/test_many_companies.py")
"""What takes long by its nature."""

_SECOND: Final = 2
"""The attempt at which the test that failed runs by itself."""


class Runner:
    """The hook that takes the place of pytest's own loop."""

    def __init__(self, plan: dict[str, Any], results: Path) -> None:
        self._plan = plan
        self._results = results
        self._jobs: int = plan["jobs"]
        self._seconds = 0.0
        self._outcomes: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Survey the tests, then run the mutants."""
        items = {item.nodeid: item for item in session.items}
        gc.collect()
        gc.freeze()
        started = time.monotonic()
        survey = Survey(self._plan["survey"])
        survey.run(items, self._jobs)
        self._seconds = time.monotonic() - started
        _say(f"{len(items)} tests in {self._seconds:.0f} s, without {survey.left_out}")
        (self._results.parent / "survey.json").write_text(json.dumps(survey.tests), encoding="utf-8")
        jobs = []
        for mutant in self._plan["mutants"]:
            tests = survey.tests_of(mutant["reached_as"], mutant["path"], items, self._plan["budget"])
            if tests:
                jobs.append(Job(mutant["name"], [items[each] for each in tests], survey.limits))
            else:
                self._settle(mutant["name"], "no test")
        late = self._run(Forks(self._jobs), jobs, patience=1.5)
        self._run(Forks(1), late, patience=0)
        self._seconds = time.monotonic() - started
        self._write()
        return True

    def _run(self, forks: Forks, jobs: Iterable[Job], patience: float) -> list[Job]:
        """Run jobs, and return those that ran into a limit, for another run with this patience."""
        all_of = {job.name: job for job in jobs}
        late = []
        for result in forks.run(list(all_of.values())):
            name, attempt = result.job.name, result.job.attempt
            if result.status == "timeout" and patience:
                late.append(Job(name, all_of[name].items, result.job.limits, patience))
            elif result.status == "failed" and attempt == 1:
                # A loaded machine fails tests as well.
                forks.add(Job(name, [_culprit(result)], result.job.limits, result.job.patience, attempt=_SECOND))
            elif result.status == "passed" and attempt == _SECOND:
                forks.add(Job(name, all_of[name].items, result.job.limits, result.job.patience, attempt=3))
            else:
                status = {"passed": "survived", "failed": "killed"}.get(result.status, "timeout")
                self._settle(name, status, None if status == "survived" else _culprit(result).nodeid)
        return late

    def _settle(self, name: str, status: str, test: str | None = None) -> None:
        self._outcomes[name] = {"status": status, "by": test}
        self._write()
        _say(f"{len(self._outcomes)}/{len(self._plan['mutants'])} {status} {name}")

    def _write(self) -> None:
        document = {"seconds": self._seconds, "outcomes": self._outcomes}
        self._results.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _culprit(result: Result) -> pytest.Item:
    """Return the test at which a job has ended."""
    finished = [test for test in result.tests if not test["failed"]]
    return result.job.items[len(finished)]


def _say(line: str) -> None:
    os.write(2, f"{line}\n".encode())


def main() -> int:
    """Run what the plan says."""
    from mutmut.configuration import config  # type: ignore[import-not-found] # noqa: PLC0415

    config()  # it looks for its settings here, and the tests go elsewhere
    plan, results = (Path(each).absolute() for each in sys.argv[1:])
    runner = Runner(json.loads(plan.read_text(encoding="utf-8")), results)
    arguments = ["-s", "-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "--import-mode=importlib"]
    arguments += ["-o", "addopts=", "-o", "timeout=0", "--rootdir=."]
    arguments += [f"--ignore=tests/{each}" for each in LEFT_OUT] + [f"tests/{each}" for each in TESTS]
    return int(pytest.main(arguments, plugins=[runner]))


if __name__ == "__main__":
    sys.exit(main())
