"""Two servers of a kind behind one address, and what happens to tokens there, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import redis
from pydantic import SecretStr

from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.sql import SQLStore
from procountor_auth.stores.sql_table import NAME, ddl

from .case import Change, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.stores.base import Store
    from tests.conftest import RedisServer
    from tests.postgres import PostgresServer

    from .nat import Nat

LEASE: Final = 0.5
"""Seconds after which PostgreSQL gives up the lock of a connection that says nothing."""


@dataclass(slots=True)
class Failover:
    """A primary, a second server, and the address that leads to one of them.

    Attributes:
        nat: The address.
        old: The primary.
        new: The second server, which has what was replicated.
        on_response: Called when the service has answered a token request.
        on_sleep: Called when the library waits before another attempt.
    """

    nat: Nat
    old: Any
    new: Any
    on_response: Callable[[], object] | None = field(default=None, repr=False)
    on_sleep: Callable[[], object] | None = field(default=None, repr=False)

    def open_store(self) -> Store:
        """Open a store at the address."""
        raise NotImplementedError

    def empty(self) -> None:
        """Have nothing in either server, both of which can be written."""
        raise NotImplementedError

    def replicate(self) -> None:
        """Copy what the primary has."""
        raise NotImplementedError

    def set_read_only(self, *, on: bool) -> None:
        """Let the server that the address leads to be read only."""
        raise NotImplementedError

    def fail_over(self) -> None:
        """Lead to the second server; connections to the old one end."""
        self.nat.port = self.new.port
        self.nat.cut()

    def answered(self) -> None:
        """Do what is to happen when the service has answered, once."""
        happens, self.on_response = self.on_response, None
        if happens is not None:
            happens()

    def slept(self) -> None:
        """Do what is to happen when the library waits, once."""
        happens, self.on_sleep = self.on_sleep, None
        if happens is not None:
            happens()

    @property
    def current(self) -> Any:  # noqa: ANN401 - a server of either kind
        """The server that the address leads to."""
        return self.new if self.nat.port == self.new.port else self.old


class RedisFailover(Failover):
    """With Redis."""

    old: RedisServer
    new: RedisServer

    def open_store(self) -> Store:
        """Open a store at the address."""
        return RedisStore(SecretStr(f"redis://127.0.0.1:{self.nat.listens_at}/0"))

    def empty(self) -> None:
        """Have nothing in either server, both of which can be written."""
        for server in (self.old, self.new):
            with redis.Redis.from_url(server.url) as client:
                client.execute_command("REPLICAOF", "NO", "ONE")
                client.flushall()

    def replicate(self) -> None:
        """Copy what the primary has."""
        with redis.Redis.from_url(self.old.url) as source, redis.Redis.from_url(self.new.url) as target:
            for key in source.keys("procountor-auth:*"):
                if not key.endswith(b":lock"):
                    target.hset(key, mapping=source.hgetall(key))

    def set_read_only(self, *, on: bool) -> None:
        """Let the server that the address leads to be a replica."""
        with redis.Redis.from_url(self.current.url) as client:
            client.execute_command("REPLICAOF", *(("127.0.0.1", "1") if on else ("NO", "ONE")))


class PostgresFailover(Failover):
    """With PostgreSQL."""

    old: PostgresServer
    new: PostgresServer

    def open_store(self) -> Store:
        """Open a store at the address."""
        url = f"postgresql+psycopg://tester@127.0.0.1:{self.nat.listens_at}/postgres"
        return SQLStore(SecretStr(url), lease=LEASE)

    def empty(self) -> None:
        """Have nothing in either server, both of which can be written."""
        for server in (self.old, self.new):
            with server.connect() as connection:
                _set_read_only(connection, on=False)
                connection.execute(f"DROP TABLE IF EXISTS {NAME}")

    def replicate(self) -> None:
        """Copy what the primary has."""
        with self.old.connect() as source, self.new.connect() as target:
            target.execute(ddl("postgresql"))
            target.execute(f"TRUNCATE {NAME}")
            for row in source.execute(f"TABLE {NAME}").fetchall():
                target.execute(f"INSERT INTO {NAME} VALUES (%s, %s, %s, %s, %s)", row)  # noqa: S608 - our own name

    def set_read_only(self, *, on: bool) -> None:
        """Let the server that the address leads to refuse writes, as a standby does."""
        with self.current.connect() as connection:
            _set_read_only(connection, on=on)


def _set_read_only(connection: Any, *, on: bool) -> None:  # noqa: ANN401 - psycopg is not there everywhere
    """Change what all connections of the server may do, and return when new ones do it."""
    wanted = "on" if on else "off"
    connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {wanted}")
    connection.execute("SELECT pg_reload_conf()")
    while connection.execute("SHOW default_transaction_read_only").fetchone()[0] != wanted:
        pass


def _loses_the_row(failover: Failover) -> None:
    failover.fail_over()


def _loses_the_row_meanwhile(failover: Failover) -> None:
    failover.on_response = failover.fail_over


def _changes_meanwhile(failover: Failover) -> None:
    failover.replicate()
    failover.on_response = failover.fail_over


def _read_only_until_the_next_call(failover: Failover) -> None:
    failover.set_read_only(on=True)


def _read_only_at_the_write(failover: Failover) -> None:
    failover.on_response = lambda: failover.set_read_only(on=True)
    failover.on_sleep = lambda: failover.set_read_only(on=False)


def _read_only_from_the_write(failover: Failover) -> None:
    failover.on_response = lambda: failover.set_read_only(on=True)


def _forgets_meanwhile(failover: Failover) -> None:
    failover.on_response = failover.nat.forget


_TOKEN: Final = Told()
_LOGIN: Final = Told("InteractionRequired", requests=1)
_LATER: Final = Told("StoreUnavailable", requests=0, retryable=True)

CHANGES: Final = (
    Change("failover, the row is lost", _loses_the_row, key=_TOKEN, same=_TOKEN, other=_LOGIN),
    Change("failover, the last write is lost", lambda each: each.fail_over(), _TOKEN, _TOKEN, _LOGIN, replicates=True),
    Change("failover during the request", _changes_meanwhile, key=_TOKEN, same=_TOKEN, other=_TOKEN),
    Change("failover during the request, the row is lost", _loses_the_row_meanwhile, _TOKEN, _TOKEN, _TOKEN),
    Change(
        "read-only until the next call",
        _read_only_until_the_next_call,
        _TOKEN,
        _LATER,
        _LATER,
        key_kept=False,
        recovers=True,
    ),
    Change("read-only for a moment, at the write", _read_only_at_the_write, _TOKEN, _TOKEN, _TOKEN, key_kept=False),
    Change(
        "read-only from the write on",
        _read_only_from_the_write,
        _TOKEN,
        _TOKEN,
        _TOKEN,
        kept=False,
        key_kept=False,
    ),
    Change(
        "the connections are forgotten during the request",
        _forgets_meanwhile,
        _TOKEN,
        _TOKEN,
        _TOKEN,
        key_kept=None,
    ),
)
