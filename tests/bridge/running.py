"""A bridge that serves, on a thread of the test's own process."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from procountor_auth import Settings
from procountor_auth.bridge.bridge import Bridge
from procountor_auth.bridge.connection import IDLE_SECONDS
from procountor_auth.bridge.forwarding import SEND_SECONDS
from procountor_auth.bridge.login import BridgeLogin, Logins
from procountor_auth.bridge.server import BridgeServer, listen
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.stores.base import Store


def login_of(sandbox: Sandbox, **changes: Any) -> BridgeLogin:  # noqa: ANN401 - as settings take them
    """Return the login of a sandbox's first company, whose calls are passed on with its API key.

    Args:
        sandbox: The service.
        changes: Settings that differ, by their names.
    """
    values: dict[str, Any] = {
        "strategy": "client_credentials",
        "base_url": sandbox.base_url,
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "redirect_uri": sandbox.redirect_uri,
        "api_key": sandbox.api_key,
        "username": sandbox.username,
        "password": sandbox.password,
        "company": sandbox.company,
        **changes,
    }
    login = BridgeLogin.of(Settings(**values), has_file=False)
    assert login is not None
    return login


def login_of_another(sandbox: Sandbox, name: str, **changes: Any) -> BridgeLogin:  # noqa: ANN401 - as settings take them
    """Return the login of one more company of a sandbox, with a user and an API key of its own.

    Args:
        sandbox: The service.
        name: What the company is called.
        changes: Settings that differ, by their names.
    """
    return login_of(sandbox, **(sandbox.add_profile(name) | changes))


class RunningBridge:
    """A bridge and its address. A context manager: it serves inside.

    Attributes:
        bridge: The bridge.
        listening: Its socket.
        port: The port of that.
        url: Its address.

    Args:
        logins: Who may log in.
        store: Where its tokens are; by default in a memory of its own.
        port: Where it listens; by default at a free one.
        certificate: The certificate for HTTPS.
        key: Its key.
        idle_seconds: How long a connection is kept without a request.
        unread_seconds: How long a program may take nothing of what it is sent.
        options: Those of `Bridge`.
    """

    def __init__(
        self,
        logins: Iterable[BridgeLogin],
        *,
        store: Store | None = None,
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
        idle_seconds: float = IDLE_SECONDS,
        unread_seconds: float = SEND_SECONDS,
        **options: Any,  # noqa: ANN401 - as `Bridge` takes them
    ) -> None:
        self.bridge = Bridge(Logins(logins), store or MemoryStore(), **options)
        self.listening = listen("127.0.0.1", port)
        self._started = threading.Event()
        self._server = BridgeServer(
            self.bridge,
            self.listening,
            certificate=certificate,
            key=key,
            on_started=self._started.set,
            idle_seconds=idle_seconds,
            unread_seconds=unread_seconds,
        )
        scheme = "http" if certificate is None else "https"
        self.port = self.listening.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run, name="bridge")

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self.listening]))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30), "the bridge did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._server.should_exit = True
        self._thread.join(60)
        self.listening.close()
        assert not self._thread.is_alive()


class OldProgram:
    """A program that logs in as the old documentation says, and calls the API.

    Args:
        url: The host that it is configured with.
        login: What it logs in with. Its password is the configured one, unless that is a hash.
        password: The password, if it is another one.
    """

    def __init__(self, url: str, login: BridgeLogin, *, password: str | None = None) -> None:
        self.login = login
        self.url = url
        self.redirect_uri = login.redirect_uri or "redirect-uri-placeholder"
        self.password = login.password.get_secret_value() if password is None else password
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30, headers={"User-Agent": "OldProgram/1.0"})
        self.access_token = ""
        self.refresh_token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def form(self) -> dict[str, str]:
        """Return the form that it logs in with."""
        return {
            "response_type": "code",
            "username": self.login.username.get_secret_value(),
            "password": self.password,
            "company": self.login.company,
            "redirect_uri": self.redirect_uri,
        }

    def authz(self, path: str = "/api/oauth/authz", **changes: str) -> httpx.Response:
        """Post the user's name, password and company."""
        query = {"response_type": "code", "client_id": self.login.client_id, "state": "abc def"}
        return self.http.post(path, params=query, data=self.form() | changes)

    def token(self, grant_type: str, path: str = "/api/oauth/token", **parameters: str) -> httpx.Response:
        """Ask for a token with the client's secret."""
        form = {
            "grant_type": grant_type,
            "client_id": self.login.client_id,
            "client_secret": self.login.client_secret.get_secret_value(),
        }
        return self.http.post(path, data=form | parameters)

    def log_in(self) -> None:
        """Log in: a code, and the tokens for it."""
        answer = self.authz()
        assert answer.status_code == 302, answer.text
        code = code_in(answer)
        answer = self.token("authorization_code", code=code, redirect_uri=self.redirect_uri)
        assert answer.status_code == 200, answer.text
        self.access_token, self.refresh_token = answer.json()["access_token"], answer.json()["refresh_token"]

    def refresh(self) -> httpx.Response:
        """Get another access token with the refresh token."""
        answer = self.token("refresh_token", refresh_token=self.refresh_token)
        if answer.status_code == 200:
            self.access_token = answer.json()["access_token"]
        return answer

    def call(self, method: str = "GET", path: str = "/api/sessioninfo", **more: Any) -> httpx.Response:  # noqa: ANN401 - as the client takes them
        """Call the API with the access token."""
        headers = {"Authorization": f"Bearer {self.access_token}"} | more.pop("headers", {})
        return self.http.request(method, path, headers=headers, **more)

    def company(self) -> int:
        """Return the company that its calls reach."""
        return int(self.call().raise_for_status().json()["companyId"])


def code_in(answer: httpx.Response) -> str:
    """Return the code in a redirect, whose address need not be a URL."""
    return parse_qs(answer.headers["location"].partition("?")[2])["code"][0]


@contextmanager
def served(sandbox: Sandbox, **changes: Any) -> Iterator[OldProgram]:  # noqa: ANN401 - as settings take them
    """Serve the login of a sandbox's first company; give the program that has it.

    Args:
        sandbox: The service.
        changes: Settings that differ, by their names.
    """
    login = login_of(sandbox, **changes)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        yield program
