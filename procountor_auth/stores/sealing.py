"""Sealing: Fernet over what is stored, under the keys of `PROCOUNTOR_TOKEN_STORE_KEY`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, TypeGuard

from pydantic import SecretBytes

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.protocol.extra import missing_extra

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
    from pydantic import SecretStr

KEY_VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE_KEY"

_MAKE_A_KEY: Final = (
    'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())". Several '
    "keys are separated by commas."
)

_KEY: Final = re.compile(r"[A-Za-z0-9_+/-]{43}=")
"""32 bytes in base64. Fernet would take anything behind them, such as a second key after a wrong separator."""

GIVE_THE_KEY: Final = (
    f"Set {KEY_VARIABLE} to the key that it was sealed with; after a rotation, put the new key first and keep the old "
    "one behind it. If the key is lost, `procountor-auth logout` removes the entry."
)

# A Fernet token: a version byte, 8 bytes of time, 16 of IV, ciphertext in blocks of 16, 32 of HMAC.
_FERNET_VERSION: Final = 0x80
_FERNET_FRAME: Final = 1 + 8 + 16 + 32
_FERNET_BLOCK: Final = 16


def make_fernet(keys: tuple[SecretStr, ...], *last: SecretStr) -> MultiFernet | ConfigurationError:
    """Return what seals and opens with these keys, the first of which seals.

    A key that is none, or a missing package, is an error to be raised where no local holds a key.

    Args:
        keys: The keys of `PROCOUNTOR_TOKEN_STORE_KEY`.
        last: Keys that come after them, and are not the user's.
    """
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - needed only where there is a key
    except ImportError as error:
        extra = missing_extra(error, "encryption", "cryptography")
        return _wrong_key(f"{KEY_VARIABLE} {extra.what}", hint=f"{extra.hint}; or unset the variable.")
    fernets: list[Fernet] = []
    for number, key in enumerate(keys, start=1):
        if _KEY.fullmatch(key.get_secret_value()) is None:
            which = f"key {number} of {len(keys)}" if len(keys) > 1 else "the key"
            return _wrong_key(f"{KEY_VARIABLE}: {which} is not 32 bytes in URL-safe base64", hint=_MAKE_A_KEY)
        fernets.append(Fernet(key.get_secret_value()))
    fernets += [Fernet(key.get_secret_value()) for key in last]
    return MultiFernet(fernets)


def _wrong_key(message: str, *, hint: str) -> ConfigurationError:
    return ConfigurationError.from_problems((Problem(KEY_VARIABLE, "invalid", message),), hint=hint)


def decrypt(fernet: MultiFernet, sealed: str) -> SecretBytes | None:
    """Return what was sealed, or None if it was sealed with another key or has been changed."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - it is installed where a Fernet has come from

    try:
        return SecretBytes(fernet.decrypt(sealed.encode("ascii")))
    except InvalidToken:
        return None


def is_fernet(value: object) -> TypeGuard[str]:
    """Whether it has the form of a Fernet token, whatever key made it."""
    if not isinstance(value, str):
        return False
    try:
        raw = base64.urlsafe_b64decode(value.encode("ascii"))
    except (binascii.Error, ValueError):
        return False
    blocks, rest = divmod(len(raw) - _FERNET_FRAME, _FERNET_BLOCK)
    return raw[:1] == bytes([_FERNET_VERSION]) and blocks > 0 and rest == 0
