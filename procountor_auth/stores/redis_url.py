"""The URL of a Redis: one server, the one that Sentinels name, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from redis import connection
from redis.credentials import UsernamePasswordCredentialProvider

from procountor_auth.errors import printable

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from pydantic import SecretStr

_OPTIONS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password", "username", "password"}
)
"""Parameters that the URL's query may have. None turns off the verification of certificates, or the timeouts."""

_SENTINEL_OPTIONS: Final = frozenset({"sentinel_username", "sentinel_password"})

_DEFAULT_PORTS: Final = {"sentinel": 26379, "cluster": 6379}

_ALIASES: Final = {"valkey": "redis", "valkeys": "rediss"}

URL_HINT: Final = (
    "Write it as rediss://USER:PASSWORD@HOST:PORT/NUMBER, with redis:// for no TLS or unix:///PATH for a socket; "
    "rediss+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/SERVICE for Sentinels, rediss+cluster://… for a cluster. In "
    "USER and PASSWORD, write special characters as %XX. The query may have "
    f"{', '.join(sorted(_OPTIONS | _SENTINEL_OPTIONS))}."
)


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is. Its `repr` shows no secret.

    Attributes:
        kind: `server`, `sentinel` or `cluster`.
        place: What it is called, without secrets.
        tls: Whether it is reached over TLS.
        socket: Whether it is a Unix domain socket.
        options: redis-py's options for its connections.
        hosts: The Sentinels, or nodes to begin with; each a host and a port.
        service: What the Sentinels call it.
        credentials: redis-py's options for the Sentinels' own user, if they have one.
    """

    kind: str
    place: str
    tls: bool
    socket: bool
    options: dict[str, Any] = field(repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""
    credentials: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)


def address_of(url: SecretStr) -> RedisAddress | str:
    """Return where a URL leads to, or what is wrong with it, without showing it."""
    text = url.get_secret_value()
    scheme, colon, rest = text.partition(":")
    kind = scheme.partition("+")[2] or "server"
    plain = _ALIASES.get(scheme.partition("+")[0], scheme.partition("+")[0])
    if kind == "server":
        return _server(f"{plain}{colon}{rest}")
    if kind not in _DEFAULT_PORTS or plain not in {"redis", "rediss"}:
        return "has a scheme that is not known"
    return _several(kind, plain, rest)


def _server(url: str) -> RedisAddress | str:
    problem = _problem_with(url)
    if problem is not None:
        return problem
    try:
        options = cast("dict[str, Any]", connection.parse_url(url))  # type: ignore[no-untyped-call]
    except ValueError:
        return "is a URL that redis-py does not understand"
    options.pop("ssl_cert_reqs", None)
    kind = options.pop("connection_class", None)
    _hide_password(options)
    host = options.get("host") or options.get("path")
    place = f"{host}:{options.get('port', 6379)}" if "host" in options else str(host)
    return RedisAddress(
        "server",
        f"{place}/{options.get('db', 0)}",
        tls=kind is connection.SSLConnection,
        socket=kind is connection.UnixDomainSocketConnection,
        options=options,
    )


def _several(kind: str, scheme: str, rest: str) -> RedisAddress | str:
    """Read a URL with several hosts: their names are taken out, and the rest is read like that of one server."""
    where, question, query = rest.removeprefix("//").partition("?")
    authority, _, path = where.partition("/")
    user, at, names = authority.rpartition("@")
    service, _, number = path.partition("/")
    if kind == "cluster" and path.strip("/"):
        return "has a path, and a cluster has one database alone"
    if kind == "sentinel" and not service:
        return "has no name of the service, which stands behind the Sentinels: …/SERVICE"
    hosts = [found for each in names.split(",") if (found := _host(each, _DEFAULT_PORTS[kind])) is not None]
    if len(hosts) != len(names.split(",")):
        return "has something that is no host, or no port; a special character in the password may be the reason"
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        return "has a query or fragment that is not known"
    own = dict(pair for pair in fields if kind == "sentinel" and pair[0] in _SENTINEL_OPTIONS)
    left = "&".join(part for part in query.split("&") if part.partition("=")[0] not in own)
    redis = _server(f"{scheme}://{user}{at}host/{number}{question if left else ''}{left}")
    if isinstance(redis, str):
        return redis
    for name in ("host", "port"):
        redis.options.pop(name, None)
    credentials = {name.removeprefix("sentinel_"): value for name, value in own.items()}
    _hide_password(credentials)
    named = ",".join(f"{host}:{port}" for host, port in hosts)
    place = f"the service {unquote(service)} at {named}" if kind == "sentinel" else f"the cluster at {named}"
    return RedisAddress(
        kind,
        printable(place),
        tls=redis.tls,
        socket=False,
        options=redis.options,
        hosts=tuple(hosts),
        service=unquote(service),
        credentials=credentials,
    )


def _host(text: str, default_port: int) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname, port or default_port


def _hide_password(options: dict[str, Any]) -> None:
    username, password = options.pop("username", None), options.pop("password", None)
    if password is not None:
        # redis-py shows its options where it shows its pool.
        options["credential_provider"] = UsernamePasswordCredentialProvider(username, password)


def _problem_with(url: str) -> str | None:
    """Say what is wrong with a URL that redis-py would take, perhaps for another host than the one that was meant."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        return "is not a URL; a special character in the password may be the reason"
    where = _problem_with_place(parts)
    if where is not None:
        return where
    if parts.fragment or not query.keys() <= _OPTIONS:
        return "has a query or fragment that is not known"
    if "db" in query and not query["db"].isdigit():
        return "has something else than a number as its database"
    if parts.scheme != "rediss" and any(name.startswith("ssl_") for name in query):
        return "has TLS options, which need rediss://"
    return None


def _problem_with_place(parts: SplitResult) -> str | None:
    if parts.scheme == "unix":
        if not parts.path:
            return "has no path of a socket"
        if parts.hostname:
            return "has a host, and a socket has a path alone, with three slashes: unix:///PATH"
    elif parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        return "has no host; a special character in the password may be the reason"
    elif parts.path.strip("/") and not parts.path.strip("/").isdigit():
        return "has something else than the number of a database as its path"
    return None
