"""Redis over a Unix domain socket."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from pydantic import SecretStr

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.token import Token
    from tests.conftest import RedisServer

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY = "company-1"


def store_at(url: str) -> RedisStore:
    """Return a store at a URL."""
    return RedisStore(SecretStr(url))


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a socket may be: the path of one has a hundred characters at most, and pytest's own are longer on macOS."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        yield Path(folder) / "redis.sock"


def start(start_redis: Callable[..., RedisServer], path: Path, *options: str) -> RedisServer:
    """Start a Redis that listens on a socket alone."""
    return start_redis("--port", "0", "--unixsocket", str(path), *options)


def test_a_socket_is_a_redis_like_any_other(
    start_redis: Callable[..., RedisServer], path: Path, token: Token, other: Token
) -> None:
    """Over a socket an entry is written, read, listed and removed, and its lock keeps others out."""
    start(start_redis, path)
    store, another = store_at(f"unix://{path}"), store_at(f"unix://{path}?db=0")
    assert store.read(KEY) is None
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)
        with pytest.raises(StoreUnavailable, match="locked"), another.transaction(KEY, timeout=0):
            pytest.fail("there are two locks")
        transaction.write(other)
    with another.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry == Entry(2, other)
    assert store.read(KEY) == Entry(2, other)
    assert [each.key for each in store.list_entries()] == [KEY]
    assert store.list_leftovers() == []
    store.remove(KEY, timeout=5)
    assert another.read(KEY) is None


@pytest.mark.parametrize("before", ["procountor:n0t%2F4u@", ""], ids=["authority", "query"])
def test_a_socket_has_users_and_databases(
    start_redis: Callable[..., RedisServer], path: Path, token: Token, before: str
) -> None:
    """The user, the password and the number of the database are those of the URL, wherever they stand in it."""
    start(start_redis, path, "--requirepass", "other")
    with redis.Redis(unix_socket_path=str(path), password="other") as client:
        client.acl_setuser("procountor", enabled=True, passwords=["+n0t/4u"], keys="*", categories=["+@all"])
    login = "" if before else "&username=procountor&password=n0t%2F4u"
    with store_at(f"unix://{before}{path}?db=3{login}").transaction(KEY, timeout=5) as transaction:
        transaction.write(token)
    with redis.Redis(unix_socket_path=str(path), password="other", db=3) as client:
        assert client.exists(f"procountor-auth:{{{KEY}}}")
    for url in (f"unix://{path}", f"unix://procountor:wrong@{path}"):
        with pytest.raises(StoreError, match="refused the user or the password") as caught:
            store_at(url).read(KEY)
        assert not caught.value.retryable


def test_a_socket_without_a_server_can_not_be_reached(start_redis: Callable[..., RedisServer], path: Path) -> None:
    """Whether there is no socket or nobody behind it, the error passes, and names the path."""
    store = store_at(f"unix://{path}")
    with pytest.raises(StoreUnavailable) as caught:
        store.read(KEY)
    assert caught.value.message == f"Redis at {path}/0 can't be reached."
    server = start(start_redis, path)
    assert store.read(KEY) is None
    server.stop()
    assert path.is_socket()
    for _ in range(2):  # on the connection that there was, and on a new one
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            store.read(KEY)
        with pytest.raises(StoreUnavailable, match="can't be reached"), store.transaction(KEY, timeout=5):
            pytest.fail("there is a lock")
