"""Tokens in the operating system's keychain."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import StoreError, StoreNotListable
from procountor_auth.settings.keychain import DEFAULT_PATIENCE, SERVICE, Keychain
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.private_folder import PrivateFolder, default_folder
from procountor_auth.stores.transaction import LockedTransaction, check_key, check_unchanged

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["SERVICE", "KeyringStore"]

_INSTEAD: Final = "use PROCOUNTOR_TOKEN_STORE=file with PROCOUNTOR_TOKEN_STORE_KEY."

_logger = logging.getLogger("procountor_auth")


class KeyringStore(Keychain, Store):
    """Keeps tokens in the keychain that the keyring package finds, and never in plain text.

    The keychain has no locks between processes, so that of a transaction is a file's in this user's state folder.

    Args:
        codec: How entries are written; plain by default, as the keychain encrypts.
        patience: Seconds that the keychain may take for one call: it may be waiting for a user who is not there.
        folder: Where the lock files are; by default in this user's state folder.
    """

    name = "keyring"

    def __init__(
        self, codec: Codec | None = None, *, patience: float = DEFAULT_PATIENCE, folder: Path | None = None
    ) -> None:
        super().__init__(_INSTEAD, patience=patience)
        self._codec = codec or Codec()
        self._folder = PrivateFolder(folder or default_folder("locks"))

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        found = self._decoded(check_key(key))
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        with self._folder.locked(f"keyring-{check_key(key)}.lock", timeout=timeout):
            found = self._decoded(key)
            if isinstance(found, Damaged):
                self._keep_aside(key, found)
                found = None

            def swap(read: int, entry: Entry) -> None:
                there = self._decoded(key)
                check_unchanged(read, None if isinstance(there, Damaged) else there)
                self.put(key, SecretStr(self._codec.encode(key, entry).get_secret_value().decode("ascii")))

            transaction = LockedTransaction(found, swap)
            try:
                yield transaction
            finally:
                transaction.close()

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry, whatever is in it. Raises what `Store.remove` raises."""
        with self._folder.locked(f"keyring-{check_key(key)}.lock", timeout=timeout):
            self.delete(key)

    def list_entries(self) -> NoReturn:
        """Raise: a keychain returns a secret by its name, but does not list names."""
        raise StoreNotListable(
            "A keychain can't list its entries to a program.",
            hint=f"Look for the service {SERVICE} with the system's own tool: Keychain Access, Credential Manager, "
            "Seahorse, KWalletManager.",
        )

    def _decoded(self, key: str) -> Entry | Damaged | None:
        text = self.get(key)
        if text is None:
            return None
        data = SecretBytes(text.get_secret_value().encode("utf-8", "surrogatepass"))
        found = self._codec.decode(key, data, f"the keychain, as {key} of {SERVICE}")
        if isinstance(found, StoreError):
            raise found
        return found

    def _keep_aside(self, key: str, damaged: Damaged) -> None:
        aside = f"{key}.damaged"
        text = self.get(key)
        if text is not None:
            self.put(aside, text)
        _logger.warning("the keychain's entry %s is damaged (%s) and was kept as %s", key, damaged.reason, aside)
