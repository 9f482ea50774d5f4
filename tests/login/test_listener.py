"""The loopback listener, at the level of sockets. `row_NN` is a row of the conformance list."""

from __future__ import annotations

import errno
import gc
import logging
import os
import re
import signal
import socket
import subprocess
import threading
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth.errors import (
    AccessDenied,
    CannotListen,
    ConfigurationError,
    InvalidGrant,
    LoginTimedOut,
    ProcountorAuthError,
    RedirectError,
)
from procountor_auth.login import listener as listener_module
from procountor_auth.login import pages, request_handler, server, sockets
from procountor_auth.login.listener import LoopbackListener
from procountor_auth.login.login import Login
from procountor_auth.login.request_handler import MAX_HEAD, MAX_LINE
from procountor_auth.login.server import MAX_CONNECTIONS
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.token import Token
from procountor_auth.strategies import AuthorizationCodeStrategy
from procountor_auth.transport.background import SharedFuture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.flow import Flow
    from tests.forkserver.forkserver import ForkServer

pytestmark = [pytest.mark.process, pytest.mark.server]

TOKEN: Final = Token("access-CANARY", 1_000.0, 4_000_000_000.0, "authorization_code", "refresh-CANARY")
CODE: Final = "code-CANARY"

PORTLESS: Final = "http://127.0.0.1/callback"


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


class Waiting:
    """A login whose redirect is waited for on a thread.

    Attributes:
        listener: The listener.
        login: A real login; only the exchange of its code is the test's.
        exchanges: How many codes were exchanged.
        ended: The outcome of the wait.
    """

    def __init__(self, listener: LoopbackListener, exchange: Callable[[], Token]) -> None:
        self.listener = listener
        self.exchanges = 0
        self._exchange = exchange
        client = OAuthClient(Endpoints("https://api.example"), "client-1", SecretStr("cl13nt"), listener._loopback.uri)
        self.login = Login(AuthorizationCodeStrategy(client), self._fetch, listener.redirect_uri)
        self.ended: Future[Token] = Future()

    def _fetch(self, flow: Flow[Token], _: SecretStr) -> SharedFuture[Token]:
        flow.close()
        self.exchanges += 1
        outcome: SharedFuture[Token] = SharedFuture(10)
        outcome.start(self._exchange)
        return outcome

    def wait(self, timeout: float) -> None:
        """Wait, and keep how it ends."""
        try:
            self.ended.set_result(self.listener.wait(self.login.complete, timeout))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.ended.set_exception(error)

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return urlsplit(self.listener.redirect_uri).port or 80

    @property
    def state(self) -> str:
        """The state that was sent."""
        return dict(parse_qsl(urlsplit(self.login.url).query))["state"]

    @property
    def right(self) -> str:
        """The target of the right redirect."""
        return f"/callback?code={CODE}&state={self.state}"

    def send(self, data: bytes, address: str = "127.0.0.1") -> bytes:
        """Send bytes on a connection of their own; return all that comes back."""
        with socket.create_connection((address, self.port), timeout=10) as connection:
            connection.sendall(data)
            return everything(connection)

    def get(self, target: str, method: str = "GET", address: str = "127.0.0.1", **headers: str) -> Answer:
        """Send one request as a browser would."""
        host = urlsplit(self.listener.redirect_uri).netloc
        lines = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return Answer(self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"), address))

    def finish(self) -> Token:
        """Come back as the login page would send a browser, and return what the wait brings."""
        assert not self.ended.done()
        answer = self.get(self.right)
        assert (answer.status, answer.page.count("Login complete")) == (200, 2)
        return self.ended.result(10)


class Answer:
    """What came back."""

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.data = data
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.page = body.decode("utf-8")


def everything(connection: socket.socket) -> bytes:
    """Return all that comes until the other side hangs up."""
    data = b""
    while read := connection.recv(65_536):
        data += read
    return data


@pytest.fixture
def waiting() -> Iterator[Callable[..., Waiting]]:
    """Start to wait for a login."""
    with ExitStack() as stack:
        threads = []

        def start(
            redirect_uri: str = PORTLESS,
            *,
            timeout: float = 30,
            exchange: Callable[[], Token] = lambda: TOKEN,
            **options: Any,  # noqa: ANN401 - the listener's own
        ) -> Waiting:
            started = Waiting(stack.enter_context(LoopbackListener(redirect_uri, **options)), exchange)
            threads.append(threading.Thread(target=started.wait, args=(timeout,)))
            threads[-1].start()
            return started

        yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def can_connect(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def test_the_right_redirect_ends_the_login(waiting: Callable[..., Waiting]) -> None:
    """The answer with the right state brings the token, and the page says so after the exchange."""
    login = waiting()
    assert login.finish() is TOKEN
    assert login.exchanges == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        f"?code={CODE}",
        f"?code={CODE}&state=",
        f"?code={CODE}&state=wrong",
        f"?code={CODE}&state={{state}}x",
        f"?code={CODE}&state={{state}}&state={{state}}",
        f"?code={CODE}&code={CODE}&state={{state}}",
        f"?code={CODE}#state={{state}}",
        f"?code={CODE}&state={{state}}&x=%ff",
        f"?code={CODE}&state={{state}}&x=\xe4",
        f"?code={CODE};state={{state}}",
    ],
)
def test_row_06_a_wrong_or_missing_state_is_refused_and_the_listener_waits(
    waiting: Callable[..., Waiting], query: str
) -> None:
    """A redirect that is not proven to be the answer gets an error page, exchanges nothing, and ends nothing."""
    login = waiting()
    answer = login.get("/callback" + query.format(state=login.state))
    assert answer.status == 400
    assert "still open" in answer.page
    assert login.exchanges == 0
    assert login.finish() is TOKEN


def test_row_07_the_state_is_good_for_one_answer(waiting: Callable[..., Waiting]) -> None:
    """Another code with the state, during the exchange of the first, is refused at once, and changes nothing."""
    exchanging, go_on = threading.Event(), threading.Event()

    def exchange() -> Token:
        exchanging.set()
        assert go_on.wait(10)
        return TOKEN

    login = waiting(exchange=exchange)
    first: list[Answer] = []
    browser = threading.Thread(target=lambda: first.append(login.get(login.right)))
    browser.start()
    assert exchanging.wait(10)
    answer = login.get(login.right.replace(CODE, "another"))
    assert (answer.status, answer.page.count("This login is being completed")) == (400, 2)
    assert "still open" not in answer.page
    assert not login.ended.done()
    go_on.set()
    browser.join(10)
    assert (first[0].status, login.ended.result(10)) == (200, TOKEN)
    assert login.exchanges == 1
    with pytest.raises(RedirectError, match="completed already"):
        login.login.complete(f"http://127.0.0.1:{login.port}{login.right}")


class Repeated:
    """A login whose right redirect is handled for as long as the test likes, and comes again meanwhile.

    Attributes:
        login: The login.
        go_on: Lets the exchange end.
    """

    def __init__(self, waiting: Callable[..., Waiting], outcome: Callable[[], Token], **options: Any) -> None:  # noqa: ANN401 - the listener's own
        exchanging, self.go_on = threading.Event(), threading.Event()

        def exchange() -> Token:
            exchanging.set()
            assert self.go_on.wait(10)
            return outcome()

        self.login: Waiting = waiting(exchange=exchange, **options)
        self._first = self.leave()
        assert exchanging.wait(10)

    def leave(self) -> socket.socket:
        """Send the right redirect without waiting for the page."""
        connection = socket.create_connection(("127.0.0.1", self.login.port), timeout=10)
        host = f"127.0.0.1:{self.login.port}"
        connection.sendall(f"GET {self.login.right} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return connection

    def abandon(self) -> None:
        """Hang up the first one, as a browser does that loads the page again."""
        self._first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._first.close()

    def first(self) -> Answer:
        """Return what comes back to the first one."""
        with self._first:
            return Answer(everything(self._first))


@pytest.fixture
def repeats(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Wait until so many repeats have begun to wait, in all."""
    begun = threading.Semaphore(0)

    class Counted(listener_module._Redirect):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "repeats" and value:
                begun.release()

    monkeypatch.setattr(listener_module, "_Redirect", Counted)

    def wait(number: int) -> None:
        for _ in range(number):
            assert begun.acquire(timeout=10)

    return wait


def refused() -> Token:
    """Be an exchange that the server refuses."""
    raise InvalidGrant("The code was refused.", hint="Log in again.")


@pytest.mark.parametrize(
    ("outcome", "said"), [(lambda: TOKEN, "Login complete"), (refused, "The code was refused.")], ids=["well", "badly"]
)
def test_a_repeat_of_the_right_redirect_gets_the_page_of_the_first(
    waiting: Callable[..., Waiting], repeats: Callable[[int], None], outcome: Callable[[], Token], said: str
) -> None:
    """A reload or a double click during the exchange waits for it, and shows how it ended; nothing is sent twice."""
    repeated = Repeated(waiting, outcome)
    with repeated.leave() as second, repeated.leave() as third:
        repeats(2)
        assert "still open" in repeated.login.get("/callback?code=x&state=wrong").page  # waits for nothing
        repeated.go_on.set()
        answers = [repeated.first(), Answer(everything(second)), Answer(everything(third))]
    assert [said in answer.page for answer in answers] == [True] * 3
    assert len({(answer.status, answer.page) for answer in answers}) == 1
    assert repeated.login.exchanges == 1
    assert (repeated.login.ended.exception(10) is None) is (outcome is not refused)


def test_a_repeat_is_answered_where_the_first_was_abandoned(
    waiting: Callable[..., Waiting], repeats: Callable[[int], None]
) -> None:
    """The listener stays until the repeats have their page, whether or not the first one's browser is still there."""
    repeated = Repeated(waiting, lambda: TOKEN)
    repeated.abandon()
    with repeated.leave() as second:
        repeats(1)
        repeated.go_on.set()
        assert "Login complete" in Answer(everything(second)).page
    assert repeated.login.ended.result(10) is TOKEN


def test_a_repeat_waits_for_a_limited_time(
    waiting: Callable[..., Waiting], repeats: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the exchange takes too long, a repeat is told that the login is being completed, and the first one waits."""
    monkeypatch.setattr("procountor_auth.login.listener._TURN", 0.02)
    clock = [0.0]
    repeated = Repeated(waiting, lambda: TOKEN, timeout=1_000, monotonic=lambda: clock[0])
    with repeated.leave() as second:
        repeats(1)
        clock[0] = listener_module._REPEAT
        answer = Answer(everything(second))
    assert (answer.status, answer.page.count("This login is being completed")) == (400, 2)
    repeated.go_on.set()
    assert "Login complete" in repeated.first().page
    assert repeated.login.ended.result(10) is TOKEN


def test_few_repeats_wait(waiting: Callable[..., Waiting], repeats: Callable[[int], None]) -> None:
    """Of many repeats the latest wait, and the oldest are released: they hold neither threads nor connections."""
    repeated = Repeated(waiting, lambda: TOKEN)
    with ExitStack() as stack:
        sent = []
        for _ in range(listener_module._REPEATS + 2):
            sent.append(stack.enter_context(repeated.leave()))
            repeats(1)
        assert ["being completed" in Answer(everything(each)).page for each in sent[:2]] == [True] * 2
        repeated.go_on.set()
        assert all("Login complete" in Answer(everything(each)).page for each in sent[2:])
    assert "Login complete" in repeated.first().page
    assert repeated.login.ended.result(10) is TOKEN


@pytest.mark.parametrize("state", ["", "&state=", "&state=wrong"])
def test_row_08_an_error_without_the_state_is_anybody_s(waiting: Callable[..., Waiting], state: str) -> None:
    """An error response with a wrong or missing state does not end the login."""
    login = waiting()
    assert login.get(f"/callback?error=access_denied{state}").status == 400
    assert login.finish() is TOKEN


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ("access_denied", AccessDenied, "<h1>You declined the login.</h1>\n<p>You can close this tab.</p>"),
        ("server_error", RedirectError, "<h1>The login failed.</h1>\n<p>The login page responded with server_error."),
        ("<script>alert(1)</script>", RedirectError, "<p>The login page responded with an error."),
    ],
)
def test_row_08_an_error_with_the_state_ends_the_login(
    waiting: Callable[..., Waiting], error: str, kind: type[RedirectError], said: str
) -> None:
    """An error response with the right state is the answer: typed, final, told on the page, and used up."""
    login = waiting()
    answer = login.get(f"/callback?error={error}&error_description=<b>X</b>CANARY&state={login.state}")
    failed = login.ended.exception(10)
    assert type(failed) is kind
    assert isinstance(failed, RedirectError)
    assert failed.ends_login
    assert (answer.status, said in answer.page) == (400, True)
    assert not re.search("script|CANARY|<b>", answer.page)
    with pytest.raises(RedirectError, match="completed already"):
        login.login.complete(login.listener.redirect_uri + login.right.removeprefix("/callback"))
    assert login.exchanges == 0


@pytest.mark.parametrize("redirect_uri", [PORTLESS, pytest.param("http://[::1]/callback", marks=needs_ipv6)])
def test_row_17_nothing_but_the_address_of_this_machine_is_listened_at(
    waiting: Callable[..., Waiting], redirect_uri: str
) -> None:
    """The socket is bound to the one address of the redirect URI: no other of this machine reaches it."""
    login = waiting(redirect_uri)
    address = str(urlsplit(redirect_uri).hostname)
    assert [each.getsockname()[0] for each in login.listener._sockets] == [address]
    assert can_connect(address, login.port)
    others = {"127.0.0.1", "::1", "127.0.0.2", outward_address()} - {address, None}
    assert not [other for other in others if other and can_connect(other, login.port)]
    assert login.get(login.right, address=address).status == 200


def outward_address() -> str | None:
    """Return this machine's address in its network, if it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(tried.getsockname()[0])


@pytest.mark.parametrize(
    "redirect_uri",
    [
        *("redirect-uri-placeholder", "https://127.0.0.1/callback", "https://app.example/callback", "myapp:/callback"),
        *("http://127.0.0.2/", "http://0.0.0.0/", "http://[::]/", "http://127.1/", "http://2130706433/"),
        *("http://localhost.example/", "http://x.localhost/", "http://127.0.0.1.example/", "http://127.0.0.1@x/"),
        *("http://x@127.0.0.1/", "http://127.0.0.1:/", "http://127.0.0.1:0/", "http://127.0.0.1:70000/", "http://"),
        *("http://127.0.0.1/a/../b", "http://127.0.0.1/./b", "http://127.0.0.1/a b", "http://127.0.0.1/%2e%2e/b"),
        *("http://127.0.0.1/a?b", "http://127.0.0.1/a#b", "http://127.0.0.1\\@x/", "http:/127.0.0.1/", ""),
    ],
)
def test_row_17_what_does_not_lead_to_this_machine_is_not_listened_for(redirect_uri: str) -> None:
    """Any other redirect URI is refused with an error that says what kind would do."""
    assert not LoopbackListener.can_listen(redirect_uri)
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_REDIRECT_URI") as caught:
        LoopbackListener(redirect_uri)
    assert "http://127.0.0.1:8765/callback" in caught.value.hint


def test_row_18_an_ip_literal_stays_one(waiting: Callable[..., Waiting]) -> None:
    """Where the address is registered, the address is sent, and the name `localhost` is another host."""
    login = waiting()
    assert login.listener.redirect_uri == f"http://127.0.0.1:{login.port}/callback"
    assert login.get(login.right, Host=f"localhost:{login.port}").status == 421
    assert login.finish() is TOKEN


@pytest.mark.parametrize("path", ["/callback", "/", "", "/a/b.c~d/"])
def test_row_19_a_free_port_is_filled_in(waiting: Callable[..., Waiting], path: str) -> None:
    """Without a registered port each login has a port of its own, and the rest of the URI stays as it is."""
    first, second = waiting(f"http://127.0.0.1{path}"), waiting(f"http://127.0.0.1{path}")
    assert first.port != second.port
    for login in (first, second):
        assert login.listener.redirect_uri == f"http://127.0.0.1:{login.port}{path}"
        assert login.get(f"{path or '/'}?code=x&state={login.state}").status == 200
        assert login.ended.result(10) is TOKEN


def test_row_19_a_registered_port_is_the_port(waiting: Callable[..., Waiting]) -> None:
    """With a registered port, exactly that port is listened at, and the URI is sent as it is registered."""
    uri = f"http://127.0.0.1:{free_port()}/callback"
    login = waiting(uri)
    assert login.listener.redirect_uri == uri
    assert login.finish() is TOKEN


def test_row_16_the_login_sends_what_is_listened_at(waiting: Callable[..., Waiting]) -> None:
    """The URI with the port filled in is the one that the login page is told."""
    login = waiting()
    sent = dict(parse_qsl(urlsplit(login.login.url).query))["redirect_uri"]
    assert sent == login.listener.redirect_uri == login.login.redirect_uri
    assert login.finish() is TOKEN


@needs_ipv6
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("fixed", [False, True])
def test_row_20_localhost_is_both(waiting: Callable[..., Waiting], address: str, *, fixed: bool) -> None:
    """For `localhost` IPv4 and IPv6 are listened at, on one port, and either brings the login."""
    login = waiting(f"http://localhost:{free_port()}/callback" if fixed else "http://LOCALHOST/callback")
    assert {each.getsockname()[0] for each in login.listener._sockets} == {"127.0.0.1", "::1"}
    assert login.get(login.right, address=address).status == 200
    assert login.ended.result(10) is TOKEN


@pytest.mark.parametrize("missing", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_row_20_localhost_works_without_ipv6(
    waiting: Callable[..., Waiting], monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """On a machine without IPv6, `localhost` is listened for on IPv4."""
    bind = sockets._bind

    def without_ipv6(address: str, port: int) -> socket.socket:
        if ":" in address:
            raise OSError(missing, os.strerror(missing))
        return bind(address, port)

    monkeypatch.setattr(sockets, "_bind", without_ipv6)
    assert waiting("http://localhost/callback").finish() is TOKEN
    with pytest.raises(CannotListen), LoopbackListener("http://[::1]/callback"):
        pass


@needs_ipv6
@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_row_20_localhost_is_both_or_none(taken: str) -> None:
    """If somebody else has one of the two, nothing is listened at: the browser might take the code there."""
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(CannotListen, match=f"Port {port} of localhost"),
            LoopbackListener(f"http://localhost:{port}/"),
        ):
            pass
        assert not can_connect("::1" if taken == "127.0.0.1" else "127.0.0.1", port)


def test_a_taken_port_is_an_error_that_says_which() -> None:
    """A registered port that somebody has is our error, which names the variable and the way around."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match="PROCOUNTOR_REDIRECT_URI") as caught:
            LoopbackListener(f"http://127.0.0.1:{port}/callback").__enter__()
    assert str(port) in caught.value.message
    assert "--no-browser" in caught.value.hint
    assert not caught.value.retryable
    assert caught.value.__context__ is None


def ends_well(login: Waiting) -> None:
    """End a login with its token."""
    assert login.finish() is TOKEN


def ends_in_an_error(login: Waiting) -> None:
    """End a login with a denial."""
    login.get(f"/callback?error=access_denied&state={login.state}")
    assert isinstance(login.ended.exception(10), AccessDenied)


@pytest.mark.parametrize("end", [ends_well, ends_in_an_error])
def test_row_21_the_listener_is_open_during_the_login_only(
    waiting: Callable[..., Waiting], end: Callable[[Waiting], None]
) -> None:
    """The port is there from the start of the login to its end, good or bad, and is free afterwards."""
    uri = f"http://127.0.0.1:{free_port()}/callback"
    port = urlsplit(uri).port or 0
    assert not can_connect("127.0.0.1", port)
    login = waiting(uri)
    assert can_connect("127.0.0.1", port)
    end(login)
    assert not can_connect("127.0.0.1", port)
    ends_well(waiting(uri))


def test_row_21_a_login_that_nobody_finishes_times_out(waiting: Callable[..., Waiting]) -> None:
    """At the end of its time the wait is a typed error, connections that hang are cut, and the port is free."""
    login = waiting(timeout=0.1)
    with socket.create_connection(("127.0.0.1", login.port), timeout=10) as idle:
        failed = login.ended.exception(10)
        assert isinstance(failed, LoginTimedOut)
        assert "0.1 seconds" in failed.message
        assert "--timeout" in failed.hint
        assert idle.recv(1) == b""
    assert not can_connect("127.0.0.1", login.port)


def test_row_21_an_exchange_that_has_begun_is_waited_for(
    waiting: Callable[..., Waiting], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that arrived in time is not lost because its exchange ends after the time."""
    monkeypatch.setattr("procountor_auth.login.listener._TURN", 0.02)
    clock = [0.0]
    late = threading.Event()

    def monotonic() -> float:
        if clock[0]:
            late.set()  # the wait has seen that its time is over
        return clock[0]

    def exchange() -> Token:
        clock[0] = 1_000.0
        assert late.wait(10)
        return TOKEN

    assert waiting(timeout=30, exchange=exchange, monotonic=monotonic).finish() is TOKEN


def test_row_21_ctrl_c_ends_the_wait_at_once(fork_server: ForkServer) -> None:
    """Ctrl-C is raised out of the wait, and the port is free in the same process."""
    program = (
        "from procountor_auth.login.listener import LoopbackListener as L\n"
        "with L('http://127.0.0.1/cb') as listener:\n"
        "    uri = listener.redirect_uri\n"
        "    print(uri, flush=True)\n"
        "    try:\n"
        "        listener.wait(lambda address: address, 60)\n"
        "    except KeyboardInterrupt:\n"
        "        with L(uri) as again:\n"
        "            print('free' if again.redirect_uri == uri else 'other')\n"
    )
    with subprocess.Popen([fork_server.python, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = urlsplit(process.stdout.readline().strip())
        with socket.create_connection(("127.0.0.1", address.port or 0), timeout=10) as visitor:
            visitor.sendall(f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            assert Answer(everything(visitor)).status == 404  # so it does wait
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "free\n")


def test_ctrl_c_is_itself_wherever_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C that comes when the wait has just let go of its lock is raised as Ctrl-C, not as a fault of the lock."""

    class Interrupted(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as in the base class
            self.release()
            raise KeyboardInterrupt

    with LoopbackListener(PORTLESS) as listener:
        monkeypatch.setattr(listener_module, "threading", SimpleNamespace(Condition=Interrupted))
        with pytest.raises(KeyboardInterrupt):
            listener.wait(lambda address: address, 1)


def test_row_21_an_error_in_between_closes_the_port() -> None:
    """Whatever is raised between opening and waiting, the port is free after `with`, and waiting is refused."""
    with suppress(ZeroDivisionError), LoopbackListener(PORTLESS) as listener:
        port = urlsplit(listener.redirect_uri).port or 0
        assert can_connect("127.0.0.1", port)
        _ = 1 / 0
    assert not can_connect("127.0.0.1", port)
    with pytest.raises(RuntimeError, match="not open"):
        listener.wait(lambda address: address, 1)
    with pytest.raises(RuntimeError, match="not open"):
        _ = LoopbackListener(PORTLESS).redirect_uri


def test_a_browser_that_is_faster_is_kept_in_line() -> None:
    """A redirect that comes after the port is open and before the wait is served when the wait begins."""
    with LoopbackListener(PORTLESS) as listener:
        port = urlsplit(listener.redirect_uri).port or 0
        with socket.create_connection(("127.0.0.1", port), timeout=10) as early:
            early.sendall(f"GET /callback?a=b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert listener.wait(lambda address: address, 10) == f"{listener.redirect_uri}?a=b"
            assert Answer(everything(early)).status == 200


_NOT_THE_REDIRECT: Final[dict[str, tuple[int, str]]] = {
    "favicon": (404, "GET /favicon.ico HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "another path": (404, "GET /callback/{right} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "the root": (404, "GET /?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "a longer path": (404, "GET /callbackx?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "a slash more": (404, "GET /callback/?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "two slashes": (404, "GET //callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "dots": (404, "GET /x/../callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "another case": (404, "GET /Callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "encoded": (404, "GET /%63allback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "absolute": (404, "GET http://{host}/callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "asterisk": (404, "OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "HEAD": (405, "HEAD {right} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "POST": (405, "POST {right} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\na=b"),
    "OPTIONS": (405, "OPTIONS {right} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"),
    "no method": (405, "BREW {right} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "lower case": (405, "get {right} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "rebinding": (421, "GET {right} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"),
    "another port": (421, "GET {right} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"),
    "no port": (421, "GET {right} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
    "no host": (421, "GET {right} HTTP/1.1\r\n\r\n"),
    "HTTP/1.0 without host": (421, "GET {right} HTTP/1.0\r\n\r\n"),
    "two hosts": (421, "GET {right} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
    "foreign origin": (403, "GET {right} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\r\n"),
    "a fetch": (403, "GET {right} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: no-cors\r\n\r\n"),
    "a CORS fetch": (403, "GET {right} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: cors\r\n\r\n"),
    "a frame": (
        403,
        "GET {right} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n",
    ),
    "HTTP/2": (505, "GET {right} HTTP/2.0\r\nHost: {host}\r\n\r\n"),
    "HTTP/0.9": (505, "GET {right} HTTP/0.9\r\nHost: {host}\r\n\r\n"),
    "HTTP/0.9 with many headers": (431, "GET {right} HTTP/0.9\r\nHost: {host}\r\n" + "X: x\r\n" * 101 + "\r\n"),
    "no HTTP": (400, "GET {right} FTP/1.1\r\nHost: {host}\r\n\r\n"),
    "words": (400, "GET {right} and more HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "a huge target": (414, "GET {right}&x=" + "x" * MAX_LINE + " HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    "a huge header": (431, "GET {right} HTTP/1.1\r\nHost: {host}\r\nX: " + "x" * MAX_HEAD + "\r\n\r\n"),
    "many headers": (431, "GET {right} HTTP/1.1\r\nHost: {host}\r\n" + "X: x\r\n" * 101 + "\r\n"),
}


@pytest.mark.parametrize(("status", "request_text"), _NOT_THE_REDIRECT.values(), ids=_NOT_THE_REDIRECT)
def test_row_22_nothing_else_ends_the_login(waiting: Callable[..., Waiting], status: int, request_text: str) -> None:
    """A request that is not the browser's GET of the exact path gets a short page without a word of it, and no more."""
    login = waiting()
    text = request_text.format(
        right=login.right, query=login.right.partition("?")[2], host=f"127.0.0.1:{login.port}", port=login.port
    )
    answer = Answer(login.send(text.encode()))
    assert answer.status == status
    assert answer.headers.get("allow") == ("GET" if status == 405 else None)
    assert answer.headers["connection"] == "close"
    assert len(answer.data) < 3_000
    assert not re.search(f"CANARY|{login.state}|evil", answer.data.decode())
    assert bool(answer.page) is not text.startswith("HEAD")
    assert login.exchanges == 0
    assert login.finish() is TOKEN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /callback",
        b"GET /callback?x=y HTTP/1.1\r\nHost: 127.0.0.1",
        b"\0" * 100,
        b"GET /callback\r\n\r\n",
    ],
    ids=["nothing", "a line", "two lines", "TLS", "a piece", "half a head", "zeros", "HTTP/0.9"],
)
def test_row_22_what_is_no_request_ends_nothing(waiting: Callable[..., Waiting], data: bytes) -> None:
    """A client that hangs up early, or does not speak HTTP, changes nothing."""
    login = waiting()
    with socket.create_connection(("127.0.0.1", login.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        everything(connection)
    assert login.finish() is TOKEN


def test_row_22_a_reset_ends_nothing(waiting: Callable[..., Waiting]) -> None:
    """A client that resets its connection before the answer changes nothing."""
    login = waiting()
    with socket.create_connection(("127.0.0.1", login.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sendall(b"GET /callback?x=y HTTP/1.1\r\n")
    assert login.finish() is TOKEN


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document", "Sec_Fetch_Site": "cross-site"},
        {"Cookie": "x=" + "y" * 20_000},
        {"Expect": "100-continue"},
    ],
    ids=["null", "own", "navigation", "cookies", "expect"],
)
def test_a_browser_s_navigation_is_the_redirect(waiting: Callable[..., Waiting], headers: dict[str, str]) -> None:
    """What browsers send with a redirect is accepted, and so are the cookies of all programs on this machine."""
    login = waiting()
    login.get(login.right, **{name: value.format(port=login.port) for name, value in headers.items()})
    assert login.ended.result(10) is TOKEN


def test_connections_ahead_of_use_harm_nobody(waiting: Callable[..., Waiting]) -> None:
    """Connections that say nothing don't keep the redirect out, however many: the oldest are cut."""
    login = waiting()
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", login.port), timeout=10))
            for _ in range(2 * MAX_CONNECTIONS)
        ]
        assert login.finish() is TOKEN
        assert [each.recv(1) for each in idle] == [b""] * len(idle)


def test_a_slow_client_is_cut(waiting: Callable[..., Waiting]) -> None:
    """A client that does not finish its request in time is cut, however busy it looks, and the login goes on."""
    login = waiting(patience=0.1)
    with socket.create_connection(("127.0.0.1", login.port), timeout=10) as slow:
        slow.sendall(b"GET /callback?")
        with suppress(OSError):  # reset or broken pipe, as the system likes
            while not readable(slow):
                slow.sendall(b"x")
    assert login.finish() is TOKEN


def readable(connection: socket.socket) -> bool:
    """Wait a moment; return whether the other side has said something or hung up."""
    connection.settimeout(0.02)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return False
    finally:
        connection.settimeout(10)
    return True


def test_a_slow_exchange_is_not_cut(waiting: Callable[..., Waiting]) -> None:
    """The browser whose code is being exchanged may wait for longer than a client may take for its request."""
    login: list[Waiting] = []

    def exchange() -> Token:
        # A client that came later is cut for its silence meanwhile; this one is not.
        with socket.create_connection(("127.0.0.1", login[0].port), timeout=10) as later:
            assert later.recv(1) == b""
        return TOKEN

    login.append(waiting(patience=0.1, exchange=exchange))
    assert login[0].finish() is TOKEN


def test_row_25_the_page_after_a_failed_exchange_tells_the_truth(waiting: Callable[..., Waiting]) -> None:
    """If the exchange fails, the page says so with the error's text, escaped, and the wait ends with the error."""

    def exchange() -> Token:
        raise InvalidGrant('The server said <img src=x onerror="alert(1)">.', hint="Log in & try 'again'.")

    login = waiting(exchange=exchange)
    answer = login.get(login.right)
    failed = login.ended.exception(10)
    assert isinstance(failed, InvalidGrant)
    assert failed.__context__ is None
    assert "The login failed" in answer.page
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in answer.page
    assert "Log in &amp; try &#x27;again&#x27;." in answer.page
    assert "<img" not in answer.page


def test_a_mistake_in_the_program_is_not_shown_to_the_browser() -> None:
    """An error that is not ours comes out of the wait as it is, and the page says nothing of it."""
    pages: list[bytes] = []
    with LoopbackListener(PORTLESS) as listener:
        port = urlsplit(listener.redirect_uri).port or 0

        def browse() -> None:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as browser:
                browser.sendall(f"GET /callback HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                pages.append(everything(browser))

        def complete(_: str) -> None:
            raise KeyError("CANARY")

        browser = threading.Thread(target=browse)
        browser.start()
        with pytest.raises(KeyError, match="CANARY"):
            listener.wait(complete, 10)
        browser.join(10)
    assert Answer(pages[0]).status == 500
    assert b"CANARY" not in pages[0]


@pytest.mark.parametrize(
    "answer_of",
    [
        lambda login: login.get(login.right),
        lambda login: login.get("/callback?code=x&state=wrong"),
        lambda login: login.get(f"/callback?error=access_denied&state={login.state}"),
        lambda login: login.get("/elsewhere"),
        lambda login: login.get("/callback", method="POST"),
    ],
    ids=["success", "wrong state", "denied", "elsewhere", "POST"],
)
def test_row_25_every_page_is_kept_nowhere_and_runs_nothing(
    waiting: Callable[..., Waiting], answer_of: Callable[[Waiting], Answer]
) -> None:
    """Each page forbids caches, referrers, scripts, frames and guessing of types, and has no link, code or state."""
    login = waiting()
    answer = answer_of(login)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(f"CANARY|{login.state}", answer.data.decode())
    assert not re.search(r"<(script|a|img|form|iframe|link)\b|\bon\w+=|https?:", answer.page)
    assert '<html lang="en">' in answer.page
    if not re.search("Login complete|You declined", answer.page):
        login.finish()


@pytest.mark.parametrize("name", ["next", "redirect", "redirect_uri", "return_to", "url", "continue"])
def test_row_26_the_listener_redirects_nobody(waiting: Callable[..., Waiting], name: str) -> None:
    """No parameter makes the listener send a browser anywhere."""
    login = waiting()
    target = f"{login.right}&{name}=https://evil.example/"
    for answer in (login.get(target.replace("state=", "state=x")), login.get(target)):
        assert answer.status in {200, 400}
        assert not {"location", "refresh"} & answer.headers.keys()
        assert "evil" not in answer.data.decode()
        assert "http-equiv" not in answer.page
    assert login.ended.result(10) is TOKEN


def test_nothing_is_logged(
    waiting: Callable[..., Waiting], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the log at DEBUG nor the terminal gets a word of a request; the repr shows no state."""
    caplog.set_level(logging.DEBUG)
    login = waiting()
    login.get("/favicon.ico")
    login.get(login.right.replace("state=", "state=x"))
    login.send(b"\0\1\2 nonsense\r\n\r\n")
    login.finish()
    out, err = capfd.readouterr()
    assert (caplog.text, out, err) == ("", "", "")
    assert repr(login.listener) == f"<LoopbackListener {login.listener.redirect_uri}>"


def test_nothing_is_left_open(waiting: Callable[..., Waiting]) -> None:
    """After the login there is no thread and no socket of the listener."""
    login = waiting()
    login.get("/favicon.ico")
    login.finish()
    for thread in threading.enumerate():
        if "loopback" in thread.name:
            thread.join(5)
            assert not thread.is_alive()
    del login
    gc.collect()  # an unclosed socket is a ResourceWarning, which fails the test


def test_many_at_once(waiting: Callable[..., Waiting]) -> None:
    """With forty clients at once, one of them right, the right one ends the login, and each is answered or cut."""
    login = waiting()
    statuses: list[int] = []

    def visit(target: str) -> None:
        with suppress(OSError, IndexError):  # cut without an answer: the login is over
            statuses.append(login.get(target).status)

    targets = [login.right, *[f"/callback?code=x&state=wrong{number}" for number in range(40)]]
    browsers = [threading.Thread(target=visit, args=(target,)) for target in targets[1:] + targets[:1]]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        browser.join(10)
    assert login.ended.result(10) is TOKEN
    assert statuses.count(200) == 1
    assert login.exchanges == 1


def test_a_page_escapes_all_that_it_is_given() -> None:
    """Title and paragraphs are text, whatever is in them."""
    error = ProcountorAuthError("<b>&\"'", hint="</main>")
    for page in (pages.failure(error), pages.not_accepted(error)):
        assert b"&lt;b&gt;&amp;&quot;&#x27;" in page.html()
        assert b"<b>" not in page.html()
        assert page.html().count(b"</main>") == 1


def test_row_21_ctrl_c_while_the_listener_starts() -> None:
    """Whose sockets are gone before its thread has begun, ends without a word."""
    with LoopbackListener("http://127.0.0.1/callback") as listener:
        expected = request_handler.ExpectedRequest(
            listener._loopback, listener._port, lambda _: pytest.fail("nobody came")
        )
        loopback_server = server.LoopbackServer(listener._sockets, expected, 1.0, float)
    loopback_server.close()
    loopback_server._accept()
