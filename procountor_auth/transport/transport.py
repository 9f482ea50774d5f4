"""The only module that drives flows over sockets, on the thread that it is called on.

Tokens are fetched on a connection of our own, below the level of an HTTP client: no redirect is followed, no
cookie kept, no netrc or proxy variable read, no hook of the user's client sees a password. A connection lives as
long as its flow, so that none is left open, stale, or shared with a forked process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.transport.connection import open_connection, send
from procountor_auth.transport.deadline import Deadline
from procountor_auth.transport.loopback import LoopbackNames
from procountor_auth.transport.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.settings.settings import Settings
    from procountor_auth.transport.backend import backend

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transport(Unpicklable):
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
        """Build the transport that `settings` describe.

        Plain HTTP is for this machine only, and so that it stays on it, no proxy is in its way.
        """
        stays_here = urlsplit(settings.endpoints.host).scheme == "http"
        return cls(timeout=settings.timeout, ca_bundle=settings.ca_bundle, proxy=None if stays_here else settings.proxy)

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
        return open_connection(self.ca_bundle, self.proxy)

    def run(self, flow: Flow[T], *, timeout: float | None = None) -> T:
        """Drive a flow to its result, within `timeout` seconds if less are left than usual.

        Raises:
            ProcountorAuthError: What the flow raises, or `ConnectionFailed`.
        """
        end = self.monotonic() + (self.timeout if timeout is None else timeout)
        deadline = Deadline(end, self.timeout, self.monotonic)
        http = self.http or self.open()
        way = LoopbackNames(http) if self.proxy is None else http  # a proxy looks up names itself
        try:
            response: Response | None = None
            while True:
                try:
                    request = flow.send(response)  # type: ignore[arg-type]  # None starts a generator
                except StopIteration as done:
                    result: T = done.value
                    return result
                exchange = partial(send, way, request, deadline, through_proxy=self.proxy is not None)
                retry = Retry(request, lambda: deadline.time_left)
                response = retry.run(exchange, self.sleep)
        finally:
            flow.close()
            if http is not self.http:
                http.close()
