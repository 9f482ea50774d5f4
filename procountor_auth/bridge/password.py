"""Checking the password of a legacy login against what is configured: the password itself, or its Argon2 hash."""

from __future__ import annotations

import hmac
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher
    from pydantic import SecretStr

_PREFIX: Final = "$argon2"


def is_hash(configured: SecretStr) -> bool:
    """Whether a configured value is a hash, and not the password itself."""
    return configured.get_secret_value().startswith(_PREFIX)


def hash_password(password: SecretStr) -> str:
    """Return the hash of a password, for `PROCOUNTOR_BRIDGE_PASSWORD` (Argon2id, RFC 9106)."""
    from argon2 import PasswordHasher  # noqa: PLC0415 - an extra

    return PasswordHasher().hash(password.get_secret_value())


def check_hash(configured: SecretStr) -> str | None:
    """Return what is wrong with a configured hash, or None."""
    from argon2 import extract_parameters  # noqa: PLC0415 - an extra
    from argon2.exceptions import InvalidHash  # noqa: PLC0415 - the same

    try:
        extract_parameters(configured.get_secret_value())
    except InvalidHash:
        return "begins like an Argon2 hash, and is none: perhaps it was cut off, or a shell has replaced its $"
    return None


class PasswordCheck:
    """Checks passwords in a time that does not reveal what is wrong.

    Args:
        with_hashes: Whether any configured password is a hash: then every check takes as long as checking one.
    """

    def __init__(self, *, with_hashes: bool) -> None:
        self._with_hashes = with_hashes

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher  # noqa: PLC0415 - an extra, which plain passwords do without

        return PasswordHasher()

    @cached_property
    def _nobodys_hash(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())

    def prepare(self) -> None:
        """Prepare what would slow down the first check."""
        if self._with_hashes:
            _ = self._nobodys_hash

    def matches(self, configured: SecretStr | None, given: SecretStr) -> bool:
        """Whether a password is the configured one. For an unknown login (None) it never is."""
        hashed = configured is not None and is_hash(configured)
        is_right = self._verify(configured.get_secret_value() if configured and hashed else None, given)
        expected = configured.get_secret_value() if configured and not hashed else secrets.token_urlsafe()
        is_same = hmac.compare_digest(expected.encode(), given.get_secret_value().encode("utf-8", "replace"))
        return is_right if hashed else is_same and configured is not None

    def _verify(self, hashed: str | None, given: SecretStr) -> bool:
        if not self._with_hashes:
            return False
        from argon2.exceptions import Argon2Error, InvalidHash  # noqa: PLC0415 - as above

        try:
            self._hasher.verify(hashed or self._nobodys_hash, given.get_secret_value().encode("utf-8", "replace"))
        except (Argon2Error, InvalidHash):
            return False
        return hashed is not None
