"""Entries as bytes: JSON with a schema version, sealed with Fernet where there is a key.

    {"schema": 1, "version": 3, "token": {"access_token": …, …}}     plain
    {"schema": 1, "version": 3, "sealed": "gAAAA…"}                   sealed

What is sealed holds the entry's key and version beside the token, so that a sealed entry can't be passed off under
another name or as a later version. A token of null is an invalidation. A renewal that failed adds its `failure`.

Stored bytes are untrusted until every field has been looked at. They travel as `SecretBytes`, and errors are returned
to be raised where no local holds them.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeGuard

from pydantic import SecretBytes

from procountor_auth.errors import ConfigurationError, Problem, StoreError
from procountor_auth.stores.base import Entry
from procountor_auth.stores.failure import read_failure
from procountor_auth.token import Token

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
    from pydantic import SecretStr

SCHEMA: Final = 1
"""The schema that is written. Newer ones are refused."""

LARGEST: Final = 2**20
"""More bytes than this are no entry of ours."""

KEY_VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE_KEY"

_ENDINGS: Final = ("deprecated_at", "sunset_at")
"""What is there only if the server has announced an end."""

_LATEST_VERSION: Final = 2**53

_LATEST_TIME: Final = 1e12
"""The year 33658: a time beyond it is a mistake."""

_LONGEST_SECRET: Final = 65_536

_MAKE_A_KEY: Final = (
    'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)

_GIVE_THE_KEY: Final = (
    f"Set {KEY_VARIABLE} to the key that it was sealed with; after a rotation, put the new key first and keep the old "
    "one behind it. If the key is lost, delete the entry and log in again."
)

# A Fernet token: a version byte, 8 bytes of time, 16 of IV, ciphertext in blocks of 16, 32 of HMAC.
_FERNET_VERSION: Final = 0x80
_FERNET_FRAME: Final = 1 + 8 + 16 + 32
_FERNET_BLOCK: Final = 16


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that are no entry: torn, or somebody else's.

    Attributes:
        reason: What is wrong with them, without showing them.
    """

    reason: str


class Codec:
    """Turns entries into bytes and back.

    Args:
        keys: Fernet keys. The first seals, every one of them opens; without any, entries are plain.

    Raises:
        ConfigurationError: A key is not a Fernet key, or cryptography is not installed.
    """

    def __init__(self, keys: tuple[SecretStr, ...] = ()) -> None:
        fernet = _fernet(keys) if keys else None
        if isinstance(fernet, ConfigurationError):
            raise fernet
        self._fernet = fernet

    @property
    def seals(self) -> bool:
        """Whether what it writes is encrypted."""
        return self._fernet is not None

    def encode(self, key: str, entry: Entry) -> SecretBytes:
        """Return the bytes of an entry.

        Args:
            key: The name of the entry in the store.
            entry: The entry.

        Raises:
            StoreError: It is too large, or holds what could not be read again.
        """
        encoded = self._encode(key, entry)
        if not isinstance(self.decode(key, encoded), Entry):
            raise StoreError(
                "The token can't be stored: it is not one that could be read again.",
                hint="Use PROCOUNTOR_TOKEN_STORE=memory, and report this with the strategy's name.",
            )
        return encoded

    def decode(self, key: str, data: SecretBytes) -> Entry | Damaged | StoreError:
        """Return the entry that the bytes are, or what keeps them from being one.

        A `StoreError` is for the caller to raise: the bytes were written by a newer version, or need another key, and
        must not be overwritten.

        Args:
            key: The name of the entry in the store.
            data: The bytes.
        """
        fields = _json_object(data.get_secret_value())
        if isinstance(fields, Damaged):
            return fields
        schema = fields.get("schema")
        if not _is_whole(schema):
            return Damaged("it has no schema version")
        if schema > SCHEMA:
            return StoreError(
                f"The stored token has schema {schema}, and this version of procountor-auth knows {SCHEMA}.",
                hint="Upgrade procountor-auth here too; what is stored was left as it is.",
            )
        version = fields.get("version")
        if schema < SCHEMA or not (_is_whole(version) and 0 < version < _LATEST_VERSION):
            return Damaged("its schema or version is impossible")
        if "sealed" in fields:
            opened = self._open(key, version, fields["sealed"])
            if not isinstance(opened, dict):
                return opened
            fields = opened
        token = _token(fields.get("token", ""))
        return token if isinstance(token, Damaged) else Entry(version, token, read_failure(fields.get("failure")))

    def _encode(self, key: str, entry: Entry) -> SecretBytes:
        token = entry.token
        fields: dict[str, Any] = {
            "token": token
            and {
                "access_token": token.access_token,
                "issued_at": token.issued_at,
                "expires_at": token.expires_at,
                "strategy": token.strategy,
                "refresh_token": token.refresh_token,
                **{name: getattr(token, name) for name in _ENDINGS if getattr(token, name) is not None},
            }
        }
        if entry.failure is not None:
            fields["failure"] = asdict(entry.failure)
        head = {"schema": SCHEMA, "version": entry.version}
        if self._fernet is not None:
            fields = {"key": key, "version": entry.version, **fields}
            fields = {"sealed": self._fernet.encrypt(_json_bytes(fields)).decode("ascii")}
        return SecretBytes(_json_bytes(head | fields))

    def _open(self, key: str, version: int, sealed: object) -> dict[str, Any] | Damaged | StoreError:
        if not _is_fernet(sealed):
            return Damaged("what should be sealed is not")
        if self._fernet is None:
            return StoreError(f"The stored token is sealed, and {KEY_VARIABLE} is not set.", hint=_GIVE_THE_KEY)
        plain = _decrypted(self._fernet, sealed)
        if plain is None:
            return StoreError(
                f"The stored token was sealed with another key than {KEY_VARIABLE} has.", hint=_GIVE_THE_KEY
            )
        fields = _json_object(plain.get_secret_value())
        if isinstance(fields, Damaged):
            return fields
        if fields.get("key") != key or fields.get("version") != version:
            return Damaged("it was sealed for another place")
        return fields

    def __repr__(self) -> str:
        return f"<Codec, {'sealed' if self.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Codec holds keys and is not pickled.")


def _fernet(keys: tuple[SecretStr, ...]) -> MultiFernet | ConfigurationError:
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - needed only where there is a key
    except ImportError:
        message = f"{KEY_VARIABLE} needs cryptography: pip install 'procountor-auth[encryption]'"
        return _wrong_key(message, hint="Install it, or unset the variable.")
    fernets = []
    for number, key in enumerate(keys, start=1):
        try:
            fernets.append(Fernet(key.get_secret_value().encode("ascii")))
        except ValueError:  # binascii's and Unicode's errors are ValueErrors too
            which = f"key {number} of {len(keys)}" if len(keys) > 1 else "the key"
            return _wrong_key(f"{KEY_VARIABLE}: {which} is not 32 bytes in URL-safe base64", hint=_MAKE_A_KEY)
    return MultiFernet(fernets)


def _wrong_key(message: str, *, hint: str) -> ConfigurationError:
    return ConfigurationError.from_problems((Problem(KEY_VARIABLE, "invalid", message),), hint=hint)


def _decrypted(fernet: MultiFernet, sealed: str) -> SecretBytes | None:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - it is installed where a Fernet has come from

    try:
        return SecretBytes(fernet.decrypt(sealed.encode("ascii")))
    except InvalidToken:
        return None


def _is_fernet(value: object) -> TypeGuard[str]:
    """Whether it has the form of a Fernet token, whatever key made it."""
    if not isinstance(value, str):
        return False
    try:
        raw = base64.urlsafe_b64decode(value.encode("ascii"))
    except (binascii.Error, ValueError):
        return False
    blocks, rest = divmod(len(raw) - _FERNET_FRAME, _FERNET_BLOCK)
    return raw[:1] == bytes([_FERNET_VERSION]) and blocks > 0 and rest == 0


def _json_bytes(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _json_object(data: bytes) -> dict[str, Any] | Damaged:
    if len(data) > LARGEST:
        return Damaged(f"it is longer than {LARGEST} bytes")
    try:
        fields = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Damaged("it is not the JSON that was written")
    return fields if isinstance(fields, dict) else Damaged("it is not a JSON object")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _token(fields: object) -> Token | Damaged | None:
    if fields is None:
        return None
    if not isinstance(fields, dict):
        return Damaged("it has no token")
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
    issued_at, expires_at = fields.get("issued_at"), fields.get("expires_at")
    strategy = fields.get("strategy")
    if not _is_credential(access_token) or not (refresh_token is None or _is_credential(refresh_token)):
        return Damaged("its token is impossible")
    if not (_is_time(issued_at) and _is_time(expires_at)):
        return Damaged("its times are impossible")
    if not (isinstance(strategy, str) and strategy and len(strategy) <= LARGEST and strategy.isprintable()):
        return Damaged("its strategy is impossible")
    return Token(
        access_token=access_token,
        issued_at=float(issued_at),
        expires_at=float(expires_at),
        strategy=strategy,
        refresh_token=refresh_token,
        **{name: float(fields[name]) for name in _ENDINGS if _is_time(fields.get(name))},
    )


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_credential(value: object) -> TypeGuard[str]:
    """Whether it can stand in an `Authorization` header or in a form."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_SECRET
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _is_time(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LATEST_TIME and math.isfinite(value)
