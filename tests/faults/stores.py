"""What goes wrong with a store, as data: how it is brought about, and what has to come of it for each grant."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet
from pydantic import SecretStr

from procountor_auth.errors import (
    InteractionRequired,
    ProcountorAuthError,
    StoreError,
    StoreUnavailable,
    UnreadableEntry,
)
from procountor_auth.stores.codec import Codec
from procountor_auth.stores.file import FileStore

from .fault import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from procountor_auth.protocol.token import Token

KEY: Final = "entry"

_AMPLE: Final = 5.0
"""Seconds of which waiting for a lock takes `SHORT`: the rest is plenty for a request, on a busy machine as well."""


@dataclass(slots=True)
class Disk:
    """Where the entry is, and the means to break it.

    Attributes:
        folder: The store's folder, with an old token in it.
        patch: Replaces functions until the end of the test.
        old: The token that is there.
        python: Runs programs in processes of their own.
        later: Called when the server has the request.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    old: Token
    python: str
    later: Callable[[], object] | None = None

    @property
    def entry(self) -> Path:
        """The file of the entry."""
        return self.folder / f"{KEY}.json"

    def fails(self, name: str, number: int, *, only: Callable[..., bool] = lambda *_: True) -> None:
        """Let a function of the operating system fail from now on, for our files."""
        real = getattr(os, name)

        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - any function of the system's
            if only(*arguments):
                raise OSError(number, os.strerror(number))
            return real(*arguments, **more)

        self.patch.setattr(f"os.{name}", call)

    def ours(self, *arguments: Any) -> bool:  # noqa: ANN401 - see `fails`
        """Whether a call is about a file in the folder."""
        return str(arguments[0]).startswith(str(self.folder))

    def change(self, **fields: object) -> None:
        """Change fields of the entry."""
        entry = json.loads(self.entry.read_text())
        self.entry.write_text(json.dumps(entry | fields))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has to come of a call.

    Attributes:
        error: The exact kind of error; None where the new token is returned.
        requests: How many requests are sent.
        kept: What is in the store afterwards: `new`, `old`, `none` (nothing), or `left` (the very bytes that were
            there).
        timeout: Seconds that the call may take.
    """

    error: type[ProcountorAuthError] | None = None
    requests: int = 1
    kept: str = "new"
    timeout: float = LONG


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Something that goes wrong with a file.

    Attributes:
        id: Its name.
        bring: Brings it about.
        key: What has to come of it where an API key gets the next token.
        refresh: What has to come of it where a refresh token does.
    """

    id: str
    bring: Callable[[Disk], None]
    key: Outcome
    refresh: Outcome


_SERVED: Final = Outcome(kept="old")
"""The token is good, and is served, though it could not be stored."""

_REFUSED: Final = Outcome(StoreError, 0, "left")
_ALONE: Final = Outcome(None, 1, "left")
"""What needs no person goes on by itself."""

_CLOSED: Final = Outcome(UnreadableEntry, 0, "left")
_AWAY: Final = Outcome(StoreUnavailable, 0, "left")
_NEW: Final = Outcome()
_LOST: Final = Outcome(InteractionRequired, 0, "none")


def _write(data: bytes) -> Callable[[Disk], None]:
    def bring(disk: Disk) -> None:
        disk.entry.write_bytes(data)

    return bring


def _tear(disk: Disk) -> None:
    data = disk.entry.read_bytes()
    disk.entry.write_bytes(data[: len(data) // 2])


def _seal(disk: Disk) -> None:
    sealed = FileStore(disk.folder, Codec((SecretStr(Fernet.generate_key().decode()),)))
    with sealed.transaction(KEY, timeout=5) as transaction:
        transaction.write(disk.old)


def _link(disk: Disk) -> None:
    target = disk.folder.parent / "elsewhere.json"
    disk.entry.rename(target)
    disk.entry.symlink_to(target)


def _lock_and_die(disk: Disk) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from procountor_auth.stores.file import FileStore\n"
        "with FileStore(pathlib.Path(sys.argv[1])).transaction('entry', timeout=5):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([disk.python, "-c", program, disk.folder], check=False)


def _lock(disk: Disk) -> None:
    disk.patch.setattr("procountor_auth.tokens.renewal._PATIENCE", SHORT / _AMPLE)
    held = FileStore(disk.folder).transaction(KEY, timeout=5)
    held.__enter__()
    _HELD.append(held)


_HELD: Final[list[Any]] = []
"""Locks that are held until the end of a test."""


def let_go() -> None:
    """Release the locks that faults hold."""
    while _HELD:
        _HELD.pop().__exit__(None, None, None)


def _later(work: Callable[[Disk], object]) -> Callable[[Disk], None]:
    def bring(disk: Disk) -> None:
        disk.later = partial(work, disk)

    return bring


FILE: Final = (
    StoreFault("all-right", lambda _: None, _NEW, _NEW),
    StoreFault("disk-full", lambda disk: disk.fails("write", errno.ENOSPC), _SERVED, _SERVED),
    StoreFault("sync-fails", lambda disk: disk.fails("fsync", errno.EIO), _SERVED, _SERVED),
    StoreFault("rename-fails", lambda disk: disk.fails("replace", errno.EACCES, only=disk.ours), _SERVED, _SERVED),
    StoreFault("over-quota", lambda disk: disk.fails("write", errno.EDQUOT), _SERVED, _SERVED),
    StoreFault("no-permission", lambda disk: disk.fails("open", errno.EACCES, only=disk.ours), _REFUSED, _REFUSED),
    StoreFault(
        "read-only",
        lambda disk: disk.fails("open", errno.EROFS, only=lambda *a: disk.ours(*a) and bool(a[1] & os.O_CREAT)),
        _REFUSED,
        _REFUSED,
    ),
    StoreFault("cannot-be-read", lambda disk: disk.fails("read", errno.EIO), _ALONE, _AWAY),
    StoreFault("stale-handle", lambda disk: disk.fails("open", errno.ESTALE, only=disk.ours), _ALONE, _AWAY),
    StoreFault("too-many-files", lambda disk: disk.fails("open", errno.EMFILE, only=disk.ours), _ALONE, _AWAY),
    StoreFault("torn", _tear, _NEW, _LOST),
    StoreFault("empty", _write(b""), _NEW, _LOST),
    StoreFault("nuls", _write(b"\0" * 300), _NEW, _LOST),
    StoreFault("not-ours", _write(b'{"access_token": "x"}'), _NEW, _LOST),
    StoreFault("old-schema", lambda disk: disk.change(schema=0), _NEW, _LOST),
    StoreFault("future-schema", lambda disk: disk.change(schema=99), _ALONE, _CLOSED),
    StoreFault("impossible-token", lambda disk: disk.change(token={"access_token": 7}), _NEW, _LOST),
    StoreFault("another-key", _seal, _ALONE, _CLOSED),
    StoreFault("a-symlink", _link, _REFUSED, _REFUSED),
    StoreFault("locked", _lock, replace(_ALONE, timeout=_AMPLE), replace(_AWAY, timeout=SHORT)),
    StoreFault("holder-dead", _lock_and_die, _NEW, _NEW),
    StoreFault("deleted", lambda disk: disk.entry.unlink(), _NEW, _LOST),
    StoreFault("deleted-meanwhile", _later(lambda disk: disk.entry.unlink()), _NEW, _NEW),
    StoreFault(
        "folder-deleted-meanwhile",
        _later(lambda disk: shutil.rmtree(disk.folder)),
        Outcome(kept="none"),
        Outcome(kept="none"),
    ),
    StoreFault("full-meanwhile", _later(lambda disk: disk.fails("write", errno.ENOSPC)), _SERVED, _SERVED),
)
