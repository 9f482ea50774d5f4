"""Files that are replaced as a whole: a reader finds the old content or the new one, also after a crash."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import SecretBytes

from procountor_auth.errors import printable
from procountor_auth.stores.codec import MAX_SIZE, Damaged

if TYPE_CHECKING:
    from pathlib import Path

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


def temporary_path(path: Path) -> Path:
    """Return the one temporary file of an entry: a killed writer leaves this one behind, and no more."""
    return path.with_suffix(".tmp")


def read_file(path: Path) -> SecretBytes | Damaged | OSError | None:
    """Return the bytes of a whole file of ours, and close it to others if it was not.

    None is for a file that is not there. What is wrong with another is returned, to be raised where no local holds its
    bytes.
    """
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
        if found.st_size > MAX_SIZE:
            return Damaged(f"it is longer than {MAX_SIZE} bytes")
        if os.name != "nt" and stat.S_IMODE(found.st_mode) & ~0o600:
            with suppress(OSError):
                os.fchmod(descriptor, 0o600)
            _logger.warning("%s had mode %04o and was set to 0600", printable(str(path)), stat.S_IMODE(found.st_mode))
        return _read_all(descriptor)
    except OSError as error:
        return OSError(error.errno, error.strerror)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> SecretBytes:
    parts: list[bytes] = []
    size = 0
    while size <= MAX_SIZE and (part := os.read(descriptor, MAX_SIZE)):
        parts.append(part)
        size += len(part)
    return SecretBytes(b"".join(parts))


def replace_file(path: Path, data: SecretBytes) -> OSError | None:
    """Put a file with the data in place of `path`: when it returns None, the data is on the disk.

    An error is returned, to be raised where no local holds the data.
    """
    temporary = temporary_path(path)
    try:
        temporary.unlink(missing_ok=True)
        _write_new_file(temporary, data)
        _rename(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return OSError(error.errno, error.strerror)
    return None


def _write_new_file(path: Path, data: SecretBytes) -> None:
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
