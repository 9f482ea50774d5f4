"""The Redis store: a real server that is down, slow, paused, full, encrypted, protected, or a replica."""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from redis.commands.core import Script

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable
from procountor_auth.protocol.token import Token
from procountor_auth.stores import Entry, Transaction, redis_connection
from procountor_auth.stores.codec import Damaged
from procountor_auth.stores.lease import DEFAULT_LEASE
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.redis_lock import EntryLock, Wait
from procountor_auth.stores.redis_url import URL_HINT, address_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RedisServer

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY = "company-1"
NAME = "procountor-auth:{company-1}"


def store_at(url: str, *, lease: float = DEFAULT_LEASE) -> RedisStore:
    """Return a store at a URL."""
    return RedisStore(SecretStr(url), lease=lease)


def put(store: RedisStore, token: Token | None) -> None:
    """Write a token in a transaction of its own."""
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)


def test_a_server_that_is_down_is_told_at_once(start_redis: Callable[..., RedisServer]) -> None:
    """Where nothing listens, the error comes fast, may pass, and names the place but no password."""
    server = start_redis()
    server.stop()
    store = store_at(f"redis://:CANARY@127.0.0.1:{server.port}/0")
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as caught:
            store.read(KEY)
        with pytest.raises(StoreUnavailable), store.transaction(KEY, timeout=5):
            pytest.fail("there is a lock")
    assert time.monotonic() - start < 1
    assert "CANARY" not in str(caught.value) + repr(store) + repr(vars(store))
    assert caught.value.__context__ is None


def test_a_server_that_restarts_is_used_again(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """A store whose server went away says so, and works again when the server is back."""
    server = start_redis()
    store = store_at(server.url)
    put(store, token)
    server.stop()
    with pytest.raises(StoreUnavailable):
        store.read(KEY)
    server.start()
    assert store.read(KEY) is None
    put(store, other)
    server.stop()
    server.start()
    put(store, token)
    assert store.read(KEY) == Entry(1, token)


def test_a_renewal_survives_an_empty_restart(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """If the server restarts empty within a transaction, the new token, perhaps the last one that works, is kept."""
    server = start_redis()
    store = store_at(server.url)
    put(store, token)
    with store.transaction(KEY, timeout=5) as transaction:
        server.stop()
        server.start()
        transaction.write(other)
    assert store.read(KEY) == Entry(2, other)


def test_a_holder_that_was_cut_off_overwrites_nothing(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """S10: whose lease has run out while the server was paused gets a conflict once somebody else has written."""
    server = start_redis()
    late, next_one = store_at(server.url, lease=0.2), store_at(server.url)
    put(late, token)
    with late.transaction(KEY, timeout=5) as transaction:
        server.pause()
        _let_pass(0.3)
        server.resume()
        put(next_one, other)
        with pytest.raises(StoreConflict):
            transaction.write(token)
    assert next_one.read(KEY) == Entry(2, other)


def test_a_holder_that_was_cut_off_gives_way_to_the_next_holder(
    start_redis: Callable[..., RedisServer], token: Token, other: Token
) -> None:
    """S10: whose lock is another's by now writes nothing, and does not release that lock."""
    server = start_redis()
    late, next_one = store_at(server.url, lease=0.2), store_at(server.url)
    with late.transaction(KEY, timeout=5) as transaction:
        server.pause()
        _let_pass(0.3)
        server.resume()
        with next_one.transaction(KEY, timeout=5) as newer:
            with pytest.raises(StoreConflict, match="lock"):
                transaction.write(token)
            newer.write(other)
    assert next_one.read(KEY) == Entry(1, other)


def test_a_lease_is_renewed_while_its_holder_works(redis_server: RedisServer, token: Token) -> None:
    """A renewal that takes longer than a lease keeps its lock, and the lock is gone at its end."""
    store = store_at(redis_server.url, lease=1.0)  # on a busy machine its thread may start late
    with redis.Redis.from_url(redis_server.url) as client, store.transaction(KEY, timeout=5) as transaction:
        with pytest.raises(StoreUnavailable), store_at(redis_server.url).transaction(KEY, timeout=1.5):
            pytest.fail("the lock was lost")
        transaction.write(token)
        left: Any = client.pttl(f"{NAME}:lock")
        assert 0 < left <= 1000
    with redis.Redis.from_url(redis_server.url) as client:
        assert not client.exists(f"{NAME}:lock")


def test_a_server_that_does_not_answer_is_given_up(
    start_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and says nothing is given up after the time limit, once."""
    monkeypatch.setattr(redis_connection, "READ_TIMEOUT", 0.3)
    server = start_redis()
    store = store_at(server.url)
    store.read(KEY)
    server.pause()
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="in time"):
        store.read(KEY)
    assert time.monotonic() - start < 0.8
    server.resume()
    assert store.read(KEY) is None


def test_a_write_that_is_sent_again_is_one_write(
    redis_server: RedisServer, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the connection is lost after Redis has written and before it says so, the write counts, once."""
    store = store_at(redis_server.url)
    script = Script.__call__

    def lost(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - redis-py's own arguments
        script(*arguments, **named)
        return script(*arguments, **named)

    with store.transaction(KEY, timeout=5) as transaction, monkeypatch.context() as sent_twice:
        sent_twice.setattr(Script, "__call__", lost)
        transaction.write(token)
    assert store.read(KEY) == Entry(1, token)


def test_a_lock_that_is_asked_for_again_is_taken(redis_server: RedisServer) -> None:
    """If the connection is lost after Redis has given the lock and before it says so, its holder has it."""
    with redis.Redis.from_url(redis_server.url) as client:
        lock = EntryLock(client, "name", lease=5, wait=Wait(lambda: None, None))
        assert lock.do_acquire(b"mine")
        assert lock.do_acquire(b"mine")
        assert not lock.do_acquire(b"another's")


def test_an_entry_that_is_enough_ends_the_wait_for_its_lock(
    redis_server: RedisServer, token: Token, other: Token
) -> None:
    """Whoever waits gets what the holder writes, if it is enough, while the holder still has the lock."""
    store, waiting = store_at(redis_server.url), store_at(redis_server.url)
    refused = threading.Event()

    def enough(entry: Entry) -> bool:
        refused.set()
        return entry.token == other

    def wait() -> Entry:
        with waiting.transaction_unless(KEY, enough, timeout=30) as turn:
            assert isinstance(turn, Entry)
            return turn

    with store.transaction(KEY, timeout=5) as transaction, ThreadPoolExecutor(1) as pool:
        transaction.write(token)
        found = pool.submit(wait)
        assert refused.wait(30)
        transaction.write(other)
        assert found.result(30) == Entry(2, other)
        transaction.write(token)  # the lock is still the holder's


def test_a_free_lock_is_taken_whatever_the_entry_is(redis_server: RedisServer, token: Token) -> None:
    """Whoever need not wait gets the transaction, and the lock is released after it."""
    store = store_at(redis_server.url)
    put(store, token)
    for version in (1, 2):
        with store.transaction_unless(KEY, lambda _entry: True, timeout=5) as turn:
            assert isinstance(turn, Transaction)
            assert turn.entry == Entry(version, token)
            turn.write(token)


def test_a_lock_that_can_not_be_renewed_may_still_be_ours(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that another has is lost; one that could not be asked for is tried again, and the log says so at DEBUG."""
    caplog.set_level(logging.DEBUG, "procountor_auth")
    with redis.Redis.from_url(redis_server.url) as client:
        lock = EntryLock(client, NAME, lease=5.0, wait=Wait(lambda: None, None))
        assert (lock.name, lock.timeout) == (f"{NAME}:lock", 5.0)
        assert lock.acquire(token="mine")
        assert lock.renew()
        assert 4_000 < client.pttl(f"{NAME}:lock") <= 5_000
        assert caplog.records == []
        client.set(f"{NAME}:lock", "theirs")
        assert not lock.renew()

        def reacquire() -> NoReturn:
            raise redis.ConnectionError("lost")

        monkeypatch.setattr(lock, "reacquire", reacquire)
        assert lock.renew()
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (logging.DEBUG, "the lock in Redis could not be renewed, for now")
    ]


def test_waiting_reads_an_entry_once_for_each_version(token: Token) -> None:
    """A thousand hosts that wait ask Redis for the version alone, and for the entry when it has changed."""
    reads: list[str] = []
    versions: list[Entry | Damaged | None] = [Entry(1, token), Damaged("it is half written"), None, Entry(3, token)]

    def read() -> Entry | Damaged | None:
        reads.append("read")
        return versions[len(reads) - 1]

    wait = Wait(read, lambda entry: entry.version == 3)
    assert [wait.is_over(version) for version in (b"", b"1", b"1", b"2", b"2", b"", b"3")] == [False] * 6 + [True]
    assert len(reads) == 4
    assert wait.found == Entry(3, token)


@pytest.mark.parametrize(
    ("make", "shortest", "longest"),
    [
        (lambda: None, 86_000, 86_400),
        (lambda: Token("a", 0.0, 2.0, "x"), 86_000, 86_400),
        (lambda: Token("a", 0.0, time.time() + 3600, "x"), 89_000, 90_000),
        (lambda: Token("a", 0.0, time.time() + 3600, "x", "opaque"), 365 * 86_400, 368 * 86_400),
        (lambda: Token("a", 0.0, 9e11, "x"), 3650 * 86_400, 3660 * 86_400),
    ],
    ids=["invalidated", "expired", "access", "refresh", "absurd"],
)
def test_entries_end_by_themselves(
    redis_server: RedisServer, make: Callable[[], Token | None], shortest: int, longest: int
) -> None:
    """A company that nobody asks for any more does not stay in Redis for ever."""
    put(store_at(redis_server.url), make())  # made now: a long suite has collected its tests long ago
    with redis.Redis.from_url(redis_server.url) as client:
        left: Any = client.ttl(NAME)
    assert shortest <= left <= longest


def test_a_password_opens_the_server(start_redis: Callable[..., RedisServer], token: Token) -> None:
    """The URL's password is used; a wrong one and none are errors that show neither."""
    server = start_redis("--requirepass", "p@ss/CANARY")
    good = store_at(f"redis://:p%40ss%2FCANARY@127.0.0.1:{server.port}/0")
    put(good, token)
    assert good.read(KEY) == Entry(1, token)
    for url in (f"redis://:wrong-CANARY@127.0.0.1:{server.port}/0", f"redis://127.0.0.1:{server.port}/0"):
        with pytest.raises(StoreError, match="password") as caught:
            store_at(url).read(KEY)
        assert not caught.value.retryable
        assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(good) + repr(vars(good)) + repr(good._pool.client.connection_pool)


def test_a_user_without_rights_is_told(start_redis: Callable[..., RedisServer], token: Token) -> None:
    """A user who may not write is told by an error that names what is needed."""
    server = start_redis()
    with redis.Redis.from_url(server.url) as client:
        client.acl_setuser("reader", enabled=True, passwords=["+secret"], keys="*", commands=["+hmget", "+hello"])
    store = store_at(f"redis://reader:secret@127.0.0.1:{server.port}/0")
    assert store.read(KEY) is None
    with pytest.raises(StoreError, match="ACL") as caught:
        put(store, token)
    assert not caught.value.retryable


def test_something_else_under_our_name_stays(redis_server: RedisServer, token: Token) -> None:
    """A value of another type is an error, and stays."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.set(NAME, "mine")
        with pytest.raises(StoreError, match="something else"):
            store_at(redis_server.url).read(KEY)
        with pytest.raises(StoreError, match="something else"):
            put(store_at(redis_server.url), token)
        assert client.get(NAME) == b"mine"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": "1"}, "a field is missing"),
        ({"data": b"{}"}, "a field is missing"),
        ({"version": "9", "data": b'{"schema":1}'}, "its schema or version is impossible"),
        ({"version": "9", "data": b'{"schema":1,"version":8,"token":null}'}, "it has two versions"),
    ],
)
def test_half_an_entry_is_damaged(
    redis_server: RedisServer, token: Token, fields: dict[Any, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A hash with a field missing, or with two versions, is a miss, and kept aside for a month."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.hset(NAME, mapping=fields)
        store = store_at(redis_server.url)
        assert store.read(KEY) is None
        put(store, token)
        left: Any = client.ttl(f"{NAME}:damaged")
    assert 29 * 86_400 < left <= 30 * 86_400
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == [
        f"{NAME} in Redis is damaged ({reason}) and was kept as {NAME}:damaged"
    ]
    assert store.read(KEY) == Entry(1, token)


def test_another_version_is_told(redis_server: RedisServer, token: Token) -> None:
    """A write and a removal say which version was read, and which one is there."""
    store = store_at(redis_server.url)
    put(store, token)
    with store.transaction(KEY, timeout=5) as late, redis.Redis.from_url(redis_server.url) as client:
        client.hset(NAME, "version", "7")
        with pytest.raises(StoreConflict) as written:
            late.write(token)
        with pytest.raises(StoreConflict) as removed:
            late.remove()
    said = "The stored token has changed meanwhile (version 1 was read, 7 is there); nothing was written."
    assert written.value.message == removed.value.message == said


def test_a_replica_is_no_place_to_write(start_redis: Callable[..., RedisServer], token: Token) -> None:
    """A server that became a replica can't be used now, which may pass."""
    server = start_redis()
    store = store_at(server.url)
    put(store, token)
    with store.transaction(KEY, timeout=5) as transaction:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnavailable):
            transaction.write(None)
    with pytest.raises(StoreUnavailable):
        put(store, None)


def test_a_full_server_keeps_the_old_token(start_redis: Callable[..., RedisServer], token: Token) -> None:
    """A server without memory takes no token, keeps the old one, and may take one later."""
    server = start_redis()
    store = store_at(server.url)
    put(store, token)
    with store.transaction(KEY, timeout=5) as transaction, redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            transaction.write(None)
        client.config_set("maxmemory", 0)
        assert store.read(KEY) == Entry(1, token)
        transaction.write(None)
    assert store.read(KEY) == Entry(2, None)


def test_tls_is_verified(start_redis: Callable[..., RedisServer], tmp_path: Path, token: Token) -> None:
    """`rediss://` encrypts, and trusts the certificate only with the authority that it is given."""
    certificate, key = _certificate(tmp_path)
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate))
    port = start_redis(*files, "--tls-auth-clients", "no").port
    store = store_at(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
    put(store, token)
    assert store.read(KEY) == Entry(1, token)
    with pytest.raises(StoreError, match="ssl_ca_certs") as caught:
        store_at(f"rediss://127.0.0.1:{port}/0").read(KEY)
    assert not caught.value.retryable
    with pytest.raises(StoreUnavailable):
        store_at(f"redis://127.0.0.1:{port}/0").read(KEY)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:///0",
        "redis://:CANARY/word@host:6379/0",
        "redis://:12/CANARY@host:6379",
        "redis://:CANARY#word@host/0",
        "redis://:12#CANARY@host/0",
        "redis://CANARY?word@host/0",
        "redis://user:12?CANARY@host/0",
        "redis://host/zero",
        "redis://host:port/0",
        "redis://host:99999/0",
        "redis://[CANARY/0",
        "redis://host/0?db=CANARY",
        "redis://host/0?socket_timeout=CANARY",
        "redis://host/0?decode_responses=CANARY",
        "rediss://host/0?ssl_cert_reqs=none",
        "rediss://host/0?ssl_check_hostname=False",
        "redis://host/0?ssl_ca_certs=/CANARY",
        "unix://",
        "http://:CANARY@host/0",
    ],
)
def test_a_url_that_means_something_else_is_refused(url: str) -> None:
    """A URL whose password was not escaped, or that turns a protection off, is refused and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        store_at(url)
    said = f"PROCOUNTOR_TOKEN_STORE {address_of(SecretStr(url))}"
    assert caught.value.problems == (Problem("PROCOUNTOR_TOKEN_STORE", "invalid", said),)
    assert caught.value.hint == URL_HINT
    assert "CANARY" not in str(caught.value) + caught.value.json()
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://host", "host:6379/0"),
        ("rediss://user:CANARY@host:1234/5", "host:1234/5"),
        ("redis://[::1]:7/2", "::1:7/2"),
        ("unix:///run/redis.sock?db=3", "/run/redis.sock/3"),
        ("unix://:CANARY@/run/redis.sock", "/run/redis.sock/0"),
        ("redis://host/0?password=CANARY", "host:6379/0"),
    ],
)
def test_a_store_shows_where_it_is(url: str, place: str) -> None:
    """The representation names the host, port and database, and nothing else of the URL."""
    assert repr(store_at(url)) == f"<RedisStore {place}, plain>"
    assert "CANARY" not in repr(vars(store_at(url)))


def _let_pass(seconds: float) -> None:
    """Wait for the server's own clock: it is stopped, and nothing of it can be waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = (folder / "certificate.pem", folder / "key.pem")
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
