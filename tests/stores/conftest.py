"""The stores, each over the real thing: files, an encrypted keychain, a Redis server."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from pydantic import SecretStr

from procountor_auth.protocol.token import Token
from procountor_auth.stores.codec import Codec
from procountor_auth.stores.file import FileStore
from procountor_auth.stores.keyring import SERVICE, KeyringStore
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.sql import SQLStore
from procountor_auth.stores.sql_table import NAME, ddl

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.stores import Store
    from tests.conftest import RedisServer
    from tests.forkserver.forkserver import ForkServer
    from tests.postgres import PostgresServer

HERE = Path(__file__).parent

# Made up for the tests, and random: the first half of a Fernet key signs, and two with the same one open each other's
# tokens now and then. The golden entries of `test_portability.py` are sealed with the first one.
KEYS = (
    SecretStr("nJf9-2P7jQRmJJYTuxkQlkw9BQVyIGT9UVsbqpYP25g="),
    SecretStr("kOGm3x_6VEKfHIHYUW1uecf9by3yQV86t5SzTcgOQHQ="),
)

KINDS = (
    *("memory", "file", "file-sealed", "keyring", "redis", "redis-sealed"),
    *("postgresql", "postgresql-sealed", "sqlite"),
)


@dataclass
class Place:
    """Where one kind of store keeps its entries, with the ways around the store that a fault takes.

    Attributes:
        kind: One of `KINDS`.
        open: Opens one more store over the same entries, with the given keys if not with the usual ones.
        where: What `PROCOUNTOR_TOKEN_STORE` is for another process.
        peek: The stored bytes of a key, or None.
        plant: Puts bytes there, as somebody else would.
        drop: Takes the entry away.
        aside: The bytes that were kept aside of a key, or None.
        steal: Takes the lock of a key from its holder.
        python: What runs another process.
        environment: What that needs beyond its own environment.
    """

    kind: str
    open: Callable[..., Store]
    where: str
    peek: Callable[[str], bytes | None]
    plant: Callable[[str, bytes], object]
    drop: Callable[[str], object]
    aside: Callable[[str], bytes | None]
    steal: Callable[[str], object]
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[SecretStr, ...]:
        """The keys that the store is opened with."""
        return KEYS[:1] if "sealed" in self.kind else ()

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `worker.py` over the same entries."""
        return subprocess.Popen(
            [self.python, str(HERE / "worker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "PROCOUNTOR_TOKEN_STORE": self.where,
                "PROCOUNTOR_TOKEN_STORE_KEY": ",".join(key.get_secret_value() for key in self.keys),
            }
            | self.environment
            | environment,
        )


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the stores out of the home of the user who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home" / variable.lower()))


@pytest.fixture
def token() -> Token:
    """A token with all fields set."""
    return Token("access-CANARY", 1_000.25, 4_000_000_000.5, "authorization_code", "refresh-CANARY")


@pytest.fixture
def other() -> Token:
    """Another token, with no refresh token."""
    return Token("other-CANARY", 2_000.0, 4_000_000_100.0, "client_credentials")


@pytest.fixture
def two_keys() -> tuple[SecretStr, ...]:
    """Two keys for `PROCOUNTOR_TOKEN_STORE_KEY`; the first one is that of the sealed stores."""
    return KEYS


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path, fork_server: ForkServer) -> Callable[[str], Place]:
    """Make the place of a kind of store."""

    def make(kind: str) -> Place:
        place = find(kind)
        place.python = fork_server.python
        return place

    def find(kind: str) -> Place:
        if kind == "memory":
            return _in_memory()
        if kind == "keyring":
            return _in_keyring(request.getfixturevalue("keychain"))
        if kind.startswith("postgresql"):
            return _in_postgresql(kind, request.getfixturevalue("postgres_server"))
        if kind == "sqlite":
            return _in_sqlite(tmp_path / "tokens.db")
        if kind.startswith("file"):
            return _in_files(kind, tmp_path / "tokens")
        return _in_redis(kind, request.getfixturevalue("redis_server"))

    return make


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store in turn."""
    return place_of(request.param)


@pytest.fixture(params=KINDS[1:])
def outside(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    """Each kind of store in turn that keeps its entries outside of the process."""
    return place_of(request.param)


def _in_memory() -> Place:
    store = MemoryStore()

    def impossible(*_: object) -> Any:  # noqa: ANN401
        raise AssertionError

    return Place(
        "memory",
        open=lambda: store,
        where="memory",
        peek=impossible,
        plant=impossible,
        drop=store._entries.pop,
        aside=impossible,
        steal=store._locks.pop,
    )


def _in_files(kind: str, folder: Path) -> Place:
    def plant(key: str, data: bytes) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{key}.json"
        path.write_bytes(data)
        path.chmod(0o600)

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.exists() else None

    keys = KEYS[:1] if "sealed" in kind else ()
    return Place(
        kind,
        open=lambda keys=keys: FileStore(folder, Codec(keys)),
        where=f"file:{folder}",
        peek=lambda key: read(f"{key}.json"),
        plant=plant,
        drop=lambda key: (folder / f"{key}.json").unlink(),
        aside=lambda key: read(f"{key}.damaged-1.json"),
        steal=lambda key: (folder / f"{key}.lock").unlink(),
    )


def _in_keyring(backend: Any) -> Place:  # noqa: ANN401
    def read(name: str) -> bytes | None:
        text = backend.get_password(SERVICE, name)
        return None if text is None else str(text).encode()

    locks = KeyringStore()._folder.path
    return Place(
        "keyring",
        open=lambda keys=(): KeyringStore(Codec(keys)),
        where="keyring",
        peek=read,
        plant=lambda key, data: backend.set_password(SERVICE, key, data.decode("utf-8", "replace")),
        drop=lambda key: backend.delete_password(SERVICE, key),
        aside=lambda key: read(f"{key}.damaged"),
        steal=lambda key: (locks / f"keyring-{key}.lock").unlink(),
        environment={"PYTHON_KEYRING_BACKEND": "keychain.Keychain", "PYTHONPATH": str(HERE)},
    )


def _in_postgresql(kind: str, server: PostgresServer) -> Place:
    def run(statement: str, **values: Any) -> Any:  # noqa: ANN401
        with server.connect() as connection:
            connection.execute(ddl("postgresql"))
            cursor = connection.execute(statement, values)
            found = cursor.fetchone() if cursor.description else None
            return None if found is None else bytes(found[0])

    def steal(_: str) -> None:
        run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

    keys = KEYS[:1] if "sealed" in kind else ()
    return Place(
        kind,
        open=lambda keys=keys: SQLStore(SecretStr(server.url), Codec(keys)),
        where=server.url,
        peek=lambda key: run(f"SELECT data FROM {NAME} WHERE key = %(key)s", key=key),
        plant=lambda key, data: run(
            f"INSERT INTO {NAME} VALUES (%(key)s, 7, %(data)s, 0, 4e9) "
            "ON CONFLICT (key) DO UPDATE SET data = excluded.data, version = 7",
            key=key,
            data=data,
        ),
        drop=lambda key: run(f"DELETE FROM {NAME} WHERE key = %(key)s", key=key),
        aside=lambda key: run(f"SELECT data FROM {NAME} WHERE key = %(key)s", key=f"{key}:damaged"),
        steal=steal,
    )


def _in_sqlite(path: Path) -> Place:
    def run(statement: str, *values: Any) -> bytes | None:  # noqa: ANN401
        with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
            connection.execute(ddl("sqlite"))
            found = connection.execute(statement, values).fetchone()
            return None if found is None else bytes(found[0])

    return Place(
        "sqlite",
        open=lambda keys=(): SQLStore(SecretStr(f"sqlite:///{path}"), Codec(keys)),
        where=f"sqlite:///{path}",
        peek=lambda key: run(f"SELECT data FROM {NAME} WHERE key = ?", key),
        plant=lambda key, data: run(f"INSERT OR REPLACE INTO {NAME} VALUES (?, 7, ?, 0, 4e9)", key, data),
        drop=lambda key: run(f"DELETE FROM {NAME} WHERE key = ?", key),
        aside=lambda key: run(f"SELECT data FROM {NAME} WHERE key = ?", f"{key}:damaged"),
        steal=lambda key: (path.with_name(f"{path.name}.locks") / f"{key}.lock").unlink(),
    )


def _in_redis(kind: str, server: RedisServer) -> Place:
    client = redis.Redis.from_url(server.url)

    def read(name: str) -> bytes | None:
        found: Any = client.hget(name, "data")
        return None if found is None else bytes(found)

    keys = KEYS[:1] if "sealed" in kind else ()
    return Place(
        kind,
        open=lambda keys=keys: RedisStore(SecretStr(server.url), Codec(keys)),
        where=server.url,
        peek=lambda key: read(f"procountor-auth:{{{key}}}"),
        plant=lambda key, data: (
            client.hset(f"procountor-auth:{{{key}}}", mapping={"version": "7", "data": data, "write": "x"}) and None
        ),
        drop=lambda key: client.delete(f"procountor-auth:{{{key}}}"),
        aside=lambda key: read(f"procountor-auth:{{{key}}}:damaged"),
        steal=lambda key: client.delete(f"procountor-auth:{{{key}}}:lock"),
    )
