"""The sandbox itself, which can be started, inspected and stopped."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Self

from .behaviour.faults import Faults
from .behaviour.quirks import Quirks
from .client_settings import ClientSettings, check_base_url, is_loopback
from .seed import Seed
from .state.admin_access import AdminAccess
from .state.admin_token import check_token
from .state.redirect_uri import check_redirect_uri
from .state.service import Service
from .web import login_client
from .web.app import create_app
from .web.http_server import Httpd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from flask import Flask

    from .state.routes import ApiRequest
    from .state.world import World

_LOCALHOST = "127.0.0.1"


class Sandbox(ClientSettings):
    """A local Procountor to authenticate against, over real HTTP.

    It is not the Procountor service and never contacts it. Everything is in memory, every secret is
    random, and two sandboxes in one process are independent::

        with Sandbox() as sandbox:
            environment = sandbox.environment("client_credentials")

    A sandbox that was stopped can be started again: it keeps its port and its state, like a
    service after an outage.

    Args:
        port: The port to listen on; 0 takes a free one.
        host: The address to bind to: ``127.0.0.1``, ``::1`` or ``localhost``, which other machines can't
            reach. Any other needs an ``admin_token``.
        quirks: Differences from the documented behaviour.
        faults: The errors to simulate.
        redirect_uri: The only redirect URI of the sandbox's client; the default is the word that the
            vendor hands out, which is not a URL.
        password: The user's password; None generates one.
        base_url: The URL of the sandbox, such as ``https://sandbox.example``, if it is behind a proxy, or
            other machines use a host name. None: the address that it is bound to.
        admin_token: The token that is required to read or change anything under ``/_sandbox/``, 16
            characters at least. None: anyone who can reach the sandbox has access.
        clock: Returns the Unix time in seconds; with its own clock, a test needs no sleep.

    Raises:
        ValueError: The host is not a loopback address and there is no token, the token is too short, the
            redirect URI is invalid, or the base URL is not the address of a host.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        quirks: Quirks | None = None,
        faults: Faults | None = None,
        redirect_uri: str = "redirect-uri-placeholder",
        password: str | None = None,
        base_url: str | None = None,
        admin_token: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if admin_token is None and not is_loopback(host):
            raise ValueError("the host must be 127.0.0.1, ::1 or localhost, or there must be an admin_token")
        check_token(admin_token)
        check_redirect_uri(redirect_uri)
        super().__init__(redirect_uri, secrets.token_urlsafe(15) if password is None else password)
        self._host = host
        self._port = port
        self._base_url = None if base_url is None else check_base_url(base_url)
        self._admin_token = admin_token
        self._quirks = Quirks() if quirks is None else quirks
        self._faults = Faults() if faults is None else faults
        self._clock = clock
        self._httpd: Httpd | None = None
        self._app: Flask | None = None

    def start(self) -> Self:
        """Start to serve in a thread; the sandbox accepts requests as soon as this returns.

        Raises:
            OSError: The port is taken.
            RuntimeError: The sandbox is already running.
        """
        if self._httpd is not None:
            raise RuntimeError("the sandbox is already running")
        httpd = Httpd(_LOCALHOST if self._host == "localhost" else self._host, self._port)
        try:
            # The first start creates them; later starts reuse them.
            seed = self._seed or self._make_seed(httpd.server_port)
            app = self._app or create_app(seed.service, self)
        except BaseException:
            httpd.server_close()
            raise
        self._seed, self._app, self._httpd = seed, app, httpd
        seed.service.stopping.clear()
        httpd.start(app, seed.service.clock, seed.service.stopping, seed.service.log_refusal)
        return self

    def _make_seed(self, port: int) -> Seed:
        self._port = port
        # Clients can't connect to an address that means "all addresses".
        name = {"0.0.0.0": _LOCALHOST, "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
        name = f"[{name}]" if ":" in name else name
        base_url = self._base_url or f"http://{name}:{port}"
        admin_access = AdminAccess(base_url, port, self._admin_token)
        service = Service(base_url, self._clock, self._quirks, self._faults, admin_access)
        return Seed(service, self.redirect_uri, self.password)

    def stop(self) -> None:
        """Stop serving and close open connections. Stopping twice is harmless."""
        httpd, self._httpd = self._httpd, None
        if httpd is not None:
            httpd.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if exc is None and self._seed is not None:
            self._seed.service.routes.raise_outcome()

    def __repr__(self) -> str:
        # In a traceback with locals, of a wrong argument, there is no seed yet.
        state = "not started" if getattr(self, "_seed", None) is None else self.base_url
        return f"<Sandbox {state}>"

    @property
    def world(self) -> World:
        """Everything that exists in the sandbox; its methods add and remove things."""
        return self._started.service.world

    @property
    def quirks(self) -> Quirks:
        """How the sandbox differs from the documented behaviour; replace it at any time."""
        return self._quirks if self._seed is None else self._seed.service.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = quirks
        if self._seed is not None:
            self._seed.service.quirks = quirks

    @property
    def faults(self) -> Faults:
        """The simulated errors, and for how many more requests; replace it at any time."""
        return self._faults if self._seed is None else self._seed.service.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        if self._seed is not None:
            self._seed.service.faults = faults

    def log(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the answered requests, without secrets, the oldest first.

        Each is a dictionary with ``method``, ``path``, ``status`` (0 if a fault reset the connection
        before the response), ``grant_type`` (or None), ``at`` (the sandbox's Unix time in seconds, without
        the fault ``clock_skew``), ``secret_in_url`` and ``number`` (counted from 1); and, each of them or None,
        ``fault`` (the faults that affected it), ``reset`` (``"before"`` the response or in its ``"middle"``), ``error``
        (why it was rejected, such as ``"invalid_grant: Invalid 'code' in request."``), and ``client_id``,
        ``company_id`` and ``user_id`` (whose token or login it was). The last 20,000 are kept.

        Args:
            after: Only those with a higher number than this.
        """
        return self._started.service.log.entries(after=after)

    def clear_log(self) -> None:
        """Delete the requests so far."""
        self._started.service.log.clear()

    def route(
        self, path: str, methods: Sequence[str] = ("GET",)
    ) -> Callable[[Callable[[ApiRequest], Any]], Callable[[ApiRequest], Any]]:
        """Add a resource below the API, behind the token check, as a decorator.

            @sandbox.route("invoices/<int:number>")
            def invoice(request):
                return {"id": request.parameters["number"], "company": request.company_id}

        The function receives the request, with the company and user of its token. It returns a JSON-serializable
        value, a text, or None for an empty response; or a tuple of one of these and a status, from 200 to 599. It can
        replace a resource that exists. If it raises an error, the response has status 500. What is meant to end a test
        or the program, such as `pytest.fail()` or `sys.exit()`, is raised again at the end of the sandbox's `with`
        block.

        Args:
            path: The path below the API, in Werkzeug's syntax: `<name>` and `<int:number>` stand for a part of it.
            methods: The methods that it accepts; by default only GET, and with it HEAD.

        Raises:
            ValueError: The path is invalid, for example because it contains `{name}`, or a method is.
        """

        def add(handler: Callable[[ApiRequest], Any]) -> Callable[[ApiRequest], Any]:
            self._started.service.routes.add(path, methods, handler)
            return handler

        return add

    def add_profile(self, name: str) -> dict[str, str]:
        """Add a company with a user and an API key, for an integration that serves many companies.

        Args:
            name: The name of the profile: a-z and 0-9, with single _ or - between them, at most 64. The names of
                company and user derive from it.

        Returns:
            ``username``, ``password``, ``company`` and ``api_key``: the profile's values, as in a profiles file.

        Raises:
            ValueError: It is not the name of a profile, or there is already a profile with this name.
        """
        return self._started.add_profile(name)

    def log_in(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        company: str | None = None,
        deny: bool = False,
    ) -> str:
        """Log in on a login page, without a browser; return the address that the browser would be sent to.

        Args:
            url: The login URL of a client, ``…/login?…`` or ``…/keylogin?…``.
            username: The user who logs in; by default the sandbox's user.
            password: By default the user's.
            company: The number of the company to choose; by default the first one.
            deny: Press "Deny" instead.

        Raises:
            ValueError: There is no redirect: the page rejects the client, the user or the company.
            OSError: The sandbox does not respond.
        """
        form = {
            "username": self.username if username is None else username,
            "password": self.password if password is None else password,
            "company": self.company if company is None else company,
        }
        return login_client.log_in(url, {"action": "deny"} if deny else form)
