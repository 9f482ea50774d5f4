"""What goes wrong with a store in a database, as data: SQLite and PostgreSQL, for each grant."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.pool import Pool

from procountor_auth.stores.codec import Codec
from procountor_auth.stores.sql import SQLStore
from procountor_auth.stores.sql_table import NAME

from .fault import SHORT
from .outcome import ALONE, AMPLE, AWAY, CLOSED, KEY, LOST, NEW, REFUSED, SERVED, StoreFault, later

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from procountor_auth.protocol.token import Token
    from tests.postgres import PostgresServer

    _Faults: TypeAlias = tuple[StoreFault["Database"], ...]


@dataclass(slots=True)
class Database:
    """A table with an old token in it, and the means to break it.

    Attributes:
        patch: Replaces values until the call has ended.
        stack: Undoes what a fault has done, when the call has ended.
        old: The token that is there.
        python: Runs programs in processes of their own.
        file: SQLite's file, or None.
        server: PostgreSQL, or None.
        later: Called when the server has the request.
    """

    patch: pytest.MonkeyPatch
    stack: ExitStack
    old: Token
    python: str
    file: Path | None = None
    server: PostgresServer | None = None
    later: Callable[[], object] | None = None

    @property
    def url(self) -> str:
        """Where the store is."""
        return self.server.url if self.server else f"sqlite:///{self.file}"

    @property
    def addresses(self) -> set[tuple[Any, ...]]:
        """Where its server is."""
        return {("127.0.0.1", self.server.port)} if self.server else set()

    def store(self, codec: Codec | None = None) -> SQLStore:
        """Return a store at this place."""
        return SQLStore(SecretStr(self.url), codec)

    def run(self, statement: str, *values: Any) -> Any:  # noqa: ANN401 - whatever a column has
        """Run a statement as somebody else does; return the first value of its result."""
        if self.server is not None:
            with self.server.connect() as connection:
                cursor = connection.execute(statement.replace("?", "%s"), values)
                found = cursor.fetchone() if cursor.description else None
        else:
            assert self.file is not None
            with closing(sqlite3.connect(self.file, timeout=0.1)) as connection, connection:
                found = connection.execute(statement, values).fetchone()
        return None if found is None else found[0]

    def data(self) -> bytes | None:
        """Return the bytes of the entry; None where there are none, or nothing to have them."""
        try:
            found = self.run(f"SELECT data FROM {NAME} WHERE key = ?", KEY)  # noqa: S608 - our own name
        except Exception:  # noqa: BLE001 - of either driver
            return None
        return None if found is None else bytes(found)

    def put(self, data: bytes) -> None:
        """Replace the bytes of the entry."""
        self.run(f"UPDATE {NAME} SET data = ? WHERE key = ?", data, KEY)  # noqa: S608 - the same

    def change(self, **fields: object) -> None:
        """Change fields of the entry."""
        self.put(json.dumps(json.loads(self.data() or b"{}") | fields).encode())

    def connects_with(self, pragma: str) -> None:
        """Have each of the store's connections to SQLite begin with a statement."""

        def begin(driver: Any, _: object) -> None:  # noqa: ANN401 - the driver's connection
            driver.execute(pragma)

        event.listen(Pool, "connect", begin)
        self.stack.callback(event.remove, Pool, "connect", begin)

    def refuses(self, state: str) -> None:
        """Have PostgreSQL refuse each write with an SQLSTATE."""
        self.run(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
        )
        self.run(f"CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON {NAME} FOR EACH ROW EXECUTE FUNCTION refuse()")


def _seal(database: Database) -> None:
    sealed = database.store(Codec((SecretStr(Fernet.generate_key().decode()),)))
    with sealed.transaction(KEY, timeout=5) as transaction:
        transaction.write(database.old)


def _tear(database: Database) -> None:
    data = database.data() or b""
    database.put(data[: len(data) // 2])


def _lock(database: Database) -> None:
    database.patch.setattr("procountor_auth.tokens.renewal._PATIENCE", SHORT / AMPLE)
    database.stack.enter_context(database.store().transaction(KEY, timeout=5))


def _die(database: Database, then: str) -> None:
    """Let another process take the lock, and end while it has it."""
    program = (
        "import os, sys\n"
        "from pydantic import SecretStr\n"
        "from procountor_auth.stores.sql import SQLStore\n"
        "with SQLStore(SecretStr(sys.argv[1])).transaction('entry', timeout=5):\n"
        f"    {then}\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([database.python, "-c", program, database.url, str(database.file)], check=False)


def _drop(database: Database) -> None:
    database.run(f"DROP TABLE {NAME}")


def _delete(database: Database) -> None:
    database.run(f"DELETE FROM {NAME}")  # noqa: S608 - the same


def _renumber(database: Database) -> None:
    database.run(f"UPDATE {NAME} SET version = 7")  # noqa: S608 - the same


def _rename(database: Database) -> None:
    database.run(f"ALTER TABLE {NAME} RENAME COLUMN data TO payload")


SQL: Final[_Faults] = (
    StoreFault("all-right", lambda _: None, NEW, NEW),
    StoreFault("torn-row", _tear, NEW, LOST),
    StoreFault("not-ours", lambda database: database.put(b'{"access_token": "x"}'), NEW, LOST),
    StoreFault("future-schema", lambda database: database.change(schema=99), ALONE, CLOSED),
    StoreFault("another-key", _seal, ALONE, CLOSED),
    StoreFault("row-deleted", _delete, NEW, LOST),
    StoreFault("row-deleted-meanwhile", later(_delete), NEW, NEW),
    StoreFault("table-dropped", _drop, NEW, LOST),
    StoreFault("table-dropped-meanwhile", later(_drop), NEW, NEW),
    StoreFault("column-renamed", _rename, REFUSED, REFUSED),
    StoreFault("column-renamed-meanwhile", later(_rename), replace(SERVED, kept="none"), replace(SERVED, kept="none")),
    StoreFault(
        "column-added",
        lambda database: database.run(f"ALTER TABLE {NAME} ADD COLUMN owner VARCHAR(20) DEFAULT 'x' NOT NULL"),
        NEW,
        NEW,
    ),
    StoreFault("locked", _lock, replace(ALONE, timeout=AMPLE), replace(AWAY, timeout=SHORT)),
    StoreFault("holder-dead", lambda database: _die(database, "pass"), NEW, NEW),
)
"""For any database."""


def _crash(database: Database) -> None:
    """Let another process end in the middle of a write: SQLite's journal stays behind."""
    _die(
        database,
        "import sqlite3; c = sqlite3.connect(sys.argv[2], isolation_level=None); c.execute('PRAGMA cache_size = 1'); "
        "c.execute('BEGIN EXCLUSIVE'); c.execute('DELETE FROM procountor_auth_tokens')",
    )


def _hold(database: Database) -> None:
    """Have another program keep SQLite's own lock for longer than is waited for."""
    assert database.file is not None
    other = sqlite3.connect(database.file, isolation_level=None, check_same_thread=False)
    database.stack.callback(other.close)
    other.execute("BEGIN EXCLUSIVE")


def _unlink(database: Database) -> None:
    assert database.file is not None
    database.file.unlink()


def _fill(database: Database) -> None:
    database.connects_with(f"PRAGMA max_page_count = {database.run('PRAGMA page_count')}")


def _cut(database: Database) -> None:
    assert database.file is not None
    data = database.file.read_bytes()
    database.file.write_bytes(data[: len(data) // 2])


def _replace(data: bytes) -> Callable[[Database], None]:
    def bring(database: Database) -> None:
        assert database.file is not None
        database.file.write_bytes(data)

    return bring


SQLITE: Final[_Faults] = (
    StoreFault("disk-full", _fill, SERVED, SERVED),
    StoreFault("disk-full-meanwhile", later(_fill), SERVED, SERVED),
    StoreFault("read-only", lambda database: database.connects_with("PRAGMA query_only = ON"), SERVED, SERVED),
    StoreFault("old-schema", lambda database: database.change(schema=0), NEW, LOST),
    StoreFault("two-versions", _renumber, NEW, LOST),
    StoreFault("data-empty", lambda database: database.put(b""), NEW, LOST),
    StoreFault("file-cut", _cut, REFUSED, REFUSED),
    StoreFault(
        "no-database", lambda database: database.file and database.file.write_bytes(b"x" * 9_000), REFUSED, REFUSED
    ),
    StoreFault("file-empty", _replace(b""), NEW, LOST),
    StoreFault("file-deleted", _unlink, NEW, LOST),
    StoreFault("file-deleted-meanwhile", later(_unlink), NEW, NEW),
    StoreFault("held-by-another-program", _hold, replace(ALONE, kept="old"), replace(AWAY, kept="old")),
    StoreFault("held-meanwhile", later(_hold), SERVED, SERVED),
    StoreFault("writer-dead", _crash, NEW, NEW),
)


def _server(database: Database) -> PostgresServer:
    assert database.server is not None
    return database.server


def _restart(database: Database) -> None:
    _server(database).stop()
    _server(database).start()


def _disconnect(database: Database) -> None:
    database.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


POSTGRESQL: Final[_Faults] = (
    StoreFault("disk-full", lambda database: database.refuses("53100"), SERVED, SERVED),
    StoreFault("read-only", lambda database: database.refuses("25006"), SERVED, SERVED),
    StoreFault("disk-full-meanwhile", later(lambda database: database.refuses("53100")), SERVED, SERVED),
    StoreFault("deadlock-meanwhile", later(lambda database: database.refuses("40P01")), SERVED, SERVED),
    StoreFault("disconnected-meanwhile", later(_disconnect), NEW, NEW),
)

SHARED: Final[_Faults] = tuple(
    fault
    for fault in SQL
    if fault.id.startswith(("all-right", "table", "column", "row-deleted-meanwhile", "locked", "holder"))
)
"""What the database itself has a part in: the rest is the same code for both, and is tried with SQLite."""

GONE: Final[_Faults] = (
    StoreFault(
        "server-gone", lambda database: _server(database).stop(), replace(ALONE, kept="old"), replace(AWAY, kept="old")
    ),
    StoreFault("server-gone-meanwhile", later(lambda database: _server(database).stop()), SERVED, SERVED),
    StoreFault("server-back-meanwhile", later(_restart), NEW, NEW),
)
"""For a PostgreSQL of the test's own."""
