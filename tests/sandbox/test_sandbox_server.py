"""The sandbox as a server: start, stop, many at once, and a thousand callers."""

from __future__ import annotations

import http.client
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.conftest import Caller, Clock


def token_body(sandbox: Sandbox) -> str:
    """Return the body of a machine's token request."""
    return urlencode(
        {
            "grant_type": "client_credentials",
            "redirect_uri": sandbox.redirect_uri,
            "api_key": sandbox.api_key,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
    )


def connect(sandbox: Sandbox) -> http.client.HTTPConnection:
    """Return a connection to the sandbox."""
    return http.client.HTTPConnection(urlsplit(sandbox.base_url).netloc, timeout=60)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_description(sandbox: Sandbox) -> None:
    """The description has exactly the agreed names."""
    assert list(sandbox.description()) == [
        "base_url",
        "client_id",
        "client_secret",
        "redirect_uri",
        "username",
        "password",
        "company",
        "user_id",
        "api_key",
    ]
    assert sandbox.description()["user_id"] == 26535


def test_environment(sandbox: Sandbox, caller: Caller) -> None:
    """Each strategy gets its own credentials and nobody else's."""
    common = {
        "PROCOUNTOR_STRATEGY",
        "PROCOUNTOR_BASE_URL",
        "PROCOUNTOR_CLIENT_ID",
        "PROCOUNTOR_CLIENT_SECRET",
        "PROCOUNTOR_REDIRECT_URI",
    }
    person = {"PROCOUNTOR_USERNAME", "PROCOUNTOR_PASSWORD", "PROCOUNTOR_COMPANY"}
    assert set(sandbox.environment("legacy_password")) == common | person
    assert set(sandbox.environment("client_credentials")) == common | {"PROCOUNTOR_API_KEY"}
    assert set(sandbox.environment("authorization_code")) == common
    variables = sandbox.environment("authorization_code", refresh_token=True)
    assert caller.refresh(variables["PROCOUNTOR_REFRESH_TOKEN"]).status_code == 200
    with pytest.raises(ValueError, match="refresh token"):
        sandbox.environment("client_credentials", refresh_token=True)
    with pytest.raises(ValueError, match="there is no strategy"):
        sandbox.environment("other")  # the mistake under test


def test_not_started() -> None:
    """Before the start there is nothing to ask, and the error says why."""
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = Sandbox().base_url


@pytest.mark.parametrize("word", ["", "https://x/?a=b", "https://x/#f", "a b", "a\r\nX: y", "ä"])
def test_impossible_redirect_uris(word: str) -> None:
    """A redirect URI that the vendor could not have registered is refused at once."""
    with pytest.raises(ValueError, match="redirect URI"):
        Sandbox(redirect_uri=word)


def test_only_loopback() -> None:
    """The sandbox cannot be bound to an address that other machines reach."""
    with pytest.raises(ValueError, match="host"):
        Sandbox(host="0.0.0.0")  # noqa: S104 - the mistake under test


@pytest.mark.parametrize(
    "quirks",
    [
        {"state": "maybe"},
        {"legacy_removed": "500"},
        {"refresh_token": "never"},
        {"subject": "float"},
        {"error_shape": "xml"},
        {"access_token_lifetime": 0},
        {"access_token_lifetime": 10**12},
        {"location": "x\r\nSet-Cookie: a=b"},
        {"location": "https://€.invalid/"},
    ],
)
def test_unknown_quirks(quirks: dict[str, object]) -> None:
    """A quirk with an impossible value is refused instead of taken for the default."""
    with pytest.raises(ValueError, match=next(iter(quirks))):
        Quirks(**quirks)  # type: ignore[arg-type] # the mistake under test


def test_no_thread_stays_behind() -> None:
    """After the stop, with a kept connection still open, every thread has ended."""
    before = set(threading.enumerate())
    sandbox = Sandbox().start()
    connection = connect(sandbox)
    connection.request("GET", "/")
    connection.getresponse().read()
    sandbox.stop()
    sandbox.stop()
    connection.close()
    assert set(threading.enumerate()) == before


def test_stopped_and_started_again(clock: Clock) -> None:
    """A sandbox that was away keeps its address, its credentials and what it issued."""
    sandbox = Sandbox(clock=clock)
    with sandbox:
        before = sandbox.description()
        variables = sandbox.environment("authorization_code", refresh_token=True)
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.base_url)
    with sandbox:
        assert sandbox.description() == before
        form = {
            "grant_type": "refresh_token",
            "refresh_token": variables["PROCOUNTOR_REFRESH_TOKEN"],
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        assert httpx.post(f"{sandbox.base_url}/api/oauth/token", data=form).status_code == 200
        with pytest.raises(RuntimeError, match="is already running"):
            sandbox.start()


def test_a_taken_port(sandbox: Sandbox) -> None:
    """A port that is taken is an error of the start, and leaves nothing open."""
    port = urlsplit(sandbox.base_url).port
    assert port
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=port).start()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_hosts(host: str) -> None:
    """Each loopback name can be used in the address that the sandbox gives."""
    if host == "::1":
        try:
            socket.create_server((host, 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    with Sandbox(host=host) as sandbox:
        assert httpx.get(sandbox.base_url, trust_env=False, verify=False).status_code == 200


def test_connections_are_kept(sandbox: Sandbox) -> None:
    """One connection serves many requests, errors and chunked bodies among them."""
    connection = connect(sandbox)
    connection.connect()
    address = connection.sock.getsockname()
    body = token_body(sandbox)
    for path, data in (("/api/oauth/token", body), ("/nowhere", body), ("/logout", ""), ("/", "")):
        connection.request("POST", path, data, FORM)
        connection.getresponse().read()
    pieces = [body[:10].encode(), body[10:].encode()]
    connection.request("POST", "/api/oauth/token", iter(pieces), FORM, encode_chunked=True)
    response = connection.getresponse()
    response.read()
    assert response.status == 200
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    assert connection.sock.getsockname() == address
    connection.close()


@pytest.mark.parametrize(("length", "status"), [("2000000", 413), ("9" * 5000, 413), ("-1", 400), ("many", 400)])
def test_bodies_that_are_too_large(sandbox: Sandbox, length: str, status: int) -> None:
    """A body beyond a mebibyte, or of a senseless length, is refused unread, and the log says so."""
    connection = connect(sandbox)
    connection.putrequest("POST", "/api/oauth/token")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    assert (response.status, response.getheader("Connection")) == (status, "close")
    (entry,) = sandbox.log()
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/api/oauth/token", status)
    assert entry["error"] == f"{response.reason}."
    connection.close()


def test_an_unknown_method_is_in_the_log(sandbox: Sandbox) -> None:
    """A request that no endpoint sees has a line, with nothing in it that may be a secret."""
    connection = connect(sandbox)
    connection.request("S3CRET", "/api/oauth/token?password=S3CRET")
    assert connection.getresponse().status == 501
    connection.close()
    (entry,) = sandbox.log()
    assert (entry["method"], entry["status"], entry["secret_in_url"]) == ("?", 501, True)
    assert "S3CRET" not in repr(entry)


def test_nonsense_on_the_wire(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    """What is not HTTP harms nobody and writes nothing."""
    address = urlsplit(sandbox.base_url)
    for nonsense in (b"\x16\x03\x01\r\n\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET"):
        with socket.create_connection((str(address.hostname), address.port or 0)) as raw:
            raw.sendall(nonsense)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert httpx.get(sandbox.base_url, trust_env=False, verify=False).status_code == 200
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough file descriptors for both ends of a thousand connections."""
    resource = pytest.importorskip("resource", reason="this system has no limit to raise")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("this machine does not let a process open enough files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_at_once(sandbox: Sandbox) -> None:
    """Callers that arrive together all get their token: a thousand of them in the long run."""
    callers = size(250, 1000)
    body = token_body(sandbox)
    together = threading.Barrier(callers, timeout=60)

    def call(_: int) -> int:
        connection = connect(sandbox)
        together.wait()
        try:
            connection.request("POST", "/api/oauth/token", body, FORM)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    with ThreadPoolExecutor(callers) as pool:
        assert set(pool.map(call, range(callers))) == {200}
    assert len(sandbox.log()) == callers
