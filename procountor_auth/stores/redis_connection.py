"""Connections to Redis: one pool for a process and URL."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.retry import Retry

from procountor_auth.stores.redis_error import is_given_up
from procountor_auth.stores.redis_sentinel import Sentinels
from procountor_auth.stores.redis_tls import CertificateFiles
from procountor_auth.stores.redis_url import RedisAddress, address_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from pydantic import SecretStr

CONNECT_TIMEOUT: Final = 3.0
"""Seconds to connect."""

READ_TIMEOUT: Final = 5.0
"""Seconds to wait for a reply."""

PROBE_TIMEOUT: Final = 1.0
"""Seconds to wait for a reply on a connection that has been idle, before the command is sent again on a new one.

A device in between may have dropped the connection silently. Each command can safely be sent twice.
"""

TRUSTED: Final = 10.0
"""Seconds after a reply in which a connection is not taken for idle."""

CONFIRMED: Final = 1.0
"""Seconds after the Sentinels were asked in which the primary is taken for the same one."""

MAX_CONNECTIONS: Final = 32
"""The most connections for a process and URL; further callers wait. A command takes milliseconds."""


class _State:
    """What the connections to one place share.

    Attributes:
        generation: Goes up each time that a server is given up: older connections are not used any more.
        sentinels: Who knows which server is the primary, if there are any.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.generation = 0
        self.sentinels = Sentinels(address, self.left) if address.kind == "sentinel" else None
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
    def within(self, seconds: float | None, *, careful: bool) -> Generator[None]:
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
        self._confirmed = -math.inf
        self._is_doubtful = False
        super().__init__(**options)

    def connect(self) -> None:
        """Be connected: called by the pool each time that it hands this connection out."""
        if self._sock is not None and self._generation != self._state.generation:
            self.disconnect()  # type: ignore[no-untyped-call]
        idle = self._state.careful or time.monotonic() - self._answered > TRUSTED
        if self._sock is not None and self._leads_elsewhere():
            self.disconnect()  # type: ignore[no-untyped-call]
        self._is_doubtful = self._sock is not None and idle
        super().connect()  # type: ignore[no-untyped-call]

    def _leads_elsewhere(self) -> bool:
        """Whether the Sentinels name another primary by now. While they say nothing, the connection is good enough."""
        if self._state.sentinels is None or time.monotonic() - self._confirmed < CONFIRMED:
            return False
        self._confirmed = time.monotonic()
        with suppress(exceptions.RedisError, OSError):
            connection: Any = self  # where it leads to is an attribute of some classes of redis-py only
            return self._state.sentinels.primary() != (connection.host, connection.port)
        return False

    def _connect(self) -> Any:  # noqa: ANN401 - a socket
        self._is_doubtful = False
        if self._state.sentinels is not None:
            connection: Any = self  # as above
            connection.host, connection.port = self._state.sentinels.primary()
            self._confirmed = time.monotonic()
        self._generation = self._state.generation
        self.socket_connect_timeout = self._state.left(CONNECT_TIMEOUT)
        self.socket_timeout = self._state.left(READ_TIMEOUT)
        return super()._connect()  # type: ignore[no-untyped-call,safe-super]  # of the class beside this one

    def send_packed_command(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        """Send a command."""
        self._limit()
        super().send_packed_command(*arguments, **named)  # type: ignore[no-untyped-call]

    def read_response(self, *arguments: Any, **named: Any) -> object:  # noqa: ANN401
        """Read a reply."""
        doubtful = self._is_doubtful
        self._limit(probing=doubtful)
        try:
            response = cast("object", super().read_response(*arguments, **named))
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


class Connections:
    """The connections of a process to one place. Neither it nor its `repr` shows a secret.

    Args:
        address: Where they go to.

    Attributes:
        place: What that is called.
        files: The files that are needed for TLS.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.place: str = address.place
        self.files: CertificateFiles = CertificateFiles(address.options)
        self._address = address
        self._lock = threading.Lock()
        self.start_anew()

    def start_anew(self) -> None:
        """Leave everything to the parent of this process: its sockets, and locks that its threads may hold."""
        self._lock = threading.Lock()
        self._state = _State(self._address)
        self._client: Any = None

    @property
    def client(self) -> Any:  # noqa: ANN401 - redis-py's clients of one server and of a cluster have no class in common
        """redis-py's client.

        Raises:
            redis.RedisError: It is a cluster, and no node says which nodes there are.
        """
        if self._client is not None:
            return self._client
        with self._lock:
            if self._client is None:
                self._client = self._cluster() if self._address.kind == "cluster" else self._server()
            return self._client

    def _server(self) -> redis.Redis:
        return redis.Redis(connection_pool=_Pool(**self._options(), connection_class=self._connection_class))

    def _cluster(self) -> RedisCluster:
        state, base = self._state, self._connection_class

        class Node(base):  # type: ignore[misc, valid-type]
            """A connection to one node: the cluster's client hands on only options that it knows."""

            def __init__(self, **options: Any) -> None:  # noqa: ANN401 - redis-py's own options
                super().__init__(state=state, **options)

        options = self._options()
        for name in ("state", "db"):
            options.pop(name, None)
        first, *others = self._address.hosts
        return RedisCluster(
            # With a URL it makes the pools itself; of the classes of its connections it then knows ours.
            url=f"redis://[{first[0]}]:{first[1]}" if ":" in first[0] else f"redis://{first[0]}:{first[1]}",
            startup_nodes=[ClusterNode(host, port) for host, port in others],  # type: ignore[no-untyped-call]
            connection_class=Node,
            connection_pool_class=_Pool,
            **options,
        )

    @property
    def _connection_class(self) -> type[_Bounded]:
        if self._address.socket:
            return _Unix
        return _Tls if self._address.tls else _Tcp

    def _options(self) -> dict[str, Any]:
        return {
            **self._address.options,
            # A Unix domain socket has no peer that could vanish, and its class refuses the option.
            **({} if self._address.socket else {"socket_keepalive": True}),
            "max_connections": MAX_CONNECTIONS,
            "timeout": CONNECT_TIMEOUT,
            "state": self._state,
            "decode_responses": False,
            "protocol": 2,
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "socket_timeout": READ_TIMEOUT,
            # Once, and for a connection that is lost or leads to a server that was demoted: what took too long would
            # take as long again.
            "retry": Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError, exceptions.ReadOnlyError)),
        }

    @property
    def generation(self) -> int:
        """How many times a server was given up."""
        return self._state.generation

    @contextmanager
    def within(self, seconds: float | None, *, careful: bool = False) -> Generator[None]:
        """Limit what this thread does with Redis meanwhile.

        Args:
            seconds: How long it may take; None for no limit but those of a connection and a reply.
            careful: Whether connections that have just been used may have been forgotten, too.
        """
        with self._state.within(seconds, careful=careful):
            yield

    def __repr__(self) -> str:
        return f"<Connections to {self.place}>"


class _Pool(BlockingConnectionPool):
    """The pool of one server, which closes its connections when nothing refers to it any more."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - redis-py's own options
        super().__init__(**options)  # type: ignore[no-untyped-call]
        # Not left to each socket: the garbage collector ends them in any order.
        weakref.finalize(self, _close, cast("list[AbstractConnection]", self._connections)).atexit = False


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
    with _lock:
        connections = _shared.get(url)
        if connections is None:
            address = address_of(url)
            if isinstance(address, str):
                return address
            connections = _shared[url] = Connections(address)
    return connections
