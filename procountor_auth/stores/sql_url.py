"""What the URL of a database may ask for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import URL

_SEVERAL: Final = frozenset({"host", "port"})
"""Parameters that may be there once for each host."""

_OPTIONS: Final = _SEVERAL | {
    *("application_name", "channel_binding", "gssencmode", "hostaddr", "krbsrvname", "load_balance_hosts", "options"),
    *("keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"),
    *("passfile", "require_auth", "requirepeer", "target_session_attrs"),
    *("ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcrl", "sslcrldir"),
    *("sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni"),
}
"""Parameters of libpq's that the query of PostgreSQL's URL may have.

None changes how the driver behaves, sets what the store sets itself (the encoding, the time limits), or repeats what
has a place of its own in the URL.
"""

_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

_CHOICES: Final = {
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "keepalives": ("0", "1"),
    "load_balance_hosts": ("disable", "random"),
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "sslcertmode": ("disable", "allow", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslsni": ("0", "1"),
    # Any other one leads to a standby, which can't be written.
    "target_session_attrs": ("any", "read-write", "primary"),
}

_NUMBERS: Final = frozenset({"keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"})

_FILES: Final = frozenset({"passfile", "sslcert", "sslcrl", "sslcrldir", "sslkey", "sslrootcert"})

_PORTS: Final = 65_536

URL_HINT: Final = (
    "Write it as postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX in USER and "
    "PASSWORD, or as sqlite:////path/of/a/file. The query of PostgreSQL's may have "
    f"{', '.join(sorted(_OPTIONS))}."
)


def problem_with(parts: URL) -> str | None:
    """Return what is wrong with the URL of a PostgreSQL, without showing it, or None."""
    if not (parts.host or parts.query.get("host")) or not parts.database:
        return "has no host or no name of a database"
    if "@" in f"{parts.host}{parts.database}":
        # A part of the password has come to stand there, and what the database is called would show it.
        return "has an @ too many; a special character in the password may be the reason"
    if not parts.query.keys() <= _OPTIONS:
        return "has a parameter in its query that is not known"
    if parts.port is not None and not 0 < parts.port < _PORTS:
        return "has a port that can't be"
    if "\0" in "".join((parts.host or "", parts.database, parts.username or "", str(parts.password or ""))):
        return "has a character that can't be"
    return next((problem for each in parts.query.items() if (problem := _problem_with_parameter(*each))), None)


def _problem_with_parameter(name: str, value: str | tuple[str, ...]) -> str | None:
    """Say of a value whatever can be known without a connection: it would fail later, like a server that is down."""
    if name in _SEVERAL:
        return f"has a {name} that can't be" if any("\0" in each for each in value) else None
    if not isinstance(value, str):
        return f"has {name} more than once"
    if "\0" in value:
        return f"has something as {name} that can't be"
    if name in _CHOICES and value not in _CHOICES[name]:
        return f"has another {name} than {', '.join(_CHOICES[name])}"
    if name in _NUMBERS and not (value.isascii() and value.isdigit()):
        return f"has something else than a number as {name}"
    if name in _FILES and not _is_elsewhere(name, value):
        if not os.access(value, os.R_OK):
            return f"names a file as {name} that is not there, or can't be read"
        if Path(value).is_fifo():  # libpq would wait for what somebody writes into it
            return f"names a pipe as {name}"
    return None


def _is_elsewhere(name: str, value: str) -> bool:
    """Whether it is the system's certificates, or a key that an engine of OpenSSL's has, `engine:name`."""
    return (name, value) == ("sslrootcert", "system") or (name == "sslkey" and ":" in value[2:])
