"""A keychain for the tests: one encrypted file, with the atomic writes that a desktop's keychain has."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet
from filelock import FileLock
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
from keyring.util.platform_ import data_root

if TYPE_CHECKING:
    from collections.abc import Iterator


class Keychain(KeyringBackend):
    """Keeps passwords in a file below `XDG_DATA_HOME`, which is shared by all processes of a test.

    Its key lies beside it: the keychain is unlocked, as a desktop's is while its user is logged in.
    """

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's
        folder = Path(data_root())
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "keychain"
        with self._lock():
            key = folder / "keychain.key"
            if not key.exists():
                key.write_bytes(Fernet.generate_key())
            self._cipher = Fernet(key.read_bytes())

    def get_password(self, service: str, username: str) -> str | None:
        """Return the password, or None if there is none. Needs no lock: the file is replaced as a whole."""
        return self._read().get(service, {}).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password, and replace the one before it."""
        with self._changed() as kept:
            kept.setdefault(service, {})[username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget a password. Raises PasswordDeleteError if there is none."""
        with self._changed() as kept:
            if kept.get(service, {}).pop(username, None) is None:
                raise PasswordDeleteError("there is no such password")

    def _lock(self) -> FileLock:
        """Return a lock of this call's own: one from before a fork is of no use to the child."""
        return FileLock(self._file.with_suffix(".lock"))

    def _read(self) -> dict[str, dict[str, str]]:
        """Return the passwords by service and user name."""
        try:
            sealed = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        kept: dict[str, dict[str, str]] = json.loads(self._cipher.decrypt(sealed))
        return kept

    @contextmanager
    def _changed(self) -> Iterator[dict[str, dict[str, str]]]:
        """Have all passwords changed under the lock, and write them as a whole."""
        with self._lock():
            kept = self._read()
            yield kept
            temporary = self._file.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(self._cipher.encrypt(json.dumps(kept).encode()))
            temporary.replace(self._file)
