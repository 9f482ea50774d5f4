"""Files that are replaced as a whole, by themselves."""

from __future__ import annotations

import errno
import logging
import os
import stat
from typing import TYPE_CHECKING, NoReturn

import pytest
from pydantic import SecretBytes

from procountor_auth.stores.atomic_file import read_file, replace_file, temporary_path
from procountor_auth.stores.codec import MAX_SIZE, Damaged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")

DATA = SecretBytes(b"CANARY")


def _fails(number: int) -> Callable[..., NoReturn]:
    def fails(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fails


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "entry.json"


def test_what_was_put_is_read(path: Path) -> None:
    """The file is this user's alone, and the temporary one is gone."""
    before = os.umask(0)
    try:
        assert replace_file(path, DATA) is None
    finally:
        os.umask(before)
    assert read_file(path) == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert read_file(path.with_name("other.json")) is None


def test_the_temporary_file_stands_beside_it(path: Path) -> None:
    """It has a name of its own."""
    assert temporary_path(path) == path.with_name("entry.tmp")


@pytest.mark.parametrize("rights", [0o601, 0o610, 0o700, 0o644, 0o666])
def test_every_other_right_is_taken_away(path: Path, rights: int, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else may read, write or run it, and the log says which rights there were."""
    replace_file(path, DATA)
    path.chmod(rights)
    assert read_file(path) == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message == f"{path} had mode {rights:04o} and was set to 0600"


def test_rights_of_this_user_are_no_matter(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that only this user can read stays as it is, and nothing is logged."""
    replace_file(path, DATA)
    path.chmod(0o400)
    assert read_file(path) == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert caplog.records == []


def test_a_file_that_is_too_large_says_so(path: Path) -> None:
    """One of the largest size is read, and one byte more is damage."""
    path.write_bytes(b" " * MAX_SIZE)
    assert read_file(path) == SecretBytes(b" " * MAX_SIZE)
    path.write_bytes(b" " * (MAX_SIZE + 1))
    assert read_file(path) == Damaged(f"it is longer than {MAX_SIZE} bytes")


def test_a_file_that_grows_is_not_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody goes on writing, no more is read than tells that it is too large."""
    replace_file(path, DATA)
    parts = iter([b" " * MAX_SIZE] * 2)
    monkeypatch.setattr(os, "read", lambda *_: next(parts))
    found = read_file(path)
    assert isinstance(found, SecretBytes)
    assert len(found) == 2 * MAX_SIZE


@pytest.mark.parametrize("what", ["open", "fstat", "read"])
def test_what_the_system_says_of_a_read_is_returned(path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The error has the number and the text, and nothing of what was read."""
    replace_file(path, DATA)
    with monkeypatch.context() as patched:
        patched.setattr(os, what, _fails(errno.EIO))
        found = read_file(path)
    assert isinstance(found, OSError)
    assert (found.errno, found.strerror) == (errno.EIO, os.strerror(errno.EIO))
    assert found.__context__ is None


def test_what_is_no_file_is_returned_as_an_error(path: Path) -> None:
    """A link, a folder and a pipe are three different errors."""
    path.symlink_to(path.parent / "elsewhere")
    numbers = [getattr(read_file(path), "errno", None)]
    path.unlink()
    path.mkdir()
    numbers.append(getattr(read_file(path), "errno", None))
    path.rmdir()
    os.mkfifo(path)
    numbers.append(getattr(read_file(path), "errno", None))
    assert numbers == [errno.ELOOP, errno.EISDIR, errno.EINVAL]


@pytest.mark.parametrize("what", ["open", "write", "fsync"])
def test_what_the_system_says_of_a_write_is_returned(path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The error has the number and the text; the old content stays, and no piece of the new one does."""
    replace_file(path, DATA)
    with monkeypatch.context() as patched:
        patched.setattr(os, what, _fails(errno.ENOSPC))
        found = replace_file(path, SecretBytes(b"new"))
    assert isinstance(found, OSError)
    assert (found.errno, found.strerror) == (errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert found.__context__ is None
    assert read_file(path) == DATA
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EIO])
def test_a_file_system_that_syncs_no_folder_is_good_enough(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The file itself is synced, and its folder where that can be done; a disk that fails is an error."""
    real, synced = os.fsync, []

    def fsync(descriptor: int) -> None:
        synced.append(stat.S_IFMT(os.fstat(descriptor).st_mode))
        if synced[-1] == stat.S_IFDIR:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    found = replace_file(path, DATA)
    assert getattr(found, "errno", None) == (errno.EIO if number == errno.EIO else None)
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_a_write_in_pieces_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take less than it is given."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:4])))
    assert replace_file(path, DATA) is None
    assert read_file(path) == DATA


def test_a_temporary_file_of_somebody_else_is_not_written_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes back after it was removed is an error: whoever has it open would read the token."""
    temporary = temporary_path(path)
    temporary.write_text("theirs")
    monkeypatch.setattr(type(path), "unlink", lambda *_, **__: None)
    found = replace_file(path, DATA)
    assert isinstance(found, FileExistsError)
    assert temporary.read_text() == "theirs"
