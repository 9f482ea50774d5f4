"""Tokens in Redis, for many hosts.

An entry is the hash `procountor-auth:{<key>}` with the fields `version` and `data`; its lock is the same name with
`:lock` behind it. The braces keep both on one node of a cluster. A write is one Lua script: it compares the version
and the lock before it writes, so that a holder whose lease has run out can't overwrite what came after.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import redis
from pydantic import SecretBytes, SecretStr
from redis import exceptions
from redis.lock import Lock

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable, printable
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.redis_connection import URL_HINT, pool_for
from procountor_auth.stores.redis_error import PREFIX, VARIABLE, translate
from procountor_auth.stores.transaction import LockedTransaction, check_key, conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from procountor_auth.protocol.token import Token

T = TypeVar("T")

DEFAULT_LEASE: Final = 45.0
"""Seconds after which Redis releases the lock of a holder that is gone. Longer than a renewal may take."""

_POLL: Final = 0.05
"""Seconds between two attempts to get a lock."""

_MOMENT: Final = 0.2
"""Seconds beyond the time limit for the last attempt to be answered."""

_LEAST: Final = 0.5
"""Seconds that even who does not want to wait gives Redis to answer."""

_DAY: Final = 86_400.0

_KEEP_REFRESH_TOKEN: Final = 366 * _DAY
"""Seconds that an entry is kept whose refresh token does not say when it expires. Each renewal starts them anew."""

_MAX_KEEP: Final = 10 * 366 * _DAY

_KEEP_DAMAGED: Final = 30 * _DAY

# KEYS: the entry, its lock. ARGV: the lock's token, the version that was read ('0': none), the next version, the data,
# a name for this very write, milliseconds to keep it.
# A lost connection makes the client send a write again: its name tells that it has been done. A lock that has run out
# and that nobody else has taken does no harm: nothing was written in between, as the version says.
_SWAP: Final = """
local lock = redis.call('get', KEYS[2])
if redis.call('hget', KEYS[1], 'version') == ARGV[3] and redis.call('hget', KEYS[1], 'write') == ARGV[5] then
    return 'written'
end
if lock and lock ~= ARGV[1] then return 'lock' end
local version = redis.call('hget', KEYS[1], 'version')
if version and version ~= ARGV[2] then return version end
redis.call('hset', KEYS[1], 'version', ARGV[3], 'data', ARGV[4], 'write', ARGV[5])
redis.call('pexpire', KEYS[1], ARGV[6])
return 'written'
"""

# KEYS: the entry, its lock, where it is kept aside. ARGV: the lock's token, milliseconds to keep it.
_KEEP_ASIDE: Final = """
if redis.call('get', KEYS[2]) ~= ARGV[1] or redis.call('exists', KEYS[1]) == 0 then return 0 end
redis.call('rename', KEYS[1], KEYS[3])
redis.call('pexpire', KEYS[3], ARGV[2])
return 1
"""

_logger = logging.getLogger("procountor_auth")


class RedisStore(Store):
    """Keeps tokens in Redis. Entries expire some time after their tokens.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one.
        codec: How entries are written; plain by default.
        lease: Seconds after which the lock of a holder that is gone expires. A living one renews it.
        timeout: Seconds that a read may take, where that is less than Redis may take to answer.

    Raises:
        ConfigurationError: The URL can't be used.
    """

    name = "redis"

    def __init__(
        self, url: SecretStr, codec: Codec | None = None, *, lease: float = DEFAULT_LEASE, timeout: float | None = None
    ) -> None:
        pool = pool_for(url)
        if isinstance(pool, str):
            problem = Problem(VARIABLE, "invalid", f"{VARIABLE} {pool}")
            raise ConfigurationError.from_problems((problem,), hint=URL_HINT)
        self._codec = codec or Codec()
        self._lease = lease
        self._timeout = timeout
        self._pool = pool
        self._redis = redis.Redis(connection_pool=pool)
        self._swap = self._redis.register_script(_SWAP)
        self._aside = self._redis.register_script(_KEEP_ASIDE)

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        with self._pool.within(self._timeout, careful=True):
            found = self._decoded(check_key(key))
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        owner = secrets.token_hex(16)
        until = time.monotonic() + max(0.0, timeout)
        lock = _Lock(
            self._redis, f"{_entry(check_key(key))}:lock", timeout=self._lease, sleep=_POLL, thread_local=False
        )
        with self._within(until):
            taken = self._ask(lambda: lock.acquire(blocking_timeout=max(0.0, timeout), token=owner))
        if not taken:
            raise StoreUnavailable(
                f"Another process has kept the token locked in Redis at {self._pool.place} for {timeout:g} seconds.",
                hint="Nothing needs to be changed here; try again later.",
            )
        process = os.getpid()
        generation = self._pool.generation
        lease = _Lease(lock, self._lease)
        try:
            with self._within(until):
                found = self._decoded(key)
                if isinstance(found, Damaged):
                    self._keep_aside(key, owner, found)
                    found = None
            transaction = LockedTransaction(found, lambda read, entry: self._write(key, owner, read, entry))
            lease.start()
            try:
                yield transaction
            finally:
                transaction.close()
        finally:
            if os.getpid() == process:
                lease.stop()
                # One that was taken on a server that was given up since is not the next server's business.
                if self._pool.generation == generation:
                    self._release(lock, until)

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry, whatever is in it. Raises what `Store.remove` raises."""
        name = _entry(check_key(key))
        with self._within(time.monotonic() + max(0.0, timeout)):
            self._ask(lambda: self._redis.delete(name))  # one step, and no writer minds: no lock is needed

    def _within(self, until: float) -> AbstractContextManager[None]:
        """Limit what this thread asks Redis to the time that is left, and a moment to say who has the lock."""
        return self._pool.within(max(until - time.monotonic() + _MOMENT, _LEAST))

    def _release(self, lock: Lock, until: float) -> None:
        # One that can't be released, or is another's by now, expires by itself; the outcome stands.
        with self._within(until), suppress(exceptions.RedisError, OSError), uninstrumented():
            lock.release()

    def _write(self, key: str, owner: str, read: int, entry: Entry) -> None:
        data = self._codec.encode(key, entry)
        write = secrets.token_hex(8)
        keep = int(_seconds_to_keep(entry.token) * 1000)
        name = _entry(key)

        def swap() -> bytes:
            arguments: list[str | bytes | int] = [
                owner,
                str(read),
                str(entry.version),
                data.get_secret_value(),
                write,
                keep,
            ]
            return bytes(self._swap(keys=[name, f"{name}:lock"], args=arguments))

        outcome = self._ask(swap)
        if outcome == b"lock":
            raise StoreConflict(
                "Another process has taken the token's lock in Redis meanwhile; nothing was written.",
                hint="Nothing needs to be changed here; read again what is there now.",
            )
        if outcome != b"written":
            raise conflict(read, int(outcome) if outcome.isdigit() else 0)

    def _decoded(self, key: str) -> Entry | Damaged | None:
        def read() -> tuple[Any, SecretBytes | None]:
            version, data = self._redis.hmget(_entry(key), ["version", "data"])
            return version, None if data is None else SecretBytes(data)  # type: ignore[arg-type]  # it is not decoded

        version, data = self._ask(read)
        if version is None and data is None:
            return None
        if version is None or data is None:
            return Damaged("a field is missing")
        found = self._codec.decode(key, data, f"Redis at {self._pool.place}, as {_entry(key)}")
        if isinstance(found, StoreError):
            raise found
        if isinstance(found, Entry) and version != str(found.version).encode("ascii"):
            return Damaged("it has two versions")
        return found

    def _keep_aside(self, key: str, owner: str, damaged: Damaged) -> None:
        name = _entry(key)
        aside = f"{name}:damaged"
        self._ask(lambda: self._aside(keys=[name, f"{name}:lock", aside], args=[owner, int(_KEEP_DAMAGED * 1000)]))
        _logger.warning(
            "%s in Redis is damaged (%s) and was kept as %s", *map(printable, (name, damaged.reason, aside))
        )

    def _ask(self, do: Callable[[], T]) -> T:
        """Do something with Redis. Its errors become ours, and none of its frames goes with them."""
        try:
            with uninstrumented():
                return do()
        except (exceptions.RedisError, OSError, ValueError) as error:  # a ValueError: of a host that can't be one
            problem = translate(error, self._pool.place)
        raise problem

    def __repr__(self) -> str:
        return f"<RedisStore {self._pool.place}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A RedisStore holds a password and is not pickled: open it in each process.")


class _Lock(Lock):
    """redis-py's lock, for a connection that is lost: the lock that was taken just before is ours."""

    def do_acquire(self, token: Any) -> bool:  # noqa: ANN401 - redis-py's annotation and its use differ
        return bool(super().do_acquire(token)) or self.redis.get(self.name) == token


class _Lease:
    """Renews a lock three times in each lease, until it is stopped or lost.

    Args:
        lock: The lock, taken.
        seconds: The lease.
    """

    def __init__(self, lock: Lock, seconds: float) -> None:
        self._lock = lock
        self._pause = seconds / 3
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="procountor-auth-lease", daemon=True)

    def start(self) -> None:
        """Start to renew it."""
        # Without a thread, at the interpreter's end, the lease is as long as it is.
        with suppress(RuntimeError):
            self._thread.start()

    def stop(self) -> None:
        """Renew it no more. One that is under way does no harm: Redis renews it for its holder only."""
        self._stopped.set()

    def _renew(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                with uninstrumented():
                    self._lock.reacquire()
            except exceptions.LockError:
                return
            except (exceptions.RedisError, OSError):
                # Tried again: the connection may come back before the lease expires.
                _logger.debug("the lock in Redis could not be renewed, for now")


def _entry(key: str) -> str:
    return f"{PREFIX}:{{{key}}}"


def _seconds_to_keep(token: Token | None) -> float:
    if token is None:
        return _DAY
    now = time.time()
    end = token.expires_at
    if token.refresh_token is not None:
        end = max(end, token.refresh_expires_at or now + _KEEP_REFRESH_TOKEN)
    return min(max(end - now, 0.0) + _DAY, _MAX_KEEP)
