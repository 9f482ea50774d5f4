"""What goes wrong with a store in a database, as data: SQLite and PostgreSQL, for each grant."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.pool import Pool

from procountor_auth.errors import InteractionRequired, StoreError, StoreUnavailable, UnreadableEntry
from procountor_auth.stores.codec import Codec
from procountor_auth.stores.sql import SQLStore
from procountor_auth.stores.sql_table import NAME

from .fault import SHORT
from .stores import KEY, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from procountor_auth.protocol.token import Token
    from tests.postgres import PostgresServer

_AMPLE: Final = 5.0
"""Seconds of which waiting for a lock takes `SHORT`."""


@dataclass(slots=True)
class Place:
    """A table with an old token in it, and the means to break it.

    Attributes:
        patch: Replaces values until the end of the test.
        stack: Undoes what a fault has done, at the end of the test.
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


@dataclass(frozen=True, slots=True)
class SQLFault:
    """Something that goes wrong with a database.

    Attributes:
        id: Its name.
        bring: Brings it about.
        key: What has to come of it where an API key gets the next token.
        refresh: What has to come of it where a refresh token does, which is replaced by another one.
    """

    id: str
    bring: Callable[[Place], object]
    key: Outcome
    refresh: Outcome


_SERVED: Final = Outcome(kept="old")
_REFUSED: Final = Outcome(StoreError, 0, "left")
_ALONE: Final = Outcome(None, 1, "left")
_CLOSED: Final = Outcome(UnreadableEntry, 0, "left")
_AWAY: Final = Outcome(StoreUnavailable, 0, "left")
_NEW: Final = Outcome()
_LOST: Final = Outcome(InteractionRequired, 0, "none")


def _seal(place: Place) -> None:
    sealed = place.store(Codec((SecretStr(Fernet.generate_key().decode()),)))
    with sealed.transaction(KEY, timeout=5) as transaction:
        transaction.write(place.old)


def _tear(place: Place) -> None:
    data = place.data() or b""
    place.put(data[: len(data) // 2])


def _lock(place: Place) -> None:
    place.patch.setattr("procountor_auth.tokens.renewal._PATIENCE", SHORT / _AMPLE)
    place.stack.enter_context(place.store().transaction(KEY, timeout=5))


def _die(place: Place, then: str) -> None:
    """Let another process take the lock, and end while it has it."""
    program = (
        "import os, sys\n"
        "from pydantic import SecretStr\n"
        "from procountor_auth.stores.sql import SQLStore\n"
        "with SQLStore(SecretStr(sys.argv[1])).transaction('entry', timeout=5):\n"
        f"    {then}\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([place.python, "-c", program, place.url, str(place.file)], check=False)


def _later(work: Callable[[Place], object]) -> Callable[[Place], None]:
    def bring(place: Place) -> None:
        place.later = partial(work, place)

    return bring


def _drop(place: Place) -> None:
    place.run(f"DROP TABLE {NAME}")


def _delete(place: Place) -> None:
    place.run(f"DELETE FROM {NAME}")  # noqa: S608 - the same


def _renumber(place: Place) -> None:
    place.run(f"UPDATE {NAME} SET version = 7")  # noqa: S608 - the same


def _rename(place: Place) -> None:
    place.run(f"ALTER TABLE {NAME} RENAME COLUMN data TO payload")


SQL: Final = (
    SQLFault("all-right", lambda _: None, _NEW, _NEW),
    SQLFault("torn-row", _tear, _NEW, _LOST),
    SQLFault("not-ours", lambda place: place.put(b'{"access_token": "x"}'), _NEW, _LOST),
    SQLFault("future-schema", lambda place: place.change(schema=99), _ALONE, _CLOSED),
    SQLFault("another-key", _seal, _ALONE, _CLOSED),
    SQLFault("row-deleted", _delete, _NEW, _LOST),
    SQLFault("row-deleted-meanwhile", _later(_delete), _NEW, _NEW),
    SQLFault("table-dropped", _drop, _NEW, _LOST),
    SQLFault("table-dropped-meanwhile", _later(_drop), _NEW, _NEW),
    SQLFault("column-renamed", _rename, _REFUSED, _REFUSED),
    SQLFault("column-renamed-meanwhile", _later(_rename), replace(_SERVED, kept="none"), replace(_SERVED, kept="none")),
    SQLFault(
        "column-added",
        lambda place: place.run(f"ALTER TABLE {NAME} ADD COLUMN owner VARCHAR(20) DEFAULT 'x' NOT NULL"),
        _NEW,
        _NEW,
    ),
    SQLFault("locked", _lock, replace(_ALONE, timeout=_AMPLE), replace(_AWAY, timeout=SHORT)),
    SQLFault("holder-dead", lambda place: _die(place, "pass"), _NEW, _NEW),
)
"""For any database."""


def _crash(place: Place) -> None:
    """Let another process end in the middle of a write: SQLite's journal stays behind."""
    _die(
        place,
        "import sqlite3; c = sqlite3.connect(sys.argv[2], isolation_level=None); c.execute('PRAGMA cache_size = 1'); "
        "c.execute('BEGIN EXCLUSIVE'); c.execute('DELETE FROM procountor_auth_tokens')",
    )


def _hold(place: Place) -> None:
    """Have another program keep SQLite's own lock for longer than is waited for."""
    assert place.file is not None
    other = sqlite3.connect(place.file, isolation_level=None, check_same_thread=False)
    place.stack.callback(other.close)
    other.execute("BEGIN EXCLUSIVE")


def _unlink(place: Place) -> None:
    assert place.file is not None
    place.file.unlink()


def _fill(place: Place) -> None:
    place.connects_with(f"PRAGMA max_page_count = {place.run('PRAGMA page_count')}")


def _cut(place: Place) -> None:
    assert place.file is not None
    data = place.file.read_bytes()
    place.file.write_bytes(data[: len(data) // 2])


SQLITE: Final = (
    SQLFault("disk-full", _fill, _SERVED, _SERVED),
    SQLFault("disk-full-meanwhile", _later(_fill), _SERVED, _SERVED),
    SQLFault("read-only", lambda place: place.connects_with("PRAGMA query_only = ON"), _SERVED, _SERVED),
    SQLFault("old-schema", lambda place: place.change(schema=0), _NEW, _LOST),
    SQLFault("two-versions", _renumber, _NEW, _LOST),
    SQLFault("data-empty", lambda place: place.put(b""), _NEW, _LOST),
    SQLFault("file-cut", _cut, _REFUSED, _REFUSED),
    SQLFault("no-database", lambda place: place.file and place.file.write_bytes(b"x" * 9_000), _REFUSED, _REFUSED),
    SQLFault("file-empty", lambda place: place.file and place.file.write_bytes(b""), _NEW, _LOST),
    SQLFault("file-deleted", _unlink, _NEW, _LOST),
    SQLFault("file-deleted-meanwhile", _later(_unlink), _NEW, _NEW),
    SQLFault("held-by-another-program", _hold, replace(_ALONE, kept="old"), replace(_AWAY, kept="old")),
    SQLFault("held-meanwhile", _later(_hold), _SERVED, _SERVED),
    SQLFault("writer-dead", _crash, _NEW, _NEW),
)


def _server(place: Place) -> PostgresServer:
    assert place.server is not None
    return place.server


def _restart(place: Place) -> None:
    _server(place).stop()
    _server(place).start()


def _disconnect(place: Place) -> None:
    place.run(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


POSTGRESQL: Final = (
    SQLFault("disk-full", lambda place: place.refuses("53100"), _SERVED, _SERVED),
    SQLFault("read-only", lambda place: place.refuses("25006"), _SERVED, _SERVED),
    SQLFault("disk-full-meanwhile", _later(lambda place: place.refuses("53100")), _SERVED, _SERVED),
    SQLFault("deadlock-meanwhile", _later(lambda place: place.refuses("40P01")), _SERVED, _SERVED),
    SQLFault("disconnected-meanwhile", _later(_disconnect), _NEW, _NEW),
)

SHARED: Final = tuple(
    fault
    for fault in SQL
    if fault.id.startswith(("all-right", "table", "column", "row-deleted-meanwhile", "locked", "holder"))
)
"""What the database itself has a part in: the rest is the same code for both, and is tried with SQLite."""

GONE: Final = (
    SQLFault(
        "server-gone", lambda place: _server(place).stop(), replace(_ALONE, kept="old"), replace(_AWAY, kept="old")
    ),
    SQLFault("server-gone-meanwhile", _later(lambda place: _server(place).stop()), _SERVED, _SERVED),
    SQLFault("server-back-meanwhile", _later(_restart), _NEW, _NEW),
)
"""For a PostgreSQL of the test's own."""
