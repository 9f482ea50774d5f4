"""Tokens in Redis, for many hosts.

An entry is the hash `procountor-auth:{<key>}` with the fields `version` and `data`; its lock is the same name with
`:lock` behind it. The braces keep both on one node of a cluster. A write is one Lua script: it compares the version
and the lock before it writes, so that a holder whose lease has run out can't overwrite what came after.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from pydantic import SecretBytes, SecretStr

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable, printable
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.lease import DEFAULT_LEASE, Lease
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.stores.redis_connection import pool_for
from procountor_auth.stores.redis_error import PREFIX, VARIABLE, translate, unusable_files
from procountor_auth.stores.redis_listing import list_redis
from procountor_auth.stores.redis_lock import ERRORS, EntryLock, Wait
from procountor_auth.stores.redis_tls import TLS_HINT, handshake_fault
from procountor_auth.stores.redis_url import URL_HINT
from procountor_auth.stores.retention import KEEP_DAMAGED, seconds_to_keep
from procountor_auth.stores.transaction import LockedTransaction, check_key, conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from procountor_auth.stores.listing import Leftover, ListedEntry

T = TypeVar("T")

_MOMENT: Final = 0.2
"""Seconds beyond the time limit for the last attempt to be answered."""

_LEAST: Final = 0.5
"""Seconds that even who does not want to wait gives Redis to answer."""

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

# KEYS: the entry, its lock. ARGV: the lock's token, the version that was read.
_DISCARD: Final = """
local lock = redis.call('get', KEYS[2])
if lock and lock ~= ARGV[1] then return 'lock' end
local version = redis.call('hget', KEYS[1], 'version')
if version and version ~= ARGV[2] then return version end
redis.call('del', KEYS[1])
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
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one; `redis+sentinel://` or
            `redis+cluster://` for several servers.
        codec: How entries are written; plain by default.
        lease: Seconds after which the lock of a holder that is gone expires. A living one renews it.
        timeout: Seconds that a read may take, where that is less than Redis may take to answer.

    Raises:
        ConfigurationError: The URL can't be used, or a file that it names for TLS.
    """

    name = "redis"
    remote = True

    def __init__(
        self, url: SecretStr, codec: Codec | None = None, *, lease: float = DEFAULT_LEASE, timeout: float | None = None
    ) -> None:
        pool = pool_for(url)
        if isinstance(pool, str):
            problem = Problem(VARIABLE, "invalid", f"{VARIABLE} {pool}")
            raise ConfigurationError.from_problems((problem,), hint=URL_HINT)
        wrong = pool.files.problem()
        if wrong is not None:
            problem = Problem(VARIABLE, "invalid", f"{VARIABLE} {wrong}")
            raise ConfigurationError.from_problems((problem,), hint=TLS_HINT)
        self._codec = codec or Codec()
        self._lease = lease
        self._timeout = timeout
        self._pool = pool

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        with self._pool.within(self._timeout, careful=True):
            found = self._decoded(check_key(key), begins=True)
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        with self._turn(key, None, timeout=timeout, begins=True) as turn:
            yield cast("Transaction", turn)

    @contextmanager
    def transaction_in_any_case(self, key: str, *, timeout: float) -> Generator[Transaction]:
        """Take the lock of an entry, also just after an outage. Raises what `Store.transaction` raises."""
        with self._turn(key, None, timeout=timeout, begins=False) as turn:
            yield cast("Transaction", turn)

    def transaction_unless(
        self, key: str, enough: Callable[[Entry], bool], *, timeout: float
    ) -> AbstractContextManager[Transaction | Entry]:
        """Take the lock of an entry, or give what is enough. Raises what `Store.transaction` raises."""
        return self._turn(key, enough, timeout=timeout, begins=True)

    @contextmanager
    def _turn(
        self, key: str, enough: Callable[[Entry], bool] | None, *, timeout: float, begins: bool
    ) -> Generator[Transaction | Entry]:
        owner = secrets.token_hex(16)
        until = time.monotonic() + max(0.0, timeout)
        wait = Wait(lambda: self._decoded(key), enough)
        name = _entry(check_key(key))
        with self._within(until):
            lock = self._ask(lambda: EntryLock(self._pool.client, name, lease=self._lease, wait=wait), begins=begins)
            taken = self._ask(lambda: lock.acquire(blocking_timeout=max(0.0, timeout), token=owner), begins=begins)
        if wait.found is not None:
            yield wait.found
            return
        if not taken:
            raise StoreUnavailable(
                f"Another process has kept the token locked in Redis at {self._pool.place} for {timeout:g} seconds.",
                hint="Nothing needs to be changed here; try again later.",
            )
        process = os.getpid()
        generation = self._pool.generation
        lease = Lease(lock.renew, self._lease)
        try:
            with self._within(until):
                found = self._decoded(key)
                if isinstance(found, Damaged):
                    self._keep_aside(key, owner, found)
                    found = None
            transaction = LockedTransaction(
                found,
                lambda read, entry: self._write(key, owner, read, entry),
                lambda read: self._discard(key, owner, read),
            )
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
            # One step, and no writer minds: no lock is needed. A cluster's own method would do it in a pipeline.
            self._ask(lambda: self._pool.client.execute_command("DEL", name))

    def list_entries(self) -> list[ListedEntry]:
        """Return which entries there are. Raises what `Store.list_entries` raises."""
        return self._ask(lambda: list_redis(self._pool.client), begins=True)[0]

    def list_leftovers(self) -> list[Leftover]:
        """Return the entries that are kept aside. Raises what `Store.list_entries` raises."""
        return self._ask(lambda: list_redis(self._pool.client), begins=True)[1]

    def _within(self, until: float) -> AbstractContextManager[None]:
        """Limit what this thread asks Redis to the time that is left, and a moment to say who has the lock."""
        return self._pool.within(max(until - time.monotonic() + _MOMENT, _LEAST))

    def _release(self, lock: EntryLock, until: float) -> None:
        # One that can't be released, or is another's by now, expires by itself; the outcome stands.
        with self._within(until), suppress(*ERRORS), uninstrumented():
            lock.release()

    def _write(self, key: str, owner: str, read: int, entry: Entry) -> None:
        data = self._codec.encode(key, entry)
        write = secrets.token_hex(8)
        keep = int(seconds_to_keep(entry.token) * 1000)
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
            return bytes(self._pool.client.register_script(_SWAP)(keys=[name, f"{name}:lock"], args=arguments))

        _check_outcome(self._ask(swap), read)

    def _discard(self, key: str, owner: str, read: int) -> None:
        name = _entry(key)

        def discard() -> bytes:
            script = self._pool.client.register_script(_DISCARD)
            return bytes(script(keys=[name, f"{name}:lock"], args=[owner, str(read)]))

        _check_outcome(self._ask(discard), read)

    def _decoded(self, key: str, *, begins: bool = False) -> Entry | Damaged | None:
        def read() -> tuple[Any, SecretBytes | None]:
            version, data = self._pool.client.hmget(_entry(key), ["version", "data"])
            return version, None if data is None else SecretBytes(data)

        version, data = self._ask(read, begins=begins)
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
        arguments = [owner, int(KEEP_DAMAGED * 1000)]
        self._ask(
            lambda: self._pool.client.register_script(_KEEP_ASIDE)(keys=[name, f"{name}:lock", aside], args=arguments)
        )
        _logger.warning(
            "%s in Redis is damaged (%s) and was kept as %s", *map(printable, (name, damaged.reason, aside))
        )

    def _ask(self, do: Callable[[], T], *, begins: bool = False) -> T:
        """Do something with Redis. Its errors become ours, and none of its frames goes with them.

        Args:
            do: What is done.
            begins: Whether nothing is lost where it is not tried: so it is not, just after an outage.
        """
        begun = OUTAGES.check(self._pool.place) if begins else 0.0
        try:
            with uninstrumented():
                return do()
        except (*ERRORS, ValueError) as error:  # a ValueError: of a host that can't be one
            problem = translate(error, self._pool.place)
            may_be_files = isinstance(problem, StoreUnavailable) or handshake_fault(error) is not None
        wrong = self._pool.files.problem() if may_be_files else None
        if wrong is not None:
            problem = unusable_files(wrong, self._pool.place)
        if begins and isinstance(problem, StoreUnavailable):
            OUTAGES.remember(self._pool.place, begun, problem)
        raise problem

    def __repr__(self) -> str:
        if not hasattr(self, "_pool"):  # in a traceback with locals, of a URL that is wrong
            return "<RedisStore>"
        return f"<RedisStore {self._pool.place}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A RedisStore holds a password and is not pickled: open it in each process.")


def _check_outcome(outcome: bytes, read: int) -> None:
    """Raise the conflict that a script has found, if it has found one."""
    if outcome == b"lock":
        raise StoreConflict(
            "Another process has taken the token's lock in Redis meanwhile; nothing was written.",
            hint="Nothing needs to be changed here; read again what is there now.",
        )
    if outcome != b"written":
        raise conflict(read, int(outcome) if outcome.isdigit() else 0)


def _entry(key: str) -> str:
    return f"{PREFIX}:{{{key}}}"
