"""What a database's errors mean."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import exc

from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores.sql_table import NAME

VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"

_TRY_LATER: Final = "Check that the database is running and can be reached; then try again."

_UNDEFINED_TABLE: Final = "42P01"

_NO_PRIVILEGE: Final = "42501"

_CROWDED: Final = "53300"

_READ_ONLY: Final = "25006"

_PASSING: Final = re.compile(r"08...|40001|40P01|53...|55P03|57...|58...")
"""SQLSTATEs of what passes: connections, deadlocks, resources, shutdowns, the system."""

_REFUSED: Final = re.compile(r"28...|3D000")

_SAID_CROWDED: Final = re.compile(r"too many (clients|connections)|remaining connection slots|maxclient", re.IGNORECASE)

_SAID_REFUSED: Final = re.compile(
    r"authentication failed|no password supplied|role .* does not exist|pg_hba\.conf|is not permitted to log in|"
    r"database .* does not exist|permission denied for database",
    re.IGNORECASE | re.DOTALL,
)
"""What PostgreSQL says where a connection is refused for good: it has no SQLSTATE there."""

_UNTRUSTED: Final = re.compile(
    r"certificate|private key file|private SSL key|SSL error: [^\n]*("
    r"handshake failure|unknown ca\b|protocol version|(unsupported|unknown) protocol|no protocols available|"
    r"wrong version number|wrong ssl version|version too low|insufficient security|access denied|decrypt error|"
    r"unrecognized name|no application protocol|no (shared |suitable )?(ciphers?|signature|key share|groups)\b|"
    r"wrong (cipher|signature)|key too small|md too weak|legacy)",
    re.IGNORECASE,
)
"""What libpq and OpenSSL say where TLS can't be set up. Any other `SSL error` is a connection that has ended."""

_SAID_OTHERWISE_ENCRYPTED: Final = re.compile(
    r"does not support SSL|support GSSAPI encryption|SSL connection is required|connection is insecure", re.IGNORECASE
)

_SAID_WRONG: Final = re.compile(
    r"invalid \S+ value|invalid value|invalid connection option|invalid port number|invalid SSL protocol version|"
    r"weak sslmode|channel binding (is )?required|authentication method requirement|GSSAPI encryption required|"
    r"could not match \d+|host name must be specified|unrecognized configuration parameter|"
    r"permission denied to set parameter|service file|definition of service",
    re.IGNORECASE,
)
"""What libpq or the server says of parameters with which no connection can ever be made: no SQLSTATE there, either."""

_NO_FILE: Final = re.compile(r"unable to open|readonly|not a database|malformed|disk I/O|full", re.IGNORECASE)
"""What SQLite says of a file that it can't use."""

_NAME: Final = re.compile(r'"[^"\n]*"|(?<!\w)\'[^\'\n]*\'(?!\w)|(?<=no such database: ).*')
"""A name in an error: of a host, a folder, a database, a user. PgBouncer does not quote it."""

_OTHER_COLUMNS: Final = re.compile(r"no such column|has no column", re.IGNORECASE)
"""What SQLite says of a table with other columns, in the class of error that it has for an outage."""


def state_of(error: BaseException) -> str:
    """Return the SQLSTATE of an error, or nothing."""
    found = getattr(getattr(error, "orig", None), "sqlstate", None)
    return found if isinstance(found, str) else ""


def is_crowded(error: BaseException) -> bool:
    """Whether the database has no connection to give just now."""
    return state_of(error) == _CROWDED or _SAID_CROWDED.search(_said(error)) is not None


def is_missing_table(error: BaseException) -> bool:
    """Whether the table does not exist yet."""
    return state_of(error) == _UNDEFINED_TABLE or "no such table" in _said(error)


def is_made_meanwhile(error: BaseException) -> bool:
    """Whether another process has made the same row or table at the same time."""
    return isinstance(error, exc.IntegrityError) or "already exists" in _said(error)


def is_lost(error: BaseException) -> bool:
    """Whether a connection was lost in the middle, so that another one may do."""
    return isinstance(error, exc.DBAPIError) and error.connection_invalidated


def translate(error: Exception, place: str, *, is_file: bool = False) -> StoreError:
    """Return our error for one of the database's, or of its driver's. What it says is not repeated.

    Args:
        error: The error.
        place: What the database is called.
        is_file: Whether it is SQLite's, whose errors have words and no codes.
    """
    found = _of_file(error, place) if is_file else None
    return found or _for_good(error, place) or _for_now(error, place) or _other(error, place)


def standby(place: str) -> StoreUnavailable:
    """Return the error of a server that can't be written."""
    return StoreUnavailable(
        f"{place} is a standby, which can't be written.",
        hint=f"Name the primary in {VARIABLE}, or all hosts with target_session_attrs=read-write.",
    )


def _for_good(error: Exception, place: str) -> StoreError | None:
    """Return the error that lasts until something is changed, if it is one."""
    state, said = state_of(error), _said(error)
    if _REFUSED.fullmatch(state) or _SAID_REFUSED.search(said):
        return StoreError(
            f"{place} refused the user, the password or the name of the database.", hint=f"Check them in {VARIABLE}."
        )
    if state == _NO_PRIVILEGE:
        return StoreError(
            f"{place} does not permit this user what is needed.",
            hint=f"Permit it SELECT, INSERT, UPDATE and DELETE on the table {NAME}. If there is none yet, somebody who "
            "may makes it with what `procountor-auth store ddl` prints.",
        )
    if not state and _SAID_OTHERWISE_ENCRYPTED.search(said):
        return StoreError(
            f"{place} and {VARIABLE} don't agree on encryption.",
            hint="Correct sslmode in its query, or turn TLS on at the server.",
        )
    if not state and _SAID_WRONG.search(said):
        return StoreError(
            f"{place} can't be connected to with these parameters.",
            hint=f"Check the query in {VARIABLE}, and libpq's own variables, such as PGSSLMODE and PGSERVICE.",
        )
    if not state and _UNTRUSTED.search(said):
        return StoreError(
            f"{place} has a certificate that is not trusted, or TLS can't be set up.",
            hint=f"Name its authority's PEM file in {VARIABLE}: ?sslmode=verify-full&sslrootcert=/path/to/ca.pem.",
        )
    return None


def _of_file(error: Exception, place: str) -> StoreError | None:
    """Return the error that SQLite alone has, if it is one."""
    said = _said(error)
    if _NO_FILE.search(said):
        return StoreError(f"{place} can't be used.", hint="Check the file's access rights, and the space on the disk.")
    if "database is locked" in said or "database table is locked" in said:
        return StoreUnavailable(f"{place} is locked by another program.", hint="Try again later.")
    return _other(error, place) if _OTHER_COLUMNS.search(said) else None


def _for_now(error: Exception, place: str) -> StoreUnavailable | None:
    """Return the temporary error, if it is one."""
    state, said = state_of(error), _said(error)
    if state == _READ_ONLY:
        return standby(place)
    if isinstance(error, exc.TimeoutError | TimeoutError) or "timeout" in said.lower():
        return StoreUnavailable(f"{place} has not answered in time.", hint=_TRY_LATER)
    if _PASSING.fullmatch(state) or isinstance(error, exc.OperationalError | exc.InterfaceError | OSError):
        return StoreUnavailable(f"{place} can't be reached.", hint=_TRY_LATER)
    return None


def _other(error: Exception, place: str) -> StoreError:
    kind = type(getattr(error, "orig", None) or error).__name__
    if not isinstance(error, exc.SQLAlchemyError):
        return StoreError(
            f"{place} can't be used: its driver has failed ({kind}).",
            hint=f"Check {VARIABLE}, and the versions of SQLAlchemy and of the driver.",
        )
    return StoreError(f"{place} refused a statement ({kind}).", hint=f"Is the table {NAME} the one of this version?")


def _said(error: BaseException) -> str:
    """Return what an error says, without the names in it: a host may be called `full-moon` or `certificates`."""
    return _NAME.sub('""', str(getattr(error, "orig", None) or error))
