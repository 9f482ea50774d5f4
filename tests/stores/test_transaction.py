"""What a transaction writes and when it refuses to, and what a store can do by itself."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from procountor_auth.errors import StoreConflict, StoreError, StoreNotListable
from procountor_auth.stores import Entry, Store, Transaction
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.stores.listing import Leftover
from procountor_auth.stores.transaction import LockedTransaction, check_key, check_unchanged
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from procountor_auth.protocol.token import Token

_READ_AGAIN = "Nothing needs to be changed here; read again what is there now."


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
        assert caught.value.hint == _READ_AGAIN
    assert written == []
    assert transaction.close() is False


def test_nothing_is_written_after_the_end() -> None:
    """A transaction that is over says so."""
    written: list[int] = []
    transaction = LockedTransaction(None, lambda read, _entry: written.append(read), written.append)
    assert transaction.close() is True
    attempts: list[Callable[[], None]] = [lambda: transaction.write(None), transaction.remove]
    for attempt in attempts:
        with pytest.raises(StoreConflict) as caught:
            attempt()
        assert caught.value.message == "The transaction is over, and its lock with it."
        assert caught.value.hint == _READ_AGAIN
    assert written == []


def test_what_is_written_is_the_next_version(token: Token) -> None:
    """Each write says which version it was read from, and is what the next one is read from."""
    swapped: list[tuple[int, Entry]] = []
    removed: list[int] = []
    transaction = LockedTransaction(Entry(3, None), lambda *each: swapped.append(each), removed.append)
    failure, use = Failure("InvalidGrant", "No.", "Ask.", retryable=False), Use("digest", 1.0, 2.0, "host", 1)
    first = Entry(4, token, failure, Lineage("origin"), use)
    transaction.write(token, failure, lineage=Lineage("origin"), use=use)
    assert (transaction.entry, transaction.lineage) == (first, Lineage("origin"))
    transaction.write(None)
    assert swapped == [(3, first), (4, Entry(5, None))]
    transaction.remove()
    assert (removed, transaction.entry, transaction.lineage) == ([5], None, NO_LINEAGE)
    with pytest.raises(StoreConflict):
        transaction.write(token)


def test_nothing_is_removed_where_nothing_was() -> None:
    """A transaction over nothing begins with the first version, and has nothing to remove."""
    swapped: list[tuple[int, Entry]] = []
    removed: list[int] = []
    LockedTransaction(None, lambda *each: swapped.append(each)).write(None)
    assert swapped == [(0, Entry(1, None))]
    transaction = LockedTransaction(None, lambda *each: swapped.append(each), removed.append)
    transaction.remove()
    assert removed == []


def test_what_an_entry_was_before_it_is_written_counts() -> None:
    """What has gone, and what is as it was read, may be written over; another version is told."""
    check_unchanged(3, None)
    check_unchanged(3, Entry(3, None))
    with pytest.raises(StoreConflict) as caught:
        check_unchanged(3, Entry(4, None))
    assert (caught.value.message, caught.value.hint) == (
        "The stored token has changed meanwhile (version 3 was read, 4 is there); nothing was written.",
        _READ_AGAIN,
    )


@pytest.mark.parametrize("key", ["a", "0", "A-b_c", "a" * 128])
def test_a_key_is_what_every_store_can_have(key: str) -> None:
    """Letters, digits, and two signs that a file's name may have."""
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "-a", "_a", "a" * 129, "ä", "a b", "a\n", "../a"])
def test_another_key_is_told_what_one_is(key: str) -> None:
    """The error says which keys there are, and not which one it was."""
    with pytest.raises(ValueError, match=r"^The key of a store's entry has 1 to 128 ") as caught:
        check_key(key)
    assert str(caught.value) == (
        "The key of a store's entry has 1 to 128 ASCII letters, digits, - and _, and none of the two first."
    )


class Least(Store):
    """A store that can do no more than every store can."""

    name = "least"

    def read(self, key: str) -> Entry | None:
        """Return nothing."""
        return Entry(1, None) if not key else None

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Have no way to remove anything."""
        assert (key, timeout) == ("key", 3)
        yield LockedTransaction(None, lambda *_: None)


def test_a_store_that_can_not_says_so() -> None:
    """What a store need not be able to do is an error that says what to do instead."""
    store = Least()

    def discard() -> None:
        with store.transaction("key", timeout=3) as transaction:
            transaction.remove()

    attempts: list[tuple[Callable[[], object], type[StoreError], str, str]] = [
        (
            discard,
            StoreError,
            "This token store can't remove an entry under its lock.",
            "Remove the entry by the store's own means.",
        ),
        (
            lambda: store.remove("key", timeout=3),
            StoreError,
            "The least store can't remove what it can't open.",
            "Remove the entry key by its own means.",
        ),
        (
            store.list_entries,
            StoreNotListable,
            "The least store can't list its entries.",
            "Look at them by the store's own means.",
        ),
    ]
    for attempt, kind, message, hint in attempts:
        with pytest.raises(StoreError) as caught:
            attempt()
        assert (type(caught.value), caught.value.message, caught.value.hint) == (kind, message, hint)
    assert list(store.list_leftovers()) == []
    assert store.remove_leftover(Leftover("a", "lock", 0), timeout=3) is False
    assert (store.remote, store.entries_fail_alone) == (False, False)
    with store.transaction_unless("key", lambda _: True, timeout=3) as turn:
        assert isinstance(turn, LockedTransaction)
