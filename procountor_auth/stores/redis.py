"""Tokens in Redis, for many hosts.

An entry is the hash `procountor-auth:{<key>}` with the fields `version` and `data`; its lock is the same name with
`:lock` behind it. The braces keep both on one node of a cluster. A write is one Lua script: it compares the version
and the lock before it writes, so that a holder whose lease has run out can't overwrite what came after.
"""

from __future__ import annotations

import logging
import os
import secrets
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from urllib.parse import parse_qsl, urlsplit

import redis
from pydantic import SecretBytes, SecretStr
from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.credentials import UsernamePasswordCredentialProvider
from redis.lock import Lock
from redis.retry import Retry

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.held import Held, checked_key, conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.token import Token

T = TypeVar("T")

PREFIX: Final = "procountor-auth"

DEFAULT_LEASE: Final = 45.0
"""Seconds after which Redis releases the lock of a holder that is gone. Longer than a renewal may take."""

CONNECT_TIMEOUT: Final = 3.0
"""Seconds to connect."""

READ_TIMEOUT: Final = 5.0
"""Seconds to wait for an answer."""

_POLL: Final = 0.05
"""Seconds between two attempts to get a lock."""

_DAY: Final = 86_400.0

_KEEP_REFRESH_TOKEN: Final = 366 * _DAY
"""Seconds that an entry is kept whose refresh token does not say when it ends. Each renewal starts them anew."""

_KEEP_LONGEST: Final = 10 * 366 * _DAY

_KEEP_DAMAGED: Final = 30 * _DAY

_OPTIONS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "username", "password"}
)
"""What may stand in the URL's query. Not what turns off the verification of certificates, or our timeouts."""

_VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"

_URL_HINT: Final = (
    "Write it as rediss://USER:PASSWORD@HOST:PORT/NUMBER, with redis:// for no TLS or unix://PATH for a socket. In "
    "USER and PASSWORD, write special characters as %XX. The query may have " + ", ".join(sorted(_OPTIONS)) + "."
)

_TRY_LATER: Final = "Check that Redis is running and can be reached; then try again."

_FOR_NOW: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "BUSY", "OOM"})
"""Redis's codes for what passes: starting, failing over, not able to save, out of memory."""

_FORBIDDEN: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})

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
    """Keeps tokens in Redis. Entries end by themselves some time after their tokens.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one.
        codec: How entries are written; plain by default.
        lease: Seconds after which the lock of a holder that is gone ends. A living one renews it.

    Raises:
        ConfigurationError: The URL can't be used.
    """

    name = "redis"

    def __init__(self, url: SecretStr, codec: Codec | None = None, *, lease: float = DEFAULT_LEASE) -> None:
        pool = _pool(url)
        if isinstance(pool, str):
            problem = Problem(_VARIABLE, "invalid", f"{_VARIABLE} {pool}")
            raise ConfigurationError.from_problems((problem,), hint=_URL_HINT)
        self._codec = codec or Codec()
        self._lease = lease
        self._place = pool.place
        self._redis = redis.Redis(connection_pool=pool.connections)
        self._swap = self._redis.register_script(_SWAP)
        self._aside = self._redis.register_script(_KEEP_ASIDE)

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        found = self._decoded(checked_key(key))
        return None if isinstance(found, Damaged) else found

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        owner = secrets.token_hex(16)
        lock = _Lock(
            self._redis, f"{_entry(checked_key(key))}:lock", timeout=self._lease, sleep=_POLL, thread_local=False
        )
        if not self._ask(lambda: lock.acquire(blocking_timeout=max(0.0, timeout), token=owner)):
            raise StoreUnavailable(
                f"Another process has kept the token locked in Redis at {self._place} for {timeout:g} seconds.",
                hint="Nothing needs to be changed here; try again later.",
            )
        process = os.getpid()
        lease = _Lease(lock, self._lease)
        try:
            found = self._decoded(key)
            if isinstance(found, Damaged):
                self._keep_aside(key, owner, found)
                found = None
            held = Held(found, lambda read, entry: self._write(key, owner, read, entry))
            lease.start()
            try:
                yield held
            finally:
                held.close()
        finally:
            if os.getpid() == process:
                lease.stop()
                # One that can't be released, or is another's by now, ends by itself; the outcome stands.
                with suppress(exceptions.RedisError, OSError):
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
        found = self._codec.decode(key, data)
        if isinstance(found, StoreError):
            raise found
        if isinstance(found, Entry) and version != str(found.version).encode("ascii"):
            return Damaged("it has two versions")
        return found

    def _keep_aside(self, key: str, owner: str, damaged: Damaged) -> None:
        name = _entry(key)
        aside = f"{name}:damaged"
        self._ask(lambda: self._aside(keys=[name, f"{name}:lock", aside], args=[owner, int(_KEEP_DAMAGED * 1000)]))
        _logger.warning("%s in Redis is damaged (%s) and was kept as %s", name, damaged.reason, aside)

    def _ask(self, do: Callable[[], T]) -> T:
        """Do something with Redis. Its errors become ours, and none of its frames goes with them."""
        try:
            return do()
        except (exceptions.RedisError, OSError, ValueError) as error:  # a ValueError: of a host that can't be one
            problem = _translated(error, self._place)
        raise problem

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A RedisStore holds a password and is not pickled: open it in each process.")


class _Lock(Lock):
    """redis-py's lock, for a connection that is lost: the lock that was taken just before is ours."""

    def do_acquire(self, token: Any) -> bool:  # noqa: ANN401 - redis-py's annotation and its use differ
        return bool(super().do_acquire(token)) or self.redis.get(self.name) == token


class _Lease:
    """Renews a lock three times in each lease, until it is stopped or lost.

    Args:
        lock: The lock, held.
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
                self._lock.reacquire()
            except exceptions.LockError:
                return
            except (exceptions.RedisError, OSError):
                # Tried again: the connection may come back before the lease ends.
                _logger.debug("the lock in Redis could not be renewed, for now")


@dataclass(frozen=True, slots=True)
class _Pool:
    """The connections, and where they go to, without secrets."""

    connections: ConnectionPool
    place: str


def _entry(key: str) -> str:
    return f"{PREFIX}:{{{key}}}"


def _seconds_to_keep(token: Token | None) -> float:
    if token is None:
        return _DAY
    now = time.time()
    end = token.expires_at
    if token.refresh_token is not None:
        end = max(end, token.refresh_expires_at or now + _KEEP_REFRESH_TOKEN)
    return min(max(end - now, 0.0) + _DAY, _KEEP_LONGEST)


def _pool(url: SecretStr) -> _Pool | str:
    """Return the connections that the URL describes, or what is wrong with it, without showing it."""
    problem = _problem_with(url)
    if problem is not None:
        return problem
    try:
        options = parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        return "is a URL that redis-py does not understand"
    options.pop("ssl_cert_reqs", None)
    username, password = options.pop("username", None), options.pop("password", None)
    if password is not None:
        # redis-py shows its options where it shows its pool; this object shows nothing.
        options["credential_provider"] = UsernamePasswordCredentialProvider(username, password)
    host = options.get("host") or options.get("path")
    place = f"{host}:{options.get('port', 6379)}" if "host" in options else str(host)
    return _Pool(
        ConnectionPool(
            **options,
            decode_responses=False,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=READ_TIMEOUT,
            # Once, and for a lost connection only: what took too long would take as long again.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
        ),
        f"{place}/{options.get('db', 0)}",
    )


def _problem_with(url: SecretStr) -> str | None:
    """Say what is wrong with a URL that redis-py would take, perhaps for another host than the one that was meant."""
    try:
        parts = urlsplit(url.get_secret_value())
        _ = parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return "is not a URL; a special character in the password may be the reason"
    if parts.scheme == "unix":
        if not parts.path:
            return "has no path of a socket"
    elif parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        return "has no host; a special character in the password may be the reason"
    elif parts.path.strip("/") and not parts.path.strip("/").isdigit():
        return "has something else than the number of a database as its path"
    if parts.fragment or not query.keys() <= _OPTIONS:
        return "has a query or fragment that is not known"
    if "db" in query and not query["db"].isdigit():
        return "has something else than a number as its database"
    if parts.scheme != "rediss" and any(name.startswith("ssl_") for name in query):
        return "has TLS options, which need rediss://"
    return None


def _translated(error: Exception, place: str) -> StoreError:
    """Return our error for one of redis-py's. What it says is not repeated, except for Redis's own codes."""
    where = f"Redis at {place}"
    said = str(error).split(" ", 1)[0].rstrip(":")
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or said in _FORBIDDEN:
        return StoreError(
            f"{where} refused the user or the password.", hint=f"Check the user and the password in {_VARIABLE}."
        )
    if isinstance(error, exceptions.NoPermissionError):
        return StoreError(
            f"{where} does not permit this user what is needed.",
            hint=f"Permit it the commands of scripts, hashes and strings on {PREFIX}:* (ACL SETUSER).",
        )
    if _is_untrusted(error):
        return StoreError(
            f"{where} has a certificate that is not trusted.",
            hint=f"Name its authority's PEM file in {_VARIABLE}: rediss://…?ssl_ca_certs=/path/to/ca.pem.",
        )
    if isinstance(error, exceptions.TimeoutError):
        return StoreUnavailable(f"{where} has not answered in time.", hint=_TRY_LATER)
    if said in _FOR_NOW or isinstance(
        error,
        exceptions.BusyLoadingError
        | exceptions.ReadOnlyError
        | exceptions.ClusterDownError
        | exceptions.TryAgainError
        | exceptions.OutOfMemoryError,
    ):
        return StoreUnavailable(f"{where} can't be used now ({type(error).__name__}).", hint=_TRY_LATER)
    if isinstance(error, exceptions.ConnectionError | OSError):
        return StoreUnavailable(f"{where} can't be reached.", hint=_TRY_LATER)
    if said == "WRONGTYPE":
        return StoreError(
            f"{where} has something else under the name of the entry.",
            hint="Use another database: rediss://…/NUMBER.",
        )
    return StoreError(
        f"{where} refused a command ({type(error).__name__}).", hint="Use a Redis 4.0 or newer, no cluster."
    )


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is at the bottom of it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
