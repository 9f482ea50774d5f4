"""What every store does, whatever it stands on: one suite, run over each of them."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
import threading
import time
from typing import TYPE_CHECKING

import pytest

from procountor_auth.errors import StoreConflict, StoreError, StoreUnavailable, UnreadableEntry
from procountor_auth.protocol.token import Token
from procountor_auth.stores import Entry, Store

if TYPE_CHECKING:
    from pydantic import SecretStr

    from tests.stores.conftest import Place

KEY = "company-1"

DAMAGED = {
    "empty": b"",
    "torn": b'{"schema":1,"version":3,"token":{"access_tok',
    "foreign": b"[backend]\ndefault = x",
    "a list": b"[1, 2]",
    "null": b"null",
    "no schema": b'{"version":1,"token":null}',
    "deep": b"[" * 100_000,
    "huge": b"1" * 100_000,
    "two tokens": b'{"schema":1,"version":1,"token":null,"token":null}',
    "no number": b'{"schema":1,"version":NaN,"token":null}',
    "no token": b'{"schema":1,"version":7}',
    "a wrong type": b'{"schema":1,"version":7,"token":{"access_token":7,"issued_at":1,"expires_at":2,"strategy":"x"}}',
    "not sealed": b'{"schema":1,"version":7,"sealed":"gAAA"}',
}


def put(store: Store, token: Token | None, key: str = KEY) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(key, timeout=5) as transaction:
        transaction.write(token)


def test_a_key_that_was_never_written_is_a_miss(place: Place) -> None:
    """Nothing is found where nothing was written, with and without the lock."""
    store = place.open()
    assert store.read(KEY) is None
    with store.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry is None
    assert store.read(KEY) is None


def test_what_is_written_is_read(place: Place, token: Token) -> None:
    """Another store over the same place reads the very token that was written."""
    put(place.open(), token)
    assert place.open().read(KEY) == Entry(1, token)
    with place.open().transaction(KEY, timeout=5) as transaction:
        assert transaction.entry == Entry(1, token)


def test_an_invalidation_is_remembered(place: Place, token: Token) -> None:
    """Writing None leaves an entry with no token, which is not a miss."""
    put(place.open(), token)
    put(place.open(), None)
    assert place.open().read(KEY) == Entry(2, None)


def test_versions_go_up_by_one(place: Place, token: Token, other: Token) -> None:
    """Each write is the next version, also within one transaction."""
    store = place.open()
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)
        transaction.write(other)
        assert transaction.entry == Entry(2, other)
    put(store, None)
    put(store, token)
    assert store.read(KEY) == Entry(4, token)


def test_nothing_is_written_after_the_end(place: Place, token: Token) -> None:
    """A transaction that is over writes nothing."""
    store = place.open()
    with store.transaction(KEY, timeout=5) as transaction:
        pass
    with pytest.raises(StoreConflict):
        transaction.write(token)
    assert store.read(KEY) is None


@pytest.mark.parametrize("before", [0, 1])
def test_a_lost_lock_overwrites_nothing(place: Place, token: Token, other: Token, before: int) -> None:
    """Whoever lost the lock to somebody who has written since gets a conflict, and the newer token stays."""
    for _ in range(before):
        put(place.open(), None)
    with place.open().transaction(KEY, timeout=5) as late:
        place.steal(KEY)
        put(place.open(), other)
        with pytest.raises(StoreConflict) as caught:
            late.write(token)
        assert place.open().read(KEY) == Entry(before + 1, other)
    assert caught.value.retryable
    assert caught.value.__context__ is None
    assert place.open().read(KEY) == Entry(before + 1, other)


def test_one_of_two_who_think_they_have_the_lock_writes(place: Place, token: Token, other: Token) -> None:
    """Where a lock was lost and taken again, one of the two writes, and the other one gets a conflict."""
    outcomes = []
    with place.open().transaction(KEY, timeout=5) as first:
        place.steal(KEY)
        with place.open().transaction(KEY, timeout=5) as second:
            for transaction, written in ((first, token), (second, other)):
                try:
                    transaction.write(written)
                except StoreConflict:
                    continue
                outcomes.append(written)
    assert len(outcomes) == 1
    assert place.open().read(KEY) == Entry(1, outcomes[0])


def test_an_entry_that_is_gone_is_no_conflict(place: Place, token: Token, other: Token) -> None:
    """A token is written even if the entry was deleted meanwhile: it may be the only one that still works."""
    put(place.open(), token)
    with place.open().transaction(KEY, timeout=5) as transaction:
        place.drop(KEY)
        transaction.write(other)
    assert place.open().read(KEY) == Entry(2, other)


def test_threads_exclude_each_other(place: Place) -> None:
    """Of many threads, one at a time is in a transaction, and no write is lost."""
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        store = place.open()
        for _ in range(4):
            with store.transaction(KEY, timeout=30) as transaction:
                inside += 1
                most = max(most, inside)
                transaction.write(Token("t", 0.0, float(transaction.entry.version if transaction.entry else 0), "s"))
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert place.open().read(KEY) == Entry(24, Token("t", 0.0, 23.0, "s"))


def test_processes_exclude_each_other(outside: Place) -> None:
    """Of many processes, none loses a write to another, and what they wrote outlives them."""
    workers = [outside.run("count", KEY, "10") for _ in range(4)]
    assert [worker.communicate()[0] for worker in workers] == ["counted\n"] * 4
    entry = outside.open().read(KEY)
    assert entry is not None
    assert entry.version == 40
    assert outside.run("read", KEY).communicate()[0] == "40 whole\n"


@pytest.mark.parametrize("timeout", [0.0, 0.3])
def test_a_lock_that_is_held_is_waited_for_in_vain(place: Place, timeout: float) -> None:
    """Whoever can't have the lock is told so in time, as something that may pass, and the holder is not disturbed."""
    with place.open().transaction(KEY, timeout=5) as holder:
        start = time.monotonic()
        with pytest.raises(StoreUnavailable) as caught, place.open().transaction(KEY, timeout=timeout):
            pytest.fail("two have the lock")
        assert time.monotonic() - start < timeout + 0.5
        holder.write(None)
    assert caught.value.retryable
    assert caught.value.__context__ is None
    assert place.open().read(KEY) == Entry(1, None)


def test_a_lock_of_another_process_is_waited_for(outside: Place) -> None:
    """A lock that another process has is not to be had, and is when that process has let go of it."""
    worker = outside.run("hold", KEY)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "held\n"
    with pytest.raises(StoreUnavailable), outside.open().transaction(KEY, timeout=0.05):
        pytest.fail("two have the lock")
    waiting = threading.Thread(target=put, args=(outside.open(), None))
    waiting.start()
    worker.communicate()
    waiting.join()
    assert outside.open().read(KEY) == Entry(1, None)


def test_keys_do_not_touch_each_other(place: Place, token: Token, other: Token) -> None:
    """The lock, the versions and the token of one key are nothing to another key."""
    store = place.open()
    put(store, token, "a")
    with store.transaction("a", timeout=5), store.transaction("a-b", timeout=0.2) as transaction:
        transaction.write(other)
    assert store.read("a") == Entry(1, token)
    assert store.read("a-b") == Entry(1, other)
    put(store, other, "a")
    put(store, None, "a")
    assert store.read("a-b") == Entry(1, other)


@pytest.mark.parametrize("key", ["", "..", "a/b", "a.b", "-a", "a b", "ä", "a\n", "a" * 129, "a:b", "a}b", "a\0b"])
def test_a_key_that_is_no_name_is_refused(place: Place, key: str) -> None:
    """A key that could be a path, or somebody else's name, never gets as far as the store."""
    with pytest.raises(ValueError, match="letters"):
        place.open().read(key)
    with pytest.raises(ValueError, match="letters"), place.open().transaction(key, timeout=5):
        pytest.fail("there is an entry")


def test_an_error_inside_releases_the_lock(place: Place, token: Token) -> None:
    """What is raised within a transaction comes out as it is, the lock is free, and the old token is there."""
    put(place.open(), token)
    with pytest.raises(ZeroDivisionError) as caught, place.open().transaction(KEY, timeout=5):
        raise ZeroDivisionError
    assert caught.value.__context__ is None
    with place.open().transaction(KEY, timeout=0) as transaction:
        assert transaction.entry == Entry(1, token)


def test_a_child_does_not_have_the_lock_of_its_parent(place: Place) -> None:
    """A child that was forked within a transaction writes nothing, and leaving the transaction harms no lock."""
    assert place.run("fork-keeps", KEY).communicate()[0] == "the lock is still held\n" or place.kind == "memory"


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_what_is_damaged_is_a_miss_and_kept_aside(
    outside: Place, token: Token, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What can't be understood is a miss; the next transaction keeps it aside, says so, and can write."""
    outside.plant(KEY, DAMAGED[name])
    assert outside.open().read(KEY) is None
    with outside.open().transaction(KEY, timeout=5) as transaction:
        assert transaction.entry is None
        transaction.write(token)
    assert outside.open().read(KEY) == Entry(1, token)
    assert outside.aside(KEY) == DAMAGED[name]
    assert [record.levelname for record in caplog.records if "damaged" in record.message] == ["WARNING"]


@pytest.mark.parametrize(
    "newer", [b'{"schema":2,"version":7,"token":null}', b'{"schema":9,"version":"x","elsewhere":true}']
)
def test_a_newer_schema_is_refused_and_stays(outside: Place, newer: bytes) -> None:
    """What a newer version has written is an error that says to upgrade, and stays as it is."""
    outside.plant(KEY, newer)
    with pytest.raises(StoreError, match="Upgrade"):
        outside.open().read(KEY)
    with pytest.raises(StoreError, match="Upgrade") as caught, outside.open().transaction(KEY, timeout=5):
        pytest.fail("it can be overwritten")
    assert not caught.value.retryable
    assert outside.peek(KEY) == newer
    assert outside.aside(KEY) is None


@pytest.mark.parametrize("keys", [(), (1,)])
def test_another_key_is_refused_and_the_entry_stays(
    outside: Place, token: Token, two_keys: tuple[SecretStr, ...], keys: tuple[int, ...]
) -> None:
    """What was sealed with another key is an error that names the variable, and stays as it is."""
    put(outside.open(keys=two_keys[:1]), token)
    before = outside.peek(KEY)
    store = outside.open(keys=tuple(two_keys[number] for number in keys))
    with pytest.raises(UnreadableEntry, match="PROCOUNTOR_TOKEN_STORE_KEY") as refused:
        store.read(KEY)
    assert KEY in refused.value.message  # where it is
    with pytest.raises(StoreError, match="PROCOUNTOR_TOKEN_STORE_KEY"), store.transaction(KEY, timeout=5):
        pytest.fail("it can be overwritten")
    assert outside.peek(KEY) == before
    assert outside.aside(KEY) is None


@pytest.mark.parametrize("keys", [(), (1,)])
def test_what_can_not_be_opened_can_be_removed(
    outside: Place, token: Token, other: Token, two_keys: tuple[SecretStr, ...], keys: tuple[int, ...]
) -> None:
    """An entry that was sealed with a lost key is no dead end: it can be removed, and the next one is written."""
    put(outside.open(keys=two_keys[:1]), token)
    store = outside.open(keys=tuple(two_keys[number] for number in keys))
    store.remove(KEY, timeout=5)
    assert outside.peek(KEY) is None
    store.remove(KEY, timeout=5)  # nothing is there
    put(store, other)
    assert store.read(KEY) == Entry(1, other)


def test_an_entry_can_be_removed(place: Place, token: Token) -> None:
    """What is removed is gone in every store."""
    store = place.open()
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)
    store.remove(KEY, timeout=5)
    assert store.read(KEY) is None


def test_encryption_can_be_switched_on(
    outside: Place, token: Token, other: Token, two_keys: tuple[SecretStr, ...]
) -> None:
    """A plain token is read where there is a key now, and the next one is sealed."""
    put(outside.open(keys=()), token)
    assert b"CANARY" in (outside.peek(KEY) or b"")
    sealed = outside.open(keys=two_keys[:1])
    assert sealed.read(KEY) == Entry(1, token)
    put(sealed, other)
    assert sealed.read(KEY) == Entry(2, other)
    assert b"CANARY" not in (outside.peek(KEY) or b"")


def test_keys_can_be_rotated(outside: Place, token: Token, other: Token, two_keys: tuple[SecretStr, ...]) -> None:
    """With a new key in front of the old one, the old token is read, and the next one needs the new key alone."""
    old, new = two_keys
    put(outside.open(keys=(old,)), token)
    rotating = outside.open(keys=(new, old))
    assert rotating.read(KEY) == Entry(1, token)
    put(rotating, other)
    assert outside.open(keys=(new,)).read(KEY) == Entry(2, other)


def test_a_sealed_entry_can_not_be_moved(outside: Place, token: Token, two_keys: tuple[SecretStr, ...]) -> None:
    """A sealed token under the name of another company is not that company's token."""
    store = outside.open(keys=two_keys[:1])
    for _ in range(7):
        put(store, token, "other-company")
    outside.plant(KEY, outside.peek("other-company") or b"")
    assert store.read("other-company") == Entry(7, token)
    assert store.read(KEY) is None


def test_nothing_shows_a_secret(outside: Place, token: Token, caplog: pytest.LogCaptureFixture) -> None:
    """No log line, representation or error has a token in it, whatever happens to an entry."""
    caplog.set_level(logging.DEBUG)
    shown = []
    store = outside.open()
    put(store, token)
    stored = outside.peek(KEY) or b""
    outside.plant(KEY, stored[:-1])
    store.read(KEY)
    put(store, token)
    outside.plant(KEY, stored.replace(b'"schema":1', b'"schema":2'))
    with pytest.raises(StoreError) as caught:
        store.read(KEY)
    shown += [str(caught.value), repr(caught.value), repr(caught.value.__context__), repr(caught.value.__cause__)]
    frame = caught.value.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.find("procountor_auth") > 0:
            shown.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    shown += [repr(store), repr(vars(store)), caplog.text]
    assert "CANARY" not in "".join(shown)
    assert stored.decode() not in "".join(shown)


def test_a_store_is_not_pickled(place: Place) -> None:
    """A store goes into no queue and no file, as it may hold keys and passwords."""
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            use(place.open())


def test_a_store_has_the_name_of_its_setting(place: Place) -> None:
    """A store's name is that of the setting."""
    assert place.open().name == place.kind.removesuffix("-sealed")


def test_a_sealed_store_has_no_token_in_its_bytes(
    outside: Place, token: Token, two_keys: tuple[SecretStr, ...]
) -> None:
    """Where there is a key, neither the token nor its base64 is in what is stored."""
    put(outside.open(keys=two_keys[:1]), token)
    stored = outside.peek(KEY) or b""
    assert json.loads(stored).keys() == {"schema", "version", "sealed"}
    for secret in (b"access-CANARY", b"refresh-CANARY"):
        assert secret not in stored
        assert base64.b64encode(secret)[:-4] not in stored


def test_what_could_not_be_read_again_is_not_written(outside: Place, token: Token) -> None:
    """A token that is none is refused, and the old one stays."""
    put(outside.open(), token)
    with outside.open().transaction(KEY, timeout=5) as transaction, pytest.raises(StoreError):
        transaction.write(Token("a\r\nb", 1.0, float("inf"), "x"))
    assert outside.open().read(KEY) == Entry(1, token)
