"""Where tokens are kept: `memory`, `file`, `keyring`, `redis`, `sql`. One small interface, each a transaction."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.protocol.argument import check_argument
from procountor_auth.protocol.extra import MissingExtra, missing_extra
from procountor_auth.stores.base import Entry, Store, Transaction

if TYPE_CHECKING:
    from procountor_auth.stores.spent_tokens import SpentTokens

__all__ = ["Entry", "Store", "Transaction", "open_store"]

VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"

_REDIS: Final = ("redis:", "redis+", "rediss:", "rediss+", "valkey:", "valkeys:", "valkey+", "valkeys+", "unix:")

_SQL: Final = ("postgresql:", "postgresql+", "sqlite:", "sqlite+")

_HINT: Final = (
    f"Set {VARIABLE} to memory, file, file:PATH, keyring, or the URL of a Redis (redis://, rediss://, unix://) or a "
    "database (postgresql+psycopg://, sqlite:///)."
)


def open_store(where: SecretStr | str, keys: tuple[SecretStr, ...] = (), *, timeout: float | None = None) -> Store:
    """Return the store that `PROCOUNTOR_TOKEN_STORE` describes. Nothing is read, written or connected to yet.

    Args:
        where: `memory`, `file`, `file:PATH`, `keyring`, `redis://…`, `rediss://…`, `unix://…`,
            `postgresql+psycopg://…` or `sqlite:///…`. A URL may hold a
            password, so it is as good as a `SecretStr`.
        keys: The keys of `PROCOUNTOR_TOKEN_STORE_KEY`: the first seals, all of them open. `memory` needs none.
        timeout: Seconds that a read may take at most, where a server may leave it without an answer.

    Raises:
        ConfigurationError: It describes no store, a key is wrong, or a package is missing.
        TypeError: An argument is of another class than it should be.
    """
    if isinstance(where, str):
        where = SecretStr(where)
    check_argument("open_store", where, SecretStr, "text", 'write open_store("file")')
    if error := _wrong_keys(keys):
        keys = ()  # a traceback may show the locals
        raise error
    store = _open(where, keys, timeout)
    if isinstance(store, ConfigurationError):
        raise store
    return store


def _wrong_keys(keys: object) -> TypeError | None:
    if isinstance(keys, tuple) and all(isinstance(key, SecretStr) for key in cast("tuple[object, ...]", keys)):
        return None
    return TypeError("keys takes a tuple of SecretStr: write keys=(SecretStr(key),)")


def open_spent_tokens() -> SpentTokens | None:
    """Return what remembers spent refresh tokens, or None without the packages of the file store."""
    try:
        from procountor_auth.stores.spent_tokens import SpentTokens  # noqa: PLC0415 - it needs what the file store needs
    except ImportError:
        return None
    with suppress(ConfigurationError):  # a user without a home directory
        return SpentTokens()
    return None


def _open(where: SecretStr, keys: tuple[SecretStr, ...], timeout: float | None) -> Store | ConfigurationError:
    # First, so that no local below holds a password.
    if where.get_secret_value().startswith(_REDIS):
        return _open_redis(where, keys, timeout)
    if where.get_secret_value().startswith(_SQL):
        return _open_sql(where, keys, timeout)
    kind, colon, rest = where.get_secret_value().partition(":")
    if (kind, colon) == ("memory", ""):
        return _open_memory()
    if (kind, colon) == ("keyring", ""):
        return _open_keyring(keys)
    if kind == "file" and bool(rest) == bool(colon):
        return _open_file(rest or None, keys)
    return _wrong("describes no token store")


def _open_memory() -> Store:
    from procountor_auth.stores.memory import MemoryStore  # noqa: PLC0415 - each store is imported when it is chosen

    return MemoryStore.shared_instance()


def _open_file(path: str | None, keys: tuple[SecretStr, ...]) -> Store | ConfigurationError:
    try:
        from procountor_auth.stores.codec import Codec  # noqa: PLC0415
        from procountor_auth.stores.file import FileStore  # noqa: PLC0415
    except ImportError as error:
        return _missing("file", missing_extra(error, "file", "filelock", "platformdirs"))
    try:
        folder = None if path is None else Path(path).expanduser()
    except RuntimeError:
        return _wrong("names a folder of a user that does not exist")
    if path is not None and "\0" in path:
        return _wrong("names a folder that can't exist")
    return FileStore(folder, Codec(keys))


def _open_keyring(keys: tuple[SecretStr, ...]) -> Store | ConfigurationError:
    try:
        from procountor_auth.stores.codec import Codec  # noqa: PLC0415
        from procountor_auth.stores.keyring import KeyringStore  # noqa: PLC0415
    except ImportError as error:
        return _missing("keyring", missing_extra(error, "keyring", "keyring", "filelock", "platformdirs"))
    return KeyringStore(Codec(keys))


def _open_redis(url: SecretStr, keys: tuple[SecretStr, ...], timeout: float | None) -> Store | ConfigurationError:
    try:
        from procountor_auth.stores.codec import Codec  # noqa: PLC0415
        from procountor_auth.stores.redis import RedisStore  # noqa: PLC0415
    except ImportError as error:
        return _missing("redis://…", missing_extra(error, "redis", "redis"))
    return RedisStore(url, Codec(keys), timeout=timeout)


def _open_sql(url: SecretStr, keys: tuple[SecretStr, ...], timeout: float | None) -> Store | ConfigurationError:
    try:
        from procountor_auth.stores.codec import Codec  # noqa: PLC0415
        from procountor_auth.stores.sql import SQLStore  # noqa: PLC0415

        return SQLStore(url, Codec(keys), timeout=timeout)
    except ImportError as error:  # the driver as well
        return _missing("a database", missing_extra(error, "sql", "sqlalchemy", "psycopg", "filelock", "platformdirs"))


def _missing(value: str, extra: MissingExtra) -> ConfigurationError:
    problem = Problem(VARIABLE, "invalid", f"{VARIABLE}={value} {extra.what}")
    return ConfigurationError.from_problems((problem,), hint=extra.hint)


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError.from_problems((Problem(VARIABLE, "invalid", f"{VARIABLE} {what}"),), hint=_HINT)
