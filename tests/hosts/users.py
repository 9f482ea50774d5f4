"""Users and places: no home, a full or closed one, a working directory that is gone, a read-only file system."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

NOBODY: Final = 54_321
"""A uid that no passwd file has."""

_NEW_MOUNTS: Final = 0x20000
_READ_ONLY: Final = 1
_REMOUNT: Final = 32
_BIND: Final = 4096
_PRIVATE: Final = (1 << 18) | 16384
_KEEP_CAPABILITIES: Final = 8
_READ_ANYTHING: Final = 1 << 2  # CAP_DAC_READ_SEARCH
_CAPABILITY_VERSION: Final = 0x20080522


def become(uid: int = NOBODY) -> None:
    """Drop root's rights but the one to read, as the interpreter may be in root's home."""
    if os.geteuid() != 0:
        _forget_passwd()
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    home = os.environ.get("HOME", "")
    for folder in {path for path in (home, os.environ.get("STORE", ""), os.environ.get("RECORD", "")) if path}:
        if Path(folder).is_dir():
            for path in (Path(folder), *Path(folder).rglob("*")):
                os.chown(path, uid, uid)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(_READ_ANYTHING, _READ_ANYTHING, 0, 0, 0, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _forget_passwd() -> None:
    import pwd  # noqa: PLC0415 - no Windows has it

    def nobody(*_: object) -> NoReturn:
        raise KeyError("getpwuid(): uid not found")

    pwd.getpwuid = nobody


def leave_home_unwritable() -> None:
    """Have a home that this user may read, and no more."""
    become()
    Path(os.environ["HOME"]).chmod(0o500)


def fill_home() -> None:
    """Put a file system without a free byte in the place of the home, with what is there already."""
    home = Path(os.environ["HOME"])
    if _mounted(home):
        with (home / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        return
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(str(home)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    os.write = write  # type: ignore[assignment]  # only bytes are written here


def _mounted(home: Path) -> bool:
    kept = home.with_name("kept")
    shutil.copytree(home, kept)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) or libc.mount(None, b"/", None, _PRIVATE, None):
        return False
    if libc.mount(b"tmpfs", os.fsencode(home), b"tmpfs", 0, b"size=64k,mode=700"):
        return False
    shutil.copytree(kept, home, dirs_exist_ok=True)
    return True


def make_root_read_only() -> None:
    """Have a file system that can't be written anywhere, as a container with a read-only root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS) == 0 and libc.mount(None, b"/", None, _PRIVATE, None) == 0:
        points = {line.split()[1] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()}
        place = Path(os.environ["HOME"])
        mine = max((each for each in points if place.is_relative_to(each)), key=len)
        if libc.mount(None, os.fsencode(mine), None, _REMOUNT | _BIND | _READ_ONLY, None) == 0:
            return

    def refuse(event: str, values: tuple[object, ...]) -> None:
        if event in {"os.mkdir", "os.rename", "os.remove"} or (
            event == "open" and isinstance(values[2], int) and values[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        ):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    sys.addaudithook(refuse)


def remove_folder() -> None:
    """Stand in a working directory that has been removed."""
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()


def close_folder() -> None:
    """Stand in a working directory that this user may not enter, as cron and systemd may start a program."""
    Path("closed").mkdir(mode=0o700)
    os.chdir("closed")
    if os.geteuid() == 0:
        become()
    else:
        Path("../closed").chmod(0)
