"""The lock of an entry in PostgreSQL: an advisory lock, which a connection holds."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import exc, text

from procountor_auth.errors import StoreUnavailable
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.stores.lease import Lease
from procountor_auth.stores.sql_connection import ANSWER_TIMEOUT, close, cut_after
from procountor_auth.stores.sql_error import is_crowded, standby

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

    from procountor_auth.stores.sql_connection import Database

_FIRST_PAUSE: Final = 0.05
"""The longest first pause between two attempts to get a lock, in seconds; it doubles with each attempt."""

_LAST_PAUSE: Final = 0.5

_TRY: Final = text("SELECT current_setting('transaction_read_only'), pg_try_advisory_xact_lock(:key)")
"""A standby would give its own lock, which excludes nobody at the primary, and can't be written afterwards."""

_LIMIT: Final = text("SELECT set_config('idle_in_transaction_session_timeout', :idle, true)")

_PING: Final = text("SELECT 1")


class AdvisoryLock:
    """PostgreSQL's lock of one entry, for as long as a transaction of its connection lasts.

    The database releases it with the connection: when its holder dies, or has stood still for the lease.

    Args:
        connection: The connection, on which the lock was taken.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._in_use = threading.Lock()
        _held.add(self)

    def is_held(self) -> bool:
        """Whether the connection is still there, and the lock with it."""
        with self._in_use, uninstrumented():
            try:
                with cut_after(self.connection, ANSWER_TIMEOUT):
                    self.connection.execute(_PING)
            except (exc.SQLAlchemyError, OSError):
                return False
        return True


_held: Final[weakref.WeakSet[AdvisoryLock]] = weakref.WeakSet()


def _in_a_child() -> None:
    """Leave the connections to the parent: with a copy of one in here, its lock would outlive the parent."""
    for lock in list(_held):
        with suppress(Exception):  # of one that has ended
            driver: Any = lock.connection.connection.dbapi_connection
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, driver.fileno())
            os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_a_child)


@contextmanager
def advisory_lock(database: Database, key: str, timeout: float, lease: float) -> Generator[AdvisoryLock]:
    """Take the lock of an entry, waiting `timeout` seconds at most.

    Raises:
        StoreUnavailable: Another process held it for the whole time, or the server is a standby.
        SQLAlchemyError: Whatever the database says.
    """
    connection = _locked_connection(database, key, time.monotonic() + max(0.0, timeout), lease)
    if connection is None:
        raise StoreUnavailable(
            f"Another process has kept the token locked in {database.place} for {timeout:g} seconds.",
            hint="Nothing needs to be changed here; try again later.",
        )
    process = os.getpid()
    lock = AdvisoryLock(connection)
    renewed = Lease(lock.is_held, lease)
    renewed.start()
    try:
        yield lock
    finally:
        renewed.stop()
        if os.getpid() == process:  # a child would end it for its parent as well
            close(connection)


def _locked_connection(database: Database, key: str, until: float, lease: float) -> Connection | None:
    """Return a connection that has the lock, or None if it could not be had in time.

    A waiting process holds no connection: a database has a hundred, and the lock's holder needs another to write.
    """
    pause = _FIRST_PAUSE
    while True:
        connection: Connection | None = None
        taken = False
        try:
            connection = database.connect()
            taken = _take(connection, database.place, key, lease)
            if taken:
                return connection
        except exc.SQLAlchemyError as error:
            if not is_crowded(error) or time.monotonic() > until:
                raise
        finally:
            if connection is not None and not taken:
                close(connection)
        left = until - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - so that not all come at once
        pause = min(2 * pause, _LAST_PAUSE)


def _take(connection: Connection, place: str, key: str, lease: float) -> bool:
    """Begin a transaction, and take the lock in it. Return whether it was free.

    Raises:
        StoreUnavailable: The server is a standby.
    """
    number = int.from_bytes(hashlib.sha256(f"procountor-auth:{key}".encode()).digest()[:8], signed=True)
    with uninstrumented(), cut_after(connection, ANSWER_TIMEOUT):
        connection.execute(_LIMIT, {"idle": str(int(lease * 1000))})
        read_only, taken = connection.execute(_TRY, {"key": number}).one()
    if read_only == "on":
        raise standby(place)
    return bool(taken)
