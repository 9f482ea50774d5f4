"""Sends one request over one connection, with TLS and a proxy, and cuts it at the deadline."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast

from procountor_auth.errors import ConfigurationError, ConnectionFailed, ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.fork_guard import no_fork
from procountor_auth.protocol.importing import too_late
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.transport.backend import library, loaded
from procountor_auth.transport.http_error import CHECK_HOST, refused_by_proxy, translate
from procountor_auth.transport.log_filter import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import httpx
    from pydantic import SecretStr

    from procountor_auth.transport.deadline import Deadline
    from procountor_auth.transport.proxy import Proxy


class Sender(Protocol):
    """The interface of an HTTP library's transport."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its response."""
        ...


MAX_BODY: Final = 1_048_576
"""The largest accepted response, in bytes."""

CONNECT_TIMEOUT: Final = 10.0
"""The time limit for connecting to one address, in seconds, but at most half of the time left.

If a name has several addresses, and the first one does not respond, the rest of the time is for the next one.
"""

_HEADERS: Final = {
    "Accept": "application/json",
    # No compression: a few bytes could expand to gigabytes.
    "Accept-Encoding": "identity",
    "User-Agent": "procountor-auth",
}

_logger = logging.getLogger("procountor_auth")


def open_connection(
    ca_bundle: Path | None, proxy: SecretStr | None, *, without_tls: bool = False, name: str | None = None
) -> httpx.HTTPTransport:
    """Open a transport of the HTTP library, with our TLS and proxy settings and none from the environment.

    Args:
        ca_bundle: A PEM file of authorities to trust instead of the HTTP library's own.
        proxy: The URL of a proxy.
        without_tls: Whether it is only for plain HTTP to this machine. It then trusts no certificate.
        name: The HTTP library; by default the one that the program uses.

    Raises:
        ConfigurationError: The CA bundle or the proxy can't be used.
        ConnectionFailed: The interpreter is shutting down, and can't import modules any more.
    """
    opened: httpx.HTTPTransport = _open("HTTPTransport", ca_bundle, proxy, without_tls=without_tls, name=name)
    return opened


def open_async_connection(
    ca_bundle: Path | None,
    proxy: SecretStr | None,
    *,
    limits: httpx.Limits,
    without_tls: bool = False,
    name: str | None = None,
) -> httpx.AsyncHTTPTransport:
    """Do what `open_connection` does, for an event loop.

    Args:
        ca_bundle: See there.
        proxy: See there.
        limits: How many connections there may be.
        without_tls: See there.
        name: See there.
    """
    opened: httpx.AsyncHTTPTransport = _open(
        "AsyncHTTPTransport", ca_bundle, proxy, without_tls=without_tls, name=name, limits=limits
    )
    return opened


def _open(
    kind: str,
    ca_bundle: Path | None,
    proxy: SecretStr | None,
    *,
    without_tls: bool,
    name: str | None,
    **options: Any,  # noqa: ANN401 - the transport's options
) -> Any:  # noqa: ANN401 - a transport of either library
    problem: str | None = None
    hint = "Correct the variable, or remove it."
    with no_fork():
        http = library(name)
    try:
        with no_fork():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if without_tls else tls_context(ca_bundle, name)
        opened = getattr(http, kind)(verify=context, proxy=_proxy(http, proxy, context), trust_env=False, **options)
    except (OSError, ssl.SSLError):
        problem = "PROCOUNTOR_CA_BUNDLE does not name a PEM file that can be read."
    except Exception as error:
        if not isinstance(error, (ValueError, TypeError, ImportError, *loaded("InvalidURL"))):
            raise
        if proxy is not None:
            problem = "PROCOUNTOR_PROXY is not a proxy URL that can be used."
            if proxy.get_secret_value().lower().startswith("socks") and find_spec("socksio") is None:
                problem = "PROCOUNTOR_PROXY names a SOCKS proxy, for which the package socksio is missing."
                hint = "Run: pip install socksio"
    else:
        return opened
    if problem is None:
        raise too_late()
    raise ConfigurationError(problem, hint=hint)


def _proxy(http: Any, url: SecretStr | None, context: ssl.SSLContext) -> httpx.Proxy | None:  # noqa: ANN401 - a module
    if url is None:
        return None
    proxy: httpx.Proxy = http.Proxy(url.get_secret_value())
    if proxy.url.scheme == "https":  # TLS to the proxy itself, which often uses the company's own authority
        proxy.ssl_context = context
    return proxy


def send(
    http: Sender, request: Request, deadline: Deadline, *, proxy: Proxy | None = None, name: str | None = None
) -> Response:
    """Send a request, and return its response.

    Args:
        http: The HTTP library's transport, or a wrapper of it.
        request: The request.
        deadline: The deadline for the response.
        proxy: The proxy that the transport connects to instead of the host, if any.
        name: The HTTP library of the transport; by default the one that the program uses.

    Raises:
        ConnectionFailed: There is no connection, or no complete response by the deadline.
        UnexpectedResponse: The response is too large, or compressed.
    """
    # One function returns the error and another raises it, because the frames below contain bytes of the response, and
    # maybe of a token.
    response = _exchange(http, request, deadline, proxy=proxy, name=name)
    if isinstance(response, Response):
        return response
    raise response


def _exchange(
    http: Sender, request: Request, deadline: Deadline, *, proxy: Proxy | None, name: str | None
) -> Response | ProcountorAuthError:
    with uninstrumented(), quiet(), _Cutter(deadline.time_left) as cutter:
        handed_over = False
        try:
            prepared = _prepare(request, deadline, library(name), trace=cutter.trace)
            handed_over = True
            response = http.handle_request(prepared)
            handed_over = False
            body = _Body(deadline, cutter)
            try:
                for chunk in _chunks(response.stream):
                    body.add(chunk)
            finally:
                with suppress(Exception):  # whatever the closing of a whole response ends with, the response counts
                    response.close()
            # A complete response is accepted however late it is read: the process may have been frozen, and the
            # response may contain the only new refresh token. A body without a length looks complete after the cut.
            if cutter.has_cut and not _says_its_length(response):
                return deadline.error()
            return _read(request, response, body, proxy if request.url.startswith("http:") else None)
        except Exception as error:  # noqa: BLE001 - any error of an HTTP library is translated
            if handed_over and isinstance(error, ConnectionFailed):
                error.sent = True  # a transport of the program's own has raised it, and it may have sent the request
            open_to_host = cutter.has_tunnel or (cutter.can_cut and request.url.startswith("http:"))
            return translate(error, request, deadline, proxy=None if open_to_host else proxy)


def _says_its_length(response: httpx.Response) -> bool:
    return any(name in response.headers for name in ("content-length", "transfer-encoding"))


def _prepare(
    request: Request,
    deadline: Deadline,
    http: Any,  # noqa: ANN401 - a module
    **extensions: object,
) -> httpx.Request:
    left = deadline.time_left
    if left <= 0:
        raise deadline.error()
    timeout = {"connect": min(CONNECT_TIMEOUT, left / 2), "read": left, "write": left, "pool": left}
    headers = dict(_HEADERS)
    if request.bearer is not None:
        headers["Authorization"] = f"Bearer {request.bearer}"
    if request.body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    content = request.body.encode() if request.method == "POST" else None
    prepared: httpx.Request = http.Request(
        request.method, request.url, headers=headers, content=content, extensions={"timeout": timeout, **extensions}
    )
    return prepared


def _read(request: Request, response: httpx.Response, body: _Body, proxy: Proxy | None) -> Response:
    if not isinstance(cast("object", response.status_code), int):  # of a transport of the program's own
        raise UnexpectedResponse("The server's answer has a status that is no number.", hint=CHECK_HOST)
    _logger.debug("%s %s: status %d", request.method, request.path, response.status_code)
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers.multi_items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    encodings = ",".join(headers.get("content-encoding", ())).lower().split(",")
    if {each.strip() for each in encodings} - {"", "identity"}:
        raise UnexpectedResponse("The server's answer is compressed, which was not asked for.", hint=CHECK_HOST)
    if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise refused_by_proxy(proxy, request.host, response.status_code)
    return Response(response.status_code, headers, bytes(body.chunks))


class _Cutter:
    """Cuts a new connection at the deadline, from another thread.

    The HTTP libraries limit the time of each read only: a server that sends a byte now and then would never exceed it.
    Only their trace extension reveals the socket.

    Attributes:
        has_cut: Whether the deadline has passed.
        has_tunnel: Whether the proxy has connected to the host, so that TLS with the host has begun.
    """

    def __init__(self, seconds: float) -> None:
        self.has_cut = False
        self.has_tunnel = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # the interpreter is shutting down and can't start threads
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._socket = None

    @property
    def can_cut(self) -> bool:
        """Whether the socket is known: it is not for a connection that was already open."""
        return self._socket is not None

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Trace the HTTP library, and remember the socket that it has connected or wrapped in TLS."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.has_cut:  # while it was connecting: nothing must be sent any more
                self._cut()
        elif name.endswith("start_tls.started") and not name.startswith("connection."):  # that is TLS with the proxy
            self.has_tunnel = True

    def _cut(self) -> None:
        self.has_cut = True
        connected = self._socket
        if connected is not None:
            with suppress(OSError):
                # Not the SSL socket's own method, which changes state that the other thread is using.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


@dataclass(slots=True)
class _Body:
    """The bytes of a response, within the limits of size and time."""

    deadline: Deadline
    cutter: _Cutter
    chunks: bytearray = field(default_factory=bytearray, repr=False)

    def add(self, chunk: bytes) -> None:
        if len(self.chunks) + len(chunk) > MAX_BODY:
            raise UnexpectedResponse(f"The server's response is larger than {MAX_BODY // 1024} KiB.", hint=CHECK_HOST)
        # A connection that can be cut is limited by the cut.
        if self.deadline.time_left < 0 and not self.cutter.can_cut:
            raise self.deadline.error()
        self.chunks += chunk


def _chunks(stream: Any) -> Iterable[bytes]:  # noqa: ANN401 - the libraries have one type for sync and async streams
    chunks: Iterable[bytes] = stream
    return chunks


_contexts: dict[tuple[str | None, Path | None], tuple[tuple[int, ...], ssl.SSLContext]] = {}


def tls_context(ca_bundle: Path | None, name: str | None = None) -> ssl.SSLContext:
    """Return a TLS context that verifies certificates.

    It is cached until the file changes, because reading the authorities takes tens of milliseconds. An authority that
    is removed from the file is no longer trusted, and a new one is.

    Raises:
        OSError: The CA bundle can't be read, is not a regular file, or has no certificate.
    """
    state: tuple[int, ...] = ()
    if ca_bundle is not None:
        found = ca_bundle.stat()  # before the file is read, so that a change in between is noticed the next time
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")  # OpenSSL would wait for a pipe, for ever
        state = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
    known = _contexts.get((name, ca_bundle))
    if known is not None and known[0] == state:
        return known[1]
    if ca_bundle is None:
        context: ssl.SSLContext = library(name).create_ssl_context(trust_env=False)
    else:
        context = ssl.create_default_context(cafile=ca_bundle)
        # Python 3.13 requires extensions that companies' own authorities often lack. Signatures, names and times are
        # still verified.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    _contexts[name, ca_bundle] = (state, context)
    return context
