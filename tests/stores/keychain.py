"""A keychain for the tests: keyrings.cryptfile's encryption, with the atomic writes that a real keychain has."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from filelock import FileLock
from keyrings.cryptfile.cryptfile import CryptFileKeyring  # type: ignore[import-untyped]
from keyrings.cryptfile.escape import escape  # type: ignore[import-untyped]


class Keychain(CryptFileKeyring):  # type: ignore[misc]  # it has no annotations
    """An encrypted file below `XDG_DATA_HOME`, unlocked."""

    # The key derivation of a test need not keep anybody busy.
    time_cost = 1
    memory_cost = 8
    parallelism = 1

    def __init__(self) -> None:
        super().__init__()
        Path(self.file_path).parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.file_path}.init"):
            self.keyring_key = "unlocked"

    def _write_config_value(self, service: str, key: str, value: str) -> None:
        """Change one value as a whole: the original truncates the file first, and knows no other process."""
        path = Path(self.file_path)
        with FileLock(f"{path}.lock"):
            config = configparser.RawConfigParser()
            config.read(path)
            if not config.has_section(escape(service)):
                config.add_section(escape(service))
            config.set(escape(service), escape(key), value)
            temporary = path.with_suffix(f".{os.getpid()}")
            with temporary.open("w") as file:
                config.write(file)
            temporary.replace(path)
