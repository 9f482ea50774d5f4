"""A fork waits while something is imported, and no garbage is collected meanwhile."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING

import pytest

from procountor_auth.protocol import fork_guard
from procountor_auth.protocol.fork_guard import no_fork
from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.process, pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")]


def in_a_child(look: Callable[[], bool]) -> bool:
    """Fork, and return what `look` says in the child."""
    child = os.fork()
    if child == 0:
        os._exit(0 if look() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class Import:
    """An import on another thread, which goes on until it is ended."""

    def __init__(self) -> None:
        self.begun, self._end = threading.Event(), threading.Event()
        self.is_over = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.begun.wait(10)

    def _run(self) -> None:
        with importing():
            self.begun.set()
            self._end.wait(30)
            self.is_over = True

    def end(self) -> None:
        """Let it end."""
        self._end.set()
        self._thread.join(10)


def test_a_fork_waits_for_an_import() -> None:
    """A process that is forked while another thread imports is forked when that is done, and can import as well."""
    other = Import()
    threading.Timer(0.05, other.end).start()

    def look() -> bool:
        with importing():
            return other.is_over

    assert in_a_child(look)


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the import takes too long, the fork goes on, and the child collects its garbage and can import."""
    monkeypatch.setattr(fork_guard, "PATIENCE", 0.01)
    other = Import()

    def look() -> bool:
        with no_fork() as held:
            return held and gc.isenabled()

    try:
        assert in_a_child(look)
        with no_fork() as held:
            assert not held
    finally:
        other.end()
    with no_fork() as held:
        assert held
    assert gc.isenabled()


def test_one_import_within_another() -> None:
    """An import in the middle of an import neither waits nor lets the collector go on too early; nor does a fork."""
    with importing():
        with importing():
            assert in_a_child(gc.isenabled)
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_child_leaves_the_import_that_it_was_forked_in() -> None:
    """A child that is forked within an import by the importing thread itself goes on behind it."""
    child = -1
    try:
        with importing():
            child = os.fork()
        with importing():
            done = gc.isenabled() is False
    finally:
        if child == 0:
            os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_who_collects_no_garbage_is_left_alone() -> None:
    """In a program that has turned the collector off it stays off."""
    gc.disable()
    try:
        with importing():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_broken_import_leaves_nothing_behind() -> None:
    """After an import that fails forks and the collector go on."""
    with pytest.raises(ModuleNotFoundError), importing():
        raise ModuleNotFoundError("nothing")
    assert gc.isenabled()
    assert in_a_child(lambda: True)
