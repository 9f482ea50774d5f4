"""Runs tests that one process has collected, in forks of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FAILED: Final = 1
_BROKEN: Final = 99


@dataclass
class Job:
    """Tests for one fork.

    Attributes:
        name: The mutant under test, or what mutmut's trampolines take for one.
        items: The tests, in this order.
        limits: For each test, after how many seconds the fork is ended.
        patience: What the limits are multiplied with.
        to_the_end: Whether it goes on after a test that fails.
        attempt: How often the same has been tried.
    """

    name: str
    items: Sequence[pytest.Item]
    limits: Mapping[str, float] = field(default_factory=dict)
    patience: float = 1
    to_the_end: bool = False
    attempt: int = 1


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        job: The job.
        status: `passed`, `failed` or `timeout`.
        tests: Of each test that was begun: `test`, `failed`, `cpu` and `wall` in seconds, `reached`.
    """

    job: Job
    status: str
    tests: Sequence[dict[str, Any]]


class Forks:
    """At most `size` jobs at a time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Job] = deque()

    def add(self, job: Job) -> None:
        """Run one more, before the others."""
        self._waiting.appendleft(job)

    def run(self, jobs: Sequence[Job]) -> Iterator[Result]:
        """Run them all, and those that are added meanwhile."""
        self._waiting.extend(jobs)
        running: dict[int, tuple[Job, Path]] = {}
        while self._waiting or running:
            while self._waiting and len(running) < self._size:
                job = self._waiting.popleft()
                folder = Path(tempfile.mkdtemp(prefix="mutant-"))
                running[_fork(job, folder)] = job, folder
            pid, status = os.wait()
            job, folder = running.pop(pid)
            _end_group(pid)
            if (folder / "error").exists():
                sys.stderr.write((folder / "error").read_text("utf-8"))
            lines = (folder / "tests").read_text(encoding="utf-8").splitlines()
            shutil.rmtree(folder, ignore_errors=True)
            tests = [json.loads(line) for line in lines]
            how = {0: "passed", -signal.SIGALRM: "timeout"}.get(os.waitstatus_to_exitcode(status), "failed")
            yield Result(job, how, tests)


def _fork(job: Job, folder: Path) -> int:
    (folder / "tests").touch()
    pid = os.fork()
    if pid:
        return pid
    status = _BROKEN
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(null, each)
        status = _run(job, folder)
    except BaseException:
        (folder / "error").write_text(traceback.format_exc(), "utf-8")
        raise
    finally:
        os._exit(status)


def _run(job: Job, folder: Path) -> int:
    # Installed for `make mutants` only.
    from mutmut.mutation import trampoline  # type: ignore[import-not-found] # noqa: PLC0415
    from mutmut.state import state  # type: ignore[import-not-found] # noqa: PLC0415

    survey = job.name == "stats"
    # The survey's name stays in this process; a mutant's is seen in those that the tests start as well.
    trampoline._mutant_under_test = job.name
    if not survey:
        os.environ["MUTANT_UNDER_TEST"] = job.name
    session = job.items[0].session
    session.config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]
    reports = _Reports()
    session.config.pluginmanager.register(reports)
    with (folder / "tests").open("w", encoding="utf-8") as log:
        for item, following in zip(job.items, [*job.items[1:], None], strict=True):
            reports.failed = False
            started, cpu = time.monotonic(), _cpu()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, job.patience * job.limits.get(item.nodeid, 120))
            line: dict[str, Any] = {"test": item.nodeid}
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            signal.setitimer(signal.ITIMER_REAL, 0)
            line |= {"failed": reports.failed, "cpu": _cpu() - cpu, "wall": time.monotonic() - started}
            if survey:
                line["reached"] = sorted(state()._stats)
                state()._stats.clear()
            log.write(json.dumps(line) + "\n")
            log.flush()
            if reports.failed and not job.to_the_end:
                return _FAILED
    return 0


class _Reports:
    failed = False

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _end_group(pid: int) -> None:
    """End what a fork has started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
