"""The memory store: one for the process, and none that hangs after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from procountor_auth.errors import StoreUnavailable
from procountor_auth.protocol.token import Token
from procountor_auth.stores import memory, open_store
from procountor_auth.stores.memory import MemoryStore

FORK = """
import os, threading
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.errors import StoreUnavailable
from procountor_auth.protocol.token import Token

store = MemoryStore.shared_instance()
taken, done = threading.Event(), threading.Event()

def hold():
    with store.transaction("held", timeout=5) as transaction:
        transaction.write(Token("before", 0.0, 1.0, "x"))
        taken.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
taken.wait()
child = os.fork()
if not child:
    with store.transaction("held", timeout=1) as transaction:
        version = transaction.entry.version
        transaction.write(None)
    os._exit(10 * version + store.read("held").version)
done.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), store.read("held").version)
"""


def test_all_sources_share_one_store() -> None:
    """Whoever asks for the memory store in a process gets the same one."""
    assert open_store("memory") is open_store("memory") is MemoryStore.shared_instance()
    assert MemoryStore() is not MemoryStore.shared_instance()


def test_a_test_has_another_store() -> None:
    """Meanwhile there is another, empty one, and afterwards the one before."""
    before = MemoryStore.shared_instance()
    with MemoryStore.another_instance():
        meanwhile = open_store("memory")
        assert meanwhile is MemoryStore.shared_instance()
        assert meanwhile is not before
    assert MemoryStore.shared_instance() is before


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    """A lock that another thread held when the process was forked is free in the child, and the entries are there."""
    said = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert said.stdout == "12 1\n"


def _write(store: MemoryStore, key: str, token: Token | None) -> None:
    with store.transaction(key, timeout=1) as transaction:
        transaction.write(token)


def test_an_entry_is_removed_under_its_lock() -> None:
    """Only that one, whether it is there or not, and not while somebody else has it."""
    store = MemoryStore()
    for key in ("gone", "stays"):
        _write(store, key, None)
    with store.transaction("gone", timeout=1), pytest.raises(StoreUnavailable):
        store.remove("gone", timeout=0)
    for _ in range(2):
        store.remove("gone", timeout=1)
        assert [each.key for each in store.list_entries()] == ["stays"]


def test_memory_is_bounded_and_loses_only_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that have ended are dropped with their locks; what lives, is locked or can't be got again stays."""
    monkeypatch.setattr(memory, "MAX_ENTRIES", 10)
    store = MemoryStore(clock=lambda: 1_000.0)
    kept: dict[str, Token | None] = {
        "living": Token("a", 0.0, 1_001.0, "s"),
        "refreshed": Token("a", 0.0, 1.0, "s", "r"),
        "invalidated": None,
        "held": Token("a", 0.0, 1.0, "s"),
    }
    for key, token in kept.items():
        _write(store, key, token)
    with store.transaction("held", timeout=1):
        for number in range(500):
            _write(store, f"account-{number}", Token("a", 0.0, 1.0, "s"))
    found = {key: store.read(key) for key in kept}
    assert {key: entry and entry.token for key, entry in found.items()} == kept
    assert all(found.values())
    assert len(store._entries) <= 11
    assert len(store._locks) <= 11


def test_memory_is_swept_when_there_is_twice_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sweep the next one is due with twice as many entries as have stayed."""
    monkeypatch.setattr(memory, "MAX_ENTRIES", 4)
    now = [1_000.0]
    store = MemoryStore(clock=lambda: now[0])
    sizes = []
    for number in range(12):
        _write(store, f"account-{number}", Token("a", 0.0, 1_001.0, "s"))
        now[0] = 1_001.0 if number == 4 else now[0]
        sizes.append(len(store.list_entries()))
    assert sizes == [*range(1, 11), 1, 2]  # the one that is being written is locked
    assert [(each.key, each.size) for each in store.list_entries()] == [("account-10", 0), ("account-11", 0)]


def test_a_lock_that_was_dropped_meanwhile_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited for a lock that was dropped with its entry takes the new one, which is everybody else's."""
    store = MemoryStore()
    dropped = threading.Lock()
    given = iter([dropped, threading.Lock()])
    locks = _Locks()
    monkeypatch.setattr(store, "_locks", locks)
    monkeypatch.setattr(locks, "next", lambda: next(given))
    with store.transaction("key", timeout=1):
        assert not dropped.locked()
        assert locks["key"].locked()


class _Locks(dict[str, threading.Lock]):
    """Forgets the first lock as soon as it was asked for, as a sweep on another thread does."""

    def next(self) -> threading.Lock:
        """Return the next lock."""
        raise NotImplementedError

    def setdefault(self, key: str, _default: threading.Lock | None = None) -> threading.Lock:
        """Return a lock that is in the dictionary from the second time on."""
        lock = self.next()
        if self.pop("asked", None) is None:
            self["asked"] = lock
        else:
            self[key] = lock
        return lock
