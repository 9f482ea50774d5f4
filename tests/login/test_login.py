"""A login in a browser: one answer, one code, one redirect URI. `row_NN` is a row of the conformance list."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

import procountor_auth
from procountor_auth import KeyLogin, Settings, TokenSource
from procountor_auth.errors import AccessDenied, ConfigurationError, InvalidGrant, RedirectError, StateMismatch
from procountor_auth.login.listener import LoopbackListener
from procountor_auth.sandbox import Sandbox
from procountor_auth.transport.backend import backend
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.login.login import Login

    LogIn = Callable[[str, Sandbox], str]
    TokenRequests = Callable[[Sandbox], list[str]]

PORTLESS: Final = "http://127.0.0.1/callback"


def settings(sandbox: Sandbox, strategy: str = "authorization_code", **changes: str) -> Settings:
    """Describe a sandbox to the library, with some values changed."""
    variables = sandbox.environment(strategy)
    return Settings(**arguments(variables) | changes)


def begin(sandbox: Sandbox, redirect_uri: str | None = None, **changes: str) -> Login:
    """Begin a login at a sandbox."""
    return TokenSource.from_settings(settings(sandbox, **changes)).begin_login(redirect_uri)


def begin_key(sandbox: Sandbox, redirect_uri: str | None = None) -> KeyLogin:
    """Begin a login for an API key at a sandbox."""
    return KeyLogin.from_settings(settings(sandbox), redirect_uri)


BEGINNINGS: Final[dict[str, Callable[..., Login | KeyLogin]]] = {"login": begin, "key login": begin_key}

each_login = pytest.mark.parametrize("start", BEGINNINGS.values(), ids=BEGINNINGS)


def asked(url: str) -> dict[str, str]:
    """Return the parameters of a URL."""
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


@each_login
def test_row_05_every_attempt_has_a_random_state_of_its_own(
    sandbox: Sandbox, start: Callable[..., Login | KeyLogin]
) -> None:
    """Each login has another state: 43 of 62 characters, 256 bits, and no place among them is the same in all."""
    states = [asked(start(sandbox).url)["state"] for _ in range(64)]
    assert all(re.fullmatch("[A-Za-z0-9]{43}", state) for state in states)
    assert len(set(states)) == len(states)
    assert all(len(set(column)) > 16 for column in zip(*states, strict=True))


@each_login
def test_row_06_a_wrong_or_missing_state_changes_nothing(
    sandbox: Sandbox, log_in: LogIn, start: Callable[..., Login | KeyLogin]
) -> None:
    """A redirect without the state of this login is refused, and the right one is accepted after it."""
    login = start(sandbox)
    right = log_in(login.url, sandbox)
    for wrong in (
        right.replace("state=", "state=x"),
        right.replace("state=", "other="),
        log_in(start(sandbox).url, sandbox),
    ):
        with pytest.raises(StateMismatch) as caught:
            login.complete(wrong)
        assert not caught.value.ends_login
        assert not caught.value.is_repeated
    with pytest.raises(RedirectError, match="does not lead to the client") as elsewhere:
        login.complete("https://elsewhere.example/" + right)
    assert not elsewhere.value.ends_login
    assert login.complete(right)


@each_login
def test_row_07_a_completed_login_is_over(
    sandbox: Sandbox, log_in: LogIn, token_requests: TokenRequests, start: Callable[..., Login | KeyLogin]
) -> None:
    """After the right redirect, nothing that comes with its state is believed: neither the code again, nor another."""
    login = start(sandbox)
    right = log_in(login.url, sandbox)
    assert login.complete(right)
    served = len(sandbox.log())
    for again in (
        right,
        re.sub("code=[^&]*", "code=another", right),
        re.sub("code=[^&]*", "error=access_denied", right),
    ):
        with pytest.raises(RedirectError, match="completed already") as caught:
            login.complete(again)
        assert (caught.value.ends_login, caught.value.is_repeated) == (False, True)
        assert not isinstance(caught.value, AccessDenied)
    assert len(sandbox.log()) == served
    assert len(token_requests(sandbox)) <= 1


@each_login
@pytest.mark.parametrize(
    "answer", ["error=access_denied", "error=server_error", "nothing=x", "code=x&iss=https://evil"]
)
def test_row_07_a_declined_login_is_over(
    sandbox: Sandbox, log_in: LogIn, start: Callable[..., Login | KeyLogin], answer: str
) -> None:
    """Whatever else than a code comes with the right state ends the login: a code that comes later is not exchanged."""
    login = start(sandbox)
    right = log_in(login.url, sandbox)
    with pytest.raises(RedirectError) as caught:
        login.complete(re.sub("code=[^&]*", answer, right))
    assert caught.value.ends_login
    assert isinstance(caught.value, AccessDenied) is ("access_denied" in answer)
    served = len(sandbox.log())
    with pytest.raises(RedirectError, match="completed already, or declined"):
        login.complete(right)
    assert len(sandbox.log()) == served


@pytest.mark.parametrize("state", ["", "&state=wrong"])
def test_row_08_a_denial_without_the_state_changes_nothing(sandbox: Sandbox, log_in: LogIn, state: str) -> None:
    """An error response is believed with the right state only."""
    login = begin(sandbox)
    with pytest.raises(StateMismatch):
        login.complete(f"{sandbox.redirect_uri}?error=access_denied{state}")
    assert login.complete(log_in(login.url, sandbox)).company_id == int(sandbox.company)


def test_row_07_of_many_at_once_one_is_completed(
    sandbox: Sandbox, log_in: LogIn, token_requests: TokenRequests
) -> None:
    """If the same redirect comes eight times at once, the code is exchanged once, and seven are refused."""
    login = begin(sandbox)
    right = log_in(login.url, sandbox)
    together = threading.Barrier(8)
    ends: list[object] = []

    def come_back() -> None:
        together.wait(10)
        try:
            ends.append(login.complete(right))
        except RedirectError as error:
            ends.append(error.message)

    browsers = [threading.Thread(target=come_back) for _ in range(8)]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        browser.join(10)
    assert len([end for end in ends if isinstance(end, str) and "completed already" in end]) == 7
    assert token_requests(sandbox) == ["authorization_code"]


@pytest.mark.parametrize("in_a_loop", [False, True])
@pytest.mark.parametrize("change", [("state=", "state=x"), ("code=", "error=denied&c="), ("code=", "code=a&code=")])
def test_no_code_is_in_the_locals_of_a_refusal(
    sandbox: Sandbox, log_in: LogIn, change: tuple[str, str], *, in_a_loop: bool
) -> None:
    """A traceback with the locals of our frames shows neither the code nor the state."""
    login = begin(sandbox)
    right = log_in(login.url, sandbox)
    wrong = right.replace(*change)
    with pytest.raises(RedirectError) as caught:
        _ = asyncio.run(login.acomplete(wrong)) if in_a_loop else login.complete(wrong)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # The frames of this test and of the event loop hold what the test itself has made up.
    frames.stack[:] = [frame for frame in frames.stack if "procountor_auth" in Path(frame.filename).parts]
    shown = "".join(frames.format())
    assert "_finish" in shown
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert not [secret for secret in asked(right).values() if secret in shown]


@pytest.mark.server
@each_login
@pytest.mark.parametrize("port", [1, 80, 8765, 65535])
def test_row_16_the_port_stands_in_both_legs(log_in: LogIn, start: Callable[..., Login | KeyLogin], port: int) -> None:
    """The port that a login fills in is sent to the login page and again with the code, which the server compares."""
    uri = f"http://127.0.0.1:{port}/callback"
    with Sandbox(redirect_uri=PORTLESS) as sandbox:
        login = start(sandbox, uri)
        assert asked(login.url)["redirect_uri"] == login.redirect_uri == uri
        redirected = log_in(login.url, sandbox)
        assert redirected.startswith(f"{uri}?")
        with pytest.raises(RedirectError, match="does not lead to the client"):
            login.complete(redirected.replace(f":{port}/", ":9/"))
        assert login.complete(redirected)


@pytest.mark.server
@pytest.mark.parametrize("registered", [PORTLESS, "http://127.0.0.1:8765/callback", "redirect-uri-placeholder"])
def test_row_16_the_registered_uri_is_sent_as_it_is(log_in: LogIn, registered: str) -> None:
    """Unless a port is filled in, both legs have the redirect URI as it is registered, character for character."""
    with Sandbox(redirect_uri=registered) as sandbox:
        for given in (None, registered):
            login = begin(sandbox, given)
            assert asked(login.url)["redirect_uri"] == login.redirect_uri == registered
            assert login.complete(log_in(login.url, sandbox)).company_id == int(sandbox.company)


@pytest.mark.server
@each_login
@pytest.mark.parametrize(
    ("registered", "other"),
    [
        (PORTLESS, ""),
        (PORTLESS, "http://127.0.0.1:8765/other"),
        (PORTLESS, "http://127.0.0.1:8765/callback/"),
        (PORTLESS, "http://127.0.0.1:8765/callback?x=y"),
        (PORTLESS, "http://127.0.0.1:0/callback"),
        (PORTLESS, "http://127.0.0.1:70000/callback"),
        (PORTLESS, "http://127.0.0.1:/callback"),
        (PORTLESS, "http://localhost:8765/callback"),
        (PORTLESS, "http://[::1]:8765/callback"),
        (PORTLESS, "http://127.0.0.1:8765@evil.example/callback"),
        (PORTLESS, "https://127.0.0.1:8765/callback"),
        ("http://127.0.0.1:8765/callback", "http://127.0.0.1:8766/callback"),
        ("http://127.0.0.1:8765/callback", PORTLESS),
        ("https://app.example/callback", "https://app.example:8443/callback"),
        ("redirect-uri-placeholder", PORTLESS),
    ],
)
def test_row_16_another_redirect_uri_is_refused(
    start: Callable[..., Login | KeyLogin], registered: str, other: str
) -> None:
    """No other redirect URI than the registered one can be sent: what may differ is a port that is not registered."""
    with Sandbox(redirect_uri=registered) as sandbox:
        with pytest.raises(ConfigurationError, match="PROCOUNTOR_REDIRECT_URI") as caught:
            start(sandbox, other)
        assert "LoopbackListener" in caught.value.hint
        assert sandbox.log() == []


def test_row_24_the_package_has_no_client_of_its_own() -> None:
    """Client ID and secret come from the user alone: no default, and none in the source."""
    fields = Settings.model_fields
    assert {fields[name].default for name in ("client_id", "client_secret", "redirect_uri")} == {None}
    sources = Path(procountor_auth.__file__).parent.rglob("*.py")
    texts = {path: path.read_text("utf-8") for path in sources if "sandbox" not in path.parts}
    assert len(texts) > 30
    given = re.compile(r"""client_(?:id|secret)["']?\s*(?::[^=\n]+)?[=:]\s*(?:SecretStr\()?["'][^"']+["']""")
    assert given.search('client_secret = SecretStr("x")')
    assert given.search('{"client_id": "x"}')
    assert [path.name for path, text in texts.items() if given.search(text)] == []


@pytest.mark.server
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
@each_login
def test_a_login_comes_back_to_the_listener(start: Callable[..., Login | KeyLogin], host: str) -> None:
    """From the login page over the listener to the exchange: the login ends with what the server gives."""
    try:
        port = free_port(host.strip("[]"))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    # Other ports are for an address, not for a name (RFC 8252, section 8.3).
    registered = f"http://{host}/callback" if host != "localhost" else f"http://localhost:{port}/callback"
    with Sandbox(redirect_uri=registered) as sandbox, LoopbackListener(registered) as listener:
        login = start(sandbox, listener.redirect_uri)
        pages: list[str] = []
        browser = threading.Thread(target=lambda: pages.append(browse(login.url, sandbox)))
        browser.start()
        assert listener.wait(login.complete, 30)
        browser.join(10)
    assert "Login complete" in pages[0]


def free_port(host: str) -> int:
    """Return a port that nobody has there.

    Raises:
        OSError: This machine does not have the address.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
        free.bind((host, 0))
        return int(free.getsockname()[1])


def browse(url: str, sandbox: Sandbox) -> str:
    """Do what a person does at a login URL, follow the redirect, and return the page that it leads to."""
    page, _, query = url.partition("?")
    person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company}
    with backend.Client(trust_env=False, follow_redirects=True) as browser:
        return browser.post(page, data=dict(parse_qsl(query)) | person).text


@pytest.mark.server
def test_a_code_that_the_server_refuses_ends_the_login() -> None:
    """If the exchange fails, the wait ends with the server's rejection, and the browser is told the same."""
    with Sandbox(redirect_uri=PORTLESS) as sandbox, LoopbackListener(PORTLESS) as listener:
        login = begin(sandbox, listener.redirect_uri)
        state = asked(login.url)["state"]
        pages: list[str] = []

        def come_back() -> None:
            with backend.Client(trust_env=False) as browser:
                pages.append(browser.get(f"{listener.redirect_uri}?code=made-up&state={state}").text)

        browser = threading.Thread(target=come_back)
        browser.start()
        with pytest.raises(InvalidGrant) as caught:
            listener.wait(login.complete, 30)
        browser.join(10)
    assert "The login failed" in pages[0]
    assert "log in again" in pages[0]
    assert "made-up" not in pages[0] + str(caught.value)
