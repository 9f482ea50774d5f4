"""A private folder (0700) with locks, which the file and keyring stores use."""

from __future__ import annotations

import errno
import logging
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import platformdirs
from filelock import FileLock, Timeout

from procountor_auth.errors import ConfigurationError, Problem, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

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
    """Return where this user's state of the given kind is kept on this system.

    Raises:
        ConfigurationError: This user has no home directory.
    """
    with suppress(RuntimeError):  # of platformdirs, or of pathlib
        folder = platformdirs.user_state_path("procountor-auth")
        # Some versions of platformdirs make a relative HOME absolute: the folder would change with the directory.
        if folder.is_absolute() and (os.environ.get("XDG_STATE_HOME") or not _has_relative_home()):
            return folder / name
    variable = "PROCOUNTOR_TOKEN_STORE"
    problem = Problem(variable, "invalid", f"{variable} needs a folder, and this user has no home directory")
    raise ConfigurationError.from_problems(
        (problem,),
        hint=f"Set {variable} to file:/path with a folder that this user may write to, or set HOME or XDG_STATE_HOME.",
    )


def _has_relative_home() -> bool:
    return os.name == "posix" and not Path(os.environ.get("HOME", "/")).is_absolute()


class _SystemLock(FileLock):
    """A lock of the operating system's, or none.

    Where there is no system call for locks (a sandbox that filters it, some file systems), filelock would take the
    existence of the file for the lock. Our files stay behind: such a lock would be held for ever.
    """

    def _fallback_to_soft_lock(self) -> NoReturn:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


class HeldLock:
    """A lock file that is held.

    Attributes:
        discard: Whether the file is removed just before the lock is released.
    """

    def __init__(self) -> None:
        self.discard = False


class PrivateFolder:
    """A folder of this user's own.

    Args:
        path: Where it is. It and its parents are made on first use. In a folder that all users share, such as `/tmp`,
            it is a folder of this user's inside that.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()  # the working directory may change
        self.path: Path = path / f"procountor-auth-{os.geteuid()}" if _is_shared(path) else path
        self._shows_removal: bool | None = None

    def prepare(self) -> None:
        """Make it if it does not exist, and make sure that no other user can put a file into it.

        Raises:
            StoreError: It can't be made, is a symlink or no folder, belongs to another user, or is open to others.
        """
        problem = self._problem()
        if problem is not None:
            raise problem

    @contextmanager
    def locked(self, name: str, *, timeout: float) -> Generator[HeldLock]:
        """Hold the lock file `name`, which stays behind, empty, unless it is to be discarded.

        The operating system releases it when its holder dies. A child that is forked meanwhile does not hold it:
        filelock closes its copy there.

        Args:
            name: The file's name in the folder.
            timeout: Seconds to wait for it at most.

        Raises:
            StoreUnavailable: Another process held it for the whole time.
            StoreError: The folder or the lock file can't be used.
        """
        self.prepare()
        path = self.path / name
        owner = os.getpid()
        # Not thread-local: the object never leaves this frame, and a thread's storage would outlive it.
        lock = _SystemLock(path, mode=0o600, thread_local=False)
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
        held = HeldLock()
        try:
            yield held
        finally:
            if os.getpid() == owner:
                if held.discard and self.can_discard:
                    _discard(path)
                # A lock that can't be released is the operating system's to release; the outcome stands.
                with suppress(OSError, RuntimeError):
                    lock.release()

    @property
    def can_discard(self) -> bool:
        """Whether a lock file can be removed while others may be about to take it.

        They open the file and lock it, in two steps. Filelock, in every version that we accept, then looks whether the
        file still has a name, and begins again if it has none. So a holder may remove it as the last thing that it
        does, on a file system that takes the name away from an open file, which NFS does not. Windows removes no file
        that is open.
        """
        if self._shows_removal is None:
            self._shows_removal = os.name != "nt" and _shows_removal(self.path)
        return self._shows_removal

    def _problem(self) -> StoreError | None:
        try:
            make_folder(self.path)
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
        if not hasattr(self, "path"):  # in a traceback with locals, of a path that is wrong
            return "<PrivateFolder>"
        return f"<PrivateFolder {self.path}>"


def unusable(path: Path, error: OSError, what: str) -> StoreError:
    """Return our error for an operating system's: with its text and the path, which are no secrets."""
    said = os.strerror(error.errno) if error.errno else "unknown error"
    if error.errno in _PASSING:
        return StoreUnavailable(f"{path} {what}: {said}.", hint=_PASSING[error.errno])
    return StoreError(f"{path} {what}: {said}.", hint="Correct the access rights or the disk, or name another folder.")


def _discard(path: Path) -> None:
    """Remove a lock file that is held, unless it has another name."""
    with suppress(OSError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            path.unlink()


def _shows_removal(folder: Path) -> bool:
    """Try whether the file system says of an open file that it was removed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="procountor-auth-", dir=folder)
    except OSError:
        return False
    try:
        Path(name).unlink()
        return os.fstat(descriptor).st_nlink == 0
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _is_shared(path: Path) -> bool:
    """Whether everybody may make files there, and only their owners remove them."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return False
    return os.name != "nt" and stat.S_ISDIR(mode) and bool(mode & stat.S_ISVTX) and bool(mode & stat.S_IWOTH)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each 0700: `os.makedirs` would give the parents the usual mode.

    Raises:
        OSError: One can't be made.
    """
    missing: list[Path] = []
    while not os.path.lexists(path):
        missing.append(path)
        path = path.parent
    for each in reversed(missing):
        with suppress(FileExistsError):  # another process has been faster
            each.mkdir(mode=0o700)
