"""Lists a folder of entries or of locks by names alone. Nothing is opened, and no symlink is followed."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

from procountor_auth.stores.listing import Leftover, LeftoverKind, ListedEntry
from procountor_auth.stores.private_folder import unusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from procountor_auth.errors import StoreError
    from procountor_auth.stores.private_folder import PrivateFolder

_OURS: Final = re.compile(r"([0-9a-f]{40}|bridge-[0-9a-f]{20})\.(json|lock|tmp|damaged-[1-9]\.json)")
"""The files of an entry whose key is a digest, as `tokens/entry_key.py` and `bridge/login_key.py` make them.

The folder may contain files of other programs, such as `poetry.lock` and `package.json`.
"""

_KINDS: Final[dict[str, LeftoverKind]] = {"lock": "lock", "tmp": "temporary"}


def list_folder(folder: PrivateFolder) -> tuple[list[ListedEntry], list[Leftover]]:
    """Return the entries of a folder and what else is in it, each in the order of the names.

    Lock files of entries that are there belong to them, and are not listed.

    Raises:
        StoreError: The folder can't be read, or is not this user's alone.
    """
    problem: StoreError
    try:
        if os.path.lexists(folder.path):
            folder.prepare()
        found = dict(sorted(_files(folder.path)))
    except OSError as error:
        problem = unusable(folder.path, error, "can't be read")
    else:
        return _sorted_out(found)
    raise problem


def _sorted_out(found: dict[str, os.stat_result]) -> tuple[list[ListedEntry], list[Leftover]]:
    entries: list[ListedEntry] = []
    leftovers: list[Leftover] = []
    for name, status in found.items():
        ours = _OURS.fullmatch(name)
        key, kind = ours.groups() if ours else (None, "")
        if key is None or not _is_ours(status, kind):
            leftovers.append(Leftover(name, "foreign", status.st_size, status.st_mtime))
        elif kind == "json":
            entries.append(ListedEntry(key, status.st_size, status.st_mtime))
        elif kind != "lock" or f"{key}.json" not in found:
            leftovers.append(Leftover(name, _KINDS.get(kind, "damaged"), status.st_size, status.st_mtime, key))
    return entries, leftovers


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as found:
            for each in found:
                try:
                    yield each.name, each.stat(follow_symlinks=False)
                except FileNotFoundError:  # removed meanwhile
                    continue
    except FileNotFoundError:  # nobody has used the store yet
        return


def _is_ours(status: os.stat_result, kind: str) -> bool:
    """Whether it is a file as we make it: a lock file is empty."""
    if not stat.S_ISREG(status.st_mode) or (os.name != "nt" and status.st_uid != os.geteuid()):
        return False
    return kind != "lock" or status.st_size == 0
