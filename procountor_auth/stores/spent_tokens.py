"""Configured refresh tokens that the server has replaced, remembered on this host apart from the store.

A store can be emptied: a Redis restarts, a cleaner removes a folder. What is configured stays what it was, and a server
that sees a replaced refresh token again may end the whole login (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from procountor_auth.errors import StoreError, printable
from procountor_auth.stores.private_folder import PrivateFolder, default_folder

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("procountor_auth")


class SpentTokens:
    """Digests of spent refresh tokens: an empty file for each, in a folder of this user's own.

    It is a precaution: if the folder can't be used, nothing is remembered, and everything else works.

    Args:
        folder: The folder; by default in this user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = PrivateFolder(folder or default_folder("spent"))

    def path(self, digest: str) -> Path:
        """Return the file that remembers a refresh token: without it, the token is sent again."""
        return self._folder.path / digest

    def has(self, digest: str) -> bool:
        """Whether a refresh token is known to be spent."""
        try:
            return self.path(digest).exists()
        except OSError:
            return False

    def add(self, digest: str) -> None:
        """Remember a refresh token."""
        try:
            self._folder.prepare()
            self.path(digest).touch(mode=0o600)
        except (StoreError, OSError) as error:
            text = error.message if isinstance(error, StoreError) else str(error)
            _logger.debug("a spent refresh token is not remembered: %s", printable(text))
