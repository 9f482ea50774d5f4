"""When a transaction refuses to write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from procountor_auth.errors import StoreConflict
from procountor_auth.stores.transaction import LockedTransaction

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_forked_child_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is that of the process that took it: a child says so, and releases nothing."""
    written: list[int] = []
    transaction = LockedTransaction(None, lambda read, _entry: written.append(read), written.append)
    monkeypatch.setattr(os, "getpid", lambda: 0)
    attempts: list[Callable[[], None]] = [lambda: transaction.write(None), transaction.remove]
    for attempt in attempts:
        with pytest.raises(StoreConflict) as caught:
            attempt()
        assert caught.value.message == "The lock belongs to the process that this one was forked from."
    assert written == []
    assert transaction.close() is False


def test_nothing_is_written_after_the_end() -> None:
    """A transaction that is over says so."""
    written: list[int] = []
    transaction = LockedTransaction(None, lambda read, _entry: written.append(read), written.append)
    assert transaction.close() is True
    with pytest.raises(StoreConflict) as caught:
        transaction.write(None)
    assert caught.value.message == "The transaction is over, and its lock with it."
    assert written == []
