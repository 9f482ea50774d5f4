"""The file store: rights, links, full and read-only disks, and what others have left behind."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import resource
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from filelock import FileLock

from procountor_auth.errors import ConfigurationError, StoreError, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.codec import MAX_SIZE
from procountor_auth.stores.file import FileStore
from procountor_auth.stores.private_folder import default_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.protocol.token import Token

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")

KEY = "company-1"

CORRECT = "Correct the access rights or the disk, or name another folder."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for tokens that is not there yet."""
    return tmp_path / "a" / "b" / "tokens"


@pytest.fixture
def store(folder: Path) -> FileStore:
    """A store in that folder."""
    return FileStore(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", disk], check=False, capture_output=True
    )
    if mount.returncode:
        pytest.skip("a small disk can't be mounted here")
    yield disk
    subprocess.run(["/bin/umount", "-l", disk], check=True)


def put(store: FileStore, token: Token | None) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)


def mode(path: Path) -> int:
    """Return the rights of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_read(store: FileStore, folder: Path, token: Token) -> None:
    """Files are 0600, and folders that had to be made 0700, even where the process would open them to all."""
    before = os.umask(0)
    try:
        put(store, token)
    finally:
        os.umask(before)
    assert {path.name: mode(path) for path in folder.iterdir()} == {f"{KEY}.json": 0o600, f"{KEY}.lock": 0o600}
    assert {mode(each) for each in (folder, folder.parent, folder.parent.parent)} == {0o700}


def test_the_default_folder_is_the_users_state(token: Token, tmp_path: Path) -> None:
    """Without a path, tokens are in this user's state folder."""
    store = FileStore()
    put(store, token)
    assert store.folder.parts[-2:] == ("procountor-auth", "tokens")
    assert store.folder.is_relative_to(tmp_path / "home")
    assert FileStore().read(KEY) == Entry(1, token)


def test_the_default_folder_does_not_need_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where HOME is not set, this user's home directory is the one that the system knows; a relative HOME is none."""
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME")
    assert default_folder("tokens").is_relative_to(Path("~").expanduser())
    monkeypatch.setenv("HOME", "home")
    with pytest.raises(ConfigurationError) as caught:
        default_folder("tokens")
    variable = "PROCOUNTOR_TOKEN_STORE"
    (problem,) = caught.value.problems
    assert (problem.variable, problem.kind) == (variable, "invalid")
    assert problem.message == f"{variable} needs a folder, and this user has no home directory"
    assert caught.value.hint == (
        f"Set {variable} to file:/path with a folder that this user may write to, or set HOME or XDG_STATE_HOME."
    )


def test_the_working_directory_may_change(tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder is the one that it was when the store was opened."""
    store = FileStore(Path("tokens"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    put(store, token)
    assert (tmp_path / "tokens" / f"{KEY}.json").exists()


@pytest.mark.parametrize("dangling", [False, True])
def test_a_folder_that_is_a_symlink_is_refused(store: FileStore, folder: Path, dangling: bool) -> None:  # noqa: FBT001
    """Tokens are not written through a link to a folder."""
    target = folder.parent.parent / "target"
    folder.parent.mkdir(parents=True)
    if not dangling:
        target.mkdir()
    folder.symlink_to(target)
    _is_refused(
        store,
        f"{folder} is a symlink, which tokens are not written through.",
        "Name the folder itself in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    assert dangling or not list(target.iterdir())


def test_a_folder_that_is_a_file_is_refused(store: FileStore, folder: Path) -> None:
    """A file in the folder's place, or on the way to it, is an error and stays as it is."""
    folder.parent.mkdir(parents=True)
    folder.write_text("mine")
    _is_refused(store, f"{folder} is not a folder.", "Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH.")
    deeper = folder / "deeper"
    _is_refused(FileStore(deeper), f"{deeper} can't be made: Not a directory.", CORRECT)
    assert folder.read_text() == "mine"


@pytest.mark.parametrize("rights", [0o770, 0o707, 0o722])
def test_a_folder_that_others_can_write_is_refused(store: FileStore, folder: Path, rights: int) -> None:
    """A folder that others can put files into is an error that says what to do."""
    folder.mkdir(parents=True)
    folder.chmod(rights)
    _is_refused(
        store,
        f"{folder} can be written by others (mode {rights:04o}).",
        f"Run chmod 700 {folder}, or name a new folder inside it in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )


def test_a_shared_folder_gets_a_folder_of_this_user(tmp_path: Path, token: Token) -> None:
    """In a folder like `/tmp` nobody is told to change its rights: the tokens are in a folder of this user's inside."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    put(FileStore(shared), token)
    [inside] = shared.iterdir()
    assert inside.name == f"procountor-auth-{os.geteuid()}"
    assert mode(inside) == 0o700
    assert mode(shared) == 0o1777
    assert FileStore(shared).read(KEY) == Entry(1, token)


def test_a_folder_of_somebody_else_is_refused(store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that belongs to another user is an error, even if it could be written."""
    folder.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    _is_refused(
        store,
        f"{folder} belongs to another user (uid {os.getuid()}).",
        "Name a folder of your own in PROCOUNTOR_TOKEN_STORE=file:PATH; it is made if it is not there.",
    )


def test_an_entry_that_is_a_symlink_is_refused(store: FileStore, folder: Path, token: Token) -> None:
    """An entry is not read or written through a link, and what the link points at stays as it is."""
    put(store, token)
    stored = folder / f"{KEY}.json"
    target = stored.rename(folder.parent / "target")
    before = target.read_bytes()
    stored.symlink_to(target)
    _is_refused(
        store,
        f"{stored} is a symlink, which tokens are not read or written through.",
        "Remove it, or put the file itself in its place.",
    )
    assert target.read_bytes() == before


@pytest.mark.parametrize("suffix", ["lock", "tmp"])
def test_no_file_is_written_through_a_symlink(store: FileStore, folder: Path, token: Token, suffix: str) -> None:
    """A link in the place of the lock or of the temporary file leads nowhere."""
    folder.mkdir(parents=True, mode=0o700)
    target = folder.parent / "target"
    target.write_text("mine")
    (folder / f"{KEY}.{suffix}").symlink_to(target)
    if suffix == "lock":
        with pytest.raises(StoreError), store.transaction(KEY, timeout=1):
            pytest.fail("it was followed")
    else:
        put(store, token)
    assert target.read_text() == "mine"


def test_an_entry_that_is_no_file_is_refused(store: FileStore, folder: Path) -> None:
    """A folder or a pipe in the place of an entry is an error, and nobody waits for it."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / f"{KEY}.json").mkdir()
    _is_refused(store, f"{folder / KEY}.json can't be read: Is a directory.", CORRECT)
    (folder / f"{KEY}.json").rmdir()
    os.mkfifo(folder / f"{KEY}.json")
    _is_refused(store, f"{folder / KEY}.json can't be read: Invalid argument.", CORRECT)


def test_rights_that_are_too_wide_are_narrowed(
    store: FileStore, folder: Path, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that others can read is closed to them, and the log says so."""
    put(store, token)
    (folder / f"{KEY}.json").chmod(0o644)
    assert store.read(KEY) == Entry(1, token)
    assert mode(folder / f"{KEY}.json") == 0o600
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == f"{folder / KEY}.json had mode 0644 and was set to 0600"


def test_what_a_killed_writer_left_is_removed(store: FileStore, folder: Path, token: Token) -> None:
    """A temporary file of a killed writer is gone after the next transaction, and is never read."""
    put(store, token)
    (folder / f"{KEY}.tmp").write_bytes((folder / f"{KEY}.json").read_bytes()[:20])
    assert store.read(KEY) == Entry(1, token)
    with store.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry == Entry(1, token)
    assert not (folder / f"{KEY}.tmp").exists()


def test_damaged_files_are_few(store: FileStore, folder: Path) -> None:
    """Damaged files are kept aside, closed to others, and do not fill the disk."""
    folder.mkdir(parents=True, mode=0o700)
    for number in range(12):
        (folder / f"{KEY}.json").write_text(f"damage {number}")
        with store.transaction(KEY, timeout=5):
            pass
    kept = sorted(folder.glob("*.damaged-*"))
    assert [path.read_text() for path in kept] == [f"damage {number}" for number in (*range(8), 11)]
    assert {mode(path) for path in kept} == {0o600}


def test_damage_is_logged(store: FileStore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which file it was, what is wrong with it, and what it is called now."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / f"{KEY}.json").write_text("torn")
    (folder / f"{KEY}.json").chmod(0o600)
    with store.transaction(KEY, timeout=5):
        pass
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == (
        f"{folder / KEY}.json is damaged (it is not the JSON that was written) and was kept as {KEY}.damaged-1.json"
    )


def test_damage_that_can_not_be_kept_aside_is_an_error(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file that stays where it is would be overwritten."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / f"{KEY}.json").write_text("torn")

    def replace(*_: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(StoreError) as caught, store.transaction(KEY, timeout=5):
        pytest.fail("it can be overwritten")
    said = f"{folder / KEY}.json is damaged and can't be renamed: Read-only file system."
    assert (caught.value.message, caught.value.hint) == (said, CORRECT)
    assert caught.value.__context__ is None


def test_what_can_not_be_removed_is_an_error(store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the file, and what the system says."""
    folder.mkdir(parents=True, mode=0o700)

    def unlink(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(StoreError) as caught:
        store.remove(KEY, timeout=5)
    said = f"{folder / KEY}.json can't be removed: Read-only file system."
    assert (caught.value.message, caught.value.hint) == (said, CORRECT)
    assert caught.value.__context__ is None


def test_a_lock_of_another_holder_is_told(store: FileStore, folder: Path) -> None:
    """The error says which file is locked and how long it was waited for; nothing has to be changed."""
    with store.transaction(KEY, timeout=5):
        with pytest.raises(StoreUnavailable) as removed:
            store.remove(KEY, timeout=0.05)
        with pytest.raises(StoreUnavailable) as begun:
            _begin(FileStore(folder))
    for caught in (removed, begun):
        assert (caught.value.message, caught.value.hint) == (
            f"Another process has kept {folder / KEY}.lock locked for 0.05 seconds.",
            "Nothing needs to be changed here; try again later.",
        )


def test_a_refusal_of_the_lock_s_own_passes(store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What filelock raises by itself, as after a fork, is no error of the system's."""

    def acquire(*_: object, **__: object) -> NoReturn:
        raise RuntimeError

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.raises(StoreUnavailable) as caught:
        _begin(store)
    assert (caught.value.message, caught.value.hint) == (
        f"{folder / KEY}.lock can't be locked now.",
        "Try again later.",
    )
    assert caught.value.__context__ is None


def test_a_file_that_is_too_large_is_damaged(store: FileStore, folder: Path) -> None:
    """A file that is larger than any token is not read as a whole, and is a miss."""
    folder.mkdir(parents=True, mode=0o700)
    (folder / f"{KEY}.json").write_bytes(b" " * (MAX_SIZE + 1))
    assert store.read(KEY) is None
    with store.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry is None
    assert (folder / f"{KEY}.damaged-1.json").stat().st_size == MAX_SIZE + 1


@pytest.mark.process
def test_a_full_disk_leaves_the_old_token(small_disk: Path, token: Token, other: Token) -> None:
    """On a full disk, a write is an error that says so, the old token stays, and no piece of the new one does."""
    store = FileStore(small_disk / "tokens")
    put(store, token)
    _fill(small_disk / "filler")
    _write_fails(store, other, "No space left on device")
    assert store.read(KEY) == Entry(1, token)
    (small_disk / "filler").unlink()
    put(store, other)
    assert store.read(KEY) == Entry(2, other)


def test_a_write_that_breaks_off_leaves_the_old_token(store: FileStore, token: Token, other: Token) -> None:
    """Where only a part of a file can be written, the old token stays, and no piece of the new one does."""
    put(store, token)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with store.transaction(KEY, timeout=5) as transaction:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
        try:
            with pytest.raises(StoreError, match="File too large"):
                transaction.write(other)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.read(KEY) == Entry(1, token)
    assert not list(store.folder.glob("*.tmp"))


@pytest.mark.process
def test_a_read_only_disk_can_be_read(small_disk: Path, token: Token, other: Token) -> None:
    """On a read-only disk, the token is read, and a transaction is an error that says why."""
    store = FileStore(small_disk / "tokens")
    put(store, token)
    subprocess.run(["/bin/mount", "-o", "remount,ro", small_disk], check=True)
    assert store.read(KEY) == Entry(1, token)
    with pytest.raises(StoreError, match="Read-only file system"):
        put(store, other)
    with pytest.raises(StoreError, match="Read-only file system"):
        FileStore(small_disk / "new").read(KEY)


@pytest.mark.process
def test_a_disk_that_becomes_read_only_leaves_the_old_token(small_disk: Path, token: Token, other: Token) -> None:
    """If the disk becomes read-only within a transaction, the write is an error, and the old token stays."""
    store = FileStore(small_disk / "tokens")
    put(store, token)
    with store.transaction(KEY, timeout=5) as transaction:
        subprocess.run(["/bin/mount", "-o", "remount,ro", small_disk], check=False, capture_output=True)
        try:
            transaction.write(other)
        except StoreError as error:
            assert "Read-only" in str(error)  # noqa: PT017 - a kernel may refuse to remount while a lock is open
            assert store.read(KEY) == Entry(1, token)
        else:
            assert store.read(KEY) == Entry(2, other)


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ESTALE", "EIO", "ENOMEM", "EACCES", "EROFS", "ENOSPC"])
@pytest.mark.parametrize("what", ["read", "lock"])
def test_what_passes_by_itself_is_told_so(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, token: Token, name: str, what: str
) -> None:
    """A limit that is reached and a network mount that is away may pass; rights and a full disk do not."""
    put(store, token)
    number = getattr(errno, name)
    opened = os.open

    def fails(path: Any, *arguments: Any, **more: Any) -> int:  # noqa: ANN401 - as the function itself
        if str(path).endswith({"read": ".json", "lock": ".lock"}[what]):
            raise OSError(number, os.strerror(number))
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(StoreError, match=os.strerror(number)) as caught, store.transaction(KEY, timeout=0.1):
        pytest.fail("it was used")
    passes = name in {"EMFILE", "ENFILE", "ESTALE", "EIO", "ENOMEM"}
    said = {"read": "can't be read", "lock": "can't be locked"}[what]
    assert caught.value.message.endswith(f" {said}: {os.strerror(number)}.")
    limit = "Try again when some are closed, or allow more of them (ulimit -n)."
    later = limit if name in {"EMFILE", "ENFILE"} else "It may pass by itself; try again later."
    assert caught.value.hint == (later if passes else CORRECT)
    assert (caught.value.retryable, type(caught.value)) == (passes, StoreUnavailable if passes else StoreError)


def test_a_host_without_locks_is_refused(store: FileStore, monkeypatch: pytest.MonkeyPatch, token: Token) -> None:
    """Where the system has no locks, that is the error, at once: a file that is there is no lock that is held."""
    put(store, token)

    def flock(*_: object) -> NoReturn:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreError, match=os.strerror(errno.ENOSYS)) as caught, store.transaction(KEY, timeout=0.1):
        pytest.fail("it was used")
    assert (type(caught.value), caught.value.retryable) == (StoreError, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_refused(store: FileStore, folder: Path, token: Token) -> None:
    """A folder that can't be written is an error that names it."""
    put(store, token)
    folder.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        put(store, token)
    folder.chmod(0o700)


def _begin(store: FileStore) -> None:
    with store.transaction(KEY, timeout=0.05):
        pass


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def _is_refused(store: FileStore, message: str, hint: str) -> None:
    with pytest.raises(StoreError) as read:
        store.read(KEY)
    with pytest.raises(StoreError) as begun, store.transaction(KEY, timeout=1):
        pytest.fail("it was used")
    for caught in (read, begun):
        assert (caught.value.message, caught.value.hint) == (message, hint)
        assert caught.value.__context__ is None


def _write_fails(store: FileStore, token: Token, why: str) -> None:
    with store.transaction(KEY, timeout=5) as transaction:
        with pytest.raises(StoreError, match=why) as caught:
            transaction.write(token)
        assert caught.value.__context__ is None
        assert str(store.folder) in str(caught.value)
        assert not list(store.folder.glob("*.tmp"))
