"""The sandbox itself: starts, describes itself, stops."""

from __future__ import annotations

import re
import secrets
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from .admission import Admission, check_token
from .app import create_app
from .companies import add_profile
from .httpd import Httpd
from .quirks import Quirks
from .service import Service
from .visitor import visit
from .weather import Weather
from .world import Session, check_redirect_uri

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .world import Client, User, World

_LOCALHOST = "127.0.0.1"
_COMPANY = 14159
_SECOND_COMPANY = 14160
_USER = 26535


class Sandbox:
    """A local Procountor to authenticate against, over real HTTP.

    It is not the Procountor service and never talks to it. Everything is in memory, every secret is
    random, and two sandboxes in one process know nothing of each other::

        with Sandbox() as sandbox:
            environment = sandbox.environment("client_credentials")

    A sandbox that was stopped can be started again: it keeps its port and everything it knows, as a
    service does that was away for a while.

    Args:
        port: The port to listen on; 0 takes a free one.
        host: The address to bind to: ``127.0.0.1``, ``::1`` or ``localhost``, which other machines do not
            reach. Any other needs an ``admin_token``.
        quirks: How to differ from the documented behaviour.
        weather: What goes wrong.
        redirect_uri: The one redirect URI of the sandbox's client; the default is the word that the
            vendor hands out, which is not a URL.
        password: The user's password; None makes a random one.
        base_url: What the sandbox calls itself, such as ``https://sandbox.example``: behind a proxy, or
            when other machines reach it by a name. None: the address that it is bound to.
        admin_token: What one has to know to look at or to change anything under ``/_sandbox/``, 16
            characters at least. None: whoever reaches the sandbox may.
        clock: Returns the Unix time in seconds; a test passes its own and needs no sleep.

    Raises:
        ValueError: The host is not a loopback address and there is no token, the token is too short, the
            redirect URI cannot be one, or the base URL is not the address of a host.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        quirks: Quirks | None = None,
        weather: Weather | None = None,
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
        self.redirect_uri = redirect_uri
        self.password = secrets.token_urlsafe(15) if password is None else password
        self._host = host
        self._port = port
        self._base_url = None if base_url is None else check_base_url(base_url)
        self._admin_token = admin_token
        self._quirks = Quirks() if quirks is None else quirks
        self._weather = Weather() if weather is None else weather
        self._clock = clock
        self._httpd: Httpd | None = None
        self._furnished: _Furnished | None = None

    def start(self) -> Self:
        """Start to serve in a thread; the sandbox answers already when this returns.

        Raises:
            OSError: The port is taken.
            RuntimeError: The sandbox runs already.
        """
        if self._httpd is not None:
            raise RuntimeError("the sandbox runs already")
        httpd = Httpd(_LOCALHOST if self._host == "localhost" else self._host, self._port)
        try:
            furnished = self._furnish(httpd.server_port)
        except BaseException:
            httpd.server_close()
            raise
        service = furnished.service
        service.stopping.clear()
        httpd.start(furnished.app, service.clock, service.stopping)
        self._httpd = httpd
        return self

    def _furnish(self, port: int) -> _Furnished:
        """Return what is in this sandbox, which the first start makes."""
        if self._furnished is None:
            self._port = port
            # "Every address of this machine" is none to connect to.
            name = {"0.0.0.0": _LOCALHOST, "::": "::1"}.get(self._host, self._host)  # noqa: S104 - compared, not bound
            name = f"[{name}]" if ":" in name else name
            base_url = self._base_url or f"http://{name}:{port}"
            admission = Admission(base_url, port, self._admin_token)
            service = Service(base_url, self._clock, self._quirks, self._weather, admission)
            self._furnished = _Furnished(service, self.redirect_uri, self.password)
        return self._furnished

    def stop(self) -> None:
        """Stop to serve and cut open connections. Stopping twice is harmless."""
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

    def __repr__(self) -> str:
        state = "not started" if self._furnished is None else self.base_url
        return f"<Sandbox {state}>"

    @property
    def base_url(self) -> str:
        """The host, such as ``http://127.0.0.1:49152``, without ``/api``."""
        return self._ready.service.base_url

    @property
    def client_id(self) -> str:
        """The ID of the API client."""
        return self._ready.client.client_id

    @property
    def client_secret(self) -> str:
        """The secret of the API client."""
        return self._ready.client.client_secret

    @property
    def username(self) -> str:
        """The user who has access to both of the first companies."""
        return self._ready.user.username

    @property
    def user_id(self) -> int:
        """The user's number, which tokens carry as ``sub``."""
        return self._ready.user.id

    @property
    def company(self) -> str:
        """The number of the company that the API key is for, as digits."""
        return str(_COMPANY)

    @property
    def api_key(self) -> str:
        """The API key of the user, the company and the client."""
        return self._ready.api_key

    @property
    def world(self) -> World:
        """Everything that exists in the sandbox, to add to and to take from."""
        return self._ready.service.world

    @property
    def quirks(self) -> Quirks:
        """How the sandbox differs from the documented behaviour; replace it at any time."""
        return self._quirks if self._furnished is None else self._furnished.service.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = quirks
        if self._furnished is not None:
            self._furnished.service.quirks = quirks

    @property
    def weather(self) -> Weather:
        """What goes wrong, and for how many more requests; replace it at any time."""
        return self._weather if self._furnished is None else self._furnished.service.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        if self._furnished is not None:
            self._furnished.service.weather = weather

    def log(self) -> list[dict[str, Any]]:
        """Return the requests that were answered, without a secret in them.

        Each is a dictionary with ``method``, ``path``, ``status`` (0 if the weather cut the connection
        before the answer), ``grant_type`` (or None), ``at`` (the sandbox's Unix time in seconds, without
        the weather's skew), ``secret_in_url``, ``number`` (counted from 1) and ``fault`` (what the weather
        did, or None). The last 20,000 are kept.
        """
        return self._ready.service.log.entries()

    def clear_log(self) -> None:
        """Forget the requests so far."""
        self._ready.service.log.clear()

    def description(self) -> dict[str, str | int]:
        """Return everything that a client needs, as the command's ``--json`` line has it."""
        return {
            "base_url": self.base_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
            "username": self.username,
            "password": self.password,
            "company": self.company,
            "user_id": self.user_id,
            "api_key": self.api_key,
        }

    def environment(self, strategy: str, *, refresh_token: bool = False) -> dict[str, str]:
        """Return the ``PROCOUNTOR_*`` variables with which a client authenticates here.

        Args:
            strategy: `legacy_password`, `client_credentials` or `authorization_code`.
            refresh_token: For ``authorization_code``: log the user in and add the refresh token, as
                for a machine that has no browser.

        Raises:
            ValueError: The strategy is not known, or has no refresh token.
        """
        variables = {
            "PROCOUNTOR_STRATEGY": strategy,
            "PROCOUNTOR_BASE_URL": self.base_url,
            "PROCOUNTOR_CLIENT_ID": self.client_id,
            "PROCOUNTOR_CLIENT_SECRET": self.client_secret,
            "PROCOUNTOR_REDIRECT_URI": self.redirect_uri,
        }
        if refresh_token and strategy != "authorization_code":
            raise ValueError("only the strategy 'authorization_code' starts from a refresh token")
        if strategy == "legacy_password":
            variables["PROCOUNTOR_USERNAME"] = self.username
            variables["PROCOUNTOR_PASSWORD"] = self.password
            variables["PROCOUNTOR_COMPANY"] = self.company
        elif strategy == "client_credentials":
            variables["PROCOUNTOR_API_KEY"] = self.api_key
        elif strategy != "authorization_code":
            raise ValueError(f"unknown strategy {strategy!r}")
        elif refresh_token:
            variables["PROCOUNTOR_REFRESH_TOKEN"] = self._log_in()
        return variables

    def add_profile(self, name: str) -> dict[str, str]:
        """Add a company with a user and an API key, for an integration that serves many companies.

        Args:
            name: What the profile is called; company and user get their names from it.

        Returns:
            ``username``, ``password``, ``company`` and ``api_key``: the profile's own values, as in a profiles file.

        Raises:
            ValueError: There is a profile of this name already.
        """
        return add_profile(self.world, self.client_id, name)

    def common_settings(self) -> dict[str, str]:
        """Return what all profiles share, as at the top of a profiles file; the strategy is the legacy one."""
        return {
            "strategy": "legacy_password",
            "base_url": self.base_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
        }

    def log_in(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        company: str | None = None,
        deny: bool = False,
    ) -> str:
        """Do what a person does at a login page, without a browser; return the address that it leads back to.

        Args:
            url: The login URL that a client made, ``…/login?…`` or ``…/keylogin?…``.
            username: Who logs in; by default the sandbox's user.
            password: By default the user's.
            company: The number of the company to choose; by default the first one.
            deny: Press "Deny" instead.

        Raises:
            ValueError: The page does not lead anywhere: it refuses the client, the person or the company.
            OSError: The sandbox does not answer.
        """
        person = {
            "username": self.username if username is None else username,
            "password": self.password if password is None else password,
            "company": self.company if company is None else company,
        }
        return visit(url, {"action": "deny"} if deny else person)

    def _log_in(self) -> str:
        session = Session(self.client_id, self.user_id, _COMPANY, int(self._clock()))
        return self.world.start_session(session)[1]

    @property
    def _ready(self) -> _Furnished:
        if self._furnished is None:
            raise RuntimeError("the sandbox has not been started")
        return self._furnished


class _Furnished:
    """A service with its first companies, user, client and API key."""

    def __init__(self, service: Service, redirect_uri: str, password: str) -> None:
        world = service.world
        world.add_company("Sandbox Oy", _COMPANY)
        world.add_company("Second Sandbox Oy", _SECOND_COMPANY)
        self.service = service
        self.client: Client = world.add_client(redirect_uri)
        self.user: User = world.add_user(
            "sandbox.user",
            password,
            name="Sandbox User",
            user_id=_USER,
            companies=(_COMPANY, _SECOND_COMPANY),
        )
        self.api_key = world.create_api_key(self.client.client_id, self.user.id, _COMPANY)
        self.app = create_app(service)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches the address. Of names, ``localhost`` alone is known to be one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_base_url(base_url: str) -> str:
    """Return the base URL without a slash at its end.

    Raises:
        ValueError: It is not the address of a host.
    """
    if not re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?", base_url):
        raise ValueError("the base URL must be http:// or https:// and a host, such as https://sandbox.example")
    _ = urlsplit(base_url).port  # Refuses one that is out of range.
    return base_url.rstrip("/")
