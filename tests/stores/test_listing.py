"""What stores say of all that they have, and how an entry or a leftover is removed while others may come."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from procountor_auth.errors import StoreConflict, StoreError, StoreNotListable, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.file import FileStore
from procountor_auth.stores.keyring import KeyringStore
from procountor_auth.stores.listing import Leftover
from procountor_auth.stores.retention import seconds_to_keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores import Store
    from procountor_auth.stores.listing import LeftoverKind
    from tests.stores.conftest import Place

FIRST: Final = "0a1b2c3d4e" * 4
SECOND: Final = "5f6a7b8c9d" * 4

LISTABLE: Final = ("file", "file-sealed", "redis", "redis-sealed", "postgresql", "sqlite")


def put(store: Store, token: Token | None, key: str) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(key, timeout=5) as transaction:
        transaction.write(token)


@pytest.fixture(params=LISTABLE)
def listable(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store in turn that outlives a process and can list its entries."""
    return place_of(request.param)


def test_a_store_lists_what_it_has(listable: Place, token: Token) -> None:
    """Each entry is listed once, with its size, and with when it was written or how long it is kept."""
    store, before = listable.open(), time.time()
    assert list(store.list_entries()) == []
    put(store, token, FIRST)
    put(store, None, SECOND)
    listed = {each.key: each for each in store.list_entries()}
    assert set(listed) == {FIRST, SECOND}
    assert listed[FIRST].size == len(listable.peek(FIRST) or b"") > listed[SECOND].size > 0
    day, slack = 86_400.0, 5.0  # a file system rounds, and a server has its own clock
    for each in listed.values():
        if listable.kind.startswith("redis"):
            assert each.written_at is None
        else:
            assert each.written_at == pytest.approx(before, abs=slack + time.time() - before)
    if listable.kind.startswith("file"):
        assert {each.kept_until for each in listed.values()} == {None}
    else:
        assert listed[FIRST].kept_until == pytest.approx(before + seconds_to_keep(token), abs=slack + 60)
        assert listed[SECOND].kept_until == pytest.approx(before + day, abs=slack + 60)


def test_what_is_kept_aside_is_no_entry(listable: Place, token: Token) -> None:
    """A damaged entry that a transaction has put aside is listed as what it is, and nobody removes it by mistake."""
    store = listable.open()
    listable.plant(FIRST, b"torn")
    put(store, token, FIRST)
    assert [each.key for each in store.list_entries()] == [FIRST]
    (aside,) = store.list_leftovers()
    assert (aside.kind, aside.key, aside.size) == ("damaged", FIRST, len(b"torn"))
    assert FIRST in aside.name
    assert aside.name.endswith((":damaged", ".damaged-1.json"))
    assert (aside.written_at is None) is listable.kind.startswith("redis")
    assert not store.remove_leftover(aside, timeout=5)
    assert listable.aside(FIRST) == b"torn"


def test_an_entry_of_another_version_is_not_removed(outside: Place, token: Token, other: Token) -> None:
    """Whoever has lost the lock to somebody who has written since removes nothing."""
    if outside.kind == "keyring":
        pytest.skip("a keychain lists nothing, and so nothing is removed from it in this way")
    put(outside.open(), token, FIRST)
    with outside.open().transaction(FIRST, timeout=5) as late:
        outside.steal(FIRST)
        put(outside.open(), other, FIRST)
        with pytest.raises(StoreConflict):
            late.remove()
    assert outside.open().read(FIRST) == Entry(2, other)


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_the_lock_file_goes_with_its_entry(
    place_of: Callable[[str], Place], tmp_path: Path, token: Token, kind: str
) -> None:
    """An entry that is removed under its lock leaves no file behind, and can be made again."""
    place = place_of(kind)
    put(place.open(), token, FIRST)
    assert len(list(tmp_path.rglob("*.lock"))) == 1
    with place.open().transaction(FIRST, timeout=5) as transaction:
        transaction.remove()
    assert list(tmp_path.rglob("*.lock")) == []
    assert place.open().read(FIRST) is None
    put(place.open(), token, FIRST)
    assert place.open().read(FIRST) == Entry(1, token)


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_lock_file_without_an_entry_is_removed(
    place_of: Callable[[str], Place], tmp_path: Path, token: Token, kind: str
) -> None:
    """It is a leftover as soon as its entry is gone; one that somebody holds stays."""
    place = place_of(kind)
    store = place.open()
    put(store, token, SECOND)
    with store.transaction(FIRST, timeout=5):
        (lock,) = store.list_leftovers()
        assert (lock.kind, lock.name, lock.key, lock.size) == ("lock", f"{FIRST}.lock", FIRST, 0)
        with pytest.raises(StoreUnavailable):
            store.remove_leftover(lock, timeout=0)
    assert store.remove_leftover(lock, timeout=0)
    assert [path.name for path in tmp_path.rglob("*.lock")] == [f"{SECOND}.lock"]
    assert list(store.list_leftovers()) == []


@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_lock_file_whose_entry_was_made_meanwhile_stays(
    place_of: Callable[[str], Place], tmp_path: Path, token: Token, kind: str
) -> None:
    """What was a leftover when it was listed may have an entry by now."""
    place = place_of(kind)
    store = place.open()
    with store.transaction(FIRST, timeout=5):
        pass
    (lock,) = store.list_leftovers()
    put(store, token, FIRST)
    assert not store.remove_leftover(lock, timeout=0)
    assert [path.name for path in tmp_path.rglob("*.lock")] == [f"{FIRST}.lock"]


def test_who_was_about_to_take_a_removed_lock_file_takes_the_next_one(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has opened the lock file, and not locked it yet, does not end up with the lock of a dead file."""
    store = FileStore(tmp_path / "tokens")
    with store.transaction(FIRST, timeout=5):
        pass
    (lock,) = store.list_leftovers()
    real = fcntl.flock
    removed: list[bool] = []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(True)  # first: what comes now locks as well
            removed[0] = store.remove_leftover(lock, timeout=5)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with store.transaction(FIRST, timeout=5) as transaction:
        assert removed == [True]
        with pytest.raises(StoreUnavailable), FileStore(store.folder).transaction(FIRST, timeout=0):
            pytest.fail("two have the lock")
        transaction.write(token)
    assert store.read(FIRST) == Entry(1, token)


def test_lock_files_that_go_let_nobody_in_twice(tmp_path: Path) -> None:
    """Of many who take a lock while its file is removed again and again, one at a time has it."""
    store = FileStore(tmp_path / "tokens")
    lock = Leftover(f"{FIRST}.lock", "lock", 0, key=FIRST)
    inside: list[int] = []
    crowded: list[int] = []
    together = threading.Barrier(6)

    def work(number: int) -> None:
        together.wait()
        for _ in range(25):
            if number % 2:
                store.remove_leftover(lock, timeout=60)
                continue
            with store.transaction(FIRST, timeout=60):
                inside.append(number)
                crowded.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crowded == [1] * 75


def test_a_file_system_that_hides_removals_keeps_its_lock_files(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an open file that was removed still seems to have a name, as on NFS, no lock file is removed."""
    store = FileStore(tmp_path / "tokens")
    put(store, token, FIRST)
    real = os.fstat

    def fstat(descriptor: int) -> Any:  # noqa: ANN401 - os.stat_result takes a sequence
        found = list(real(descriptor))
        return os.stat_result([*found[:3], max(found[3], 1), *found[4:]])

    with monkeypatch.context() as patched:
        patched.setattr("procountor_auth.stores.private_folder.os.fstat", fstat)
        with store.transaction(FIRST, timeout=5) as transaction:
            transaction.remove()
    assert [path.name for path in store.folder.iterdir()] == [f"{FIRST}.lock"]
    (lock,) = store.list_leftovers()
    assert not store.remove_leftover(lock, timeout=5)


@pytest.mark.parametrize("name", ["mkstemp", "fstat"])
def test_where_it_can_not_be_tried_lock_files_stay(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What the file system says of removed files is tried in the folder itself, with a file that is gone afterwards."""
    store = FileStore(tmp_path / "tokens")
    put(store, token, FIRST)
    tried: list[Path] = []
    real = tempfile.mkstemp

    def mkstemp(*, prefix: str, dir: Path) -> tuple[int, str]:  # noqa: A002 - as the function itself
        tried.append(dir)
        if name == "mkstemp":
            raise OSError
        assert prefix == "procountor-auth-"
        return real(prefix=prefix, dir=dir)

    def fstat(_: int) -> NoReturn:
        raise OSError

    with monkeypatch.context() as patched, store.transaction(FIRST, timeout=5) as transaction:
        transaction.remove()
        patched.setattr(tempfile, "mkstemp", mkstemp)
        if name == "fstat":
            patched.setattr("procountor_auth.stores.private_folder.os.fstat", fstat)
        assert not store._folder.can_discard
        assert not store._folder.can_discard  # it is tried once
    assert tried == [store.folder]
    assert [path.name for path in store.folder.iterdir()] == [f"{FIRST}.lock"]


def test_a_temporary_file_is_removed_under_the_lock(tmp_path: Path, token: Token) -> None:
    """What a killed writer has left goes, the entry beside it stays, and a writer at work keeps its file."""
    store = FileStore(tmp_path / "tokens")
    put(store, token, FIRST)
    path = store.folder / f"{FIRST}.tmp"
    with store.transaction(FIRST, timeout=5):
        path.write_bytes(b"half of a tok")
        (temporary,) = store.list_leftovers()
        assert (temporary.kind, temporary.size) == ("temporary", 13)
        with pytest.raises(StoreUnavailable):
            store.remove_leftover(temporary, timeout=0)
        assert path.exists()
    assert store.remove_leftover(temporary, timeout=0)
    assert not path.exists()
    assert store.read(FIRST) == Entry(1, token)


def test_what_is_not_ours_is_foreign(tmp_path: Path, token: Token) -> None:
    """Others' files, links, folders, and what only looks like a file of ours are told by name, and stay."""
    store = FileStore(tmp_path / "tokens")
    put(store, token, FIRST)
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text("theirs")
    (store.folder / f"{SECOND}.json").symlink_to(elsewhere)
    (store.folder / f"{SECOND}.tmp").symlink_to(elsewhere)
    (store.folder / f"{SECOND}.lock").write_text("a lock file is empty")
    (store.folder / "poetry.lock").touch()
    (store.folder / "package.json").write_text("{}")
    (store.folder / "folder.tmp").mkdir()
    assert [each.key for each in store.list_entries()] == [FIRST]
    leftovers = list(store.list_leftovers())
    sizes = {name: (store.folder / name).lstat().st_size for name in sorted(os.listdir(store.folder))}  # noqa: PTH208
    times = {name: (store.folder / name).lstat().st_mtime for name in sizes}
    assert leftovers == [
        Leftover(name, "foreign", sizes[name], times[name])
        for name in sizes
        if name not in {f"{FIRST}.json", f"{FIRST}.lock"}
    ]
    assert len(leftovers) == 6
    before = sorted(path.name for path in store.folder.iterdir())
    assert not any(store.remove_leftover(each, timeout=0) for each in leftovers)
    assert sorted(path.name for path in store.folder.iterdir()) == before
    assert elsewhere.read_text() == "theirs"
    assert (store.folder / f"{SECOND}.lock").read_text() == "a lock file is empty"


def test_nothing_is_made_to_be_listed(tmp_path: Path) -> None:
    """A folder that is not there has nothing in it, and is not made; one that is a link is refused."""
    store = FileStore(tmp_path / "tokens")
    assert (list(store.list_entries()), list(store.list_leftovers())) == ([], [])
    assert not store.folder.exists()
    (tmp_path / "real").mkdir(mode=0o700)
    store.folder.symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="symlink"):
        store.list_entries()


def test_a_folder_that_can_not_be_listed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says of a folder is told with its name."""
    store = FileStore(tmp_path / "tokens")
    store.folder.mkdir(mode=0o700)

    def scandir(_: object) -> NoReturn:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", scandir)
    for listing in (store.list_entries, store.list_leftovers):
        with pytest.raises(StoreError) as caught:
            listing()
        assert caught.value.message == f"{store.folder} can't be read: Permission denied."
        assert caught.value.__context__ is None


@pytest.mark.parametrize("kind", ["lock", "temporary", "damaged", "foreign"])
def test_a_leftover_without_a_key_stays(place_of: Callable[[str], Place], kind: LeftoverKind) -> None:
    """What belongs to no entry is nobody's to remove."""
    for each in ("file", "sqlite", "memory", "redis"):
        assert place_of(each).open().remove_leftover(Leftover("poetry.lock", kind, 0), timeout=0) is False


def test_a_keychain_says_what_to_do_instead() -> None:
    """It tells no names, and the error says which tool does."""
    with pytest.raises(StoreNotListable) as caught:
        KeyringStore().list_entries()
    assert (caught.value.message, caught.value.hint) == (
        "A keychain can't list its entries to a program.",
        (
            "Look for the service procountor-auth with the system's own tool: Keychain Access, Credential Manager, "
            "Seahorse, KWalletManager."
        ),
    )


def test_others_keys_in_redis_are_not_listed(place_of: Callable[[str], Place], token: Token) -> None:
    """Keys with other names, also such as begin like ours, are nobody's entries."""
    import redis  # noqa: PLC0415 - for this test

    place = place_of("redis")
    put(place.open(), token, FIRST)
    client = redis.Redis.from_url(place.where)
    for name in ("theirs", "procountor-auth:plain", "procountor-auth:{a b}", f"procountor-auth:{{{SECOND}}}:other"):
        client.set(name, "x")
    with place.open().transaction(SECOND, timeout=5):
        store = place.open()
        assert [each.key for each in store.list_entries()] == [FIRST]
        assert list(store.list_leftovers()) == []
