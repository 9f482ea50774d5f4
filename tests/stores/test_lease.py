"""The lease of a lock, which a living holder renews."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

from procountor_auth.stores.lease import Lease

if TYPE_CHECKING:
    import pytest


def test_a_lock_is_renewed_until_it_is_lost() -> None:
    """Three times in each lease; the thread keeps no interpreter alive, and ends with the lock."""
    answers = [True, True, False]
    lease = Lease(lambda: answers.pop(0), 0.03)
    assert lease._pause == 0.01
    assert (lease._thread.daemon, lease._thread.name) == (True, "procountor-auth-lease")
    lease.start()
    lease._thread.join()
    assert answers == []


def test_a_lease_that_is_stopped_is_not_renewed() -> None:
    """Its thread does not wait for the next turn."""
    answers = [True]
    lease = Lease(lambda: answers.pop(0), 3_600.0)
    lease.start()
    lease.stop()
    lease._thread.join()
    assert answers == [True]


def test_a_lease_without_a_thread_is_as_long_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the interpreter's end no thread can be started, and that is no error."""

    def start(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    lease = Lease(lambda: True, 3.0)
    monkeypatch.setattr(threading.Thread, "start", start)
    lease.start()
    lease.stop()
