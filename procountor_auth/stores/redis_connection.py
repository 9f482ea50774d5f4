"""Connections to Redis: one pool for a process and URL."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.credentials import UsernamePasswordCredentialProvider
from redis.retry import Retry

from procountor_auth.stores.redis_error import is_given_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

CONNECT_TIMEOUT: Final = 3.0
"""Seconds to connect."""

READ_TIMEOUT: Final = 5.0
"""Seconds to wait for a reply."""

PROBE_TIMEOUT: Final = 1.0
"""Seconds to wait for a reply on a connection that has been idle, before the command is sent again on a new one.

What stands between may have forgotten the connection without a word. Each command of ours may be sent twice.
"""

TRUSTED: Final = 10.0
"""Seconds after a reply in which a connection is not taken for idle."""

MAX_CONNECTIONS: Final = 32
"""How many there are at most for a process and URL; who needs one more waits for it. A command takes milliseconds."""

_OPTIONS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "username", "password"}
)
"""What may stand in the URL's query. Not what turns off the verification of certificates, or our timeouts."""

URL_HINT: Final = (
    "Write it as rediss://USER:PASSWORD@HOST:PORT/NUMBER, with redis:// for no TLS or unix://PATH for a socket. In "
    "USER and PASSWORD, write special characters as %XX. The query may have " + ", ".join(sorted(_OPTIONS)) + "."
)


class _State:
    """What the connections of one pool share.

    Attributes:
        generation: Goes up each time that a server is given up: older connections are not used any more.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._thread = threading.local()

    @property
    def careful(self) -> bool:
        """Whether this thread takes every connection for idle."""
        return getattr(self._thread, "careful", False)

    def left(self, limit: float) -> float:
        """Return the seconds that this thread may wait now, `limit` at most.

        Raises:
            redis.TimeoutError: Its time is over.
        """
        left = min(limit, getattr(self._thread, "until", math.inf) - time.monotonic())
        if left <= 0:
            raise exceptions.TimeoutError("The time is over.")
        return left

    @contextmanager
    def within(self, seconds: float | None, *, careful: bool) -> Iterator[None]:
        """Limit what this thread does with Redis meanwhile."""
        before = vars(self._thread).copy()
        self._thread.until = math.inf if seconds is None else time.monotonic() + seconds
        self._thread.careful = careful
        try:
            yield
        finally:
            del self._thread.until, self._thread.careful
            vars(self._thread).update(before)


class _Bounded(AbstractConnection):
    """A connection that keeps to its thread's time, mistrusts itself after a pause, and leaves a server given up."""

    _sock: Any

    def __init__(self, *, state: _State, **options: Any) -> None:  # noqa: ANN401 - redis-py's own options
        self._state = state
        self._generation = state.generation
        self._answered = -math.inf
        self._is_doubtful = False
        super().__init__(**options)

    def connect(self) -> None:
        """Be connected: called by the pool each time that it hands this connection out."""
        if self._sock is not None and self._generation != self._state.generation:
            self.disconnect()  # type: ignore[no-untyped-call]
        idle = self._state.careful or time.monotonic() - self._answered > TRUSTED
        self._is_doubtful = self._sock is not None and idle
        super().connect()  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:  # noqa: ANN401 - a socket
        self._is_doubtful = False
        self._generation = self._state.generation
        self.socket_connect_timeout = self._state.left(CONNECT_TIMEOUT)
        self.socket_timeout = self._state.left(READ_TIMEOUT)
        return super()._connect()  # type: ignore[no-untyped-call,safe-super]  # of the class beside this one

    def send_packed_command(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """Send a command."""
        self._limit()
        super().send_packed_command(*arguments, **named)  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        """Read a reply."""
        doubtful = self._is_doubtful
        self._limit(probing=doubtful)
        try:
            response = super().read_response(*arguments, **named)
        except exceptions.TimeoutError:
            if not doubtful:
                raise
            lost = exceptions.ConnectionError("The connection has been forgotten.")
        except exceptions.RedisError as error:
            if is_given_up(error):
                self._state.generation += 1
                self.disconnect()  # type: ignore[no-untyped-call]
            raise
        else:
            self._is_doubtful = False
            self._answered = time.monotonic()
            return response
        raise lost  # which has the command sent again

    def _limit(self, *, probing: bool = False) -> None:
        if self._sock is None:
            return
        try:
            left = self._state.left(READ_TIMEOUT)
        except exceptions.TimeoutError:
            self.disconnect()  # type: ignore[no-untyped-call]  # a reply may be under way
            raise
        # Half of the time is for the new connection.
        self._sock.settimeout(min(PROBE_TIMEOUT, left / 2) if probing else left)


class _Tcp(_Bounded, Connection):
    pass


class _Tls(_Bounded, SSLConnection):
    pass


class _Unix(_Bounded, UnixDomainSocketConnection):
    pass


class Connections(BlockingConnectionPool):
    """The connections of a process to one place. Neither it nor its `repr` shows a secret.

    Args:
        place: Where they go to, without secrets.
        options: redis-py's options.

    Attributes:
        place: Where they go to.
    """

    def __init__(self, place: str, options: dict[str, Any]) -> None:
        self.place = place
        self._options = options
        self._state = _State()
        self._start()

    def _start(self) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            **self._options,
            max_connections=MAX_CONNECTIONS,
            timeout=CONNECT_TIMEOUT,
            state=self._state,
            decode_responses=False,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=READ_TIMEOUT,
            socket_keepalive=True,
            # Once, and for a connection that is lost or leads to a server that was demoted: what took too long would
            # take as long again.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError, exceptions.ReadOnlyError)),
        )
        # Not left to each socket: the garbage collector ends them in any order.
        weakref.finalize(self, _close, self._connections).atexit = False

    @property
    def generation(self) -> int:
        """How many times a server was given up."""
        return self._state.generation

    @contextmanager
    def within(self, seconds: float | None, *, careful: bool = False) -> Iterator[None]:
        """Limit what this thread does with Redis meanwhile.

        Args:
            seconds: How long it may take; None for no limit but those of a connection and a reply.
            careful: Whether connections that have just been used may have been forgotten, too.
        """
        with self._state.within(seconds, careful=careful):
            yield

    def start_anew(self) -> None:
        """Leave everything to the parent of this process: its sockets, and locks that its threads may hold."""
        self._state = _State()
        self._start()

    def __repr__(self) -> str:
        return f"<Connections to {self.place}>"


def _close(connections: list[AbstractConnection]) -> None:
    for connection in connections:
        with suppress(Exception):
            connection.disconnect()  # type: ignore[no-untyped-call]


_shared: Final[weakref.WeakValueDictionary[SecretStr, Connections]] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it
    _lock = threading.Lock()
    for connections in list(_shared.values()):
        connections.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def pool_for(url: SecretStr) -> Connections | str:
    """Return the connections that the URL describes, or what is wrong with it, without showing it.

    There is one pool for all of a process who ask with the same URL, as long as anybody has it.
    """
    problem = _problem_with(url)
    if problem is not None:
        return problem
    with _lock:
        connections = _shared.get(url)
        if connections is None:
            opened = _open(url)
            if isinstance(opened, str):
                return opened
            connections = _shared[url] = opened
    return connections


def _open(url: SecretStr) -> Connections | str:
    try:
        options = parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        return "is a URL that redis-py does not understand"
    options.pop("ssl_cert_reqs", None)
    kind = options.pop("connection_class", Connection)
    if kind is UnixDomainSocketConnection:
        options["connection_class"] = _Unix
    else:
        options["connection_class"] = _Tls if kind is SSLConnection else _Tcp
    username, password = options.pop("username", None), options.pop("password", None)
    if password is not None:
        # redis-py shows its options where it shows its pool; this object shows nothing.
        options["credential_provider"] = UsernamePasswordCredentialProvider(username, password)
    host = options.get("host") or options.get("path")
    place = f"{host}:{options.get('port', 6379)}" if "host" in options else str(host)
    return Connections(f"{place}/{options.get('db', 0)}", options)


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
