"""The connections to Redis: how many there are, who may use them, and when they are given up."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import redis
from pydantic import SecretStr
from redis import exceptions

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import StoreUnavailable
from procountor_auth.stores import Entry, redis_connection, redis_error
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.redis_sentinel import UnknownService
from procountor_auth.stores.redis_url import RedisAddress, address_of
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.protocol.token import Token
    from procountor_auth.sandbox import Sandbox
    from tests.conftest import RedisServer

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY = "company-1"
NAME = "procountor-auth:{company-1}"

FORK = """
import os, sys, threading
import redis
from pydantic import SecretStr
from procountor_auth.stores import redis_connection
from procountor_auth.stores.redis import RedisStore

url = sys.argv[1]
store = RedisStore(SecretStr(url))
store.read("first")
taken, done = threading.Event(), threading.Event()

def hold():
    # A thread that was within each of these when the process was forked.
    pool = store._pool.client.connection_pool
    with redis_connection._lock, store._pool._lock, pool._lock, pool._fork_lock, pool.pool.mutex:
        taken.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
taken.wait()
def clients():
    with redis.Redis.from_url(url, client_name="observer") as client:
        return {each["id"] for each in client.client_list() if each["name"] != "observer"}
before = clients()
child = os.fork()
if not child:
    store.read("second")
    RedisStore(SecretStr(url)).read("third")
    after = clients()
    os._exit(10 * len(after - before) + len(before - after))
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
thread.join()
store.read("fourth")
print(status, clients() == before)
"""


class Road:
    """What stands between a host and Redis: leads connections to a port, and may forget those that there are."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._forgotten: set[socket.socket] = set()
        self._clients: set[socket.socket] = set()
        self._servers: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        """Answer nothing any more on the connections of now, without a word."""
        self._forgotten |= self._clients

    def close(self) -> None:
        """Close everything."""
        for each in (self._listener, *self._clients, *self._servers):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.port))
                self._clients.add(client)
                self._servers.add(server)
                for way in ((client, server), (server, client)):
                    threading.Thread(target=self._lead, args=(*way, client), daemon=True).start()

    def _lead(self, source: socket.socket, target: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if client not in self._forgotten:
                    target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def road_to(server: RedisServer) -> Iterator[Road]:
    """Build a road to a server, and take it away at the end."""
    road = Road(server.port)
    try:
        yield road
    finally:
        road.close()


def store_at(url: str, *, timeout: float | None = None) -> RedisStore:
    """Return a store at a URL."""
    return RedisStore(SecretStr(url), timeout=timeout)


def clients(url: str) -> int:
    """Count the connections to a server, without the one that asks."""
    with redis.Redis.from_url(url) as client:
        return len(client.client_list()) - 1


def test_stores_of_one_url_share_their_connections(start_redis: Callable[..., RedisServer]) -> None:
    """However many stores are opened with one URL, one thread needs one connection."""
    server = start_redis()
    stores = [store_at(server.url) for _ in range(100)]
    for store in stores:
        store.read(KEY)
    assert clients(server.url) == 1


def test_connections_end_with_the_last_store(start_redis: Callable[..., RedisServer]) -> None:
    """When nobody has a store with a URL any more, its connections are closed."""
    server = start_redis()
    stores = [store_at(server.url) for _ in range(2)]
    for store in stores:
        store.read(KEY)
    del store
    stores.pop()
    gc.collect()
    assert clients(server.url) == 1
    stores.pop()
    gc.collect()
    assert clients(server.url) == 0


def test_many_threads_wait_for_a_connection(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch, token: Token
) -> None:
    """Descriptors stay bounded when more transactions are under way than there may be connections."""
    monkeypatch.setattr(redis_connection, "MAX_CONNECTIONS", 3)
    server = start_redis()
    store = store_at(server.url)
    ready = threading.Barrier(20)

    def renew(key: str) -> None:
        ready.wait()
        with store.transaction(key, timeout=10) as transaction:
            transaction.write(token)

    threads = [threading.Thread(target=renew, args=(f"company-{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.read(f"company-{number}") == Entry(1, token) for number in range(20))
    assert clients(server.url) <= 3


def test_who_differs_in_anything_shares_nothing(tmp_path: Path) -> None:
    """Another host, database, user, password or TLS option has connections of its own."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    urls = [
        "redis://host/0",
        "redis://host:6380/0",
        "redis://host/1",
        "redis://:one@host/0",
        "redis://:two@host/0",
        "redis://user:one@host/0",
        "rediss://host/0",
        f"rediss://host/0?ssl_ca_path={one}",
        f"rediss://host/0?ssl_ca_path={two}",
        "unix:///run/redis.sock",
    ]
    stores = [store_at(url) for url in urls]
    assert len({id(store._pool) for store in stores}) == len(urls)
    assert all(store_at(url)._pool is store._pool for url, store in zip(urls, stores, strict=True))


def test_connections_show_no_secret(tmp_path: Path) -> None:
    """The pool and the table of pools show the place at most."""
    (tmp_path / "CANARY").mkdir()
    store = store_at(f"rediss://user:CANARY@host/0?ssl_ca_path={tmp_path / 'CANARY'}&ssl_password=CANARY")
    assert repr(store._pool) == "<Connections to host:6379/0>"
    assert "CANARY" not in repr(vars(store)) + repr(vars(store._pool)) + repr(dict(redis_connection._shared))


@pytest.mark.parametrize(
    ("url", "kind", "own"),
    [
        ("redis://host:7/2", redis_connection._Tcp, {"host": "host", "port": 7, "db": 2}),
        ("rediss://host?ssl_ca_path=/", redis_connection._Tls, {"host": "host", "ssl_ca_path": "/"}),
        ("unix:///run/redis.sock?db=3", redis_connection._Unix, {"path": "/run/redis.sock", "db": 3}),
    ],
)
def test_a_connection_has_its_limits(url: str, kind: type[object], own: dict[str, object]) -> None:
    """Each is of the kind that the URL says, waits for a limited time, and is tried again once where it was lost."""
    pool = store_at(url)._pool.client.connection_pool
    options = pool.connection_kwargs
    retry = options["retry"]
    assert isinstance(options["state"], redis_connection._State)
    expected = own | {
        "decode_responses": False,
        "protocol": 2,
        "socket_connect_timeout": 3.0,
        "socket_timeout": 5.0,
    }
    assert {name: options[name] for name in expected} == expected
    assert options.get("socket_keepalive", False) is not url.startswith("unix")
    assert (retry._retries, retry._supported_errors) == (1, (exceptions.ConnectionError, exceptions.ReadOnlyError))
    assert (pool.connection_class, pool.max_connections, pool.timeout) == (kind, 32, 3.0)


def test_a_thread_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit within another one takes its place, and is gone at the end, as is the mistrust."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    connections = store_at("redis://host")._pool
    state = connections._state
    assert (state.left(5.0), state.careful) == (5.0, False)
    with connections.within(3.0, careful=True):
        assert (state.left(5.0), state.left(1.0), state.careful) == (3.0, 1.0, True)
        with connections.within(None):
            assert (state.left(5.0), state.careful) == (5.0, False)
        now[0] += 2.0
        assert (state.left(5.0), state.careful) == (1.0, True)
        now[0] += 1.0
        with pytest.raises(exceptions.TimeoutError):
            state.left(5.0)
    assert (state.left(5.0), state.careful) == (5.0, False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_has_connections_of_its_own(start_redis: Callable[..., RedisServer]) -> None:
    """A child uses no socket of its parent and closes none, whatever the parent's other threads held at the fork."""
    said = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, start_redis().url],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert said.stdout == "10 True\n"


def test_a_demoted_primary_is_given_up(start_redis: Callable[..., RedisServer], token: Token, other: Token) -> None:
    """Where the address leads to another primary by now, the next write goes there, and nobody reads the old one."""
    old, new = start_redis(), start_redis()
    with road_to(old) as road, ExitStack() as held:
        store = store_at(road.url)
        with store.transaction(KEY, timeout=5) as transaction:
            transaction.write(token)
        for _ in range(2):  # two connections
            held.enter_context(store.transaction(f"held-{_}", timeout=5))
        _demote(old)
        road.port = new.port
        with store.transaction(KEY, timeout=5) as transaction:
            assert transaction.entry is None
            transaction.write(other)
        assert store.read(KEY) == store_at(new.url).read(KEY) == Entry(1, other)
        assert clients(old.url) == 0


def test_a_lock_of_a_demoted_primary_is_not_released_at_the_next(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """A failover within a transaction keeps the new token, and leaves the locks that the new primary has alone."""
    old, new = start_redis(), start_redis()
    with road_to(old) as road, redis.Redis.from_url(new.url) as client:
        store = store_at(road.url)
        with store.transaction(KEY, timeout=5) as transaction:
            transaction.write(token)
            with redis.Redis.from_url(old.url) as source:
                owner: Any = source.get(f"{NAME}:lock")
            client.set(f"{NAME}:lock", owner, px=45_000)  # as it was replicated
            _demote(old)
            road.port = new.port
            transaction.write(other)
        assert client.get(f"{NAME}:lock") == owner
        assert store.read(KEY) == Entry(2, other)


def test_a_replica_that_has_lost_its_primary_is_left(start_redis: Callable[..., RedisServer]) -> None:
    """MASTERDOWN passes, and its connection is not used again."""
    replica = start_redis("--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no")
    store = store_at(replica.url)
    with pytest.raises(StoreUnavailable, match="MasterDown"):
        store.read(KEY)
    with redis.Redis.from_url(replica.url) as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert clients(replica.url) == 0
    assert store.read(KEY) is None


@pytest.mark.parametrize("code", ["NOREPLICAS", "CLUSTERDOWN"])
def test_a_primary_that_may_not_write_is_left(start_redis: Callable[..., RedisServer], code: str) -> None:
    """A primary that is cut off from its replicas or its cluster passes, and its connection is not used again."""
    if code == "NOREPLICAS":
        url = start_redis("--min-replicas-to-write", "1").url
    else:
        port = _port_of_a_cluster()
        start_redis("--port", str(port), "--cluster-enabled", "yes")
        url = f"redis://127.0.0.1:{port}/0"
    store = store_at(url)
    with pytest.raises(StoreUnavailable), store.transaction(KEY, timeout=5):
        pytest.fail("there is a lock")
    assert clients(url) == 0


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
        exceptions.ClusterDownError("CLUSTERDOWN The cluster is down"),
        exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
        exceptions.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"),
        exceptions.ResponseError(
            "Error running script (call to f_1): @user_script:8: @user_script: 8: -READONLY You can't write"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_with_another_server(error: Exception) -> None:
    """Each way to say that a server is not the one to write to is retryable, and has the server given up."""
    assert redis_error.is_given_up(error)
    assert isinstance(redis_error.translate(error, "place"), StoreUnavailable)


def test_a_connection_that_was_silently_dropped_is_replaced(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch, token: Token
) -> None:
    """Where something between has forgotten idle connections, reads and locks get theirs without an error."""
    monkeypatch.setattr(redis_connection, "PROBE_TIMEOUT", 0.1)
    with road_to(start_redis()) as road:
        store = store_at(road.url)
        store.read(KEY)
        road.forget()
        assert store.read(KEY) is None
        road.forget()
        monkeypatch.setattr(redis_connection, "TRUSTED", 0.0)
        start = time.monotonic()
        with store.transaction(KEY, timeout=5) as transaction:
            road.forget()
            transaction.write(token)
            road.forget()
        assert store.read(KEY) == Entry(1, token)
        assert time.monotonic() - start < 2


def test_a_slow_answer_is_waited_for_on_a_new_connection(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is slower than a connection is mistrusted is slow, not down."""
    monkeypatch.setattr(redis_connection, "PROBE_TIMEOUT", 0.1)
    server = start_redis()
    store = store_at(server.url)
    store.read(KEY)
    server.pause()
    timer = threading.Timer(0.3, server.resume)
    timer.start()
    assert store.read(KEY) is None
    timer.join()


@pytest.mark.parametrize("warm", [False, True], ids=["new", "idle"])
def test_nobody_waits_longer_than_the_time_limit(start_redis: Callable[..., RedisServer], *, warm: bool) -> None:
    """A time limit that is shorter than Redis may take ends the wait for a server that accepts and says nothing."""
    server = start_redis()
    store = store_at(server.url, timeout=0.4)
    if warm:
        store.read(KEY)
    server.pause()
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="in time"):
        store.read(KEY)
    assert time.monotonic() - start < 0.8
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="in time"), store.transaction(KEY, timeout=0.4):
        pytest.fail("there is a lock")
    assert time.monotonic() - start < 1.0
    server.resume()
    assert store.read(KEY) is None


def test_a_reply_that_came_too_late_is_nobody_elses(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """What was asked before the time was over is never taken for the answer to the next question."""
    server = start_redis()
    store = store_at(server.url, timeout=0.2)
    for key, each in (("one", token), ("two", other)):
        with store.transaction(key, timeout=5) as transaction:
            transaction.write(each)
    server.pause()
    with pytest.raises(StoreUnavailable):
        store.read("one")
    server.resume()
    assert store.read("two") == Entry(1, other)


@pytest.mark.parametrize("error", [exceptions.ConnectionError("none"), UnknownService("name")], ids=str)
def test_a_connection_is_kept_while_the_sentinels_say_nothing(
    monkeypatch: pytest.MonkeyPatch, error: exceptions.RedisError
) -> None:
    """It is left when they name another primary, and not where nobody names one; they are asked once in a second."""
    address = address_of(SecretStr("redis+sentinel://host/service"))
    assert isinstance(address, RedisAddress)
    state = redis_connection._State(address)
    answers: list[tuple[str, int] | exceptions.RedisError] = [("a", 1), ("b", 1), ("a", 2), error]

    def primary() -> tuple[str, int]:
        answer = answers.pop(0)
        if isinstance(answer, exceptions.RedisError):
            raise answer
        return answer

    monkeypatch.setattr(state.sentinels, "primary", primary)
    connection = redis_connection._Tcp(state=state, host="a", port=1)
    left = []
    while answers:
        connection._confirmed -= redis_connection.CONFIRMED
        left.append(connection._leads_elsewhere())
    assert left == [False, True, True, False]
    assert not connection._leads_elsewhere()  # nobody is asked: there is no answer left


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("127.0.0.1", "127.0.0.1")])
def test_a_cluster_is_reached_at_any_address(monkeypatch: pytest.MonkeyPatch, host: str, shown: str) -> None:
    """An address of IPv6 stands in brackets in the URL that redis-py is given, and in no list of nodes."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(redis_connection, "RedisCluster", lambda **options: made.update(options))
    address = address_of(SecretStr(f"redis+cluster://{shown}:7000,{shown}:7001"))
    assert isinstance(address, RedisAddress)
    redis_connection.Connections(address)._cluster()
    assert made["url"] == f"redis://{shown}:7000"
    assert [(each.host, each.port) for each in made["startup_nodes"]] == [(host, 7001)]


def test_each_server_that_is_given_up_ends_the_connections_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second failover is noticed as the first one was."""
    address = address_of(SecretStr("redis://a:1"))
    assert isinstance(address, RedisAddress)
    state = redis_connection._State(address)
    connection = redis_connection._Tcp(state=state, host="a", port=1)

    def demoted(*_: object, **__: object) -> None:
        raise exceptions.ReadOnlyError("You can't write against a read only replica.")

    monkeypatch.setattr(redis.Connection, "read_response", demoted)
    monkeypatch.setattr(connection, "_limit", lambda **_: None)
    for generation in (1, 2):
        with pytest.raises(exceptions.ReadOnlyError):
            connection.read_response()
        assert state.generation == generation


def _demote(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")


def _port_of_a_cluster() -> int:
    """Find a port for a server that takes the one 10,000 further up, too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port: int = server.getsockname()[1]
        if port < 55_536:
            return port


def test_a_redis_that_never_answers_leaves_time_for_a_token(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read may take half of PROCOUNTOR_TIMEOUT; within the rest the host goes on without Redis."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = sandbox.environment("client_credentials") | {
            "PROCOUNTOR_TOKEN_STORE": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            "PROCOUNTOR_TIMEOUT": "1.5",
        }
        assert TokenSource.from_settings(Settings(**arguments(variables))).token().access_token
