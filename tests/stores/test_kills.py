"""Writers that are killed: what is stored is the old or the new token, whole. The long run kills more."""

from __future__ import annotations

import os
import random
import signal
import stat
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.protocol.token import Token
from procountor_auth.stores.redis import RedisStore
from tests.sizes import size

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.stores import Entry
    from tests.conftest import RedisServer
    from tests.stores.conftest import Place

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"), pytest.mark.long]

KEY = "company-1"

ROUNDS = {
    kind: size(few, 1000)
    for kind, few in {
        "file": 100,
        "file-sealed": 25,
        "keyring": 10,
        "redis": 10,
        "postgresql": 10,
        "sqlite": 10,
    }.items()
}

SPAN = {"file": 0.008, "file-sealed": 0.008, "keyring": 0.03, "redis": 0.008, "postgresql": 0.05, "sqlite": 0.03}
"""Seconds after its first write within which a writer is killed: some writes' time."""

LEASE = 0.6
"""Seconds of the lease where a killed holder's lock in Redis has to run out."""


class Nursery:
    """Forks writers from a process that has everything imported, to be killed one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._early: list[str] = []

    def line(self) -> str:
        """Return the next line that the nursery or a writer says."""
        if self._early:
            return self._early.pop(0)
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, how: str) -> int:
        """Fork a writer; return its process ID when it has written once, or has the lock."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{how}\n")
        self._process.stdin.flush()
        writer, ready, early = 0, False, []
        # A writer may be quicker than the nursery is to say who it is: what it says meanwhile is kept.
        while not (writer and ready):
            line = self.line()
            assert line, "the nursery has ended"
            if line.startswith("forked "):
                writer = int(line.removeprefix("forked "))
            elif line in {"started", "held"}:
                ready = True
            else:
                early.append(line)
        self._early = early
        return writer

    def kill(self, writer: int) -> list[str]:
        """Kill a writer; return what it had said and nobody had read when it was dead."""
        os.kill(writer, signal.SIGKILL)
        said = []
        while (line := self.line()) != "dead":
            assert line, "the nursery has ended"
            said.append(line)
        return said


@pytest.fixture
def nursery() -> Callable[..., object]:
    """Open a nursery over a place."""

    @contextmanager
    def open_nursery(place: Place, **environment: str) -> Iterator[Nursery]:
        process = place.run("nursery", KEY, **environment)
        try:
            yield Nursery(process)
        finally:
            process.communicate()

    return open_nursery


def whole_version(entry: Entry | None) -> int:
    """Return the version of an entry that is exactly what a worker has written as that version."""
    if entry is None:
        return 0
    expected = Token(
        f"access-{entry.version}-" + "a" * 5000,
        1000.0,
        4e9 + entry.version,
        "legacy_password",
        f"refresh-{entry.version}",
    )
    assert entry.token == expected, "a torn token was read"
    return entry.version


@pytest.mark.parametrize("kind", ROUNDS)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_token(
    kind: str, place_of: Callable[[str], Place], nursery: Callable[..., Iterator[Nursery]]
) -> None:
    """K1, K4: after a kill in the middle of writing, a whole token is there, and no version goes back."""
    place = place_of(kind)
    environment = {"TEST_LEASE": "0.05"} if kind == "redis" else {}
    store = place.open()
    last = 0
    moments = random.Random(20261123)  # noqa: S311 - no secret depends on it
    with nursery(place, **environment) as writers:  # type: ignore[attr-defined]
        for _ in range(ROUNDS[kind]):
            writer = writers.start("loop")
            threading.Event().wait(moments.uniform(0, SPAN[kind]))
            writers.kill(writer)
            version = whole_version(store.read(KEY))
            assert version > last
            last = version
    assert last >= ROUNDS[kind]
    with store.transaction(KEY, timeout=5) as transaction:
        assert whole_version(transaction.entry) == last
    if kind.startswith("file"):
        assert place.aside(KEY) is None
        _nothing_is_left_behind(place)


@pytest.mark.parametrize("kind", ROUNDS)
def test_a_kill_after_a_write_leaves_the_new_token(
    kind: str, place_of: Callable[[str], Place], nursery: Callable[..., Iterator[Nursery]]
) -> None:
    """K3, K4: what a writer has reported as written is there after it was killed."""
    place = place_of(kind)
    environment = {"TEST_LEASE": "0.05"} if kind == "redis" else {}
    store = place.open()
    with nursery(place, **environment) as writers:  # type: ignore[attr-defined]
        for _ in range(ROUNDS[kind]):
            writer = writers.start("say")
            reported = int(writers.line())
            for line in writers.kill(writer):
                reported = max(reported, int(line))
            # It may have written one more that it could not report any more.
            assert whole_version(store.read(KEY)) in {reported, reported + 1}
    if kind.startswith("file"):
        with store.transaction(KEY, timeout=5):
            pass
        _nothing_is_left_behind(place)


@pytest.mark.parametrize("kind", ["file", "keyring", "postgresql", "sqlite"])
def test_the_lock_of_a_killed_process_is_free(
    kind: str, place_of: Callable[[str], Place], nursery: Callable[..., Iterator[Nursery]]
) -> None:
    """K6: the operating system releases a dead holder's lock: the next one has it within a second."""
    place = place_of(kind)
    with nursery(place) as writers:  # type: ignore[attr-defined]
        for _ in range(size(4, 100)):
            writers.kill(writers.start("hold"))
            start = time.monotonic()
            with place.open().transaction(KEY, timeout=1):
                assert time.monotonic() - start < 1


def test_the_lock_of_a_killed_host_runs_out(
    place_of: Callable[[str], Place], redis_server: RedisServer, nursery: Callable[..., Iterator[Nursery]]
) -> None:
    """K6: Redis releases a dead holder's lock when its lease is over, and not before."""
    store = RedisStore(SecretStr(redis_server.url), lease=LEASE)
    with nursery(place_of("redis"), TEST_LEASE=str(LEASE)) as writers:  # type: ignore[attr-defined]
        holder = writers.start("hold")
        start = time.monotonic()
        writers.kill(holder)
        with store.transaction(KEY, timeout=5):
            assert time.monotonic() - start < LEASE + 0.2


@pytest.mark.parametrize("kind", ["file", "keyring", "postgresql", "sqlite"])
def test_a_child_does_not_keep_the_lock_of_a_dead_parent(kind: str, place_of: Callable[[str], Place]) -> None:
    """K6: a child that was forked within a transaction does not hold the lock after its parent's death."""
    place = place_of(kind)
    orphan = place.run("fork-outlives", KEY)
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == "orphaned\n"
    with place.open().transaction(KEY, timeout=1) as transaction:
        assert transaction.entry is None
    orphan.communicate()


def _nothing_is_left_behind(place: Place) -> None:
    """K7: after the next transaction, the entry and its lock are all there is, and closed to others."""
    folder: Path = place.open().folder  # type: ignore[attr-defined]
    assert {path.name for path in folder.iterdir()} == {f"{KEY}.json", f"{KEY}.lock"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
