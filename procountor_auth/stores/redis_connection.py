"""Connections to Redis: one pool for a process, and what its errors mean."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.credentials import UsernamePasswordCredentialProvider
from redis.retry import Retry

from procountor_auth.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from pydantic import SecretStr

PREFIX: Final = "procountor-auth"
"""What the names of all our entries start with."""

CONNECT_TIMEOUT: Final = 3.0
"""Seconds to connect."""

READ_TIMEOUT: Final = 5.0
"""Seconds to wait for a reply."""

_OPTIONS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "username", "password"}
)
"""What may stand in the URL's query. Not what turns off the verification of certificates, or our timeouts."""

VARIABLE: Final = "PROCOUNTOR_TOKEN_STORE"

URL_HINT: Final = (
    "Write it as rediss://USER:PASSWORD@HOST:PORT/NUMBER, with redis:// for no TLS or unix://PATH for a socket. In "
    "USER and PASSWORD, write special characters as %XX. The query may have " + ", ".join(sorted(_OPTIONS)) + "."
)

_TRY_LATER: Final = "Check that Redis is running and can be reached; then try again."

_FOR_NOW: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "BUSY", "OOM"})
"""Redis's codes for what passes: starting, failing over, not able to save, out of memory."""

_FORBIDDEN: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections, and where they go to, without secrets."""

    connections: ConnectionPool
    place: str


def pool_for(url: SecretStr) -> Pool | str:
    """Return the connections that the URL describes, or what is wrong with it, without showing it."""
    problem = _problem_with(url)
    if problem is not None:
        return problem
    try:
        options = parse_url(url.get_secret_value())  # type: ignore[no-untyped-call]
    except ValueError:
        return "is a URL that redis-py does not understand"
    options.pop("ssl_cert_reqs", None)
    username, password = options.pop("username", None), options.pop("password", None)
    if password is not None:
        # redis-py shows its options where it shows its pool; this object shows nothing.
        options["credential_provider"] = UsernamePasswordCredentialProvider(username, password)
    host = options.get("host") or options.get("path")
    place = f"{host}:{options.get('port', 6379)}" if "host" in options else str(host)
    return Pool(
        ConnectionPool(
            **options,
            decode_responses=False,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=READ_TIMEOUT,
            # Once, and for a lost connection only: what took too long would take as long again.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
        ),
        f"{place}/{options.get('db', 0)}",
    )


def _problem_with(url: SecretStr) -> str | None:
    """Say what is wrong with a URL that redis-py would take, perhaps for another host than the one that was meant."""
    try:
        parts = urlsplit(url.get_secret_value())
        _ = parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return "is not a URL; a special character in the password may be the reason"
    if parts.scheme == "unix":
        if not parts.path:
            return "has no path of a socket"
    elif parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        return "has no host; a special character in the password may be the reason"
    elif parts.path.strip("/") and not parts.path.strip("/").isdigit():
        return "has something else than the number of a database as its path"
    if parts.fragment or not query.keys() <= _OPTIONS:
        return "has a query or fragment that is not known"
    if "db" in query and not query["db"].isdigit():
        return "has something else than a number as its database"
    if parts.scheme != "rediss" and any(name.startswith("ssl_") for name in query):
        return "has TLS options, which need rediss://"
    return None


def translate(error: Exception, place: str) -> StoreError:
    """Return our error for one of redis-py's. What it says is not repeated, except for Redis's own codes."""
    where = f"Redis at {place}"
    said = str(error).split(" ", 1)[0].rstrip(":")
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or said in _FORBIDDEN:
        return StoreError(
            f"{where} refused the user or the password.", hint=f"Check the user and the password in {VARIABLE}."
        )
    if isinstance(error, exceptions.NoPermissionError):
        return StoreError(
            f"{where} does not permit this user what is needed.",
            hint=f"Permit it the commands of scripts, hashes and strings on {PREFIX}:* (ACL SETUSER).",
        )
    if _is_untrusted(error):
        return StoreError(
            f"{where} has a certificate that is not trusted.",
            hint=f"Name its authority's PEM file in {VARIABLE}: rediss://…?ssl_ca_certs=/path/to/ca.pem.",
        )
    if isinstance(error, exceptions.TimeoutError):
        return StoreUnavailable(f"{where} has not answered in time.", hint=_TRY_LATER)
    if said in _FOR_NOW or isinstance(
        error,
        exceptions.BusyLoadingError
        | exceptions.ReadOnlyError
        | exceptions.ClusterDownError
        | exceptions.TryAgainError
        | exceptions.OutOfMemoryError,
    ):
        return StoreUnavailable(f"{where} can't be used now ({type(error).__name__}).", hint=_TRY_LATER)
    if isinstance(error, exceptions.ConnectionError | OSError):
        return StoreUnavailable(f"{where} can't be reached.", hint=_TRY_LATER)
    if said == "WRONGTYPE":
        return StoreError(
            f"{where} has something else under the name of the entry.",
            hint="Use another database: rediss://…/NUMBER.",
        )
    return StoreError(
        f"{where} refused a command ({type(error).__name__}).", hint="Use a Redis 4.0 or newer, no cluster."
    )


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is at the bottom of it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
