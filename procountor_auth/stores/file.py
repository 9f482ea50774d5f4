"""Tokens in files of this user's own: one file per entry, replaced as a whole."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn

from pydantic import SecretBytes

from procountor_auth.errors import StoreError
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import LARGEST, Codec, Damaged
from procountor_auth.stores.folder import PrivateFolder, default_folder, unusable
from procountor_auth.stores.held import Held, checked_key, unless_changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_DAMAGED: Final = 9
"""So many damaged files are kept aside for each entry; the last one gives way to a newer one."""

# Flags that Windows does not have, and one that only Windows has. Not blocking: a FIFO must not make a reader wait.
_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
"""What some network file systems say to an fsync of a folder; the rename is theirs to keep."""

_PATIENCE: Final = 1.0
"""Seconds for which Windows may keep a file open that is to be replaced."""

_logger = logging.getLogger("procountor_auth")


class FileStore(Store):
    """Keeps each token in a file (0600) of a folder (0700).

    A write is a temporary file, an fsync, a rename and an fsync of the folder: at any moment, the old or the new
    version is there, whole. Damaged files are renamed to `<key>.damaged-N.json` by the next transaction.

    Args:
        folder: Where the files are; by default in this user's state folder.
        codec: How entries are written; plain by default.
    """

    name = "file"

    def __init__(self, folder: Path | None = None, codec: Codec | None = None) -> None:
        self._folder = PrivateFolder(folder or default_folder("tokens"))
        self._codec = codec or Codec()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder.path

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        path = self._path(checked_key(key))
        self._folder.prepare()
        found = self._decoded(key, path)
        if isinstance(found, Damaged):
            return None
        return found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        path = self._path(checked_key(key))
        with self._folder.locked(f"{key}.lock", timeout=timeout):
            # Only a writer that was killed leaves one behind: whoever has the lock cleans up.
            self._remove(_temporary(path))
            found = self._decoded(key, path)
            if isinstance(found, Damaged):
                self._keep_aside(path, found)
                found = None

            def swap(read: int, entry: Entry) -> None:
                there = self._decoded(key, path)
                unless_changed(read, None if isinstance(there, Damaged) else there)
                data = self._codec.encode(key, entry)
                problem = _replace(path, data)
                if problem is not None:
                    raise unusable(path, problem, "can't be written")

            held = Held(found, swap)
            try:
                yield held
            finally:
                held.close()

    def _path(self, key: str) -> Path:
        return self._folder.path / f"{key}.json"

    def _decoded(self, key: str, path: Path) -> Entry | Damaged | None:
        data = _bytes_of(path)
        found = self._codec.decode(key, data) if isinstance(data, SecretBytes) else data
        if isinstance(found, OSError):
            found = _unreadable(path, found)
        if isinstance(found, StoreError):
            raise found
        return found

    def _remove(self, path: Path) -> None:
        problem: StoreError | None = None
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            problem = unusable(path, error, "can't be removed")
        if problem is not None:
            raise problem

    def _keep_aside(self, path: Path, damaged: Damaged) -> None:
        for number in range(1, _MOST_DAMAGED + 1):
            aside = path.with_name(f"{path.stem}.damaged-{number}.json")
            if not os.path.lexists(aside):
                break
        problem: StoreError | None = None
        try:
            path.replace(aside)
        except OSError as error:
            problem = unusable(path, error, "is damaged and can't be renamed")
        if problem is not None:
            raise problem
        _logger.warning("%s is damaged (%s) and was kept as %s", path, damaged.reason, aside.name)

    def __repr__(self) -> str:
        return f"<FileStore {self._folder.path}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A FileStore may hold keys and is not pickled: open it in each process.")


def _temporary(path: Path) -> Path:
    """Return the one temporary file of an entry: a killed writer leaves this one behind, and no more."""
    return path.with_suffix(".tmp")


def _unreadable(path: Path, error: OSError) -> StoreError:
    if error.errno == errno.ELOOP:
        return StoreError(
            f"{path} is a symlink, which tokens are not read or written through.",
            hint="Remove it, or put the file itself in its place.",
        )
    return unusable(path, error, "can't be read")


def _bytes_of(path: Path) -> SecretBytes | Damaged | OSError | None:
    """Read a whole file of ours, and close it to others if it was not."""
    try:
        if not _FLAGS & getattr(os, "O_NOFOLLOW", 0) and path.is_symlink():
            return OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        return OSError(error.errno, error.strerror)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return OSError(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL, "not a file")
        if found.st_size > LARGEST:
            return Damaged(f"it is longer than {LARGEST} bytes")
        if os.name != "nt" and stat.S_IMODE(found.st_mode) & ~0o600:
            with suppress(OSError):
                os.fchmod(descriptor, 0o600)
            _logger.warning("%s had mode %04o and was set to 0600", path, stat.S_IMODE(found.st_mode))
        return _all_of(descriptor)
    except OSError as error:
        return OSError(error.errno, error.strerror)
    finally:
        os.close(descriptor)


def _all_of(descriptor: int) -> SecretBytes:
    parts = []
    size = 0
    while size <= LARGEST and (part := os.read(descriptor, LARGEST)):
        parts.append(part)
        size += len(part)
    return SecretBytes(b"".join(parts))


def _replace(path: Path, data: SecretBytes) -> OSError | None:
    """Put a file with the data in place of `path`; when it returns None, the data is on the disk."""
    temporary = _temporary(path)
    try:
        temporary.unlink(missing_ok=True)
        _write_new(temporary, data)
        _rename(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return OSError(error.errno, error.strerror)
    return None


def _write_new(path: Path, data: SecretBytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        rest = memoryview(data.get_secret_value())
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(temporary: Path, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            # Windows does not replace a file that somebody, such as a reader or a virus scanner, has open.
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # there, folders can't be opened, and a rename is written through
        return
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
