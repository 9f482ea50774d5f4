"""Entries as bytes: JSON with a schema version, sealed with Fernet where there is a key.

    {"schema": 1, "version": 3, "token": {"access_token": …, …}}     plain
    {"schema": 1, "version": 3, "sealed": "gAAAA…"}                   sealed

What is sealed holds the entry's key and version beside the token, so that a sealed entry can't be passed off under
another name or as a later version. A token of null is an invalidation. There may be a `failure` (of the last renewal),
a `use` (of a refresh token that is about to be sent), and a `lineage` (of a token that follows on another one).

Stored bytes are untrusted until every field has been checked. They travel as `SecretBytes`, and errors are returned
to be raised where no local holds them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeGuard

from pydantic import SecretBytes

from procountor_auth.errors import ConfigurationError, StoreError, UnreadableEntry
from procountor_auth.protocol import strict_json
from procountor_auth.protocol.credential import is_credential
from procountor_auth.protocol.json_object import is_json_array, is_json_object
from procountor_auth.protocol.token import Token
from procountor_auth.stores.base import Entry
from procountor_auth.stores.failure import read_failure
from procountor_auth.stores.lineage import MAX_SPENT, NO_LINEAGE, Lineage
from procountor_auth.stores.sealing import GIVE_THE_KEY, KEY_VARIABLE, decrypt, is_fernet, make_fernet
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from pydantic import SecretStr

SCHEMA: Final = 1
"""The schema that is written. Newer ones are refused."""

MAX_SIZE: Final = 2**20
"""The most bytes of an entry."""

_SUNSET_FIELDS: Final = ("deprecated_at", "sunset_at")
"""What is there only if the server has announced an end."""

_MAX_VERSION: Final = 2**53

_MAX_TIME: Final = 1e12
"""The year 33658: a time beyond it is a mistake."""

_MAX_DATE: Final = 253_402_300_799
"""The last second of the year 9999, which can be shown."""

_MAX_PID: Final = 2**31

_MAX_NAME: Final = 255
"""Characters of a host's name, and of a digest."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that are not an entry: damaged, or from another program.

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
        sealing = make_fernet(keys) if keys else None
        if isinstance(sealing, ConfigurationError):
            raise sealing
        self._fernet = sealing

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

    def decode(self, key: str, data: SecretBytes, place: str = "the store") -> Entry | Damaged | UnreadableEntry:
        """Return the entry that the bytes are, or what keeps them from being one.

        An `UnreadableEntry` is for the caller to raise: the bytes were written by a newer version, or need another key,
        and must not be overwritten.

        Args:
            key: The name of the entry in the store.
            data: The bytes.
            place: Where they are, for people.
        """
        fields = _json_object(data.get_secret_value())
        if isinstance(fields, Damaged):
            return fields
        schema = fields.get("schema")
        if not _is_whole(schema):
            return Damaged("it has no schema version")
        if schema > SCHEMA:
            return UnreadableEntry(
                f"The stored token has schema {schema}, and this version of procountor-auth knows {SCHEMA}. It is in "
                f"{place}.",
                hint="Upgrade procountor-auth here too; what is stored was left as it is.",
            )
        version = fields.get("version")
        if schema < SCHEMA or not (_is_whole(version) and 0 < version < _MAX_VERSION):
            return Damaged("its schema or version is impossible")
        if "sealed" in fields:
            opened = self._open(key, version, fields["sealed"], place)
            if not isinstance(opened, dict):
                return opened
            fields = opened
        token = _token(fields.get("token", ""))
        if isinstance(token, Damaged):
            return token
        failure, lineage = read_failure(fields.get("failure")), _lineage(fields.get("lineage"))
        return Entry(version, token, failure, lineage, _use(fields.get("use")))

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
                **{name: getattr(token, name) for name in _SUNSET_FIELDS if getattr(token, name) is not None},
            }
        }
        if entry.failure is not None:
            fields["failure"] = asdict(entry.failure)
        if entry.lineage != entry.default_lineage or entry.lineage.spent or entry.lineage.replaces:
            fields["lineage"] = asdict(entry.lineage)
        if entry.use is not None:
            fields["use"] = asdict(entry.use)
        head = {"schema": SCHEMA, "version": entry.version}
        if self._fernet is not None:
            fields = {"key": key, "version": entry.version, **fields}
            fields = {"sealed": self._fernet.encrypt(_json_bytes(fields)).decode("ascii")}
        return SecretBytes(_json_bytes(head | fields))

    def _open(self, key: str, version: int, sealed: object, place: str) -> dict[str, Any] | Damaged | UnreadableEntry:
        if not is_fernet(sealed):
            return Damaged("what should be sealed is not")
        if self._fernet is None:
            return _sealed(f"is sealed, and {KEY_VARIABLE} is not set. It is in {place}.")
        plain = decrypt(self._fernet, sealed)
        if plain is None:
            return _sealed(f"was sealed with another key than {KEY_VARIABLE} has. It is in {place}.")
        fields = _json_object(plain.get_secret_value())
        if isinstance(fields, Damaged):
            return fields
        if fields.get("key") != key or fields.get("version") != version:
            return Damaged("it was sealed for another place")
        return fields

    def __repr__(self) -> str:
        if not hasattr(self, "_fernet"):  # in a traceback with locals, of a key that is wrong
            return "<Codec>"
        return f"<Codec, {'sealed' if self.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Codec holds keys and is not pickled.")


def _sealed(what: str) -> UnreadableEntry:
    error = UnreadableEntry(f"The stored token {what}", hint=GIVE_THE_KEY)
    error.sealed = True
    return error


def _json_bytes(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _json_object(data: bytes) -> dict[str, Any] | Damaged:
    if len(data) > MAX_SIZE:
        return Damaged(f"it is longer than {MAX_SIZE} bytes")
    try:
        fields = strict_json.parse(data.decode("utf-8"))
    except ValueError:
        return Damaged("it is not the JSON that was written")
    return fields if is_json_object(fields) else Damaged("it is not a JSON object")


def _token(fields: object) -> Token | Damaged | None:
    if fields is None:
        return None
    if not is_json_object(fields):
        return Damaged("it has no token")
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
    issued_at, expires_at = fields.get("issued_at"), fields.get("expires_at")
    strategy = fields.get("strategy")
    if not is_credential(access_token) or not (refresh_token is None or is_credential(refresh_token)):
        return Damaged("its token is impossible")
    if not (_is_time(issued_at) and _is_time(expires_at)):
        return Damaged("its times are impossible")
    if not (isinstance(strategy, str) and strategy and len(strategy) <= MAX_SIZE and strategy.isprintable()):
        return Damaged("its strategy is impossible")
    return Token(
        access_token=access_token,
        issued_at=float(issued_at),
        expires_at=float(expires_at),
        strategy=strategy,
        refresh_token=refresh_token,
        **{name: float(fields[name]) for name in _SUNSET_FIELDS if _is_time(fields.get(name))},
    )


def _lineage(fields: object) -> Lineage:
    """Return the place that stored fields describe; one that can't be understood is no place: the token begins one."""
    if not is_json_object(fields):
        return NO_LINEAGE
    origin, link, spent, before = (fields.get(name) for name in ("origin", "link", "spent", "replaces"))
    if not (_is_name(origin) and _is_whole(link) and 0 <= link < _MAX_VERSION and is_json_array(spent)):
        return NO_LINEAGE
    return Lineage(origin, link, tuple(filter(_is_name, spent[:MAX_SPENT])), before if _is_name(before) else "")


def _use(fields: object) -> Use | None:
    if not is_json_object(fields):
        return None
    digest, since, until, host, pid = (fields.get(name) for name in ("refresh_token", "since", "until", "host", "pid"))
    if not (_is_name(digest) and _is_name(host) and _is_time(since) and _is_time(until) and 0 <= since <= _MAX_DATE):
        return None
    if not (_is_whole(pid) and 0 < pid < _MAX_PID):
        return None
    namespace = fields.get("namespace")  # without one, as older versions wrote it, the holder may be anywhere
    return Use(digest, float(since), float(until), host, pid, namespace if _is_name(namespace) else "")


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= _MAX_NAME and value.isprintable()


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _MAX_TIME and math.isfinite(value)
