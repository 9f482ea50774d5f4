"""One suite for every integration: what holds for one HTTP client holds for all, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import importlib
import importlib.util
import io
import json
import logging
import pickle
import threading
import traceback
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import pytest

from procountor_auth import ConfigurationError, ProcountorAuthError, Token, TokenSource
from procountor_auth.errors import InvalidGrant, ServiceUnavailable
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens import bearer
from procountor_auth.transport import background
from tests.tokens.scripted import ENDPOINTS, NOW, Script, Scripted, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from procountor_auth.events import Event
    from procountor_auth.sandbox import Sandbox
    from procountor_auth.tokens.bearer import Bearer, HttpxBearer

    Environment = Callable[[dict[str, str]], None]
    TokenRequests = Callable[[Sandbox], list[str]]

pytestmark = pytest.mark.server


class Answer(NamedTuple):
    """What a client got, and the `Authorization` header of the request that got it."""

    status: int
    body: bytes
    authorization: str | None


class Body(NamedTuple):
    """What a client is given to send, in one of three ways."""

    content: bytes | None = None
    json: object = None
    chunks: tuple[bytes, ...] = ()


_NOTHING: Final = Body()

_ATTACHMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "a form": lambda: {"data": {"a": "PDF"}},
    "a form with bytes": lambda: {"files": {"file": ("a.pdf", b"PDF")}},
    "a form with a file": lambda: {"data": {"a": "b"}, "files": [("file", ("a.pdf", io.BytesIO(b"PDF")))]},
}
"""Bodies that each client makes itself, in the words that all of them share."""

_QUICK: Final = {"trust_env": False, "verify": False}
"""Everything here is plain HTTP on this machine: no proxy, and no certificates to load for each client."""


class Send(Protocol):
    """One request of one client, in the words that this suite uses for all of them."""

    def __call__(
        self, auth: Bearer, method: str, url: str, body: Body = ..., *, follow: bool = ..., streamed: bool = ...
    ) -> Answer:
        """Send it and return the answer; `streamed` reads the answer in a stream."""


def _through_httpx(library: str) -> Send:
    def send(
        auth: Bearer, method: str, url: str, body: Body = _NOTHING, *, follow: bool = False, streamed: bool = False
    ) -> Answer:
        http = importlib.import_module(library)
        content = iter(body.chunks) if body.chunks else body.content
        with http.Client(auth=auth, follow_redirects=follow, **_QUICK) as client:
            if streamed:
                with client.stream(method, url, content=content, json=body.json) as response:
                    response.read()
            else:
                response = client.request(method, url, content=content, json=body.json)
        return Answer(response.status_code, response.content, response.request.headers.get("Authorization"))

    return send


def _through_async_httpx(library: str) -> Send:
    def send(
        auth: Bearer, method: str, url: str, body: Body = _NOTHING, *, follow: bool = False, streamed: bool = False
    ) -> Answer:
        http = importlib.import_module(library)

        async def chunks() -> AsyncIterator[bytes]:
            for chunk in body.chunks:
                yield chunk

        async def sending() -> Answer:
            content = chunks() if body.chunks else body.content
            async with http.AsyncClient(auth=auth, follow_redirects=follow, **_QUICK) as client:
                if streamed:
                    async with client.stream(method, url, content=content, json=body.json) as response:
                        await response.aread()
                else:
                    response = await client.request(method, url, content=content, json=body.json)
            return Answer(response.status_code, response.content, response.request.headers.get("Authorization"))

        return asyncio.run(sending())

    return send


def _through_requests(
    auth: Bearer, method: str, url: str, body: Body = _NOTHING, *, follow: bool = False, streamed: bool = False
) -> Answer:
    http = importlib.import_module("requests")
    with http.Session() as session:
        session.trust_env = False
        data = iter(body.chunks) if body.chunks else body.content
        response = session.request(
            method, url, auth=auth, data=data, json=body.json, allow_redirects=follow, stream=streamed
        )
        return Answer(response.status_code, response.content, response.request.headers.get("Authorization"))


class Client(NamedTuple):
    """An HTTP client library with its integration."""

    library: str
    send: Send

    def auth(self) -> Bearer:
        """Return `ProcountorAuth()` of this library, which reads the environment."""
        bearer: Bearer = importlib.import_module(f"procountor_auth.{self.library}").ProcountorAuth()
        return bearer


_CLIENTS: Final = {
    "httpx": Client("httpx", _through_httpx("httpx")),
    "httpx async": Client("httpx", _through_async_httpx("httpx")),
    "httpx2": Client("httpx2", _through_httpx("httpx2")),
    "httpx2 async": Client("httpx2", _through_async_httpx("httpx2")),
    "requests": Client("requests", _through_requests),
}


_REQUESTS: Final = _CLIENTS["requests"]


@pytest.fixture(params=_CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    """Each integration in its turn, if its library is installed."""
    found = _CLIENTS[request.param]
    if importlib.util.find_spec(found.library) is None:
        pytest.skip(f"{found.library} is not installed")
    return found


@dataclass
class Seen:
    """One request as a server saw it."""

    path: str
    authorization: str | None
    body: bytes


@dataclass
class Api:
    """A server that answers what it is told to, and hands out the tokens `token-1`, `token-2` and so on.

    Attributes:
        answers: For each path the status and `Location` of each answer in order; the last one stays.
        seen: The requests other than those for tokens.
        tokens: How many tokens were asked for.
        token_answers: Statuses for the token requests in order; after the last one all are granted.
    """

    base_url: str = ""
    answers: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    tokens: int = 0
    token_answers: list[int] = field(default_factory=list)

    def answer(self, seen: Seen) -> tuple[int, str | None, bytes]:
        """Return status, `Location` and body for a request."""
        if seen.path == "/api/oauth/token":
            self.tokens += 1
            status = self.token_answers.pop(0) if self.token_answers else 200
            token = {"access_token": f"token-{self.tokens}", "expires_in": 3600}
            return status, None, json.dumps(token if status == 200 else {}).encode()
        self.seen.append(seen)
        answers = self.answers.get(seen.path, [(200, None)])
        status, location = answers.pop(0) if len(answers) > 1 else answers[0]
        return status, location, f"answer {len(self.seen)}".encode()

    @property
    def headers(self) -> list[str | None]:
        """The `Authorization` headers that it was sent, in order."""
        return [each.authorization for each in self.seen]

    def environment(self) -> dict[str, str]:
        """Return the variables with which a client gets its tokens here."""
        return {
            "PROCOUNTOR_STRATEGY": "client_credentials",
            "PROCOUNTOR_BASE_URL": self.base_url,
            "PROCOUNTOR_CLIENT_ID": "client-1",
            "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
            "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
            "PROCOUNTOR_API_KEY": "k3y",
        }


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            try:
                self.raw_requestline = self.rfile.readline(65_537)
            except ConnectionResetError:  # how a client leaves that has not read all
                self.raw_requestline = b""
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            seen = Seen(urlsplit(self.path).path, self.headers.get("Authorization"), self._body())
            status, location, body = api.answer(seen)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                self.send_header("Retry-After", "3600")  # longer than anybody waits
            if location is not None:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def log_message(self, *_: object) -> None:
            """Keep the terminal clean."""

    return Handler


@pytest.fixture
def start() -> Iterator[Callable[[], Api]]:
    """Start servers on ports of their own; each is another origin."""
    servers: list[ThreadingHTTPServer] = []

    def starting() -> Api:
        api = Api()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        api.base_url = f"http://127.0.0.1:{server.server_port}"
        return api

    yield starting
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def api(start: Callable[[], Api], environment: Environment) -> Api:
    """The server that the environment's tokens are for."""
    started = start()
    environment(started.environment())
    return started


@pytest.fixture
def stranger(start: Callable[[], Api]) -> Api:
    """A server that must never see a token."""
    return start()


@pytest.mark.parametrize("strategy", ["legacy_password", "client_credentials", "authorization_code"])
def test_every_strategy_opens_the_api(
    client: Client, sandbox: Sandbox, environment: Environment, token_requests: TokenRequests, strategy: str
) -> None:
    """`sessioninfo` answers the right company with each strategy, and ten requests share one token."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    environment({**variables, "PROCOUNTOR_LEGACY_POLICY": "allow"})
    auth = client.auth()
    answers = [client.send(auth, "GET", f"{auth.api_url}/sessioninfo") for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert str(json.loads(answers[0].body)["companyId"]) == sandbox.company
    assert len(token_requests(sandbox)) == 1


def test_a_token_that_was_logged_out_is_replaced(
    client: Client, sandbox: Sandbox, environment: Environment, token_requests: TokenRequests
) -> None:
    """After the API has invalidated the token, the next request succeeds with exactly one more token request."""
    environment(sandbox.environment("client_credentials"))
    auth = client.auth()
    first = client.send(auth, "POST", f"{sandbox.base_url}/logout")
    second = client.send(auth, "GET", f"{auth.api_url}/sessioninfo")
    third = client.send(auth, "GET", f"{auth.api_url}/sessioninfo")
    assert (second.status, third.status) == (200, 200)
    assert first.authorization != second.authorization == third.authorization
    assert len(token_requests(sandbox)) == 2
    assert [entry["status"] for entry in sandbox.log() if entry["path"] == "/api/sessioninfo"] == [401, 200, 200]


def test_a_refused_key_comes_out_of_the_client(client: Client, sandbox: Sandbox, environment: Environment) -> None:
    """When the token can't be renewed after a 401, the reason comes out as our own error."""
    environment(sandbox.environment("client_credentials"))
    auth = client.auth()
    client.send(auth, "POST", f"{sandbox.base_url}/logout")
    sandbox.world.revoke_api_key(sandbox.api_key)
    with pytest.raises(InvalidGrant, match="client credentials grant"):
        client.send(auth, "GET", f"{auth.api_url}/sessioninfo")
    gc.collect()  # a connection that was left open would say so now


def test_the_header_is_a_bearer_token(client: Client, api: Api) -> None:
    """Every request to the API carries the token in its `Authorization` header, and in no other place."""
    auth = client.auth()
    answer = client.send(auth, "GET", f"{api.base_url}/api/users?page=2")
    client.send(auth, "POST", f"{api.base_url}/elsewhere", Body(b"text"))
    assert answer.status == 200
    assert api.seen == [Seen("/api/users", "Bearer token-1", b""), Seen("/elsewhere", "Bearer token-1", b"text")]


def test_a_second_401_is_the_answer(client: Client, api: Api) -> None:
    """A request that is rejected with a new token too comes back as it is: one renewal, one retry, no loop."""
    api.answers["/api/users"] = [(401, None)]
    answer = client.send(client.auth(), "GET", f"{api.base_url}/api/users")
    assert (answer.status, answer.body, answer.authorization) == (401, b"answer 2", "Bearer token-2")
    assert api.headers == ["Bearer token-1", "Bearer token-2"]
    assert api.tokens == 2


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_no_other_status_is_retried(client: Client, api: Api, status: int) -> None:
    """Only a 401 says something about the token: every other answer comes back at once."""
    api.answers["/api/users"] = [(status, None)]
    assert client.send(client.auth(), "GET", f"{api.base_url}/api/users").status == status
    assert (len(api.seen), api.tokens) == (1, 1)


_BODIES: Final = {
    "none": (Body(), b""),
    "bytes": (Body(b"\x00\xff bytes"), b"\x00\xff bytes"),
    "JSON": (Body(json={"name": "pä€🔑"}), {"name": "pä€🔑"}),
    "empty": (Body(b""), b""),
}


@pytest.mark.parametrize(("body", "expected"), _BODIES.values(), ids=_BODIES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_body_is_sent_again_unchanged(client: Client, api: Api, method: str, body: Body, expected: object) -> None:
    """The retry after a 401 sends the very same body, and its answer is the one that comes back."""
    api.answers["/api/invoices"] = [(401, None), (201, None)]
    answer = client.send(client.auth(), method, f"{api.base_url}/api/invoices", body)
    first, second = (each.body for each in api.seen)
    assert answer.status == 201
    assert first == second
    assert (json.loads(first) if body.json else first) == expected


def test_a_streamed_body_is_not_sent_twice(client: Client, api: Api) -> None:
    """A stream is used up by the first try: its 401 comes back readable, and the next request has a new token."""
    api.answers["/api/attachments"] = [(401, None), (201, None)]
    auth = client.auth()
    stream = Body(chunks=(b"one ", b"two"))
    first = client.send(auth, "POST", f"{api.base_url}/api/attachments", stream)
    second = client.send(auth, "POST", f"{api.base_url}/api/attachments", stream)
    assert (first.status, first.body, second.status) == (401, b"answer 1", 201)
    assert api.headers == ["Bearer token-1", "Bearer token-2"]
    assert [each.body for each in api.seen] == [b"one two", b"one two"]
    assert api.tokens == 2


def _send_prepared(library: str, auth: Bearer, method: str, url: str, **body: Any) -> int:  # noqa: ANN401 - of any client
    """Send a request with a body that the client itself makes; return the status."""
    http: Any = importlib.import_module(library)
    if library == "requests":
        with http.Session() as session:
            session.trust_env = False
            return int(session.request(method, url, auth=auth, **body).status_code)
    with http.Client(auth=auth, **_QUICK) as client:
        return int(client.request(method, url, **body).status_code)


@pytest.mark.parametrize("library", ["httpx", "httpx2", "requests"])
@pytest.mark.parametrize("attachment", _ATTACHMENTS.values(), ids=_ATTACHMENTS)
def test_an_attachment_is_sent_again(api: Api, library: str, attachment: Callable[[], dict[str, Any]]) -> None:
    """A form whose files are bytes, or can be rewound, is sent again after a 401, whole."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    api.answers["/api/attachments"] = [(401, None), (201, None)]
    url = f"{api.base_url}/api/attachments"
    assert _send_prepared(library, _CLIENTS[library].auth(), "POST", url, **attachment()) == 201
    first, second = (each.body for each in api.seen)
    assert b"PDF" in first
    assert first == second


class Pipe(io.BytesIO):
    """A file that can be read once."""

    def seekable(self) -> bool:
        """Say that it can't be rewound."""
        return False

    def seek(self, *_: object) -> int:
        """Refuse."""
        raise io.UnsupportedOperation

    def tell(self) -> int:
        """Refuse."""
        raise io.UnsupportedOperation


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_an_attachment_that_can_be_read_once_is_not_sent_twice(api: Api, library: str) -> None:
    """A form with a file that can't be rewound comes back with its 401, and is not sent empty."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    api.answers["/api/attachments"] = [(401, None), (201, None)]
    url = f"{api.base_url}/api/attachments"
    status = _send_prepared(library, _CLIENTS[library].auth(), "POST", url, files={"file": ("a", Pipe(b"PDF"))})
    assert (status, len(api.seen)) == (401, 1)


@pytest.mark.parametrize(("file", "expected"), [(io.BytesIO, (201, 2)), (Pipe, (401, 1))])
def test_an_open_file_is_sent_again_by_requests(
    api: Api, file: Callable[[bytes], io.BytesIO], expected: tuple[int, int]
) -> None:
    """A file goes back to where it began and is sent again; one that can't is not sent twice."""
    api.answers["/api/attachments"] = [(401, None), (201, None)]
    body = file(b"skipped PDF")
    io.BytesIO.seek(body, len(b"skipped "))
    status = _send_prepared("requests", _REQUESTS.auth(), "POST", f"{api.base_url}/api/attachments", data=body)
    assert (status, len(api.seen)) == expected
    assert {each.body for each in api.seen} == {b"PDF"}


def test_a_prepared_request_is_retried_each_time(api: Api) -> None:
    """A request that is prepared once and sent often is retried after each 401, with the newest token."""
    http = importlib.import_module("requests")
    api.answers["/api/users"] = [(401, None), (200, None)] * 3
    with http.Session() as session:
        session.trust_env = False
        prepared = session.prepare_request(http.Request("GET", f"{api.base_url}/api/users", auth=_REQUESTS.auth()))
        assert [session.send(prepared).status_code for _ in range(3)] == [200, 200, 200]
    assert api.headers == ["Bearer token-1", "Bearer token-2"] * 3
    assert api.tokens == 2


def test_a_closed_resource_costs_one_renewal(client: Client, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """A resource that always answers 401 costs one token, however often it is asked for; the log says so."""
    api.answers["/api/closed"] = [(401, None)]
    auth = client.auth()
    statuses = [
        client.send(auth, "GET", f"{api.base_url}/api/{each}").status for _ in range(10) for each in ("closed", "open")
    ]
    assert statuses == [401, 200] * 10
    assert api.tokens == 2
    assert caplog.text.count("the API rejects a token that has just come") == 1


def test_closed_resources_for_streams_cost_one_renewal(client: Client, api: Api) -> None:
    """A body that can't be sent again costs one token as well, whatever else the API answers in between."""
    api.answers["/api/closed"] = [(401, None)]
    auth = client.auth()
    for _ in range(10):
        client.send(auth, "POST", f"{api.base_url}/api/closed", Body(chunks=(b"one ", b"two")))
        assert client.send(auth, "GET", f"{api.base_url}/api/open").status == 200
    assert api.tokens == 2


def test_a_token_that_ends_soon_after_another_is_replaced_too(client: Client, api: Api) -> None:
    """A token that the API has accepted and rejects a moment later has ended: it is renewed, each time."""
    api.answers["/api/users"] = [(401, None), (200, None)] * 3
    auth = client.auth()
    assert [client.send(auth, "GET", f"{api.base_url}/api/users").status for _ in range(3)] == [200, 200, 200]
    assert api.tokens == 4


@pytest.mark.parametrize("where", ["the API", "a redirect"])
def test_a_rejected_netrc_is_not_the_token_s(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Where a client has put another credential in place of the token, its rejection costs no renewal."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password n3trc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    api.answers["/api/old"] = [(302, "/api/closed")]
    api.answers["/api/closed"] = [(401, None)]
    auth = _REQUESTS.auth()
    with importlib.import_module("requests").Session() as session:
        if where == "a redirect":
            assert session.get(f"{api.base_url}/api/old", auth=auth).status_code == 401
        else:
            prepared = session.prepare_request(
                importlib.import_module("requests").Request("GET", f"{api.base_url}/api/closed", auth=auth)
            )
            prepared.headers["Authorization"] = "Basic bWU6bjN0cmM="
            assert session.send(prepared).status_code == 401
    assert (api.headers[-1] or "").startswith("Basic ")
    assert api.tokens == 1


def test_a_streamed_answer_is_retried_as_well(client: Client, api: Api) -> None:
    """A request whose answer is read as a stream gets the answer of the retry."""
    api.answers["/api/report"] = [(401, None), (200, None)]
    answer = client.send(client.auth(), "GET", f"{api.base_url}/api/report", streamed=True)
    assert (answer.status, answer.body) == (200, b"answer 2")


def test_another_origin_gets_no_token(
    client: Client, api: Api, stranger: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """A request to another port or host name carries no token, needs none, and is mentioned in the log once."""
    auth = client.auth()
    port = urlsplit(api.base_url).port
    for url in (f"{stranger.base_url}/api/users", f"{stranger.base_url}/api/users", f"http://localhost:{port}/api"):
        assert client.send(auth, "GET", url).authorization is None
    assert stranger.headers == [None, None]
    assert api.headers == [None]
    assert (api.tokens, stranger.tokens) == (0, 0)
    assert caplog.text.count("requests to http://127.0.0.1") == 1


def test_a_401_of_another_origin_renews_nothing(client: Client, api: Api, stranger: Api) -> None:
    """A foreign host that answers 401 gets no second request, and costs no token."""
    stranger.answers["/"] = [(401, None)]
    assert client.send(client.auth(), "GET", f"{stranger.base_url}/").status == 401
    assert (len(stranger.seen), api.tokens) == (1, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("found", [200, 401])
def test_a_redirect_to_another_origin_loses_the_token(
    client: Client, api: Api, stranger: Api, status: int, found: int
) -> None:
    """A client that follows a redirect to another origin sends no token there, and a 401 there renews nothing."""
    api.answers["/api/file"] = [(status, f"{stranger.base_url}/file")]
    stranger.answers["/file"] = [(found, None)]
    answer = client.send(client.auth(), "GET", f"{api.base_url}/api/file", follow=True)
    assert (answer.status, answer.authorization) == (found, None)
    assert api.headers == ["Bearer token-1"]
    assert stranger.headers == [None]
    assert (api.tokens, stranger.tokens) == (1, 0)


def test_a_redirect_to_another_host_name_loses_the_token(client: Client, api: Api) -> None:
    """The same machine under another name is another origin."""
    port = urlsplit(api.base_url).port
    api.answers["/api/file"] = [(302, f"http://localhost:{port}/file")]
    assert client.send(client.auth(), "GET", f"{api.base_url}/api/file", follow=True).status == 200
    assert api.headers == ["Bearer token-1", None]


def test_a_redirect_within_the_api_keeps_the_token(client: Client, api: Api) -> None:
    """A redirect on the API's own host keeps the token, and a 401 after it is renewed and retried once."""
    api.answers["/api/old"] = [(302, "/api/new")]
    api.answers["/api/new"] = [(401, None), (200, None)]
    answer = client.send(client.auth(), "GET", f"{api.base_url}/api/old", follow=True)
    assert (answer.status, answer.authorization) == (200, "Bearer token-2")
    assert api.tokens == 2
    assert api.headers.count("Bearer token-1") == 2


@pytest.mark.parametrize(
    ("status", "bodies"), [(303, [b"", b""]), (307, [b"an invoice"] * 2), (308, [b"an invoice"] * 2)]
)
def test_what_was_redirected_is_not_sent_again(client: Client, api: Api, status: int, bodies: list[bytes]) -> None:
    """A 401 after a redirect repeats the request that it answers: an invoice is not created a second time."""
    api.answers["/api/invoices"] = [(status, "/api/invoices/1")]
    api.answers["/api/invoices/1"] = [(401, None), (200, None)]
    body = Body(content=b"an invoice")
    answer = client.send(client.auth(), "POST", f"{api.base_url}/api/invoices", body, follow=True)
    assert (answer.status, answer.authorization) == (200, "Bearer token-2")
    assert [each.path for each in api.seen] == ["/api/invoices", "/api/invoices/1", "/api/invoices/1"]
    assert [each.body for each in api.seen] == [b"an invoice", *bodies]


@pytest.mark.parametrize("when", ["before the request", "after a 401"])
def test_an_error_of_the_source_is_ours(client: Client, api: Api, when: str) -> None:
    """A token endpoint that is down comes out of the client as a retryable error of this package."""
    if when == "before the request":
        api.token_answers = [503]
    else:
        api.token_answers = [200, 503]
        api.answers["/api/users"] = [(401, None), (200, None)]
    auth = client.auth()
    with pytest.raises(ServiceUnavailable) as caught:
        client.send(auth, "GET", f"{api.base_url}/api/users")
    assert isinstance(caught.value, ProcountorAuthError)
    assert caught.value.retryable
    gc.collect()  # a connection that was left open would say so now
    assert client.send(auth, "GET", f"{api.base_url}/api/users").status == 200


@pytest.mark.parametrize("library", ["httpx", "httpx2", "requests"])
def test_the_environment_is_checked_when_the_auth_is_made(library: str) -> None:
    """`ProcountorAuth()` with an empty environment fails at once, with what is missing."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_STRATEGY is missing"):
        _CLIENTS[library].auth()


def test_the_auth_shows_and_pickles_nothing(client: Client, api: Api) -> None:
    """The repr names the host and no secret, and a pickle or copy is refused."""
    auth = client.auth()
    assert client.send(auth, "GET", f"{api.base_url}/api/users").status == 200
    assert api.base_url in repr(auth)
    assert not [secret for secret in ("token-1", "cl13nt", "k3y") if secret in repr(auth)]
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            take(auth)


_OURS: Final = [("https", "api.example", None), ("https", "API.example", 443)]

_NOT_OURS: Final = [
    ("http", "api.example", 443),
    ("http", "api.example", None),
    ("https", "api.example", 8443),
    ("https", "api.example.evil.example", None),
    ("https", "evil.example", None),
    ("https", "api.example.", None),
    ("https", None, None),
    ("", "api.example", None),
    ("ftp", "api.example", 443),
]


def test_only_scheme_host_and_port_together_are_ours(client: Client, environment: Environment) -> None:
    """A token goes to the one configured origin: the same scheme, host and port."""
    environment(Api("https://api.example").environment())
    auth = client.auth()
    assert [origin for origin in _OURS if not auth.is_for(*origin)] == []
    assert [origin for origin in _NOT_OURS if auth.is_for(*origin)] == []


_LOOKALIKES: Final = ["{}.evil.example/", "{}@evil.example/", "{}9/", "{}\\\\.evil.example/", "{}%2F.evil.example/"]


@pytest.mark.parametrize("lookalike", _LOOKALIKES)
def test_a_url_that_begins_like_one_of_ours_is_not_ours(api: Api, lookalike: str) -> None:
    """After a request to the API, one whose URL only begins with the API's carries no token."""
    requests = pytest.importorskip("requests")
    auth = importlib.import_module("procountor_auth.requests").ProcountorAuth()

    def header(url: str) -> str | None:
        prepared = requests.PreparedRequest()
        prepared.url, prepared.headers, prepared.hooks = url, {}, {"response": []}
        found: str | None = auth(prepared).headers.get("Authorization")
        return found

    ours = f"{api.base_url}/api/users"
    assert header(ours) == header(ours) == "Bearer token-1"
    with contextlib.suppress(ValueError):  # no URL at all, as `urlsplit` says
        assert header(lookalike.format(api.base_url)) is None


def test_a_host_that_was_ours_is_not_ours_after_a_reload(api: Api, stranger: Api, environment: Environment) -> None:
    """A program that has reloaded its configuration sends tokens to the new host, and none to the old one."""
    requests = pytest.importorskip("requests")
    auth = importlib.import_module("procountor_auth.requests").ProcountorAuth()
    with requests.Session() as session:
        assert session.get(f"{api.base_url}/api", auth=auth).status_code == 200
        environment(stranger.environment())
        auth.source.reload()
        for host in (api, stranger):
            session.get(f"{host.base_url}/api", auth=auth)
    assert [bool(header) for header in (*api.headers, *stranger.headers)] == [True, False, True]


def test_a_password_in_a_url_is_not_kept(api: Api) -> None:
    """A URL with a password in it gets the token, and stays out of the object that lives on."""
    requests = pytest.importorskip("requests")
    auth = importlib.import_module("procountor_auth.requests").ProcountorAuth()
    url = f"{api.base_url}/api".replace("://", "://user:c4nary@")
    assert "Authorization" in auth(requests.Request("GET", url).prepare()).headers
    assert "c4nary" not in repr(vars(auth))


def test_the_header_is_not_in_the_frames_of_requests() -> None:
    """A traceback with locals of a request that can't be sent shows no token in the frames of requests and urllib3."""
    requests = pytest.importorskip("requests")
    prepared = requests.Request("GET", "http://127.0.0.1:1/").prepare()
    prepared.headers["Authorization"] = Token("a-c4nary-token", 0.0, 1.0, "s").authorization
    assert prepared.headers["Authorization"] == "Bearer a-c4nary-token"
    with pytest.raises(requests.ConnectionError) as caught:
        requests.Session().send(prepared)
    error: BaseException | None = caught.value
    seen: set[str] = set()
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            name = str(frame.f_globals["__name__"])
            seen.add(name.partition(".")[0])
            if name.startswith(("requests", "urllib3")):
                assert "c4nary" not in repr(frame.f_locals), name
        error = error.__context__
    assert {"requests", "urllib3"} <= seen


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("name", ["Sunset", "DEPRECATION", "link", "Content-Type"])
def test_a_header_that_announces_is_found(library: str, name: str) -> None:
    """In whatever case it comes; in the quick way, and in the one for headers that are kept in another form."""
    http = pytest.importorskip(library)
    found = name != "Content-Type"
    headers = http.Headers({"Date": "today", name: "something"})
    assert hasattr(headers, "_list"), f"{library} keeps the names elsewhere now: look where, as the other way is slow"
    assert bearer._announces(headers) is found
    assert bearer._announces(SimpleNamespace(raw=headers.raw)) is found


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "before", [[], [("Authorization", "Basic x")], [("authorization", "a"), ("AUTHORIZATION", "b")]]
)
def test_the_header_is_set_as_the_client_itself_sets_it(
    library: str, *, listed: bool, before: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the quick way and in the public one, in the place of those that are there."""
    http = pytest.importorskip(library)
    integration = importlib.import_module(f"procountor_auth.{library}").ProcountorAuth
    assert integration.headers_are_listed, f"{library} keeps its headers elsewhere now: look where, as it is slow"
    monkeypatch.setattr(integration, "headers_are_listed", listed)
    request = http.Request("GET", "https://api.procountor.com/api/users", headers=[*before, ("X", "y")])
    expected = http.Headers(request.headers)
    expected["Authorization"] = "Bearer acc3ss"
    assert next(integration(TokenSource.fixed("acc3ss")).sync_auth_flow(request)) is request
    assert request.headers.raw == expected.raw
    assert request.headers.get_list("authorization") == ["Bearer acc3ss"]


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_headers_that_are_kept_otherwise_are_set_in_public(library: str) -> None:
    """A version that keeps an index beside the list, other entries or no list is found out before it is used."""
    http = pytest.importorskip(library)

    class Indexed(http.Headers):  # type: ignore[misc,name-defined]  # by name
        def __getitem__(self, key: str) -> str:
            raise KeyError(key)

    class Sized(http.Headers):  # type: ignore[misc,name-defined]  # by name
        def __len__(self) -> int:
            return 0

    class Ordered(http.Headers):  # type: ignore[misc,name-defined]  # by name
        raw = ()

    class Compared(http.Headers):  # type: ignore[misc,name-defined]  # by name
        __hash__ = None  # type: ignore[assignment]  # as Python itself has it

        def __eq__(self, other: object) -> bool:
            return False

    class Otherwise(dict[str, str]):
        _list = None

    assert bearer.are_listed(http.Headers())
    for kind in (Indexed, Sized, Ordered, Compared, Otherwise, dict):
        assert not bearer.are_listed(kind())


class PublicUrl(NamedTuple):
    """A URL that has the public properties alone."""

    scheme: str
    host: str
    port: int | None
    path: str = "/api/users"


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_origin_of_a_url_is_found(library: str) -> None:
    """In the quick way, and in the one for URLs whose parts are kept elsewhere."""
    http = pytest.importorskip(library)
    auth = importlib.import_module(f"procountor_auth.{library}").ProcountorAuth(TokenSource.fixed("acc3ss"))
    url = http.URL("https://API.procountor.com:443/api/users")
    assert hasattr(url, "_uri_reference"), f"{library} keeps the parts elsewhere now: look where"
    for each in (url, PublicUrl(url.scheme, url.host, url.port)):
        request = SimpleNamespace(url=each, headers={})
        assert next(auth.sync_auth_flow(request)) is request
        assert request.headers == {"Authorization": "Bearer acc3ss"}
        request = SimpleNamespace(url=PublicUrl("https", "evil.example", None), headers={})
        assert next(auth.sync_auth_flow(request)) is request
        assert request.headers == {}


def test_the_names_of_headers_are_found_in_requests() -> None:
    """In the quick way as in the one for headers that are kept in another form, in lower case."""
    requests = pytest.importorskip("requests")
    names = importlib.import_module("procountor_auth.requests")._names
    headers = requests.structures.CaseInsensitiveDict({"Date": "today", "SUNSET": "something"})
    assert hasattr(headers, "_store"), "requests keeps the names elsewhere now: look where, as the other way is slow"
    assert set(names(headers)) == set(names(dict(headers))) == {"date", "sunset"}


def test_a_bearer_is_shown_with_its_source() -> None:
    """Its `repr` has its own class and its source's `repr`, and no token."""
    source = TokenSource.fixed("acc3ss")
    assert repr(bearer.Bearer(source)) == f"<procountor_auth.tokens.bearer.Bearer with {source!r}>"
    assert "acc3ss" not in repr(source)


class Flow:
    """A client's requests by hand: what it sends, and what is answered.

    Attributes:
        script: The server that tokens come from: `first`, then `second`.
        events: What the source tells.
        store: The source's store.
        auth: The authentication, of httpx or httpx2.
        headers: What was sent, each time.
    """

    def __init__(self, *, in_a_loop: bool) -> None:
        library = "httpx" if importlib.util.find_spec("httpx") else "httpx2"
        self._http: Any = importlib.import_module(library)
        self._in_a_loop = in_a_loop
        answers = {"acquire": lambda: token("first", "primary"), "refresh-first": lambda: token("second", "primary")}
        self.script = Script(answers=answers)
        self.events: list[Event] = []
        self.store = MemoryStore()
        source = TokenSource(
            Scripted(self.script),
            store=self.store,
            on_event=self.events.append,
            monotonic=lambda: NOW,
            jitter=lambda: 0.0,
        )
        self.auth: HttpxBearer = importlib.import_module(f"procountor_auth.{library}").ProcountorAuth(source)
        self.headers: list[dict[str, str]] = []

    def run(self, *answers: tuple[int, dict[str, str]], url: object = None, stream: object = None) -> None:
        """Send a request that gets these answers."""
        url = url or PublicUrl("https", "api.example", None)
        stream = stream or self._http.ByteStream(b"")
        request = SimpleNamespace(url=url, headers={}, stream=stream)
        if self._in_a_loop:
            asyncio.run(self._send(request, list(answers)))
            return
        flow = self.auth.sync_auth_flow(request)
        sent = next(flow)
        with contextlib.suppress(StopIteration):
            while True:
                sent = flow.send(self._answer(sent, *answers[len(self.headers)]))

    async def _send(self, request: object, answers: list[tuple[int, dict[str, str]]]) -> None:
        flow = self.auth.async_auth_flow(request)
        sent = await anext(flow)
        with contextlib.suppress(StopAsyncIteration):
            while True:
                sent = await flow.asend(self._answer(sent, *answers[len(self.headers)]))

    def _answer(self, sent: Any, status: int, headers: dict[str, str]) -> object:  # noqa: ANN401 - of either library
        self.headers.append(dict(sent.headers))
        return SimpleNamespace(status_code=status, headers=self._http.Headers(headers), request=sent)


@pytest.fixture(params=[False, True], ids=["threads", "loop"])
def flow(request: pytest.FixtureRequest) -> Flow:
    """A client's requests, without a loop and in one."""
    return Flow(in_a_loop=request.param)


def test_an_announcement_is_told_with_the_request_s_path(flow: Flow) -> None:
    """The event has the path of the request and the times of the headers, and is told once."""
    end = {"Sunset": "Sun, 01 Jan 2040 00:00:00 GMT", "Deprecation": "@1800000000"}
    for _ in range(2):
        flow.headers.clear()
        flow.run((200, end))
    told = [event.as_dict() for event in flow.events if event.name == "sunset_announced"]
    assert told == [
        {
            "event": "sunset_announced",
            "at": NOW,
            "strategy": "primary",
            "host": ENDPOINTS.host,
            "profile": None,
            "path": "/api/users",
            "deprecated_at": 1_800_000_000.0,
            "sunset_at": 2_208_988_800.0,
            "link": None,
        }
    ]


def test_a_request_is_sent_again_with_the_new_token_s_header(flow: Flow) -> None:
    """After a 401 the one header is replaced, and nothing else is asked of the server after the second answer."""
    flow.run((401, {}), (401, {}))
    assert flow.headers == [{"Authorization": "Bearer access-first"}, {"Authorization": "Bearer access-second"}]
    assert flow.script.asked == ["acquire", "refresh-first"]


def test_a_token_is_renewed_from_the_moment_on_when_it_is_stale(flow: Flow) -> None:
    """Just before that moment nothing is asked, and at it the token is served, and renewed behind the request."""
    flow.run((200, {}))
    stale_from = token("first", "primary").stale_from()
    for now, asked in ((stale_from - 0.001, ["acquire"]), (stale_from, ["acquire", "refresh-first"])):
        flow.script.now = now
        flow.headers.clear()
        flow.run((200, {}))
        for each in list(background._under_way):
            each.wait(10)
        assert flow.headers == [{"Authorization": "Bearer access-first"}]
        assert flow.script.asked == asked


def test_a_request_is_for_the_configuration_that_it_began_with(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose request it is, is asked of what was bound at its begin, though the program has moved on meanwhile."""
    caches = iter([flow.auth.source.bind()])
    elsewhere = TokenSource.fixed("acc3ss", base_url="https://new.example").bind()
    monkeypatch.setattr(flow.auth.source, "bind", lambda: next(caches, elsewhere))
    flow.run((200, {}), url=PublicUrl("https", "API.example", 443))
    assert flow.headers == [{"Authorization": "Bearer access-first"}]


@pytest.mark.parametrize(("status", "accepted"), [(199, False), (200, True), (299, True), (300, False), (500, False)])
def test_a_success_alone_says_that_a_token_is_good(flow: Flow, status: int, *, accepted: bool) -> None:
    """A new token that the API has accepted is renewed when it is rejected; one that nothing is known of is kept."""
    flow.run((401, {}), stream=object())  # which can't be sent again
    assert flow.script.asked == ["acquire", "refresh-first"]
    flow.script.answers["refresh-second"] = lambda: token("third", "primary")
    for each in (status, 401):
        flow.headers.clear()
        flow.run((each, {}), (200, {}))
    assert flow.script.asked[2:] == (["refresh-second"] if accepted else [])


@pytest.mark.parametrize(("status", "accepted"), [(200, True), (204, True), (302, False), (503, False)])
def test_a_success_alone_says_that_the_second_token_is_good(flow: Flow, status: int, *, accepted: bool) -> None:
    """The same holds for the answer to the second attempt: a gateway that fails has not looked at the token."""
    flow.script.answers["refresh-second"] = lambda: token("third", "primary")
    flow.run((401, {}), (status, {}))
    assert flow.script.asked == ["acquire", "refresh-first"]
    flow.headers.clear()
    flow.run((401, {}), (200, {}))
    assert flow.script.asked[2:] == (["refresh-second"] if accepted else [])


def test_a_request_elsewhere_is_told_once_for_each_host(caplog: pytest.LogCaptureFixture) -> None:
    """The warning names both hosts, printably, and the variables; a hundred hosts are told of, and no more."""
    auth = bearer.Bearer(TokenSource.fixed("acc3ss", base_url="https://api.example"))
    for _ in range(2):
        for host in ("else.example", "el\u202ese.example", None):
            assert not auth.is_for("https", host, None)
    variables = "PROCOUNTOR_BASE_URL, PROCOUNTOR_ENVIRONMENT"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"requests to {foreign} carry no token: the token is for https://api.example ({variables})")
        for foreign in ("https://else.example", "https://el se.example", "https://None")
    ]
    for number in range(bearer.MAX_FOREIGN_HOSTS):
        auth.is_for("https", f"host-{number}.example", None)
    assert len(caplog.records) == bearer.MAX_FOREIGN_HOSTS == 100


def test_a_renewal_that_fails_gives_the_connection_back(api: Api) -> None:
    """With requests, which does not do it, the answer is closed: nobody else has it, and its pool may be full."""
    http = pytest.importorskip("requests")
    api.token_answers = [200, 503]
    api.answers["/api/users"] = [(401, None)]
    answers: list[Any] = []

    class Adapter(http.adapters.HTTPAdapter):  # type: ignore[misc,name-defined]  # by name
        def send(self, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - by name
            answers.append(super().send(*arguments, **options))
            return answers[-1]

    with http.Session() as session:
        session.trust_env = False
        session.mount("http://", Adapter())
        with pytest.raises(ServiceUnavailable):
            session.get(f"{api.base_url}/api/users", auth=_REQUESTS.auth())
    assert [each.raw.closed for each in answers] == [True]


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_is_the_same_with_brackets_and_without(host: str) -> None:
    """Clients write IPv6 in one of two ways; the port counts in both."""
    auth = bearer.Bearer(TokenSource.fixed("acc3ss", base_url="https://[::1]:8443"))
    assert auth.is_for("https", host, 8443)
    assert not auth.is_for("https", host, None)
    assert not auth.is_for("https", f"x{host}", 8443)


def test_what_can_t_be_is_said() -> None:
    """A source and a profile together, and another client's request, are refused in whole sentences."""
    source = TokenSource.fixed("acc3ss")
    with pytest.raises(TypeError, match=r"^a source has its profile already: give one of the two$"):
        bearer.Bearer(source, profile="acme")
    with pytest.raises(TypeError) as caught:
        Flow(in_a_loop=False).auth(object())
    library = Flow(in_a_loop=False).auth.library
    assert str(caught.value) == (
        f"This ProcountorAuth is for {library}: import it from procountor_auth.requests for requests, or from "
        "procountor_auth.httpx or procountor_auth.httpx2 for that client."
    )
