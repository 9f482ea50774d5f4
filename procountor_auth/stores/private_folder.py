"""A folder that is ours alone (0700), with the locks in it: what the file and keyring stores stand on."""

from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import platformdirs
from filelock import FileLock, Timeout

from procountor_auth.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL: Final = 0.02
"""Seconds between two attempts to get a lock."""

_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

_TRY_LATER: Final = "It may pass by itself; try again later."
_TOO_MANY_FILES: Final = "Try again when some are closed, or allow more of them (ulimit -n)."

_PASSING: Final = {
    errno.EMFILE: _TOO_MANY_FILES,
    errno.ENFILE: _TOO_MANY_FILES,
    **{
        getattr(errno, name): _TRY_LATER
        for name in ("EAGAIN", "EBUSY", "EIO", "ENOMEM", "ESTALE", "ETIMEDOUT", "ENOLCK", "ENOBUFS", "EHOSTDOWN")
        if hasattr(errno, name)
    },
}
"""Errors that may pass without anybody changing something: a network mount that is away, a limit that is reached."""

_logger = logging.getLogger("procountor_auth")


def default_folder(name: str) -> Path:
    """Return where this user's state of the given kind is kept on this system."""
    return platformdirs.user_state_path("procountor-auth") / name


class PrivateFolder:
    """A folder of this user's own.

    Args:
        path: Where it is. It and its parents are made on first use. In a folder that all users share, such as `/tmp`,
            it is a folder of this user's inside that.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # the working directory may change
        self.path = path / f"procountor-auth-{os.geteuid()}" if _is_shared(path) else path

    def prepare(self) -> None:
        """Make it if it is not there, and make sure that nobody else can put a file into it.

        Raises:
            StoreError: It can't be made, is a symlink or no folder, or is somebody else's or open to others.
        """
        problem = self._problem()
        if problem is not None:
            raise problem

    @contextmanager
    def locked(self, name: str, *, timeout: float) -> Iterator[None]:
        """Hold the lock file `name`, which stays behind, empty.

        The operating system releases it when its holder dies. A child that is forked meanwhile does not hold it:
        filelock closes its copy there.

        Args:
            name: The file's name in the folder.
            timeout: Seconds to wait for it at most.

        Raises:
            StoreUnavailable: Somebody else kept it for the whole time.
            StoreError: The folder or the lock file can't be used.
        """
        self.prepare()
        path = self.path / name
        owner = os.getpid()
        # Not thread-local: the object never leaves this frame, and a thread's storage would outlive it.
        lock = FileLock(path, mode=0o600, thread_local=False)
        problem: StoreError | None = None
        try:
            lock.acquire(timeout=max(0.0, timeout), poll_interval=POLL)
        except Timeout:
            problem = StoreUnavailable(
                f"Another process has kept {path} locked for {timeout:g} seconds.",
                hint="Nothing needs to be changed here; try again later.",
            )
        except OSError as error:
            problem = unusable(path, error, "can't be locked")
        except RuntimeError:  # filelock's own refusals, such as a lock that a fork has left in between
            problem = StoreUnavailable(f"{path} can't be locked now.", hint="Try again later.")
        if problem is not None:
            raise problem
        try:
            yield
        finally:
            if os.getpid() == owner:
                # A lock that can't be released is the operating system's to release; the outcome stands.
                with suppress(OSError, RuntimeError):
                    lock.release()

    def _problem(self) -> StoreError | None:
        try:
            _make(self.path)
            found = self.path.lstat()
        except OSError as error:
            return unusable(self.path, error, "can't be made")
        if stat.S_ISLNK(found.st_mode):
            return StoreError(
                f"{self.path} is a symlink, which tokens are not written through.",
                hint="Name the folder itself in PROCOUNTOR_TOKEN_STORE=file:PATH.",
            )
        if not stat.S_ISDIR(found.st_mode):
            return StoreError(
                f"{self.path} is not a folder.", hint="Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH."
            )
        if os.name == "nt":  # there, the user's own folders are closed to others by their access list
            return None
        if found.st_uid != os.geteuid():
            return StoreError(
                f"{self.path} belongs to another user (uid {found.st_uid}).",
                hint="Name a folder of your own in PROCOUNTOR_TOKEN_STORE=file:PATH; it is made if it is not there.",
            )
        if found.st_mode & _OTHERS_MAY_WRITE:
            return StoreError(
                f"{self.path} can be written by others (mode {stat.S_IMODE(found.st_mode):04o}).",
                hint=f"Run chmod 700 {self.path}, or name a new folder inside it in PROCOUNTOR_TOKEN_STORE=file:PATH.",
            )
        return None

    def __repr__(self) -> str:
        return f"<PrivateFolder {self.path}>"


def unusable(path: Path, error: OSError, what: str) -> StoreError:
    """Return our error for an operating system's: with its text and the path, which are no secrets."""
    said = os.strerror(error.errno) if error.errno else "unknown error"
    if error.errno in _PASSING:
        return StoreUnavailable(f"{path} {what}: {said}.", hint=_PASSING[error.errno])
    return StoreError(f"{path} {what}: {said}.", hint="Correct the access rights or the disk, or name another folder.")


def _is_shared(path: Path) -> bool:
    """Whether everybody may make files there, and only their owners remove them."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return False
    return os.name != "nt" and stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX) and bool(mode & stat.S_IWOTH)


def _make(path: Path) -> None:
    """Make the folder and its parents, each 0700: `os.makedirs` would give the parents the usual mode."""
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = path.parent
    for each in reversed(missing):
        with suppress(FileExistsError):  # another process has been faster
            each.mkdir(mode=0o700)
