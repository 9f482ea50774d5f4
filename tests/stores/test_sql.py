"""The SQL store over a real PostgreSQL, and SQLite: its table, its lock, and what goes wrong between."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sqlite3
import stat
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest
from pydantic import SecretStr
from sqlalchemy import exc, text
from sqlalchemy.pool import NullPool

from procountor_auth.errors import ConfigurationError, Problem, StoreConflict, StoreError, StoreUnavailable
from procountor_auth.stores import Entry, open_store, sql_connection, sql_lock
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.stores.sql import SQLStore
from procountor_auth.stores.sql_connection import Database, database_for
from procountor_auth.stores.sql_error import translate
from procountor_auth.stores.sql_table import NAME, ddl
from tests.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, Connection

    from procountor_auth.protocol.token import Token
    from tests.postgres import PostgresServer

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY: Final = "company-1"

SLOW: Final = 20.0
"""Seconds in which something has to end that would otherwise not end at all."""


def store_at(url: str, *, lease: float = 45.0, timeout: float | None = None) -> SQLStore:
    """Return a store at a URL."""
    return SQLStore(SecretStr(url), lease=lease, timeout=timeout)


class _Crowded(Exception):
    """What psycopg raises where all connections are taken."""

    sqlstate = "53300"


@pytest.mark.parametrize(
    ("crowded", "left", "ends"),
    [(2, 5.0, "taken"), (3, 0.06, "None"), (0, 0.0, "taken"), (1, -1.0, "raised")],
    ids=["room in the end", "no room in time", "at once", "no time"],
)
def test_a_connection_for_the_lock_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, crowded: int, left: float, ends: str
) -> None:
    """A database that has no connection to give is asked again while there is time; any other error is raised."""
    now, slept = 100.0, []
    errors: list[Exception] = [exc.OperationalError("", None, _Crowded()) for _ in range(crowded)]

    def connect() -> str:
        if errors:
            raise errors.pop(0)
        return "connection"

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    monkeypatch.setattr("procountor_auth.stores.sql_lock.time.monotonic", lambda: now)
    monkeypatch.setattr("procountor_auth.stores.sql_lock.time.sleep", sleep)
    monkeypatch.setattr("procountor_auth.stores.sql_lock.random.uniform", lambda _low, high: high)
    monkeypatch.setattr(sql_lock, "_take", lambda *_: True)
    database: Any = SimpleNamespace(connect=connect, place="place")
    try:
        found = sql_lock._locked_connection(database, KEY, now + left, 45.0)
    except exc.OperationalError:
        assert ends == "raised"
        return
    assert (found, slept) == {
        "taken": ("connection", [0.05, 0.1][:crowded]),
        "None": (None, [0.05, pytest.approx(0.01)]),
    }[ends]


def test_another_error_than_a_crowd_is_raised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waiting does not help is not waited for."""

    def connect() -> None:
        raise exc.OperationalError("", None, ValueError("no"))

    monkeypatch.setattr("procountor_auth.stores.sql_lock.time.sleep", lambda _: pytest.fail("it has waited"))
    database: Any = SimpleNamespace(connect=connect, place="place")
    with pytest.raises(exc.OperationalError):
        sql_lock._locked_connection(database, KEY, time.monotonic() + SLOW, 45.0)


def write(store: SQLStore, token: Token) -> None:
    """Store a token."""
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)


def sessions(server: PostgresServer) -> int:
    """Return how many connections there are, besides the one that asks."""
    with server.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(found[0])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_row_is_logged(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG, SQLAlchemy logs each statement with its parameters, and each row: both without the token."""
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    store = store_at(server.url if server else f"sqlite:///{tmp_path / 'tokens.db'}")
    write(store, token)
    entry = store.read(KEY)
    assert entry is not None
    assert entry.token == token
    assert "Row (1, SecretBytes(b'**********'))" in caplog.text
    assert "INSERT INTO" in caplog.text
    assert token.access_token not in caplog.text


def test_no_connection_is_kept_while_nobody_renews(postgres_server: PostgresServer, token: Token) -> None:
    """There are connections within a transaction, and none before and after it."""
    store = store_at(postgres_server.url)

    def settles() -> bool:
        """Whether all connections have ended: the server needs a moment to notice."""
        for _ in range(500):
            if sessions(postgres_server) == 0:
                return True
            threading.Event().wait(0.02)
        return False

    assert settles()
    with store.transaction(KEY, timeout=5) as transaction:
        assert sessions(postgres_server) >= 1
        transaction.write(token)
    assert settles()


def test_many_make_the_table_at_once(postgres_server: PostgresServer, token: Token) -> None:
    """Whoever comes first makes the table, and those who come at the same time find it."""
    stores = [store_at(postgres_server.url) for _ in range(12)]
    together = threading.Barrier(len(stores))

    def use(number: int) -> bool:
        together.wait()
        with stores[number].transaction(f"key-{number}", timeout=10) as transaction:
            transaction.write(token)
        return stores[number].read(f"key-{number}") is not None

    with ThreadPoolExecutor(len(stores)) as pool:
        assert all(pool.map(use, range(len(stores))))


def test_who_may_not_make_a_table_is_told_what_to_do(postgres_server: PostgresServer, token: Token) -> None:
    """A user without the right is told of the statement; with its table, and access to that, all is well."""
    with postgres_server.connect() as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
    store = store_at(postgres_server.url.replace("tester@", "guest@"))
    with pytest.raises(StoreError, match="does not permit this user") as caught:
        store.read(KEY)
    assert "procountor-auth store ddl" in caught.value.hint
    assert not caught.value.retryable
    with postgres_server.connect() as connection:
        connection.execute(ddl("postgresql"))
        connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {NAME} TO guest")
    write(store, token)
    entry = store.read(KEY)
    assert entry is not None
    assert entry.token == token


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tester@", "nobody-here@"), "refused the user, the password or the name"),
        (("/postgres", "/no-such-database"), "refused the user, the password or the name"),
    ],
)
def test_what_is_refused_for_good_is_no_outage(
    postgres_server: PostgresServer, change: tuple[str, str], said: str
) -> None:
    """A user or a database that is not there has to be corrected, and nobody waits for it."""
    with pytest.raises(StoreError, match=said) as caught:
        store_at(postgres_server.url.replace(*change)).read(KEY)
    assert not isinstance(caught.value, StoreUnavailable)
    assert "PROCOUNTOR_TOKEN_STORE" in caught.value.hint
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://", "has no host or no name of a database"),
        ("postgresql://u:n0t4u@host", "has no host or no name of a database"),
        ("postgresql:///x", "has no host or no name of a database"),
        (
            "postgresql+psycopg://u:n0t/4u@host:port/x",
            "is not a URL; a special character in the password may be the reason",
        ),
        ("postgresql+nothing://u:n0t4u@host/x", "names a driver that is not known"),
        *(
            (f"postgresql://u:n0t4u@host/x?{name}=n0t4u", "has a parameter in its query that is not known")
            for name in (
                *("client_encoding", "connect_timeout", "dbname", "password", "service", "sslkeylogfile"),
                *("autocommit", "conninfo", "context", "replication", "prepare_threshold", "row_factory", "n0t4u"),
            )
        ),
        ("postgresql+psycopg_async://u:n0t4u@host/x", "names a driver that is asynchronous"),
        ("postgresql+asyncpg://u:n0t4u@host/x", "names a driver that is asynchronous"),
        ("sqlite+aiosqlite:////n0t4u", "names a driver that is asynchronous"),
        ("postgresql+psycopg+n0t4u://u@host/x", "names a driver that is not known"),
        *(
            (
                f"postgresql://u:{password}@host/x",
                "has an @ too many; a special character in the password may be the reason",
            )
            for password in ("a@n0t4u", "@n0t4u", "a@b/n0t4u")
        ),
        ("postgresql://u:n0t4u@host:0/x", "has a port that can't be"),
        ("postgresql://u:n0t4u@host:99999/x", "has a port that can't be"),
        ("postgresql://u:n0t%004u@host/x", "has a character that can't be"),
        ("postgresql://u:n0t4u@host/x%00n0t4u", "has a character that can't be"),
        ("postgresql://u:n0t4u@/x?host=n0t%004u", "has a host that can't be"),
        ("postgresql://u:n0t4u@host/x?options=n0t%004u", "has something as options that can't be"),
        (
            "postgresql://u:n0t4u@host/x?sslmode=n0t4u",
            "has another sslmode than disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "postgresql://u:n0t4u@host/x?target_session_attrs=standby",
            "has another target_session_attrs than any, read-write, primary",
        ),
        (
            "postgresql://u:n0t4u@host/x?ssl_min_protocol_version=n0t4u",
            "has another ssl_min_protocol_version than TLSv1, TLSv1.1, TLSv1.2, TLSv1.3",
        ),
        (
            "postgresql://u:n0t4u@host/x?keepalives_idle=n0t4u",
            "has something else than a number as keepalives_idle",
        ),
        *(
            (
                f"postgresql://u:n0t4u@host/x?sslmode=verify-full&{name}=/n0t4u.pem",
                f"names a file as {name} that is not there, or can't be read",
            )
            for name in ("passfile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert")
        ),
        ("postgresql://u:n0t4u@host/x?sslmode=require&sslmode=disable", "has sslmode more than once"),
        ("postgresql://u:n0t4u@/x?host=a:1:2&host=b:n0t4u", "is a URL that SQLAlchemy does not understand"),
        ("postgresql://u:n0t4u@/x?host=a:n0t4u&host=b", "is a URL that SQLAlchemy does not understand"),
        ("sqlite:///", "has no file; memory is the store that forgets"),
        ("sqlite:///:memory:", "has no file; memory is the store that forgets"),
        ("sqlite:////x?n0t4u=1", "has a query, which is not known for SQLite"),
        ("sqlite:///~nobody-of-this-name/x", "names a file of a user that does not exist"),
        ("sqlite:////n0t\0x", "names a file that can't exist"),
    ],
)
def test_a_url_that_can_t_be_is_a_configuration_error(url: str, said: str) -> None:
    """What is wrong with it is said without a password in it, and how to write one as well."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    said = f"PROCOUNTOR_TOKEN_STORE {said}"
    assert caught.value.problems == (Problem("PROCOUNTOR_TOKEN_STORE", "invalid", said),)
    assert caught.value.hint == (
        "Write it as postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX in USER and "
        "PASSWORD, or as sqlite:////path/of/a/file. The query of PostgreSQL's may have application_name, "
        "channel_binding, gssencmode, host, hostaddr, keepalives, keepalives_count, keepalives_idle, "
        "keepalives_interval, krbsrvname, load_balance_hosts, options, passfile, port, require_auth, requirepeer, "
        "ssl_max_protocol_version, ssl_min_protocol_version, sslcert, sslcertmode, sslcrl, sslcrldir, sslkey, sslmode, "
        "sslnegotiation, sslpassword, sslrootcert, sslsni, target_session_attrs, tcp_user_timeout."
    )
    assert "n0t" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_driver_that_is_not_there_is_named() -> None:
    """A driver that somebody has chosen is not in the extra: the error names the packages that do."""
    with pytest.raises(
        ConfigurationError, match=r"^PROCOUNTOR_TOKEN_STORE=a database needs sqlalchemy, psycopg, "
    ) as caught:
        open_store("postgresql+psycopg2://u:n0t4u@host/x")
    assert "n0t" not in str(caught.value)


def test_another_database_is_not_supported() -> None:
    """Only those two have locks that a store can use."""
    assert database_for(SecretStr("mysql://u:n0t4u@host/x")) == (
        "is a database that is not supported: PostgreSQL and SQLite are"
    )


@pytest.mark.parametrize(
    ("url", "place", "driver", "options"),
    [
        (
            "postgresql://u:n0t4u@host/x",
            "PostgreSQL at host:5432/x",
            "postgresql+psycopg",
            {"connect_timeout": 3, "prepare_threshold": None, "client_encoding": "utf8"},
        ),
        (
            "postgresql+psycopg://u:n0t4u@/x?host=/run",
            "PostgreSQL at a socket:5432/x",
            "postgresql+psycopg",
            {"connect_timeout": 3, "prepare_threshold": None, "client_encoding": "utf8"},
        ),
        ("postgresql+pg8000://u:n0t4u@host:7/x", "PostgreSQL at host:7/x", "postgresql+pg8000", {"connect_timeout": 3}),
        ("sqlite:////srv/tokens.db", "SQLite in /srv/tokens.db", "sqlite", {"timeout": 5.0}),
    ],
)
def test_a_database_is_reached_within_limits(
    monkeypatch: pytest.MonkeyPatch, url: str, place: str, driver: str, options: dict[str, object]
) -> None:
    """It is called by its host, port and name; nothing is pooled, no parameter is shown, and each wait has an end."""
    given: dict[str, object] = {}

    def create_engine(parts: URL, **more: object) -> object:
        given.update(more, driver=parts.drivername)
        return object()

    monkeypatch.setattr(sql_connection, "create_engine", create_engine)
    found = database_for(SecretStr(url))
    assert isinstance(found, Database)
    assert (found.place, repr(found)) == (place, f"<Database {place}>")
    assert found.file == (Path("/srv/tokens.db") if driver == "sqlite" else None)
    assert given == {"driver": driver, "poolclass": NullPool, "hide_parameters": True, "connect_args": options}


def test_a_database_without_an_encoding_works(postgres_server: PostgresServer, token: Token) -> None:
    """A database with SQL_ASCII, of which psycopg would return texts as bytes, keeps tokens as any other does."""
    with postgres_server.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS plain")
        connection.execute("CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    store = store_at(postgres_server.url.replace("/postgres", "/plain"))
    write(store, token)
    assert store.read(KEY) == Entry(1, token)
    assert [each.key for each in store.list_entries()] == [KEY]


@pytest.mark.parametrize("failure", [TypeError("n0t4u"), KeyError("n0t4u")])
def test_whatever_a_driver_raises_is_an_error_of_the_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception
) -> None:
    """A driver that stumbles over what it was given is told by the kind of its error, without what that says."""
    store = store_at(f"sqlite:///{tmp_path / 'tokens.db'}")

    def connect() -> None:
        raise failure

    monkeypatch.setattr(store._database._engine, "connect", connect)
    with pytest.raises(StoreError, match=rf"its driver has failed \({type(failure).__name__}\)") as caught:
        store.read(KEY)
    assert not caught.value.retryable
    assert "n0t4u" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_parameter_that_can_be_is_accepted(tmp_path: Path) -> None:
    """Each host has its own port; files that are there, the system's certificates and an engine's key can be named."""
    there = tmp_path / "there.pem"
    there.touch()
    for query in (
        "host=a:1&host=b:2&target_session_attrs=primary",
        f"host=a&sslmode=verify-full&sslrootcert={there}&sslcrldir={tmp_path}&keepalives_idle=30&options=-csearch_path=x",
        "host=a&port=7&sslmode=verify-full&sslrootcert=system&sslkey=engine:name&sslsni=1",
    ):
        assert isinstance(database_for(SecretStr(f"postgresql://u@/x?{query}")), Database)


@pytest.mark.parametrize("name", ["sslcert", "sslkey", "sslrootcert"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """A pipe in the place of a certificate is refused: libpq would wait for ever for somebody to write into it."""
    pipe = tmp_path / "n0t4u.pem"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match=f"names a pipe as {name}") as caught:
        open_store(f"postgresql://u@host/x?{name}={pipe}")
    assert "n0t4u" not in str(caught.value)


@pytest.mark.parametrize("query", ["sslmode=require", "sslmode=require&channel_binding=require", "options=-cn0t4u=1"])
def test_what_a_server_does_not_offer_is_no_outage(postgres_server: PostgresServer, query: str) -> None:
    """Encryption that a server has not, or a parameter that it does not know, has to be corrected."""
    with pytest.raises(StoreError, match=r"agree on encryption|with these parameters") as caught:
        store_at(f"{postgres_server.url}?{query}").read(KEY)
    assert not caught.value.retryable
    assert "n0t4u" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_is_no_outage(
    start_postgres: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    """A server whose certificate's authority is not named has to be corrected; with it, all is well."""
    server = start_postgres(Certificate(tmp_path))
    (tmp_path / "other").mkdir()
    other = Certificate(tmp_path / "other")
    with pytest.raises(StoreError, match="certificate that is not trusted") as caught:
        store_at(f"{server.url}?sslmode=verify-full&sslrootcert={other.file}").read(KEY)
    assert not caught.value.retryable
    assert store_at(f"{server.url}?sslmode=verify-full&sslrootcert={tmp_path / 'certificate.pem'}").read(KEY) is None


def test_a_connection_with_tls_that_is_lost_is_an_outage(
    start_postgres: Callable[..., PostgresServer], tmp_path: Path
) -> None:
    """A server that dies under a statement has no certificate that is not trusted."""
    server = start_postgres(Certificate(tmp_path))
    store = store_at(f"{server.url}?sslmode=require")

    def kill(pid: int) -> None:
        with server.connect() as observer:
            asked = f"SELECT wait_event FROM pg_stat_activity WHERE pid = {pid}"
            while observer.execute(asked).fetchone() != ("PgSleep",):
                pass
        os.kill(pid, signal.SIGKILL)

    with (  # noqa: PT012 - the connection has to last
        ThreadPoolExecutor(1) as pool,
        pytest.raises(exc.OperationalError, match="SSL") as lost,
        store._database.connected(SLOW) as connection,
    ):
        killed = pool.submit(kill, connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        connection.execute(text(f"SELECT pg_sleep({SLOW})"))
    killed.result()
    assert type(translate(lost.value, "PostgreSQL")) is StoreUnavailable


def test_a_handshake_that_is_cut_is_an_outage() -> None:
    """A server, or what is before it, that ends a connection while TLS begins is out of reach for now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            with suppress(OSError):
                while True:
                    accepted = listener.accept()[0]
                    with accepted:
                        accepted.recv(8)
                        accepted.sendall(b"S")
                        accepted.recv(65536)

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        store = store_at(f"postgresql+psycopg://u@127.0.0.1:{port}/certificates?sslmode=require&gssencmode=disable")
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            store.read(KEY)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(SLOW)


@pytest.mark.parametrize("variable", ["PGSSLMODE", "PGTARGETSESSIONATTRS", "PGSERVICE"])
def test_a_wrong_variable_of_libpq_is_no_outage(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """What libpq itself reads from the environment has to be corrected as well."""
    monkeypatch.setenv(variable, "n0t4u")
    with pytest.raises(StoreError, match="with these parameters") as caught:
        store_at(postgres_server.url).read(KEY)
    assert not caught.value.retryable
    assert "n0t4u" not in str(caught.value)


def test_an_entry_with_two_versions_is_damaged(tmp_path: Path, token: Token, caplog: pytest.LogCaptureFixture) -> None:
    """A row whose version is another one than that of its data is kept aside for a month, with all that it has."""
    store = store_at(f"sqlite:///{tmp_path / 'tokens.db'}")
    write(store, token)
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection, connection:
        connection.execute(f"UPDATE {NAME} SET version = 7")
        before = connection.execute(f"SELECT version, data, written_at FROM {NAME}").fetchall()
    assert store.read(KEY) is None
    with store.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry is None
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as connection:
        assert connection.execute(f"SELECT version, data, written_at FROM {NAME}").fetchall() == before
        ((key, ends),) = connection.execute(f"SELECT key, expires_at FROM {NAME}").fetchall()
    assert key == f"{KEY}:damaged"
    assert ends == pytest.approx(time.time() + 30 * 86_400, abs=60)
    place = f"SQLite in {tmp_path / 'tokens.db'}"
    said = f"{KEY} in {place} is damaged (it has two versions) and was kept as {KEY}:damaged"
    assert [each.message for each in caplog.records if each.name == "procountor_auth"] == [said]


_DAMAGES: Final = (
    *("version = 'n0t4u'", "version = x'ff00'", "version = 1.5", "version = CAST(x'ff' AS TEXT)"),
    *("data = 'n0t4u'", "data = 12", "data = 1.5", "data = CAST(x'ff' AS TEXT)"),
)


def damage(path: Path, change: str) -> None:
    """Change a row as another program does: SQLite keeps a value of any type in any column."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {NAME} SET {change}")


@pytest.mark.parametrize("change", _DAMAGES)
def test_a_field_of_another_type_is_damage(tmp_path: Path, token: Token, other: Token, change: str) -> None:
    """A row with a text, a blob or a fraction instead of what belongs there is listed, kept aside and replaced."""
    path = tmp_path / "tokens.db"
    store = store_at(f"sqlite:///{path}")
    write(store, token)
    damage(path, change)
    assert store.read(KEY) is None
    assert [each.key for each in store.list_entries()] == [KEY]
    with store.transaction(KEY, timeout=5) as transaction:
        assert transaction.entry is None
        transaction.write(other)
    assert store.read(KEY) == Entry(1, other)
    assert [each.name for each in store.list_leftovers() if each.kind == "damaged"] == [f"{KEY}:damaged"]
    damage(path, change)
    store.remove(KEY, timeout=5)
    assert store.list_entries() == []


@pytest.mark.parametrize("change", _DAMAGES)
@pytest.mark.parametrize("removes", [False, True], ids=["write", "remove"])
def test_a_row_that_is_damaged_meanwhile_is_no_conflict(
    tmp_path: Path, token: Token, other: Token, change: str, *, removes: bool
) -> None:
    """What is no entry any more counts as none within a transaction: it is replaced, or removed."""
    path = tmp_path / "tokens.db"
    store = store_at(f"sqlite:///{path}")
    write(store, token)
    with store.transaction(KEY, timeout=5) as transaction:
        damage(path, change)
        if removes:
            transaction.remove()
        else:
            transaction.write(other)
    assert store.read(KEY) == (None if removes else Entry(2, other))
    assert [each.key for each in store.list_entries()] == ([] if removes else [KEY])


def test_a_listing_takes_nothing_on_trust(tmp_path: Path, token: Token) -> None:
    """A time that is none is not known, and a row with a key that no entry has is another program's."""
    path = tmp_path / "tokens.db"
    store = store_at(f"sqlite:///{path}")
    write(store, token)
    damage(path, "written_at = 'n0t4u', expires_at = 9e999")
    with closing(sqlite3.connect(path)) as connection, connection:
        for key in ("two words", b"blob", "a" * 129):
            connection.execute(f"INSERT INTO {NAME} VALUES (?, 1, x'00', 0, 4e9)", (key,))
        connection.execute(f"INSERT INTO {NAME} VALUES (CAST(x'ff' AS TEXT), 1, x'00', 0, 4e9)")
    ((key, written_at, kept_until),) = [(each.key, each.written_at, each.kept_until) for each in store.list_entries()]
    assert (key, written_at, kept_until) == (KEY, None, None)
    assert [each for each in store.list_leftovers() if each.kind == "damaged"] == []


def test_what_can_not_be_forgotten_stays(
    tmp_path: Path, token: Token, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A write is done where the expired entries can't be deleted, and the log says so at DEBUG."""
    caplog.set_level(logging.DEBUG, "procountor_auth")
    store = store_at(f"sqlite:///{tmp_path / 'tokens.db'}")
    real, failed = store._do, []

    def do(statements: Callable[[Connection], object], **options: Any) -> object:  # noqa: ANN401 - as it is called
        if statements.__qualname__.endswith("_forget_expired.<locals>.<lambda>"):
            failed.append(options)
            raise StoreUnavailable("It is away.")
        return real(statements, **options)

    monkeypatch.setattr(store, "_do", do)
    write(store, token)
    assert failed
    assert store.read(KEY) == Entry(1, token)
    said = "expired entries were not deleted: It is away."
    assert [(each.levelno, each.message) for each in caplog.records if each.name == "procountor_auth"] == [
        (logging.DEBUG, said)
    ]


def test_the_url_is_in_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the store nor what goes wrong shows the password, and no line of the log does, at any level."""
    store = store_at("postgresql+psycopg://u:n0t4u@127.0.0.1:1/x")
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(StoreUnavailable, match=r"PostgreSQL at 127\.0\.0\.1:1/x can't be"),
    ):
        store.read(KEY)
    assert "n0t4u" not in repr(store) + caplog.text + repr(vars(store))


def test_a_server_that_stands_still_is_an_outage_in_time(
    start_postgres: Callable[..., PostgresServer], token: Token
) -> None:
    """Who has connected is cut off, who has not gives up; when the server goes on, everything works."""
    server = start_postgres()
    store = store_at(server.url, timeout=0.5)
    write(store, token)
    server.pause()
    try:
        attempts: list[Callable[[], object]] = [lambda: store.read(KEY), lambda: write(store, token)]
        for attempt in attempts:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailable):
                attempt()
            assert time.monotonic() - begun < SLOW
            OUTAGES.forget()
    finally:
        server.resume()
    assert store.read(KEY) is not None


def test_a_server_that_ends_within_a_transaction_loses_nothing(
    start_postgres: Callable[..., PostgresServer], token: Token, other: Token
) -> None:
    """The lock is lost with the connection, so that nothing is written, and what was written before is there."""
    server = start_postgres()
    store = store_at(server.url)
    with store.transaction(KEY, timeout=5) as transaction:
        transaction.write(token)
        server.stop()
        server.start()
        with pytest.raises(StoreConflict, match="was lost"):
            transaction.write(other)
    entry = store.read(KEY)
    assert entry is not None
    assert (entry.version, entry.token) == (1, token)


def test_a_server_that_is_down_at_the_write_is_an_outage(
    start_postgres: Callable[..., PostgresServer], token: Token
) -> None:
    """A write that can't be done is an error, whichever, and the end of the transaction is none."""
    server = start_postgres()
    store = store_at(server.url)
    with store.transaction(KEY, timeout=5) as transaction:
        server.stop()
        with pytest.raises(StoreError):
            transaction.write(token)


def test_a_write_that_fails_shows_no_token_in_its_frames(
    start_postgres: Callable[..., PostgresServer], token: Token
) -> None:
    """A traceback with locals has no token in the frames of ours, though nothing is sealed."""
    server = start_postgres()
    store = store_at(server.url)
    write(store, token)
    server.stop()
    entry = Entry(2, token)
    with pytest.raises(StoreUnavailable) as caught:
        store._write(KEY, 1, entry, 0.0)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    shown = "".join(frames.format())
    assert "sql.py" in shown
    assert "CANARY" not in shown


def test_more_processes_than_connections_wait_for_one(
    start_postgres: Callable[..., PostgresServer], token: Token
) -> None:
    """Where the server has no connection to give, a transaction asks again for as long as it may wait."""
    server = start_postgres(max_connections="6", superuser_reserved_connections="0", max_wal_senders="0")
    count = 10

    def add(_: int) -> int:
        with store_at(server.url).transaction(KEY, timeout=30) as transaction:
            transaction.write(token)
            assert transaction.entry is not None
            return transaction.entry.version

    with ThreadPoolExecutor(count) as pool:
        assert sorted(pool.map(add, range(count))) == list(range(1, count + 1))


def test_a_standby_is_told_as_such(start_postgres: Callable[..., PostgresServer], token: Token) -> None:
    """A server that may only be read has been demoted, or is the wrong one: that passes, or is corrected."""
    server = start_postgres(default_transaction_read_only="on")
    with pytest.raises(StoreUnavailable, match="is a standby"):
        write(store_at(server.url), token)


def test_a_holder_that_stands_still_loses_its_lock(postgres_server: PostgresServer, token: Token, other: Token) -> None:
    """The server releases the lock of a session that was idle for the lease; a holder that lives renews it."""
    frozen = store_at(postgres_server.url, lease=0.5)
    with frozen.transaction(KEY, timeout=5) as transaction:
        threading.Event().wait(1.2)
        transaction.write(token)  # its own thread has renewed it
    with frozen.transaction(KEY, timeout=5) as transaction:
        for thread in threading.enumerate():
            if thread.name == "procountor-auth-lease":
                # As in a process that stands still, it says nothing any more.
                thread._target = None  # type: ignore[attr-defined]
        with postgres_server.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        write(store_at(postgres_server.url), other)
        with pytest.raises(StoreConflict):
            transaction.write(token)


def test_a_child_leaves_the_connection_of_a_lock_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its copy leads nowhere, so that the lock ends with the parent; one that has ended already is passed over."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ended = SimpleNamespace(connection=None)
        lock = SimpleNamespace(connection=SimpleNamespace(connection=SimpleNamespace(dbapi_connection=ours)))
        monkeypatch.setattr(sql_lock, "_held", [ended, lock])
        closed: list[int] = []
        real = os.close

        def close(number: int) -> None:
            closed.append(number)
            real(number)

        with monkeypatch.context() as patched:
            patched.setattr(os, "close", close)
            sql_lock._in_a_child()
        assert closed
        assert ours.fileno() not in closed
        assert stat.S_ISCHR(os.fstat(ours.fileno()).st_mode)
        assert theirs.recv(1) == b""  # nobody else has the connection


def test_expired_entries_are_deleted(postgres_server: PostgresServer, token: Token) -> None:
    """Where a new entry is made, those are deleted that have ended a day ago or more."""
    store = store_at(postgres_server.url)
    write(store, token)
    with postgres_server.connect() as connection:
        connection.execute(f"UPDATE {NAME} SET expires_at = 1")
    with store.transaction("another", timeout=5) as transaction:
        transaction.write(token)
    assert store.read(KEY) is None
    assert store.read("another") is not None


def test_a_write_that_was_done_already_is_no_conflict(tmp_path: Path, token: Token, other: Token) -> None:
    """A write whose answer was lost is asked for again, and finds itself; another one of that version is a conflict."""
    store = store_at(f"sqlite:///{tmp_path / 'tokens.db'}")
    for _ in range(2):
        store._write(KEY, 0, Entry(1, token), time.monotonic() + SLOW)
    assert store.read(KEY) == Entry(1, token)
    with pytest.raises(StoreConflict):
        store._write(KEY, 0, Entry(1, other), time.monotonic() + SLOW)
    assert store.read(KEY) == Entry(1, token)


def test_a_listing_just_after_an_outage_is_not_tried(tmp_path: Path) -> None:
    """A database that was just found to be down is not waited for again, whatever is to be listed."""
    store = store_at(f"sqlite:///{tmp_path / 'tokens.db'}")
    assert store.list_leftovers() == []
    OUTAGES.remember(store._database.place, time.monotonic() - SLOW, StoreUnavailable("It is down."))
    for listing in (store.list_entries, store.list_leftovers):
        with pytest.raises(StoreUnavailable, match="It is down"):
            listing()


@pytest.mark.skipif(os.name == "nt", reason="there are no such access rights")
def test_a_file_of_sqlite_is_this_user_s_alone(tmp_path: Path, token: Token) -> None:
    """The file, what is beside it, and the folder of its locks are closed to others, whatever the umask says."""
    before = os.umask(0)
    try:
        write(store_at(f"sqlite:///{tmp_path / 'tokens.db'}"), token)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"tokens.db": 0o600, "tokens.db.locks": 0o700}


def test_the_home_directory_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is this user's home directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_at("sqlite:///~/tokens.db").read(KEY) is None
    assert (tmp_path / "tokens.db").exists()


@pytest.mark.parametrize(
    ("make", "said", "kind"),
    [
        (Path.mkdir, "can't be used", StoreError),
        (lambda path: path.write_bytes(b"n0t4u" * 1000), "can't be used", StoreError),
    ],
    ids=["a folder", "no database"],
)
def test_what_is_no_database_of_sqlite_says_so(
    tmp_path: Path, make: Callable[[Path], object], said: str, kind: type[StoreError]
) -> None:
    """A path that leads to something else is told with its name."""
    path = tmp_path / "there" / "tokens.db"
    path.parent.mkdir()
    make(path)
    with pytest.raises(kind, match=f"SQLite in {path} {said}") as caught:
        store_at(f"sqlite:///{path}").read(KEY)
    assert "n0t4u" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="there are no such access rights")
def test_the_folders_of_a_file_of_sqlite_are_made(tmp_path: Path, token: Token) -> None:
    """What is missing above the file is made, and closed to others."""
    path = tmp_path / "above" / "there" / "tokens.db"
    store = store_at(f"sqlite:///{path}")
    write(store, token)
    assert store.read(KEY) == Entry(1, token)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, *list(path.parents)[:2])] == [0o600, 0o700, 0o700]


def _forbidden(*_: object, **_more: object) -> NoReturn:
    raise PermissionError(errno.EACCES, "n0t4u")


@pytest.mark.parametrize("what", ["above", "folder", "file"])
def test_a_file_of_sqlite_that_can_not_be_made_is_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A path below a file, or one that access rights forbid, has to be corrected, and the reason is told."""
    path = tmp_path / "there" / "tokens.db"
    if what == "above":
        path.parent.touch()
    elif what == "folder":
        monkeypatch.setattr(Path, "mkdir", _forbidden)
    else:
        path.parent.mkdir()
        monkeypatch.setattr("procountor_auth.stores.sql_connection.os.open", _forbidden)
    store = store_at(f"sqlite:///{path}")
    for attempt in (lambda: store.read(KEY), store.list_entries):
        with pytest.raises(StoreError) as caught:
            attempt()
        reason = os.strerror(errno.ENOTDIR if what == "above" else errno.EACCES)
        assert caught.value.message == f"{path} can't be made: {reason}."
        assert not isinstance(caught.value, StoreUnavailable)
        assert caught.value.__context__ is None


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_the_statement_makes_the_table(dialect: str) -> None:
    """It can be run twice, and names the columns."""
    statement = ddl(dialect)
    assert statement.startswith(f"CREATE TABLE IF NOT EXISTS {NAME} (\n    ")
    assert "key VARCHAR(140) NOT NULL" in statement.replace('"', "")
    with pytest.raises(ValueError, match="one of postgresql, sqlite"):
        ddl("mysql")
