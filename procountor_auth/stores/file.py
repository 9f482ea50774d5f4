"""Tokens in files of this user's own: one file per entry, replaced as a whole."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from pydantic import SecretBytes

from procountor_auth.errors import StoreError, printable
from procountor_auth.stores.atomic_file import read_file, replace_file, temporary_path
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.file_listing import list_folder
from procountor_auth.stores.private_folder import PrivateFolder, default_folder, unusable
from procountor_auth.stores.transaction import LockedTransaction, check_key, check_unchanged

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from procountor_auth.stores.listing import Leftover, ListedEntry

_MAX_DAMAGED: Final = 9
"""How many damaged files are kept aside for each entry; the last one is replaced by a newer one."""

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
    entries_fail_alone = True

    def __init__(self, folder: Path | None = None, codec: Codec | None = None) -> None:
        self._folder = PrivateFolder(folder or default_folder("tokens"))
        self._codec = codec or Codec()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder.path

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        path = self._path(check_key(key))
        self._folder.prepare()
        found = self._decoded(key, path)
        if isinstance(found, Damaged):
            return None
        return found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        path = self._path(check_key(key))
        with self._folder.locked(f"{key}.lock", timeout=timeout) as lock:
            # Only a writer that was killed leaves one behind: whoever has the lock cleans up.
            self._remove(temporary_path(path))
            found = self._decoded(key, path)
            if isinstance(found, Damaged):
                self._keep_aside(path, found)
                found = None

            def check(read: int) -> None:
                there = self._decoded(key, path)
                check_unchanged(read, None if isinstance(there, Damaged) else there)

            def swap(read: int, entry: Entry) -> None:
                check(read)
                data = self._codec.encode(key, entry)
                problem = replace_file(path, data)
                if problem is not None:
                    raise unusable(path, problem, "can't be written")

            def discard(read: int) -> None:
                check(read)
                self._remove(path)
                lock.discard = True

            transaction = LockedTransaction(found, swap, discard)
            try:
                yield transaction
            finally:
                transaction.close()

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry, whatever is in it. Raises what `Store.remove` raises."""
        path = self._path(check_key(key))
        with self._folder.locked(f"{key}.lock", timeout=timeout):
            self._remove(path)

    def list_entries(self) -> list[ListedEntry]:
        """Return which entries there are, those of other keys than `entry_key` makes left out. See `Store`."""
        return list_folder(self._folder)[0]

    def list_leftovers(self) -> list[Leftover]:
        """Return which other files there are. Raises what `Store.list_entries` raises."""
        return list_folder(self._folder)[1]

    def remove_leftover(self, leftover: Leftover, *, timeout: float) -> bool:
        """Remove a lock or temporary file. Raises what `Store.remove_leftover` raises."""
        if leftover.key is None or leftover.kind not in {"lock", "temporary"}:
            return False
        path = self._path(check_key(leftover.key))
        with self._folder.locked(f"{leftover.key}.lock", timeout=timeout) as lock:
            self._remove(temporary_path(path))
            # Somebody may have made the entry since it was listed.
            lock.discard = not os.path.lexists(path)
        return not os.path.lexists(self._folder.path / leftover.name)

    def _path(self, key: str) -> Path:
        return self._folder.path / f"{key}.json"

    def _decoded(self, key: str, path: Path) -> Entry | Damaged | None:
        data = read_file(path)
        if isinstance(data, OSError):
            raise _unreadable(path, data)
        found = self._codec.decode(key, data, str(path)) if isinstance(data, SecretBytes) else data
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
        aside = path
        for number in range(1, _MAX_DAMAGED + 1):
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
        _logger.warning("%s is damaged (%s) and was kept as %s", printable(str(path)), damaged.reason, aside.name)

    def __repr__(self) -> str:
        if not hasattr(self, "_codec"):  # in a traceback with locals, of a folder that is wrong
            return "<FileStore>"
        return f"<FileStore {self._folder.path}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A FileStore may hold keys and is not pickled: open it in each process.")


def _unreadable(path: Path, error: OSError) -> StoreError:
    if error.errno == errno.ELOOP:
        return StoreError(
            f"{path} is a symlink, which tokens are not read or written through.",
            hint="Remove it, or put the file itself in its place.",
        )
    return unusable(path, error, "can't be read")
