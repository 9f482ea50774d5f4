"""The loopback listener with a real browser, and with a hostile page in it. `row_NN`: the conformance list."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth.login import listener as listener_module
from procountor_auth.login.listener import LoopbackListener
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from tests.browser.person import wrong_with_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

PORTLESS: Final = "http://127.0.0.1/callback"


class Waiting:
    """A listener that waits on a thread for the redirect of one visit, and ends with its code.

    Attributes:
        ended: The outcome of the wait.
        right: The whole address of the right redirect.
        origin: Where the listener is.
    """

    def __init__(self, listener: LoopbackListener) -> None:
        client = OAuthClient(Endpoints("https://api.example"), "client-1", SecretStr("x"), PORTLESS)
        self._visit = client.authorization_request("https://api.example/login", listener.redirect_uri)
        self._listener = listener
        self.ended: Future[SecretStr] = Future()
        state = parse_qs(urlsplit(self._visit.url).query)["state"][0]
        self.origin = listener.redirect_uri.removesuffix("/callback")
        self.right = f"{listener.redirect_uri}?code=c0de&state={state}"

    def wait(self) -> None:
        """Wait, and keep how it ends."""
        try:
            self.ended.set_result(self._listener.wait(self._visit.code_from, 30))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.ended.set_exception(error)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """A listener that waits."""
    with LoopbackListener(PORTLESS) as listener:
        login = Waiting(listener)
        thread = threading.Thread(target=login.wait)
        thread.start()
        yield login
        thread.join(40)


class Hostile(ThreadingHTTPServer):
    """Another site, which a person has open while they log in.

    Attributes:
        target: What it redirects to at `/redirect`.
    """

    target = ""
    daemon_threads = True


class _Page(BaseHTTPRequestHandler):
    server: Hostile

    def do_GET(self) -> None:
        """Answer an empty page, or a redirect."""
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        if self.path == "/redirect":
            self.send_header("Location", self.server.target)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """Another site."""
    with Hostile(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


#: What a script of another page can do with an address. Each answers when it is through.
_ATTACKS: Final = {
    "fetch": "url => fetch(url).catch(() => 0).then(() => 0)",
    "opaque fetch": "url => fetch(url, {mode: 'no-cors'}).catch(() => 0).then(() => 0)",
    "POST": "url => fetch(url, {method: 'POST', mode: 'no-cors', body: 'a=b'}).catch(() => 0).then(() => 0)",
    "fetch over a redirect": "() => fetch('/redirect', {mode: 'no-cors'}).catch(() => 0).then(() => 0)",
    "image": (
        "url => new Promise(done => { const e = new Image(); e.onload = e.onerror = () => done(0); e.src = url; })"
    ),
    "script": (
        "url => new Promise(done => { const e = document.createElement('script'); e.onload = e.onerror = () => done(0);"
        " e.src = url; document.head.append(e); })"
    ),
    "frame": (
        "url => new Promise(done => { const e = document.createElement('iframe'); e.onload = e.onerror = () => done(0);"
        " e.src = url; document.body.append(e); })"
    ),
    "beacon": "url => navigator.sendBeacon(url, 'a=b') && 0",
    "WebSocket": (
        "url => new Promise(done => { const e = new WebSocket(url.replace('http', 'ws')); e.onerror = () => done(0); })"
    ),
}


@pytest.mark.parametrize("attack", _ATTACKS.values(), ids=_ATTACKS)
def test_row_22_another_page_s_script_ends_nothing(page: Page, waiting: Waiting, hostile: Hostile, attack: str) -> None:
    """No request that a script of another page can make ends the login, even with the right state."""
    hostile.target = waiting.right
    page.goto(f"http://127.0.0.1:{hostile.server_port}/")
    page.evaluate(attack, waiting.right)
    # Another request comes after it, so it has been seen.
    page.goto(f"{waiting.origin}/")
    assert not waiting.ended.done()
    page.goto(waiting.right)
    assert waiting.ended.result(10).get_secret_value() == "c0de"


def test_row_22_a_rebound_name_ends_nothing(page: Page, waiting: Waiting) -> None:
    """A page at another name for this machine can't come back in the login's place."""
    port = urlsplit(waiting.origin).port
    answer = page.goto(waiting.right.replace("127.0.0.1", "evil.localhost"))
    assert answer is not None
    assert (answer.status, urlsplit(answer.url).hostname, urlsplit(answer.url).port) == (421, "evil.localhost", port)
    assert not waiting.ended.done()
    page.goto(waiting.right)
    assert waiting.ended.result(10)


def test_row_21_after_the_login_there_is_nobody(page: Page, waiting: Waiting) -> None:
    """Going back to the page, or loading it again, finds nobody: the listener is gone, and no code is sent twice."""
    page.goto(waiting.right)
    page.get_by_role("heading", name="Login complete.").wait_for()
    assert waiting.ended.result(10)
    with pytest.raises(Exception, match="ERR_CONNECTION_REFUSED"):
        page.reload()


def test_a_reload_during_the_exchange_shows_how_the_login_ends(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that abandons the redirect and sends it again gets the page of the first one."""
    begun, go_on = threading.Event(), threading.Event()

    class Noticed(listener_module._Redirect):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "repeats" and value:
                go_on.set()

    def complete(_: str) -> str:
        begun.set()
        assert go_on.wait(10)
        return "done"

    monkeypatch.setattr(listener_module, "_Redirect", Noticed)
    ended: list[str] = []
    with LoopbackListener(PORTLESS) as listener:
        right = f"{listener.redirect_uri}?code=c0de&state=right"
        thread = threading.Thread(target=lambda: ended.append(listener.wait(complete, 30)))
        thread.start()
        page.evaluate("url => { location.href = url }", right)
        assert begun.wait(10)
        page.goto(right)
        assert page.get_by_role("heading", name="Login complete.").is_visible()
        thread.join(10)
    assert ended == ["done"]


@pytest.mark.parametrize("path", ["/", "/callback?code=x&state=wrong", "/favicon.ico"])
def test_row_25_every_page_is_readable(
    page: Page, waiting: Waiting, violations: Callable[[Page], list[str]], path: str
) -> None:
    """The pages that do not end the login are as readable as the ones that do."""
    page.goto(waiting.origin + path)
    assert page.get_by_role("heading").is_visible()
    assert wrong_with_looks(page, violations) == []
    page.goto(waiting.right)
    assert waiting.ended.result(10)
