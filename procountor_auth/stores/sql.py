"""Tokens in a database: PostgreSQL for many hosts, SQLite for one. Through SQLAlchemy Core.

An entry is a row of one table. Its lock is PostgreSQL's advisory lock, held across the renewal by a connection that
does nothing else, or a file beside SQLite's. A write is a statement that compares the version, in a transaction of its
own on another connection, so that it is durable when it returns.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from sqlalchemy import delete, exc, insert, literal, select, update

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable, printable
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.codec import Codec, Damaged
from procountor_auth.stores.file_listing import list_folder
from procountor_auth.stores.lease import DEFAULT_LEASE
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.stores.private_folder import HeldLock, PrivateFolder
from procountor_auth.stores.retention import KEEP_DAMAGED, seconds_to_keep
from procountor_auth.stores.sql_connection import ANSWER_TIMEOUT, database_for
from procountor_auth.stores.sql_error import (
    VARIABLE,
    is_crowded,
    is_lost,
    is_made_meanwhile,
    is_missing_table,
    translate,
)
from procountor_auth.stores.sql_listing import delete_row, list_rows
from procountor_auth.stores.sql_lock import AdvisoryLock, advisory_lock
from procountor_auth.stores.sql_table import TABLE, checked
from procountor_auth.stores.sql_url import URL_HINT
from procountor_auth.stores.transaction import LockedTransaction, check_key, conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from pydantic import SecretStr
    from sqlalchemy import Connection

    from procountor_auth.stores.listing import Leftover, ListedEntry

T = TypeVar("T")

_ATTEMPTS: Final = 4
"""How often something is asked for: with the table made, after somebody else has made it, after a lost connection."""

_CROWDED_PAUSE: Final = 0.2
"""Seconds until the next attempt to connect, if the database has no free connection."""

_logger = logging.getLogger("procountor_auth")


class SQLStore(Store):
    """Keeps tokens in a table of a database. Entries are deleted some time after their tokens.

    Args:
        url: SQLAlchemy's: `postgresql+psycopg://…`, with the password if there is one, or `sqlite:///…`.
        codec: How entries are written; plain by default.
        lease: Seconds after which PostgreSQL releases the lock of a holder that stands still. A living one renews it.
        timeout: Seconds that a read may take.

    Raises:
        ConfigurationError: The URL can't be used, or its driver is not installed.
    """

    def __init__(
        self,
        url: SecretStr,
        codec: Codec | None = None,
        *,
        lease: float = DEFAULT_LEASE,
        timeout: float | None = None,
    ) -> None:
        database = database_for(url)
        if isinstance(database, str):
            problem = Problem(VARIABLE, "invalid", f"{VARIABLE} {database}")
            raise ConfigurationError.from_problems((problem,), hint=URL_HINT)
        self._database = database
        self.name = "postgresql" if database.file is None else "sqlite"
        self.remote: bool = database.file is None
        self._codec = codec or Codec()
        self._lease = lease
        self._timeout = min(ANSWER_TIMEOUT, timeout or ANSWER_TIMEOUT)
        self._folder: PrivateFolder | None = None
        if database.file is not None:
            self._folder = PrivateFolder(database.file.with_name(f"{database.file.name}.locks"))

    def read(self, key: str) -> Entry | None:
        """Return what is there now. Raises what `Store.read` raises."""
        name = check_key(key)
        found = self._decoded(name, self._do(lambda connection: _row(connection, name), begins=True))
        return None if isinstance(found, Damaged) else found

    def transaction(self, key: str, *, timeout: float) -> AbstractContextManager[Transaction]:
        """Take the lock of an entry. Raises what `Store.transaction` raises."""
        return self._transaction(key, timeout=timeout, begins=True)

    def transaction_in_any_case(self, key: str, *, timeout: float) -> AbstractContextManager[Transaction]:
        """Take the lock of an entry, also just after an outage. Raises what `Store.transaction` raises."""
        return self._transaction(key, timeout=timeout, begins=False)

    @contextmanager
    def _transaction(self, key: str, *, timeout: float, begins: bool) -> Generator[Transaction]:
        name = check_key(key)
        until = time.monotonic() + max(0.0, timeout)
        with self._locked(name, timeout, begins=begins) as lock:
            found = self._decoded(name, self._do(lambda connection: _row(connection, name), until=until))
            if isinstance(found, Damaged):
                self._keep_aside(name, found)
                found = None

            def check_lock() -> None:
                if isinstance(lock, AdvisoryLock) and not lock.is_held():
                    raise StoreConflict(
                        f"The token's lock in {self._database.place} was lost; nothing was written.",
                        hint="Nothing needs to be changed here; read again what is there now.",
                    )

            def swap(read: int, entry: Entry) -> None:
                check_lock()
                self._write(name, read, entry, until)

            def discard(read: int) -> None:
                check_lock()
                there = self._do(lambda connection: delete_row(connection, name, read), until=until)
                if there is not None:
                    raise conflict(read, there)
                if isinstance(lock, HeldLock):
                    lock.discard = True

            transaction = LockedTransaction(found, swap, discard)
            try:
                yield transaction
            finally:
                transaction.close()

    def remove(self, key: str, *, timeout: float) -> None:  # noqa: ARG002 - one step, and no writer minds
        """Remove an entry, whatever is in it. Raises what `Store.remove` raises."""
        name = check_key(key)
        self._do(lambda connection: connection.execute(delete(TABLE).where(TABLE.c.key == name)))

    def list_entries(self) -> list[ListedEntry]:
        """Return which entries there are. Raises what `Store.list_entries` raises."""
        return self._do(list_rows, begins=True)[0]

    def list_leftovers(self) -> list[Leftover]:
        """Return what was kept aside, and SQLite's lock files without an entry. Raises what `list_entries` raises."""
        entries, leftovers = self._do(list_rows, begins=True)
        there = {entry.key for entry in entries}
        locks = list_folder(self._folder)[1] if self._folder is not None else []
        return leftovers + [each for each in locks if each.key not in there]

    def remove_leftover(self, leftover: Leftover, *, timeout: float) -> bool:
        """Remove a lock file. Raises what `Store.remove_leftover` raises."""
        if self._folder is None or leftover.kind != "lock" or leftover.key is None:
            return False
        name = check_key(leftover.key)
        with self._folder.locked(f"{name}.lock", timeout=timeout) as lock:
            lock.discard = self._do(lambda connection: _row(connection, name)) is None
        return lock.discard and self._folder.can_discard

    @contextmanager
    def _locked(self, key: str, timeout: float, *, begins: bool) -> Generator[AdvisoryLock | HeldLock]:
        """Hold the lock of an entry. Errors of the database become ours, but not what is raised within."""
        if self._folder is not None:
            with self._folder.locked(f"{key}.lock", timeout=timeout) as lock_file:
                yield lock_file
            return
        held: AbstractContextManager[AdvisoryLock] = advisory_lock(self._database, key, timeout, self._lease)
        lock = self._translated(held.__enter__, begins=begins)
        raised: BaseException | None = None
        try:
            yield lock
        except BaseException as error:
            raised = error
            raise
        finally:
            held.__exit__(type(raised) if raised else None, raised, None)

    def _write(self, key: str, read: int, entry: Entry, until: float) -> None:
        data = self._codec.encode(key, entry)
        now = time.time()
        ends = now + seconds_to_keep(entry.token)

        def swap(connection: Connection) -> int | None:
            """Return the version that is there instead, or None."""
            row = {"version": entry.version, "data": data, "written_at": now, "expires_at": ends}
            here = TABLE.c.key == key
            if connection.execute(update(TABLE).where(here, TABLE.c.version == read).values(row)).rowcount:
                return None
            there = connection.execute(select(TABLE.c.version, TABLE.c.data).where(here)).first()
            if there is None:
                connection.execute(insert(TABLE).values(key=key, **row))
                return None
            found = checked(there.version, there.data)
            if found is None:  # as good as none, as for a transaction that begins
                connection.execute(update(TABLE).where(here).values(row))
                return None
            # After a lost connection it is asked for once more, and may have been done.
            return None if found == (entry.version, data) else found[0]

        found = self._do(swap, until=until)
        if found is not None:
            raise conflict(read, found)
        if read == 0:
            self._forget_expired(now)

    def _forget_expired(self, now: float) -> None:
        """Delete expired entries, whenever a new one is made, which is rare. Errors are ignored."""
        try:
            self._do(lambda connection: connection.execute(delete(TABLE).where(TABLE.c.expires_at < now)))
        except StoreError as error:
            _logger.debug("expired entries were not deleted: %s", error.message)

    def _decoded(self, key: str, row: tuple[object, object] | None) -> Entry | Damaged | None:
        if row is None:
            return None
        fields = checked(*row)
        if fields is None:
            return Damaged("a field has another type")
        version, data = fields
        found = self._codec.decode(key, data, f"{self._database.place}, as {key}")
        if isinstance(found, StoreError):
            raise found
        if isinstance(found, Entry) and version != found.version:
            return Damaged("it has two versions")
        return found

    def _keep_aside(self, key: str, damaged: Damaged) -> None:
        aside = f"{key}:damaged"
        here = TABLE.c.key == key

        def move(connection: Connection) -> None:
            connection.execute(delete(TABLE).where(TABLE.c.key == aside))
            kept = select(
                literal(aside), TABLE.c.version, TABLE.c.data, TABLE.c.written_at, literal(time.time() + KEEP_DAMAGED)
            ).where(here)
            connection.execute(insert(TABLE).from_select([column.name for column in TABLE.c], kept))
            connection.execute(delete(TABLE).where(here))

        self._do(move)
        _logger.warning(
            "%s in %s is damaged (%s) and was kept as %s",
            *map(printable, (key, self._database.place, damaged.reason, aside)),
        )

    def _do(self, statements: Callable[[Connection], T], *, until: float = 0.0, begins: bool = False) -> T:
        """Do something in a transaction of its own; make the table if it is not there.

        Args:
            statements: What is done. It may be done twice, where the answer to the first time was lost.
            until: The moment, on the monotonic clock, up to which a crowded database is asked again; a moment from now
                at least.
            begins: See `_translated`.
        """
        until = max(until, time.monotonic() + self._timeout)

        def attempt() -> T:
            number, makes_table = 0, False
            while True:
                try:
                    with self._database.connected(self._timeout) as connection:
                        if makes_table:
                            TABLE.create(connection, checkfirst=True)
                        return statements(connection)
                except exc.SQLAlchemyError as error:
                    failure = error
                if is_crowded(failure) and time.monotonic() + _CROWDED_PAUSE < until:
                    time.sleep(_CROWDED_PAUSE)
                    continue
                number += 1
                makes_table = is_missing_table(failure)
                if number == _ATTEMPTS or not (makes_table or is_made_meanwhile(failure) or is_lost(failure)):
                    raise failure

        return self._translated(attempt, begins=begins)

    def _translated(self, do: Callable[[], T], *, begins: bool = False) -> T:
        """Do something with the database. Its errors become ours, and none of its frames goes with them.

        Args:
            do: What is done.
            begins: Whether nothing is lost where it is not tried: so it is not, just after an outage.
        """
        begun = OUTAGES.check(self._database.place) if begins else 0.0
        try:
            return do()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a driver can raise anything about what a server sends
            problem = translate(error, self._database.place, is_file=self._database.file is not None)
        if begins and isinstance(problem, StoreUnavailable):
            OUTAGES.remember(self._database.place, begun, problem)
        raise problem

    def __repr__(self) -> str:
        if not hasattr(self, "_codec"):  # in a traceback with locals, of a URL that is wrong
            return "<SQLStore>"
        return f"<SQLStore {self._database.place}, {'sealed' if self._codec.seals else 'plain'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A SQLStore holds a password and is not pickled: open it in each process.")


def _row(connection: Connection, key: str) -> tuple[object, object] | None:
    found = connection.execute(select(TABLE.c.version, TABLE.c.data).where(TABLE.c.key == key)).first()
    return None if found is None else (found.version, found.data)
