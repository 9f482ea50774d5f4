"""Reads a file that a user has named, with limits on its size and on the time to wait for a pipe."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE: Final = 5.0
"""Seconds to wait for data from a pipe."""

NOT_REGULAR: Final = "it is not a regular file"
"""What the error says of a pipe or a device where only a file is accepted."""

SYMLINK: Final = "it is a symbolic link"
"""What the error says of a symbolic link where only the file itself is accepted."""

NO_SYMLINK: Final[int] = getattr(os, "O_NOFOLLOW", 0)
"""The flag for `os.open` that refuses a symbolic link; Windows has none."""

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_bytes(
    path: Path, max_size: int, *, pipes: bool = True, symlinks: bool = True, patience: float = PATIENCE
) -> bytes:
    """Return the content of a file.

    Args:
        path: The file.
        max_size: The largest allowed size, in bytes.
        pipes: Whether pipes and devices are allowed, such as `/dev/null` or a shell's `<(…)`.
        symlinks: Whether the path may be a symbolic link.
        patience: Seconds to wait for data from a pipe.

    Raises:
        OSError: The file can't be read, is too large or of the wrong type, or the pipe had no data in time.
        ValueError: The path contains NUL.
    """
    if not symlinks:
        refuse_symlink(path)
    flags = _FLAGS if symlinks else _FLAGS | NO_SYMLINK
    descriptor = os.open(path, flags)  # does not block, even if a pipe has replaced the file meanwhile
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        regular = stat.S_ISREG(mode)
        if not (regular or pipes):
            raise OSError(errno.EINVAL, NOT_REGULAR)
        content = bytearray()
        until = time.monotonic() + patience
        while len(content) <= max_size:
            if not regular:
                _wait(descriptor, until)
            part = os.read(descriptor, max_size + 1 - len(content))
            if not part:
                return bytes(content)
            content += part
    finally:
        os.close(descriptor)
    raise OSError(errno.EFBIG, f"it is larger than {_shown(max_size)}")


def refuse_symlink(path: Path) -> None:
    """Raise an error that says so, if a path is a symbolic link; the system's own speaks of too many of them.

    Raises:
        OSError: It is one.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, SYMLINK)


def is_pipe(path: Path) -> bool:
    """Whether a file is a pipe, whose content can be read only once."""
    return stat.S_ISFIFO(path.stat().st_mode)


def _wait(descriptor: int, until: float) -> None:
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    # A pipe without a writer reads as empty, so wait for data.
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise OSError(errno.ETIMEDOUT, "it has no data")


def _shown(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"
