"""What every token store must do, as tests for a store of your own. Needs pytest.

    from procountor_auth.stores.compliance import StoreCompliance

    class TestMyStore(StoreCompliance):
        @pytest.fixture
        def store(self):
            return MyStore(…)

A store that passes can be given to `TokenSource.from_env(store=…)`. What can't be tested from outside stands in the
contract, on the page about stores: that a write survives a kill, and that a dead holder's lock is released.
"""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.errors import StoreConflict, StoreError, StoreNotListable, StoreUnavailable
from procountor_auth.protocol.token import Token
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import Lineage
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.stores.base import Entry, Store
    from procountor_auth.stores.listing import ListedEntry

__all__ = ["StoreCompliance"]

KEY: Final = "company-1"

LONGEST_KEY: Final = "k" * 128

DIGEST: Final = "0a1b2c3d4e" * 4
"""A key as the package makes them."""

OTHER_DIGEST: Final = "5f6a7b8c9d" * 4

TOKEN: Final = Token("access-1", 1_000.25, 4_000_000_000.5, "authorization_code", "refresh-1")

OTHER: Final = Token("access-2", 2_000.0, 4_000_000_100.0, "client_credentials")

LONG: Final = Token("a" * 20_000, 1_000.0, 4_000_000_000.0, "authorization_code", "r" * 5_000)

PATIENCE: Final = 10.0
"""Seconds to wait for a lock that is about to be released."""


class StoreCompliance:
    """The tests. Subclass it, and define the fixture `store`: a store with no entry in it, new for each test."""

    @pytest.fixture
    def store(self) -> Store:
        """The store."""
        raise NotImplementedError("define a fixture `store` that returns your store, with no entry in it")

    @pytest.fixture
    def again(self, store: Store) -> Store:
        """Another handle to the same entries, as another process has one; by default the same one."""
        return store

    def test_what_was_never_written_is_a_miss(self, store: Store) -> None:
        """There is no entry before the first write, and no lock is needed to find that out."""
        assert store.read(KEY) is None
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            assert transaction.entry is None
        assert store.read(KEY) is None

    @pytest.mark.parametrize("token", [TOKEN, OTHER, LONG], ids=["login", "key", "long"])
    def test_what_is_written_is_read(self, store: Store, again: Store, token: Token) -> None:
        """A token is found as it was, by everybody, within the transaction and after it."""
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            transaction.write(token)
            assert transaction.entry is not None
            assert _entry(again).token == token
        assert (_entry(store).version, _entry(store).token) == (1, token)

    def test_everything_of_an_entry_is_read(self, store: Store, again: Store) -> None:
        """The failure of a renewal, the mark of a refresh token and its place in the chain are kept with the token."""
        failure = Failure("ServiceUnavailable", "It is down.", "Try again.", retryable=True, at=1.0)
        lineage = Lineage("0a1b2c3d", 7, ("4e5f", "6a7b"), "8c9d")
        use = Use("digest", 5.0, 35.0, "host-1", 4711, "boot-1 pid:[4026531836]")
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            transaction.write(TOKEN, failure, lineage=lineage, use=use)
        found = _entry(again)
        assert (found.token, found.failure, found.use) == (TOKEN, failure, use)
        assert found.lineage == lineage
        assert (found.lineage.spent, found.lineage.replaces) == (lineage.spent, lineage.replaces)

    def test_versions_go_up_by_one(self, store: Store, again: Store) -> None:
        """Each write is the next version, in one transaction or in several, by whichever handle."""
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            transaction.write(TOKEN)
            transaction.write(OTHER)
        with again.transaction(KEY, timeout=PATIENCE) as transaction:
            assert transaction.entry is not None
            assert transaction.entry.version == 2
            transaction.write(TOKEN)
        assert (_entry(store).version, _entry(store).token) == (3, TOKEN)

    def test_an_invalidation_is_remembered(self, store: Store) -> None:
        """None is written as an entry without a token, so that an older renewal can't write over it."""
        for token in (TOKEN, None):
            with store.transaction(KEY, timeout=PATIENCE) as transaction:
                transaction.write(token)
        assert (_entry(store).version, _entry(store).token) == (2, None)

    def test_nothing_is_written_after_the_end(self, store: Store) -> None:
        """A transaction that has ended writes nothing any more."""
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            pass
        with pytest.raises(StoreConflict):
            transaction.write(TOKEN)
        assert store.read(KEY) is None

    @pytest.mark.parametrize("timeout", [0.0, 0.3])
    def test_a_lock_that_is_held_is_waited_for_in_vain(self, store: Store, again: Store, timeout: float) -> None:
        """If the lock is not free in time, a temporary error is raised in time, and reading still works."""
        with store.transaction(KEY, timeout=PATIENCE) as holder, ThreadPoolExecutor(1) as pool:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable):
                pool.submit(_write, again, KEY, OTHER, timeout).result()
            assert time.monotonic() - begun < timeout + PATIENCE / 2
            assert again.read(KEY) is None
            holder.write(TOKEN)
        assert _entry(again).token == TOKEN

    def test_threads_exclude_each_other(self, store: Store, again: Store) -> None:
        """Concurrent transactions that read, wait and write lose no update."""
        together = threading.Barrier(8)

        def add(number: int) -> None:
            mine = store if number % 2 else again
            together.wait()
            for _ in range(5):
                with mine.transaction(KEY, timeout=6 * PATIENCE) as transaction:
                    version = transaction.entry.version if transaction.entry else 0
                    assert not inside, "two hold the lock"
                    inside.append(number)
                    time.sleep(0.002)  # so that others have the chance to come in
                    inside.remove(number)
                    transaction.write(Token(f"access-{version + 1}", 1.0, 4e9, "client_credentials"))

        inside: list[int] = []
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(add, number) for number in range(8)]:
                done.result()
        assert (_entry(store).version, _entry(store).token) == (40, Token("access-40", 1.0, 4e9, "client_credentials"))

    def test_keys_do_not_touch_each_other(self, store: Store) -> None:
        """Entries have separate locks and separate tokens."""
        with store.transaction(KEY, timeout=PATIENCE) as first:
            with store.transaction(LONGEST_KEY, timeout=PATIENCE) as second:
                second.write(OTHER)
            first.write(TOKEN)
        assert _entry(store).token == TOKEN
        assert _entry(store, LONGEST_KEY).token == OTHER
        with store.transaction(KEY, timeout=PATIENCE) as transaction:  # both entries have the same version
            transaction.write(TOKEN)
        assert _entry(store, LONGEST_KEY).token == OTHER

    def test_an_error_inside_releases_the_lock(self, store: Store, again: Store) -> None:
        """Whatever is raised within a transaction arrives as it is, what was written stays, and the lock is free."""
        with pytest.raises(ZeroDivisionError), store.transaction(KEY, timeout=PATIENCE) as transaction:  # noqa: PT012 - it is about both
            transaction.write(TOKEN)
            raise ZeroDivisionError
        _write(again, KEY, OTHER, timeout=PATIENCE)
        assert _entry(store).version == 2

    def test_an_entry_is_removed_or_the_store_says_that_it_can_t(self, store: Store) -> None:
        """An entry that can't be opened can be removed."""
        _write(store, KEY, TOKEN, timeout=PATIENCE)
        hint = ""
        try:
            store.remove(KEY, timeout=PATIENCE)
        except StoreError as error:
            hint = error.hint
        assert hint or store.read(KEY) is None

    def test_entries_are_listed_or_the_store_says_that_it_can_t(self, store: Store, again: Store) -> None:
        """A store that can list its entries has each of them once, by its key; another one says what to do instead."""
        for key in (DIGEST, OTHER_DIGEST):
            _write(store, key, TOKEN, timeout=PATIENCE)
        hint = ""
        listed: Sequence[ListedEntry] = ()
        try:
            listed = again.list_entries()
        except StoreNotListable as error:
            hint = error.hint
        assert hint or sorted(each.key for each in listed) == [DIGEST, OTHER_DIGEST]

    def test_an_entry_is_removed_under_its_lock_or_the_store_says_that_it_can_t(
        self, store: Store, again: Store
    ) -> None:
        """The holder of the lock can remove the entry; nothing is written in that transaction afterwards."""
        _write(store, KEY, TOKEN, timeout=PATIENCE)
        hint = ""
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            try:
                transaction.remove()
            except StoreError as error:
                hint = error.hint
            else:
                with pytest.raises(StoreConflict):
                    transaction.write(TOKEN)
        assert hint or again.read(KEY) is None
        _write(again, KEY, OTHER, timeout=PATIENCE)
        assert _entry(store).token == OTHER

    def test_nothing_shows_a_secret(self, store: Store) -> None:
        """Neither the store nor a transaction nor an entry shows a token, and no pickle of the store has one."""
        with store.transaction(KEY, timeout=PATIENCE) as transaction:
            transaction.write(TOKEN)
            shown = repr(store) + repr(transaction) + repr(store.read(KEY))
        assert "access-1" not in shown
        assert "refresh-1" not in shown
        try:
            pickled: Any = pickle.dumps(store)
        except Exception:  # noqa: BLE001 - in whichever way it refuses
            return
        assert b"access-1" not in pickled


def _entry(store: Store, key: str = KEY) -> Entry:
    found = store.read(key)
    assert found is not None, "nothing is there"
    return found


def _write(store: Store, key: str, token: Token, timeout: float) -> None:
    with store.transaction(key, timeout=timeout) as transaction:
        transaction.write(token)
