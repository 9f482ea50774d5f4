"""What the URL of a database may ask for."""

from __future__ import annotations

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

URL_HINT: Final = (
    "Write it as postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE, with special characters as %XX in USER and "
    "PASSWORD, or as sqlite:////path/of/a/file. The query of PostgreSQL's may have "
    f"{', '.join(sorted(_OPTIONS))}."
)


def problem_with(parts: URL) -> str | None:
    """Return what is wrong with the URL of a PostgreSQL, without showing it, or None."""
    if not (parts.host or parts.query.get("host")) or not parts.database:
        return "has no host or no name of a database"
    if not parts.query.keys() <= _OPTIONS:
        return "has a parameter in its query that is not known"
    for name, value in parts.query.items():
        if not isinstance(value, str) and name not in _SEVERAL:
            return f"has {name} more than once"
    return None
