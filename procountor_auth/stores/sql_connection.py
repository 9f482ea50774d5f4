"""Connections to a database: made when they are used, closed afterwards, cut at the deadline."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, exc
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from procountor_auth.errors import StoreError, printable
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.stores.private_folder import make_folder, unusable
from procountor_auth.stores.sql_url import problem_with

if TYPE_CHECKING:
    from collections.abc import Generator

    from pydantic import SecretStr
    from sqlalchemy import URL, Connection, Engine

CONNECT_TIMEOUT: Final = 3
"""Seconds to connect; a whole number, as libpq has it."""

ANSWER_TIMEOUT: Final = 5.0
"""Seconds to wait for an answer."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds in which a connection is closed politely: something in between may have forgotten it."""


class Database:
    """A database. Neither it nor its `repr` shows a secret.

    No connection is kept while nobody uses it: there is one renewal an hour. So none is forgotten, and none is shared
    with a child of this process.

    Args:
        engine: SQLAlchemy's.
        place: What it is called, without secrets.

    Attributes:
        place: What it is called.
        file: SQLite's file, or None.
    """

    def __init__(self, engine: Engine, place: str, file: Path | None) -> None:
        self._engine = engine
        self.place = place
        self.file = file

    def connect(self) -> Connection:
        """Return a connection of the caller's own, to be ended with `close`.

        Raises:
            SQLAlchemyError: Whatever the database says.
            StoreError: SQLite's file can't be made.
        """
        if self.file is not None:
            self._make_file(self.file)
        with uninstrumented():
            connection = self._engine.connect()
            # Nobody else ends it: a pool would, in a child of this process as well, and with it the parent's.
            connection.detach()
        if self.file is not None:
            # A damaged text would be an error of each statement that finds it, which shows it.
            driver: Any = connection.connection.dbapi_connection
            driver.text_factory = _text
        return connection

    @contextmanager
    def connected(self, seconds: float = ANSWER_TIMEOUT) -> Generator[Connection]:
        """Connect, and begin a transaction; end both, with a commit unless something was raised.

        Args:
            seconds: After so many seconds it is cut, whatever it is waiting for.

        Raises:
            SQLAlchemyError: Whatever the database says.
            StoreError: SQLite's file can't be made.
        """
        connection = self.connect()
        try:
            with uninstrumented(), cut_after(connection, seconds), connection.begin():
                yield connection
        finally:
            close(connection)

    @staticmethod
    def _make_file(path: Path) -> None:
        problem: StoreError | None = None
        try:
            make_folder(path.parent)
            # SQLite would let everybody read it, and what it makes beside it has the same access rights.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            problem = unusable(path, error, "can't be made")
        if problem is not None:
            raise problem

    def __repr__(self) -> str:
        return f"<Database {self.place}>"


def _text(found: bytes) -> str:
    return found.decode("utf-8", "replace")


def close(connection: Connection) -> None:
    """Close a connection, and cancel what it was doing. Errors of a broken connection are ignored.

    The database may be silent: after `CLOSE_TIMEOUT` the connection is closed without its answer.
    """
    with suppress(exc.SQLAlchemyError, OSError), uninstrumented():
        try:
            with nullcontext() if connection.invalidated else cut_after(connection, CLOSE_TIMEOUT):
                connection.rollback()
        except exc.SQLAlchemyError:
            connection.invalidate()
        finally:
            connection.close()


@contextmanager
def cut_after(connection: Connection, seconds: float) -> Generator[None]:
    """Cut a connection after some seconds, from another thread, in case the server does not respond."""
    driver: Any = connection.connection.dbapi_connection
    try:
        copy = socket.socket(fileno=os.dup(driver.fileno()))
    except (AttributeError, TypeError, OSError, connection.dialect.loaded_dbapi.Error):  # SQLite's has none
        yield
        return

    def cut() -> None:
        with suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), cut)
    timer.daemon = True
    try:
        with suppress(RuntimeError):  # the interpreter is shutting down and starts no thread any more
            timer.start()
        yield
    finally:
        timer.cancel()
        copy.close()


def database_for(url: SecretStr) -> Database | str:
    """Return the database that a URL describes, or what is wrong with it, without showing it.

    Raises:
        ImportError: The driver is not installed.
    """
    try:
        parts = make_url(url.get_secret_value())
    except (exc.ArgumentError, ValueError):
        return "is not a URL; a special character in the password may be the reason"
    try:
        if parts.get_dialect().is_async:
            return "names a driver that is asynchronous"
    except (exc.NoSuchModuleError, ValueError):  # a ValueError: of a scheme with two drivers
        return "names a driver that is not known"
    backend = parts.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parts)
    if backend != "postgresql":
        return "is a database that is not supported: PostgreSQL and SQLite are"
    problem = problem_with(parts)
    if problem is not None:
        return problem
    if parts.drivername == "postgresql":
        # What SQLAlchemy takes for the usual driver has changed once.
        parts = parts.set(drivername="postgresql+psycopg")
    host = parts.host or "a socket"
    place = printable(f"PostgreSQL at {host}:{parts.port or 5432}/{parts.database}")
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT}
    if parts.get_driver_name() == "psycopg":
        options["prepare_threshold"] = None  # for PgBouncer, which may give the next statement to another connection
        # In a database or an environment with SQL_ASCII, psycopg would return bytes where SQLAlchemy needs text.
        options["client_encoding"] = "utf8"
    return _database(parts, place, options)


def _sqlite(parts: URL) -> Database | str:
    if parts.query:
        return "has a query, which is not known for SQLite"
    if not parts.database or parts.database == ":memory:":
        return "has no file; memory is the store that forgets"
    try:
        path = Path(parts.database).expanduser().absolute()
    except (RuntimeError, OSError):
        return "names a file of a user that does not exist"
    if "\0" in parts.database:
        return "names a file that can't exist"
    parts = parts.set(database=str(path))
    return _database(parts, f"SQLite in {printable(str(path))}", {"timeout": ANSWER_TIMEOUT}, path)


def _database(parts: URL, place: str, options: dict[str, Any], file: Path | None = None) -> Database | str:
    try:
        engine = create_engine(parts, poolclass=NullPool, hide_parameters=True, connect_args=options)
    except (exc.ArgumentError, ValueError):  # a ValueError: of hosts and ports that do not go together
        return "is a URL that SQLAlchemy does not understand"
    return Database(engine, place, file)
