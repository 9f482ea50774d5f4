"""One request over one connection: its TLS and proxy, and its cut at the deadline."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from procountor_auth.errors import ConfigurationError, ConnectionFailed, ProcountorAuthError, UnexpectedResponse
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.transport.backend import backend
from procountor_auth.transport.http_error import CHECK_HOST, refused_by_the_proxy, translate
from procountor_auth.transport.log_filter import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic import SecretStr

    from procountor_auth.transport.deadline import Deadline

MAX_BODY: Final = 1_048_576
"""A response of more bytes than this is rejected."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to open a connection, if the deadline leaves as many."""

_HEADERS: Final = {
    "Accept": "application/json",
    # Nothing compressed: a few bytes could become gigabytes.
    "Accept-Encoding": "identity",
    "User-Agent": "procountor-auth",
}

_logger = logging.getLogger("procountor_auth")


def open_connection(ca_bundle: Path | None, proxy: SecretStr | None) -> backend.HTTPTransport:
    """Open a transport of the HTTP library, with our TLS and our proxy and nothing of the environment's.

    Args:
        ca_bundle: A PEM file of authorities to trust instead of the HTTP library's own.
        proxy: The URL of a proxy.

    Raises:
        ConfigurationError: The CA bundle or the proxy can't be used.
        ConnectionFailed: The interpreter is at its end, and imports nothing any more.
    """
    problem: str | None = None
    hint = "Correct the variable, or remove it."
    try:
        context = tls_context(ca_bundle)
        return backend.HTTPTransport(verify=context, proxy=_proxy(proxy, context), trust_env=False)
    except (OSError, ssl.SSLError):
        problem = "PROCOUNTOR_CA_BUNDLE does not name a PEM file that can be read."
    except (ValueError, TypeError, ImportError, backend.InvalidURL):
        if proxy is not None:
            problem = "PROCOUNTOR_PROXY is not a proxy URL that can be used."
            if proxy.get_secret_value().lower().startswith("socks") and find_spec("socksio") is None:
                problem = "PROCOUNTOR_PROXY names a SOCKS proxy, for which the package socksio is missing."
                hint = "Run: pip install socksio"
    if problem is None:
        error = ConnectionFailed(
            "No connection can be opened: the interpreter is ending.",
            hint="Ask for a token before, not in a finalizer.",
        )
        error.sent = False
        raise error
    raise ConfigurationError(problem, hint=hint)


def _proxy(url: SecretStr | None, context: ssl.SSLContext) -> backend.Proxy | None:
    if url is None:
        return None
    proxy = backend.Proxy(url.get_secret_value())
    if proxy.url.scheme == "https":  # with TLS to the proxy itself: it is mostly the company's own, too
        proxy.ssl_context = context
    return proxy


def send(http: backend.BaseTransport, request: Request, deadline: Deadline, *, through_proxy: bool = False) -> Response:
    """Send a request, and return its response.

    Args:
        http: The HTTP library's transport.
        request: The request.
        deadline: When its response has to be there.
        through_proxy: Whether the transport connects to a proxy, and not to the host.

    Raises:
        ConnectionFailed: There is no connection, or no whole response by the deadline.
        UnexpectedResponse: The response is too large, or compressed.
    """
    # An error is returned by one function and raised by another: the frames below hold bytes of the response, even of
    # a token.
    response = _exchange(http, request, deadline, through_proxy=through_proxy)
    if isinstance(response, Response):
        return response
    raise response


def _exchange(
    http: backend.BaseTransport, request: Request, deadline: Deadline, *, through_proxy: bool
) -> Response | ProcountorAuthError:
    with uninstrumented(), quiet(), _Cutter(deadline.time_left) as cutter:
        try:
            response = http.handle_request(_prepare(request, deadline, trace=cutter.trace))
            body = _Body(deadline, cutter)
            with closing(response):
                for chunk in _chunks(response.stream):
                    body.add(chunk)
            # A whole response counts, however late it is read: the process may have stood still, and the new refresh
            # token in it may be the only one. A body whose end is the connection's looks whole after the cut.
            if cutter.has_cut and not _says_its_length(response):
                return deadline.error()
            return _read(request, response, body)
        except Exception as error:  # noqa: BLE001 - whatever an HTTP library raises becomes ours
            at_proxy = through_proxy and not cutter.can_cut
            return translate(error, request, deadline, at_proxy=at_proxy)


def _says_its_length(response: backend.Response) -> bool:
    return any(name in response.headers for name in ("content-length", "transfer-encoding"))


def _prepare(request: Request, deadline: Deadline, **extensions: object) -> backend.Request:
    left = deadline.time_left
    if left <= 0:
        raise deadline.error()
    timeout = {"connect": min(CONNECT_TIMEOUT, left), "read": left, "write": left, "pool": left}
    headers = dict(_HEADERS)
    if request.bearer is not None:
        headers["Authorization"] = f"Bearer {request.bearer}"
    if request.body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    content = request.body.encode() if request.method == "POST" else None
    return backend.Request(
        request.method, request.url, headers=headers, content=content, extensions={"timeout": timeout, **extensions}
    )


def _read(request: Request, response: backend.Response, body: _Body) -> Response:
    _logger.debug("%s %s: status %d", request.method, request.path, response.status_code)
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers.multi_items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    encoding = headers.get("content-encoding", ("identity",))
    if encoding != ("identity",):
        raise UnexpectedResponse("The server's answer is compressed, which was not asked for.", hint=CHECK_HOST)
    if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise refused_by_the_proxy(response.status_code)
    return Response(response.status_code, headers, bytes(body.chunks))


class _Cutter:
    """Cuts a new connection at the deadline, from another thread.

    The HTTP libraries limit each read by itself: a server that sends one byte now and then would never be too late.
    They tell which socket they have opened only in a trace.

    Attributes:
        has_cut: Whether the deadline has come.
    """

    def __init__(self, seconds: float) -> None:
        self.has_cut = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # the interpreter is shutting down and starts no thread any more
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._socket = None

    @property
    def can_cut(self) -> bool:
        """Whether it knows the socket: not that of a connection which was there before."""
        return self._socket is not None

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Hear what the HTTP library does; what it has connected or wrapped in TLS is what can be cut."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        self.has_cut = True
        connected = self._socket
        if connected is not None:
            with suppress(OSError):
                # Not the method of an SSL socket: that one changes what the other thread is reading with.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


@dataclass(slots=True)
class _Body:
    """The bytes of a response, as far as size and time allow."""

    deadline: Deadline
    cutter: _Cutter
    chunks: bytearray = field(default_factory=bytearray, repr=False)

    def add(self, chunk: bytes) -> None:
        if len(self.chunks) + len(chunk) > MAX_BODY:
            raise UnexpectedResponse(f"The server's answer is larger than {MAX_BODY // 1024} KiB.", hint=CHECK_HOST)
        # Where the connection can be cut, there is an end to what still comes.
        if self.deadline.time_left < 0 and not self.cutter.can_cut:
            raise self.deadline.error()
        self.chunks += chunk


def _chunks(stream: Any) -> Iterable[bytes]:  # noqa: ANN401 - the libraries type both worlds' streams as one
    chunks: Iterable[bytes] = stream
    return chunks


_contexts: dict[Path | None, tuple[tuple[int, ...], ssl.SSLContext]] = {}


def tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies certificates.

    Made once for each state of the file, as reading the authorities takes tens of milliseconds: an authority that was
    removed from the file is not trusted any more, and a new one is.
    """
    state: tuple[int, ...] = ()
    if ca_bundle is not None:
        found = ca_bundle.stat()  # before the file is read: a change in between is found the next time
        state = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
    known = _contexts.get(ca_bundle)
    if known is not None and known[0] == state:
        return known[1]
    if ca_bundle is None:
        context = backend.create_ssl_context(trust_env=False)
    else:
        context = ssl.create_default_context(cafile=ca_bundle)
        # Python 3.13 demands extensions that companies' own authorities often lack. Signatures, names and times are
        # verified without them as well.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    _contexts[ca_bundle] = (state, context)
    return context
