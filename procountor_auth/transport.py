"""The only room that opens sockets: it drives a flow, on the thread that it is called on.

Tokens are fetched on a connection of our own, below the level of an HTTP client: no redirect is followed, no
cookie kept, no netrc or proxy variable read, no hook of the user's client sees a password. A connection lives as
long as its flow, so that none is left open, stale, or shared with a forked process.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from procountor_auth.backend import backend
from procountor_auth.errors import ConfigurationError, ConnectionFailed, ProcountorAuthError, UnexpectedAnswer
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.quiet import quiet
from procountor_auth.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.settings import Settings

T = TypeVar("T")

LARGEST_BODY: Final = 1_048_576
"""An answer of more bytes than this is refused."""

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to open a connection, if the deadline leaves as many."""

_HEADERS: Final = {
    "Accept": "application/json",
    # Nothing compressed: a few bytes could become gigabytes.
    "Accept-Encoding": "identity",
    "User-Agent": "procountor-auth",
}

_CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and the network."

_logger = logging.getLogger("procountor_auth")


@dataclass(frozen=True, slots=True)
class Transport:
    """How requests for tokens reach the host.

    Attributes:
        timeout: Seconds that a whole flow may take.
        ca_bundle: A PEM file of authorities to trust instead of the HTTP library's own.
        proxy: The URL of a proxy. Proxy variables of the environment are not read.
        http: A transport of the HTTP library (`BaseTransport`) to use instead of a new connection. It is not closed.
        monotonic: The clock for the deadline, in seconds.
        sleep: How to wait before a request is sent again, in seconds.
    """

    timeout: float = 30.0
    ca_bundle: Path | None = None
    proxy: SecretStr | None = None
    http: backend.BaseTransport | None = field(default=None, repr=False)
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> Transport:
        """Build the transport that `settings` describe."""
        return cls(timeout=settings.timeout, ca_bundle=settings.ca_bundle, proxy=settings.proxy)

    def prepare(self) -> None:
        """Do now what must not happen on a renewal's thread: set up TLS, and find out whether the settings can work.

        A process that is forked while a thread sets up TLS would wait for OpenSSL's lock for ever.

        Raises:
            ConfigurationError: The CA bundle or the proxy can't be used.
        """
        self.open().close()

    def open(self) -> backend.HTTPTransport:
        """Open what `http` can be: a transport that keeps its connections, for whoever drives many flows and closes it.

        It has our TLS and our proxy, and nothing of the environment's.

        Raises:
            ConfigurationError: The CA bundle or the proxy can't be used.
        """
        problem = ""
        try:
            return backend.HTTPTransport(
                verify=_tls(self.ca_bundle),
                proxy=backend.Proxy(self.proxy.get_secret_value()) if self.proxy else None,
                trust_env=False,
            )
        except (OSError, ssl.SSLError):
            problem = "PROCOUNTOR_CA_BUNDLE does not name a PEM file that can be read."
        except (ValueError, TypeError, ImportError, backend.InvalidURL):
            problem = "PROCOUNTOR_PROXY is not a proxy URL that can be used."
        raise ConfigurationError(problem, hint="Correct the variable, or remove it.")

    def run(self, flow: Flow[T], *, timeout: float | None = None) -> T:
        """Drive a flow to its result, within `timeout` seconds if less are left than usual.

        Raises:
            ProcountorAuthError: What the flow raises, or `ConnectionFailed`.
        """
        deadline = self.monotonic() + (self.timeout if timeout is None else timeout)
        http = self.http or self.open()
        try:
            response: Response | None = None
            while True:
                try:
                    request = flow.send(response)  # type: ignore[arg-type]  # None starts a generator
                except StopIteration as done:
                    result: T = done.value
                    return result
                response = Retry(request, lambda: deadline - self.monotonic()).run(
                    partial(self._send, http, request, deadline), self.sleep
                )
        finally:
            flow.close()
            if http is not self.http:
                http.close()

    def _send(self, http: backend.BaseTransport, request: Request, deadline: float) -> Response:
        answer = self._exchange(http, request, deadline)
        if isinstance(answer, Response):
            return answer
        raise answer

    # An error is returned and raised elsewhere: the frames here hold bytes of the answer, even of a token.

    def _exchange(
        self, http: backend.BaseTransport, request: Request, deadline: float
    ) -> Response | ProcountorAuthError:
        with quiet(), _Cut(deadline - self.monotonic()) as cut:
            try:
                answer = http.handle_request(self._prepare(request, deadline, trace=cut.trace))
                body = _Body(self, deadline)
                with closing(answer):
                    for chunk in _chunks(answer.stream):
                        body.add(chunk)
                if cut.ended:  # a body whose end is the connection's looks whole then
                    return self._too_late()
                return _response(request, answer, body)
            except Exception as error:  # noqa: BLE001 - whatever an HTTP library raises becomes ours
                return self._translate(error, request, deadline)

    def _prepare(self, request: Request, deadline: float, **extensions: object) -> backend.Request:
        left = deadline - self.monotonic()
        if left <= 0:
            raise self._too_late()
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

    def _too_late(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"The server did not answer within {self.timeout:g} seconds.",
            hint="Try again later, or give it more time with PROCOUNTOR_TIMEOUT.",
        )

    def _translate(self, failure: Exception, request: Request, deadline: float) -> ProcountorAuthError:
        """Return our error for whatever the HTTP library raised; its text may repeat what it was sent or got."""
        if isinstance(failure, ProcountorAuthError):
            return failure.with_traceback(None)
        if isinstance(failure, backend.ConnectTimeout):
            return _unsent(ConnectionFailed(f"{request.host} could not be reached in time.", hint=_CHECK_HOST))
        if isinstance(failure, backend.ProxyError):
            return _refused_by_the_proxy()
        if isinstance(failure, backend.ConnectError):
            # The operating system's words, such as "Connection refused": nothing was sent yet.
            error = ConnectionFailed(f"{request.host} can't be reached: {failure}.", hint=_CHECK_HOST)
            if "CERTIFICATE" in str(failure):
                error.retryable = False
                error.hint = "Check PROCOUNTOR_BASE_URL; name your own authority's file in PROCOUNTOR_CA_BUNDLE."
            return _unsent(error)
        if isinstance(failure, backend.TimeoutException | TimeoutError) or self.monotonic() >= deadline:
            return self._too_late()
        if isinstance(failure, backend.RemoteProtocolError | backend.DecodingError):
            return ConnectionFailed("The connection broke, or what came over it is not HTTP.", hint=_CHECK_HOST)
        return ConnectionFailed(f"The request failed ({type(failure).__name__}).", hint=_CHECK_HOST)


def _unsent(error: ConnectionFailed) -> ConnectionFailed:
    error.sent = False
    return error


def _refused_by_the_proxy() -> ConnectionFailed:
    error = ConnectionFailed("The proxy refused the connection.", hint="Check PROCOUNTOR_PROXY.")
    error.retryable = False
    return _unsent(error)


class _Cut:
    """Ends a new connection at the deadline, from another thread.

    The HTTP libraries limit each read by itself: a server that sends one byte now and then would never be too late.
    They tell which socket they have opened only in a trace.

    Attributes:
        ended: Whether the deadline has come.
    """

    def __init__(self, seconds: float) -> None:
        self.ended = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        with suppress(RuntimeError):  # the interpreter is shutting down and starts no thread any more
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._socket = None

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """Hear what the HTTP library does; what it has connected or wrapped in TLS is what can be cut."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _end(self) -> None:
        self.ended = True
        connected = self._socket
        if connected is not None:
            with suppress(OSError):
                # Not the method of an SSL socket: that one changes what the other thread is reading with.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


@dataclass(slots=True)
class _Body:
    """The bytes of an answer, as far as size and time allow."""

    transport: Transport
    deadline: float
    chunks: bytearray = field(default_factory=bytearray, repr=False)

    def add(self, chunk: bytes) -> None:
        if len(self.chunks) + len(chunk) > LARGEST_BODY:
            raise UnexpectedAnswer(f"The server's answer is larger than {LARGEST_BODY // 1024} KiB.", hint=_CHECK_HOST)
        if self.transport.monotonic() > self.deadline:
            raise self.transport._too_late()  # noqa: SLF001 - one room
        self.chunks += chunk


def _response(request: Request, answer: backend.Response, body: _Body) -> Response:
    _logger.debug("%s %s: status %d", request.method, request.path, answer.status_code)
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in answer.headers.multi_items():
        headers[name.lower()] = (*headers.get(name.lower(), ()), value)
    encoding = headers.get("content-encoding", ("identity",))
    if encoding != ("identity",):
        raise UnexpectedAnswer("The server's answer is compressed, which was not asked for.", hint=_CHECK_HOST)
    if answer.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise _refused_by_the_proxy()
    return Response(answer.status_code, headers, bytes(body.chunks))


_contexts: dict[Path | None, ssl.SSLContext] = {}


def _tls(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies certificates. Made once: reading the authorities takes tens of milliseconds."""
    context = _contexts.get(ca_bundle)
    if context is None:
        context = (
            backend.create_ssl_context(trust_env=False)
            if ca_bundle is None
            else ssl.create_default_context(cafile=ca_bundle)
        )
        _contexts[ca_bundle] = context
    return context


def _chunks(stream: Any) -> Iterable[bytes]:  # noqa: ANN401 - the libraries type both worlds' streams as one
    chunks: Iterable[bytes] = stream
    return chunks
