"""What goes wrong with a store, as data: how it is brought about, and what has to come of it for each grant."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet
from pydantic import SecretStr

from procountor_auth.stores.codec import Codec
from procountor_auth.stores.file import FileStore

from .fault import SHORT
from .outcome import ALONE, AMPLE, AWAY, CLOSED, KEY, LOST, NEW, REFUSED, SERVED, Outcome, StoreFault, later

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from procountor_auth.protocol.token import Token


@dataclass(slots=True)
class Disk:
    """Where the entry is, and the means to break it.

    Attributes:
        folder: The store's folder, with an old token in it.
        patch: Replaces functions until the call has ended.
        stack: Undoes what a fault has done, when the call has ended.
        old: The token that is there.
        python: Runs programs in processes of their own.
        later: Called when the server has the request.
    """

    folder: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack
    old: Token
    python: str
    later: Callable[[], object] | None = None

    @property
    def entry(self) -> Path:
        """The file of the entry."""
        return self.folder / f"{KEY}.json"

    @property
    def addresses(self) -> set[tuple[Any, ...]]:
        """It connects to none."""
        return set()

    def store(self) -> FileStore:
        """Return a store at this place."""
        return FileStore(self.folder)

    def data(self) -> bytes | None:
        """Return the bytes of the entry, if there are any."""
        return self.entry.read_bytes() if self.entry.exists() else None

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
    disk.patch.setattr("procountor_auth.tokens.renewal._PATIENCE", SHORT / AMPLE)
    disk.stack.enter_context(FileStore(disk.folder).transaction(KEY, timeout=5))


FILE: Final[tuple[StoreFault[Disk], ...]] = (
    StoreFault("all-right", lambda _: None, NEW, NEW),
    StoreFault("disk-full", lambda disk: disk.fails("write", errno.ENOSPC), SERVED, SERVED),
    StoreFault("sync-fails", lambda disk: disk.fails("fsync", errno.EIO), SERVED, SERVED),
    StoreFault("rename-fails", lambda disk: disk.fails("replace", errno.EACCES, only=disk.ours), SERVED, SERVED),
    StoreFault("over-quota", lambda disk: disk.fails("write", errno.EDQUOT), SERVED, SERVED),
    StoreFault("no-permission", lambda disk: disk.fails("open", errno.EACCES, only=disk.ours), REFUSED, REFUSED),
    StoreFault(
        "read-only",
        lambda disk: disk.fails("open", errno.EROFS, only=lambda *a: disk.ours(*a) and bool(a[1] & os.O_CREAT)),
        REFUSED,
        REFUSED,
    ),
    StoreFault("cannot-be-read", lambda disk: disk.fails("read", errno.EIO), ALONE, AWAY),
    StoreFault("stale-handle", lambda disk: disk.fails("open", errno.ESTALE, only=disk.ours), ALONE, AWAY),
    StoreFault("too-many-files", lambda disk: disk.fails("open", errno.EMFILE, only=disk.ours), ALONE, AWAY),
    StoreFault("torn", _tear, NEW, LOST),
    StoreFault("empty", _write(b""), NEW, LOST),
    StoreFault("nuls", _write(b"\0" * 300), NEW, LOST),
    StoreFault("not-ours", _write(b'{"access_token": "x"}'), NEW, LOST),
    StoreFault("old-schema", lambda disk: disk.change(schema=0), NEW, LOST),
    StoreFault("future-schema", lambda disk: disk.change(schema=99), ALONE, CLOSED),
    StoreFault("impossible-token", lambda disk: disk.change(token={"access_token": 7}), NEW, LOST),
    StoreFault("another-key", _seal, ALONE, CLOSED),
    StoreFault("a-symlink", _link, REFUSED, REFUSED),
    StoreFault("locked", _lock, replace(ALONE, timeout=AMPLE), replace(AWAY, timeout=SHORT)),
    StoreFault("holder-dead", _lock_and_die, NEW, NEW),
    StoreFault("deleted", lambda disk: disk.entry.unlink(), NEW, LOST),
    StoreFault("deleted-meanwhile", later(lambda disk: disk.entry.unlink()), NEW, NEW),
    StoreFault(
        "folder-deleted-meanwhile",
        later(lambda disk: shutil.rmtree(disk.folder)),
        Outcome(kept="none"),
        Outcome(kept="none"),
    ),
    StoreFault("full-meanwhile", later(lambda disk: disk.fails("write", errno.ENOSPC)), SERVED, SERVED),
)
