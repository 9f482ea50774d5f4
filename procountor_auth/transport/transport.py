"""The only module that runs flows over sockets, on the calling thread.

Tokens are requested on a separate connection, below the level of an HTTP client: it follows no redirects, stores no
cookies, reads no netrc or proxy variables, and calls no hooks of the user's client, which could see a password. A
connection is closed with its flow, so that none is left open, stale, or shared with a forked process.

The HTTP library is imported with the first request, and TLS is set up with the first one that needs it, mostly on a
renewal's thread; `importing` prevents a forked child from inheriting the locks of either.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.unpicklable import Unpicklable
from procountor_auth.transport.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.settings.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transport(Unpicklable):
    """Sends the requests of flows to the host.

    Attributes:
        timeout: The time limit for a whole flow, in seconds.
        ca_bundle: A PEM file of authorities to trust instead of the HTTP library's own.
        proxy: The URL of a proxy. The environment's proxy variables are not read.
        http: A transport of the HTTP library (`BaseTransport`) to use instead of a new connection. It is not closed.
        library: The HTTP library, `httpx` or `httpx2`; by default the one that the program uses.
        monotonic: The clock for the deadline, in seconds.
        sleep: Waits a number of seconds before a request is sent again.
    """

    timeout: float = 30.0
    ca_bundle: Path | None = None
    proxy: SecretStr | None = None
    http: httpx.BaseTransport | None = field(default=None, repr=False)
    library: str | None = None
    monotonic: Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    @classmethod
    def from_settings(cls, settings: Settings, library: str | None = None) -> Transport:
        """Build the transport that `settings` describe.

        Plain HTTP is only for this machine, so it does not use the proxy.

        Args:
            settings: The settings.
            library: The HTTP library; see the class.
        """
        stays_here = urlsplit(settings.endpoints.host).scheme == "http"
        return cls(
            timeout=settings.timeout,
            ca_bundle=settings.ca_bundle,
            proxy=None if stays_here else settings.proxy,
            library=library,
        )

    def prepare(self) -> None:
        """Check the CA bundle and the proxy before the first request, if they are set.

        Raises:
            ConfigurationError: The CA bundle or the proxy can't be used.
        """
        if self.ca_bundle is not None or self.proxy is not None:
            self.open().close()

    def open(self, *, without_tls: bool = False) -> httpx.HTTPTransport:
        """Open a transport for `http` that keeps its connections, for many flows. The caller has to close it.

        It has our TLS and proxy settings, and none from the environment.

        Args:
            without_tls: Whether it is only for plain HTTP to this machine. It then trusts no certificate.

        Raises:
            ConfigurationError: The CA bundle or the proxy can't be used.
        """
        with importing():
            from procountor_auth.transport.connection import open_connection  # noqa: PLC0415 - see above
        return open_connection(self.ca_bundle, self.proxy, without_tls=without_tls, name=self.library)

    def run(self, flow: Flow[T], *, timeout: float | None = None) -> T:
        """Run a flow and return its result, within `timeout` seconds if that is less than the usual time limit.

        Raises:
            ProcountorAuthError: What the flow raises, or `ConnectionFailed`.
        """
        end = self.monotonic() + (self.timeout if timeout is None else timeout)
        deadline = Deadline(end, self.timeout, self.monotonic)
        with importing():
            from procountor_auth.transport.backend import library_of  # noqa: PLC0415 - see above
            from procountor_auth.transport.connection import send  # noqa: PLC0415 - see above
            from procountor_auth.transport.loopback import LoopbackNames  # noqa: PLC0415 - the same
            from procountor_auth.transport.proxy import Proxy  # noqa: PLC0415 - the same
            from procountor_auth.transport.retry import Retry  # noqa: PLC0415 - the same
        http = self.http
        proxy = Proxy.at(self.proxy) if self.proxy is not None else None
        try:
            response: Any = None  # a generator is started with None
            while True:
                try:
                    request = flow.send(response)
                except StopIteration as done:
                    result: T = done.value
                    return result
                if http is None:
                    plain = request.url.startswith("http:") and self.ca_bundle is None and self.proxy is None
                    http = self.open(without_tls=plain)
                way = LoopbackNames(http) if proxy is None else http  # a proxy resolves names itself
                exchange = partial(send, way, request, deadline, proxy=proxy, name=library_of(http))
                retry = Retry(request, lambda: deadline.time_left)
                response = retry.run(exchange, self.sleep)
        finally:
            flow.close()
            if http is not None and http is not self.http:
                http.close()
