"""What the stores' errors say, word by word: people search for these sentences."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from redis import exceptions
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from procountor_auth.errors import StoreConflict, StoreError, StoreUnavailable, UnreadableEntry
from procountor_auth.stores import Entry, redis_error, sql_error
from procountor_auth.stores.codec import Codec
from procountor_auth.stores.private_folder import PrivateFolder, unusable
from procountor_auth.stores.redis_sentinel import UnknownService
from tests.stores.conftest import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.token import Token
    from tests.stores.conftest import Place

_REDIS: Final[dict[Exception, tuple[bool, str, str]]] = {
    exceptions.AuthenticationError("WRONGPASS"): (
        False,
        "Redis at place refused the user or the password.",
        "Check the user and the password in PROCOUNTOR_TOKEN_STORE.",
    ),
    **{
        exceptions.ResponseError(said): (
            False,
            "Redis at place refused the user or the password.",
            "Check the user and the password in PROCOUNTOR_TOKEN_STORE.",
        )
        for said in ("NOAUTH Authentication required.", "WRONGPASS: no", "NOPERM")
    },
    exceptions.ResponseError("Error running script (call to f_1): @user_script: 8: -MISCONF no disk"): (
        True,
        "Redis at place can't be used now (ResponseError).",
        "Check that Redis is running and can be reached; then try again.",
    ),
    exceptions.NoPermissionError("NOT ALLOWED"): (
        False,
        "Redis at place does not permit this user what is needed.",
        "Permit it the commands of scripts, hashes and strings on procountor-auth:* (ACL SETUSER).",
    ),
    exceptions.TimeoutError("late"): (
        True,
        "Redis at place has not answered in time.",
        "Check that Redis is running and can be reached; then try again.",
    ),
    exceptions.ResponseError("MISCONF no disk"): (
        True,
        "Redis at place can't be used now (ResponseError).",
        "Check that Redis is running and can be reached; then try again.",
    ),
    exceptions.ConnectionError("refused"): (
        True,
        "Redis at place can't be reached.",
        "Check that Redis is running and can be reached; then try again.",
    ),
    UnknownService("name"): (
        False,
        "Redis at place is not known to the Sentinels.",
        "Correct the service's name in PROCOUNTOR_TOKEN_STORE.",
    ),
    exceptions.ResponseError("WRONGTYPE Operation against a key"): (
        False,
        "Redis at place has something else under the name of the entry.",
        "Use another database: rediss://…/NUMBER.",
    ),
    exceptions.ResponseError("ERR unknown command"): (
        False,
        "Redis at place refused a command (ResponseError).",
        "Use a Redis 4.0 or newer, or a Valkey; a cluster is redis+cluster://….",
    ),
}


@pytest.mark.parametrize("error", _REDIS, ids=str)
def test_redis(error: Exception) -> None:
    """Each error of Redis has a sentence and a hint of ours, and says truly whether it passes."""
    retryable, message, hint = _REDIS[error]
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == (retryable, message, hint)


_TRY_TLS: Final = (
    "Check that Redis is running, has TLS on this port, and does not require another certificate of this client; then "
    "try again."
)


@pytest.mark.parametrize(
    ("reason", "retryable", "message", "hint"),
    [
        *(
            (
                reason,
                False,
                "Redis at place answers without TLS.",
                "In PROCOUNTOR_TOKEN_STORE, name its port for TLS, or write redis:// for no TLS.",
            )
            for reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
        ),
        *(
            (
                reason,
                False,
                "Redis at place refused the certificate of this client, or requires one.",
                "Check ssl_certfile and ssl_keyfile in PROCOUNTOR_TOKEN_STORE, and which versions of TLS it accepts.",
            )
            for reason in (
                "SSLV3_ALERT_HANDSHAKE_FAILURE",
                "TLSV13_ALERT_CERTIFICATE_REQUIRED",
                "TLSV1_ALERT_UNKNOWN_CA",
            )
        ),
        ("TLSV1_ALERT_INTERNAL_ERROR", True, "Redis at place can't be reached.", _TRY_TLS),
        (None, True, "Redis at place can't be reached.", _TRY_TLS),
    ],
)
def test_a_handshake_of_redis(reason: str | None, *, retryable: bool, message: str, hint: str) -> None:
    """What OpenSSL gives as the reason is found beneath redis-py's own error, and says whether it passes."""
    error = exceptions.ConnectionError("refused")
    error.__context__ = ssl.SSLError(1, "no")
    if reason is not None:
        error.__context__.reason = reason
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == (retryable, message, hint)


def test_a_handshake_that_takes_too_long() -> None:
    """A server that says nothing has not answered in time, and may be one without TLS; another wait is no handshake."""
    error = exceptions.TimeoutError("Timeout connecting to server")
    error.__context__ = TimeoutError("_ssl.c:989: The handshake operation timed out")
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == (True, "Redis at place has not answered in time.", _TRY_TLS)
    error.__context__ = TimeoutError("timed out")
    assert "TLS" not in redis_error.translate(error, "place").hint


def test_a_certificate_of_redis() -> None:
    """A certificate that is not trusted is found beneath redis-py's own error."""
    error = exceptions.ConnectionError("refused")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    ours = redis_error.translate(error, "place")
    assert (ours.retryable, ours.message) == (False, "Redis at place has a certificate that is not trusted.")
    assert ours.hint == (
        "Name its authority's PEM file in PROCOUNTOR_TOKEN_STORE: rediss://…?ssl_ca_certs=/path/to/ca.pem."
    )


class _FromDriver(Exception):
    """What a driver raises, with PostgreSQL's code."""

    def __init__(self, said: str, sqlstate: str | None = None) -> None:
        super().__init__(said)
        self.sqlstate = sqlstate


_TABLE: Final = "procountor_auth_tokens"

_NO_TLS: Final = (
    "sslv3 alert handshake failure",
    "ssl/tls alert handshake failure",
    "tlsv1 alert unknown ca",
    "tlsv1 alert protocol version\nThis may indicate that the server does not support any SSL protocol version.",
    "tlsv13 alert certificate required",
    "sslv3 alert bad certificate",
    "tlsv1 unrecognized name",
    "unsupported protocol",
    "wrong version number",
    "no protocols available",
    "no shared cipher",
    "no ciphers available",
    "no suitable signature algorithm",
    "no suitable key share",
    "dh key too small",
    "unsafe legacy renegotiation disabled",
)
"""What OpenSSL says where the two can't agree on TLS, or one refuses the other."""

_ENDED: Final = (
    "consuming input failed: SSL error: unexpected eof while reading",
    "consuming input failed: SSL SYSCALL error: EOF detected",
    "consuming input failed: SSL SYSCALL error: Connection reset by peer",
    "consuming input failed: SSL connection has been closed unexpectedly",
    "sending query failed: SSL error: bad length",
    "consuming input failed: SSL error: decryption failed or bad record mac",
    'connection failed: connection to server at "h" (::1), port 5432 failed: SSL error: unexpected eof while reading',
    'connection failed: connection to server at "h" (::1), port 5432 failed: SSL error: tlsv1 alert internal error',
)
"""What a connection with TLS ends with, through no fault of its parameters."""

_SQL: Final[dict[tuple[str, str | None], tuple[bool, str, str]]] = {
    ("no", "28P01"): (
        False,
        "place refused the user, the password or the name of the database.",
        "Check them in PROCOUNTOR_TOKEN_STORE.",
    ),
    ('FATAL: database "x" does not exist', None): (
        False,
        "place refused the user, the password or the name of the database.",
        "Check them in PROCOUNTOR_TOKEN_STORE.",
    ),
    ("no", "42501"): (
        False,
        "place does not permit this user what is needed.",
        (
            f"Permit it SELECT, INSERT, UPDATE and DELETE on the table {_TABLE}. If there is none yet, somebody "
            "who may makes it with what `procountor-auth store ddl` prints."
        ),
    ),
    **dict.fromkeys(
        (
            ("SSL error: certificate verify failed", None),
            *((f'connection to server at "h" (::1), port 5 failed: SSL error: {reason}', None) for reason in _NO_TLS),
            ("could not load private SSL key", None),
            ('root certificate file "/home/u/root.crt" does not exist', None),
            ('server certificate for "other" does not match host name "h"', None),
        ),
        (
            False,
            "place has a certificate that is not trusted, or TLS can't be set up.",
            (
                "Name its authority's PEM file in PROCOUNTOR_TOKEN_STORE: "
                "?sslmode=verify-full&sslrootcert=/path/to/ca.pem."
            ),
        ),
    ),
    **dict.fromkeys(
        (
            ("server does not support SSL, but SSL was required", None),
            ("server doesn't support GSSAPI encryption, but it was required", None),
            ("FATAL: SSL connection is required. Please specify SSL options and retry.", None),
        ),
        (
            False,
            "place and PROCOUNTOR_TOKEN_STORE don't agree on encryption.",
            "Correct sslmode in its query, or turn TLS on at the server.",
        ),
    ),
    **dict.fromkeys(
        (
            ('invalid sslmode value: "x"', None),
            ('invalid "channel_binding" value: "x"', None),
            ('invalid integer value "x" for connection option "keepalives"', None),
            ('weak sslmode "prefer" may not be used with sslrootcert=system (use "verify-full")', None),
            ('FATAL: invalid value for parameter "client_encoding": "x"', None),
            ('FATAL: unrecognized configuration parameter "x"', None),
            ('definition of service "x" not found', None),
            ('authentication method requirement "md5" failed', None),
            ("could not match 2 port numbers to 3 hosts", None),
        ),
        (
            False,
            "place can't be connected to with these parameters.",
            "Check the query in PROCOUNTOR_TOKEN_STORE, and libpq's own variables, such as PGSSLMODE and PGSERVICE.",
        ),
    ),
    ("could not load private key file: bad", None): (
        False,
        "place has a certificate that is not trusted, or TLS can't be set up.",
        "Name its authority's PEM file in PROCOUNTOR_TOKEN_STORE: ?sslmode=verify-full&sslrootcert=/path/to/ca.pem.",
    ),
    ("no", "25006"): (
        True,
        "place is a standby, which can't be written.",
        "Name the primary in PROCOUNTOR_TOKEN_STORE, or all hosts with target_session_attrs=read-write.",
    ),
    ("statement timeout", None): (
        True,
        "place has not answered in time.",
        "Check that the database is running and can be reached; then try again.",
    ),
    ("no", "08006"): (
        True,
        "place can't be reached.",
        "Check that the database is running and can be reached; then try again.",
    ),
    ("no", "42601"): (
        False,
        "place refused a statement (_FromDriver).",
        f"Is the table {_TABLE} the one of this version?",
    ),
}


@pytest.mark.parametrize(("said", "state"), _SQL)
def test_sql(said: str, state: str | None) -> None:
    """Each error of a database has a sentence and a hint of ours, and says truly whether it passes."""
    error = exc.ProgrammingError("SELECT 1", None, _FromDriver(said, state))
    ours = sql_error.translate(error, "place")
    assert (ours.retryable, ours.message, ours.hint) == _SQL[said, state]


@pytest.mark.parametrize("said", _ENDED)
def test_a_connection_with_tls_that_ends_is_an_outage(said: str) -> None:
    """A connection that is lost is no certificate that is not trusted: another one may do."""
    ours = sql_error.translate(exc.OperationalError("SELECT 1", None, _FromDriver(said)), "place")
    assert (ours.retryable, ours.message) == (True, "place can't be reached.")


_WORDS: Final = (
    *("fulltime-db", "pg-readonly", "certificates-db", "private key file", "SSL error: unknown ca", "maxclient"),
    *("timeout", "weak sslmode", "authentication failed", "too many clients", "malformed", "database is locked"),
)


@pytest.mark.parametrize("name", _WORDS)
@pytest.mark.parametrize(
    "said",
    [
        "failed to resolve host '{}': [Errno -2] Name or service not known",
        'could not translate host name "{}" to address: Name or service not known',
        'connection failed: connection to server at "{}" (192.0.2.1), port 5432 failed: Connection refused',
        'connection failed: connection to server on socket "/run/{}/.s.PGSQL.5432" failed: No such file or directory',
        "All failures were:\n- host: '{}', port: '5432', hostaddr: '192.0.2.1': connection failed: the server's gone",
        "connection failed: FATAL: no such database: {}",
        'FATAL: database "{}" is not accepting commands',
    ],
)
def test_a_name_in_an_error_of_postgresql_means_nothing(said: str, name: str) -> None:
    """What a host, a folder or a database is called is not taken for what is wrong."""
    error = exc.OperationalError("SELECT 1", None, _FromDriver(said.format(name)))
    ours = sql_error.translate(error, "place")
    assert (ours.retryable, ours.message) == (True, "place can't be reached.")
    assert not sql_error.is_crowded(error)


@pytest.mark.parametrize(
    ("said", "retryable", "message"),
    [
        ("unable to open database file", False, "place can't be used."),
        ("attempt to write a readonly database", False, "place can't be used."),
        ("database or disk is full", False, "place can't be used."),
        ("file is not a database", False, "place can't be used."),
        ("database is locked", True, "place is locked by another program."),
        ("database table is locked", True, "place is locked by another program."),
        ("table x has no column y", False, "place refused a statement (_FromDriver)."),
    ],
)
def test_the_words_of_sqlite_are_sqlite_s(said: str, *, retryable: bool, message: str) -> None:
    """What SQLite says means something there, and in an error of PostgreSQL's nothing."""
    error = exc.OperationalError("SELECT 1", None, _FromDriver(said))
    ours = sql_error.translate(error, "place", is_file=True)
    assert (ours.retryable, ours.message) == (retryable, message)
    if "can't be used" in message:
        assert ours.hint == "Check the file's access rights, and the space on the disk."
    assert sql_error.translate(error, "place").message == "place can't be reached."


@pytest.mark.parametrize(
    ("error", "missing", "made", "lost"),
    [
        (exc.ProgrammingError("", None, _FromDriver("no", "42P01")), True, False, False),
        (exc.OperationalError("", None, _FromDriver("no such table: x")), True, False, False),
        (exc.IntegrityError("", None, _FromDriver("no", "23505")), False, True, False),
        (exc.ProgrammingError("", None, _FromDriver('relation "x" already exists', "42P07")), False, True, False),
        (exc.OperationalError("", None, _FromDriver("no"), connection_invalidated=True), False, False, True),
        (exc.OperationalError("", None, _FromDriver("no")), False, False, False),
        (exc.ArgumentError("no"), False, False, False),
    ],
)
def test_what_is_tried_again_is_told_from_others(
    error: exc.SQLAlchemyError, *, missing: bool, made: bool, lost: bool
) -> None:
    """A table that is not there, what was made meanwhile, and a connection that was lost are three cases."""
    found = (sql_error.is_missing_table(error), sql_error.is_made_meanwhile(error), sql_error.is_lost(error))
    assert found == (missing, made, lost)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no"), "can't be reached"),
        (TimeoutError("no"), "has not answered in time"),
        (exc.TimeoutError("no"), "has not answered in time"),
        (exc.InterfaceError("", None, _FromDriver("no")), "can't be reached"),
        (exc.ArgumentError("no"), "refused a statement (ArgumentError)"),
        (exc.DataError("INSERT a certificate", None, _FromDriver("no")), "refused a statement (_FromDriver)"),
    ],
)
def test_an_error_without_a_state(error: Exception, said: str) -> None:
    """What the driver or the system says counts where the database has given no code."""
    assert sql_error.translate(error, "place").message == f"place {said}."


@pytest.mark.parametrize(
    ("said", "state", "crowded"),
    [
        ("no", "53300", True),
        ("sorry, too many clients already", None, True),
        ("no", "08006", False),
        ("no", None, False),
    ],
)
def test_a_crowded_database_is_told_from_others(said: str, state: str | None, *, crowded: bool) -> None:
    """What has no connection to give is waited for, and nothing else."""
    assert sql_error.is_crowded(exc.OperationalError("SELECT 1", None, _FromDriver(said, state))) is crowded


def test_an_error_of_the_system_is_told() -> None:
    """What the operating system says of a path is told with it; what passes is retryable."""
    ours = unusable(Path("/place"), OSError(errno.EACCES, ""), "can't be read")
    assert (type(ours), ours.message) == (StoreError, "/place can't be read: Permission denied.")
    assert ours.hint == "Correct the access rights or the disk, or name another folder."
    busy = unusable(Path("/place"), OSError(errno.EBUSY, ""), "can't be written")
    assert (type(busy), busy.message) == (StoreUnavailable, "/place can't be written: Device or resource busy.")
    assert busy.hint == "It may pass by itself; try again later."
    assert unusable(Path("/place"), OSError("no number"), "can't be read").message.endswith(": unknown error.")


KEY: Final = "company-1"

_READ_AGAIN: Final = "Nothing needs to be changed here; read again what is there now."


def _where(place: Place) -> str:
    """Return what the messages call the place of a store: nothing, a folder, a server or a database."""
    if "://" not in place.where:
        return place.where.partition(":")[2]
    if place.kind.startswith("redis"):
        return place.where.removeprefix("redis://")
    url = make_url(place.where)
    if place.kind == "sqlite":
        return f"SQLite in {url.database}"
    return f"PostgreSQL at {url.host}:{url.port}/{url.database}"


def _names(place: Place) -> tuple[str, str, str]:
    """Return what a store calls itself, the place of its entry, and what it calls an entry that is kept aside."""
    where = _where(place)
    if place.kind.startswith("file"):
        return f"FileStore {where}", f"{where}/{KEY}.json", f"{KEY}.damaged-1.json"
    if place.kind == "keyring":
        return "KeyringStore", f"the keychain, as {KEY} of procountor-auth", f"{KEY}.damaged"
    if place.kind.startswith("redis"):
        name = f"procountor-auth:{{{KEY}}}"
        return f"RedisStore {where}", f"Redis at {where}, as {name}", f"{name}:damaged"
    return f"SQLStore {where}", f"{where}, as {KEY}", f"{KEY}:damaged"


def test_a_store_says_what_it_is(outside: Place) -> None:
    """Its representation has its place, and whether it is sealed; a keychain has no place and always is."""
    sealed = "" if outside.kind == "keyring" else ", sealed" if outside.keys else ", plain"
    assert repr(outside.open()) == f"<{_names(outside)[0]}{sealed}>"


@pytest.mark.parametrize("newer", [True, False])
def test_an_entry_that_can_not_be_read_says_where_it_is(outside: Place, *, newer: bool) -> None:
    """A reader and a writer are told the same: what is wrong, and in which place."""
    sealed = Codec(KEYS[1:]).encode(KEY, Entry(7, None)).get_secret_value()
    outside.plant(KEY, b'{"schema":2}' if newer else sealed)
    variable = "PROCOUNTOR_TOKEN_STORE_KEY"
    said = "has schema 2, and this version of procountor-auth knows 1"
    if not newer:
        key = f"was sealed with another key than {variable} has"
        said = key if outside.keys else f"is sealed, and {variable} is not set"
    with pytest.raises(UnreadableEntry) as read:
        outside.open().read(KEY)
    with pytest.raises(UnreadableEntry) as begun, outside.open().transaction(KEY, timeout=5):
        pytest.fail("it can be overwritten")
    for caught in (read, begun):
        assert caught.value.message == f"The stored token {said}. It is in {_names(outside)[1]}."
        assert caught.value.sealed is not newer


def test_damage_is_logged(outside: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which entry it was, what is wrong with it, and what it is called now."""
    outside.plant(KEY, b"torn")
    with outside.open().transaction(KEY, timeout=5):
        pass
    _, place, aside = _names(outside)
    what = f"{place} is"
    if outside.kind == "keyring":
        what = f"the keychain's entry {KEY} is"
    elif outside.kind.startswith("redis"):
        what = f"procountor-auth:{{{KEY}}} in Redis is"
    elif not outside.kind.startswith("file"):
        what = f"{KEY} in {_where(outside)} is"
    said = f"{what} damaged (it is not the JSON that was written) and was kept as {aside}"
    ours = [each for each in caplog.records if each.name == "procountor_auth"]
    assert [(each.levelno, each.message) for each in ours] == [(logging.WARNING, said)]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("memory", "Another renewal in this process has kept the token…"),
        ("file", f"Another process has kept …/{KEY}.lock locked"),
        ("keyring", f"Another process has kept /…/procountor-auth/locks/keyring-{KEY}.lock locked"),
        ("redis", "Another process has kept the token locked in Redis at …"),
        ("postgresql", "Another process has kept the token locked in …"),
        ("sqlite", f"Another process has kept /…/tokens.db.locks/{KEY}.lock locked"),
    ],
)
def test_a_lock_that_is_kept_is_told(place_of: Callable[[str], Place], kind: str, what: str) -> None:
    """The error says what is locked, and for how long it was waited for."""
    place = place_of(kind)
    with (
        place.open().transaction(KEY, timeout=5),
        pytest.raises(StoreUnavailable) as caught,
        place.open().transaction(KEY, timeout=0.25),
    ):
        pytest.fail("two have the lock")
    start, _, end = what.partition("…")
    assert caught.value.message.startswith(start)
    assert caught.value.message.endswith(f"{end} for 0.25 seconds.")
    assert start.endswith("/") or caught.value.message == f"{start}{_where(place)}{end} for 0.25 seconds."
    assert caught.value.hint == "Nothing needs to be changed here; try again later."


def test_a_conflict_is_told(place: Place, token: Token, other: Token) -> None:
    """Whoever has lost the lock learns which version was read, and which one is there."""
    with place.open().transaction(KEY, timeout=5) as late:
        place.steal(KEY)
        with place.open().transaction(KEY, timeout=5) as first:
            first.write(other)
        with pytest.raises(StoreConflict) as caught:
            late.write(token)
    said = "The stored token has changed meanwhile (version 0 was read, 1 is there); nothing was written."
    if place.kind.startswith("postgresql"):
        said = f"The token's lock in {_where(place)} was lost; nothing was written."
    assert (caught.value.message, caught.value.hint) == (said, _READ_AGAIN)


def test_a_lock_in_redis_that_is_another_s_is_told(place_of: Callable[[str], Place]) -> None:
    """As long as the next holder has written nothing, it is the lock that has changed."""
    place = place_of("redis")
    with place.open().transaction(KEY, timeout=5) as late:
        place.steal(KEY)
        with place.open().transaction(KEY, timeout=5):
            with pytest.raises(StoreConflict) as written:
                late.write(None)
            late.entry = Entry(1, None)
            with pytest.raises(StoreConflict) as removed:
                late.remove()
    said = "Another process has taken the token's lock in Redis meanwhile; nothing was written."
    for caught in (written, removed):
        assert (caught.value.message, caught.value.hint) == (said, _READ_AGAIN)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("memory", "A MemoryStore is not pickled: each process has its own."),
        ("file", "A FileStore may hold keys and is not pickled: open it in each process."),
        ("keyring", "A KeyringStore is not pickled: open it in each process."),
        ("redis", "A RedisStore holds a password and is not pickled: open it in each process."),
        ("sqlite", "A SQLStore holds a password and is not pickled: open it in each process."),
    ],
)
def test_a_store_that_is_not_pickled_says_why(place_of: Callable[[str], Place], kind: str, said: str) -> None:
    """The error says what to do instead."""
    with pytest.raises(TypeError) as caught:
        pickle.dumps(place_of(kind).open())
    assert str(caught.value) == said


def _refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(StoreError) as caught:
        PrivateFolder(folder).prepare()
    return caught.value.message, caught.value.hint


def test_a_folder_that_is_not_private_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reason not to use a folder names it, and says what to do."""
    linked, file, opened = tmp_path / "linked", tmp_path / "file", tmp_path / "open"
    linked.symlink_to(tmp_path)
    file.touch()
    opened.mkdir()
    opened.chmod(0o777)
    assert _refusal(linked) == (
        f"{linked} is a symlink, which tokens are not written through.",
        "Name the folder itself in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    assert _refusal(file) == (f"{file} is not a folder.", "Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH.")
    # Without the sticky bit it is not shared: anybody could put another folder in the place of ours.
    assert _refusal(opened) == (
        f"{opened} can be written by others (mode 0777).",
        f"Run chmod 700 {opened}, or name a new folder inside it in PROCOUNTOR_TOKEN_STORE=file:PATH.",
    )
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert _refusal(tmp_path) == (
        f"{tmp_path} belongs to another user (uid {os.getuid()}).",
        "Name a folder of your own in PROCOUNTOR_TOKEN_STORE=file:PATH; it is made if it is not there.",
    )
