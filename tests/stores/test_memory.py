"""The memory store: one for the process, and none that hangs after a fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from procountor_auth.stores import open_store
from procountor_auth.stores.memory import MemoryStore

FORK = """
import os, threading
from procountor_auth.stores.memory import MemoryStore
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
