"""Faults around a bridge, as an old program sees them, with the oracles of the other tables."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import pytest

from procountor_auth import Settings
from procountor_auth.bridge.login import BridgeLogin
from procountor_auth.errors import StoreError, StoreUnavailable
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.transport.transport import Transport
from tests.bridge.raw_program import RawProgram, status_of
from tests.bridge.running import RunningBridge

from .acts import ACCESS, MISSING, REFRESH, answer, token
from .bridge import API, BROKEN, PROGRAMS, TOKEN_FAULTS, Told, told_at_call, told_at_login
from .conftest import API_KEY, CLIENT_SECRET, COMPANY, OLD_ACCESS, PASSWORD, USERNAME
from .fault import SHORT
from .server import FaultServer
from .witness import ADDRESSES, Witness, hidden_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.stores.base import Store

    from .bridge import BridgeFault
    from .fault import Fault

pytestmark = pytest.mark.once

REDIRECT_URI = "redirect-uri-placeholder"
SERVICE_TOKEN = token(access_token=OLD_ACCESS, expires_in=600, refresh_token=MISSING)
"""The service's token ends before the bridge's: a call after that needs another one."""


class Clock:
    """A clock that is moved by hand."""

    now = 1_795_000_000.0

    def __call__(self) -> float:
        """Say it."""
        return self.now


class Said(NamedTuple):
    """What came of a request."""

    raw: bytes
    broken: bool


class Place:
    """A bridge before a server that misbehaves, and a program of bare bytes."""

    def __init__(self, server: FaultServer, bridge: RunningBridge, clock: Clock) -> None:
        self.server = server
        self.bridge = bridge
        self.clock = clock
        self.token = ""
        self.given: list[str] = []

    def send(self, data: bytes) -> Said:
        """Send a request that is the last one of its connection, and read its answer."""
        with RawProgram(self.bridge.port) as program:
            program.send(data)
            raw = program.read_to_end()
        return Said(raw, _is_broken(raw))

    def post(self, path: str, form: dict[str, str]) -> Said:
        """Post a form."""
        body = urlencode(form).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.send(head.encode() + body)

    def authz(self) -> Said:
        """Send the user's name and password."""
        names = {"username": USERNAME, "password": PASSWORD, "company": COMPANY, "redirect_uri": REDIRECT_URI}
        return self.post("/api/oauth/authz", {"response_type": "code", "client_id": "client-1", **names})

    def log_in(self) -> Said:
        """Log in, as far as that goes; return the last answer."""
        said = self.authz()
        if status_of(said.raw) != 302:
            return said
        found = re.search(rb"(?im)^location: [^?]*\?(\S+)", said.raw)
        assert found
        code = parse_qs(found[1].decode())["code"][0]
        client = {"client_id": "client-1", "client_secret": CLIENT_SECRET, "redirect_uri": REDIRECT_URI}
        said = self.post("/api/oauth/token", {"grant_type": "authorization_code", "code": code, **client})
        if status_of(said.raw) == 200:
            fields = json.loads(said.raw.partition(b"\r\n\r\n")[2])
            self.token = fields["access_token"]
            self.given += [code, self.token, fields["refresh_token"]]
        return said

    def call(self, method: str = "GET") -> Said:
        """Call the API."""
        return self.send(
            f"{method} /api/sessioninfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n".encode()
        )


@pytest.fixture(autouse=True)
def waits_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the token requests' waits before they are repeated take no time."""
    from_settings = Transport.from_settings

    def at_once(*given: Any, **more: Any) -> Transport:  # noqa: ANN401 - as it takes them
        return replace(from_settings(*given, **more), sleep=lambda _: None)

    monkeypatch.setattr(Transport, "from_settings", at_once)


@contextmanager
def place(server: FaultServer, *, store: Store | None = None, timeout: float = 30.0) -> Iterator[Place]:
    """Have a bridge before a server."""
    settings = Settings(
        strategy="client_credentials",
        base_url=server.url,
        client_id="client-1",
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        api_key=API_KEY,
        bridge_username=USERNAME,
        bridge_password=PASSWORD,
        company=COMPANY,
        timeout=timeout,
    )
    login = BridgeLogin.of(settings, has_file=False)
    assert login is not None
    clock = Clock()
    try:
        with RunningBridge([login], store=store, clock=clock) as bridge:
            yield Place(server, bridge, clock)
    finally:
        server.close()


def judge(place: Place, told: Told, said: Said, witness: Witness, addresses: set[tuple[Any, ...]]) -> None:
    """Ask the oracles: what the program is told, what is said elsewhere, and where bytes went."""
    head, _, body = said.raw.partition(b"\r\n\r\n")
    if told.status == BROKEN:
        assert said.broken
    else:
        assert (status_of(said.raw), said.broken) == (told.status, False)
        assert (re.search(rb"(?im)^retry-after: [1-9][0-9]*\r?$", head) is not None) >= told.retry
    if told.status >= 400 and not told.theirs:
        fields = json.loads(body)
        assert (fields.get("error", ""), "errors" in fields) == (told.error, not told.error)
        assert told.error or fields["errors"][0]["status"] == told.status
        assert b"cache-control: no-store" in head.lower()
    secrets = [CLIENT_SECRET, API_KEY, USERNAME, PASSWORD, OLD_ACCESS, ACCESS, REFRESH]
    assert not hidden_in(said.raw.decode("latin-1"), secrets)
    assert not hidden_in(witness.said, [*secrets, *place.given])
    assert addresses <= {("127.0.0.1", place.server.port), ("127.0.0.1", place.bridge.port)}


@pytest.mark.parametrize("how", ["login", "call"])
@pytest.mark.parametrize("fault", TOKEN_FAULTS, ids=lambda fault: fault.id)
def test_the_service_s_token_endpoint(fault: Fault, how: str, trap: FaultServer) -> None:
    """A fault of the token endpoint comes to the program in the words that the old service had for it."""
    arrived = trap.connections
    server = FaultServer({"oauth/token": SERVICE_TOKEN, "sessioninfo": answer(200, b"{}")}, trap=trap.url)
    timeout = SHORT * 4 if fault.timeout == SHORT else 30.0
    with Witness() as witness, ADDRESSES.listening() as addresses, place(server, timeout=timeout) as here:
        if how == "call":
            assert status_of(here.log_in().raw) == 200
            here.clock.now += 700
        server.requests.clear()
        server.script["oauth/token"] = fault.act or token()
        if fault.where == "nothing-listens":
            server.close()
        said = here.call() if how == "call" else here.authz()
        judge(here, told_at_call(fault) if how == "call" else told_at_login(fault), said, witness, addresses)
    assert trap.connections == arrived
    assert server.count("sessioninfo") == (status_of(said.raw) == 200)


@pytest.mark.parametrize("fault", API, ids=lambda fault: fault.id)
def test_the_service_s_api(fault: BridgeFault, trap: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the API comes to the program as it is, or as 502 or 504; what is broken stays broken."""
    monkeypatch.setattr("procountor_auth.bridge.upstream.ANSWER_SECONDS", SHORT * 10 if "stall" in fault.name else 30.0)
    arrived = trap.connections
    server = FaultServer({"oauth/token": SERVICE_TOKEN, "sessioninfo": fault.act or token()}, trap=trap.url)
    with Witness() as witness, ADDRESSES.listening() as addresses, place(server) as here:
        here.log_in()
        said = here.call(fault.method)
        judge(here, fault.told, said, witness, addresses)
        server.script["sessioninfo"] = answer(200, b"{}")
        assert status_of(here.call().raw) == 200
    assert server.count("sessioninfo") == fault.calls + 1
    assert trap.connections == arrived


@pytest.mark.parametrize("fault", PROGRAMS, ids=lambda fault: fault.id)
def test_a_program_that_is_wrong(fault: BridgeFault) -> None:
    """A program that sends what it should not is refused, the service hears nothing of it, and others go on."""
    server = FaultServer({"oauth/token": SERVICE_TOKEN, "sessioninfo": answer(200, b"{}")})
    with Witness() as witness, ADDRESSES.listening() as addresses, place(server) as here:
        here.log_in()
        before = len(server.requests)
        sent = fault.sent.replace(b"{port}", b"%d" % here.bridge.port).replace(b"{token}", here.token.encode())
        judge(here, fault.told, here.send(sent), witness, addresses)
        assert len(server.requests) == before
        assert status_of(here.call().raw) == 200


class FailingStore(MemoryStore):
    """A store that can be broken."""

    error: StoreError | None = None

    def read(self, key: str) -> Any:  # noqa: ANN401 - as the store's
        """Read, or fail."""
        if self.error is not None:
            raise self.error
        return super().read(key)

    def transaction(self, key: str, *, timeout: float) -> Any:  # noqa: ANN401 - as the store's
        """Begin, or fail."""
        if self.error is not None:
            raise self.error
        return super().transaction(key, timeout=timeout)


@pytest.mark.parametrize("is_down", [True, False], ids=["store-down", "store-broken"])
def test_a_store_that_fails(*, is_down: bool) -> None:
    """Without its store the bridge logs nobody in and says whether to try again; known tokens outlive an outage."""
    server = FaultServer({"oauth/token": SERVICE_TOKEN, "sessioninfo": answer(200, b"{}")})
    store = FailingStore()
    login = Told(503, "temporarily_unavailable", retry=True) if is_down else Told(500, "server_error")
    call = Told(503, retry=True) if is_down else Told(500)
    with Witness() as witness, ADDRESSES.listening() as addresses, place(server, store=store) as here:
        here.log_in()
        store.error = StoreUnavailable("down") if is_down else StoreError("broken")
        judge(here, login, here.authz(), witness, addresses)
        judge(here, call, here.call(), witness, addresses)
        store.error = None
        assert status_of(here.call().raw) == 200
        store.error = StoreUnavailable("down")
        assert status_of(here.call().raw) == 200


def _is_broken(raw: bytes) -> bool:
    """Whether an answer ends before its end."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        return True
    length = re.search(rb"(?im)^content-length: *([0-9]+)", head)
    if re.search(rb"(?im)^transfer-encoding: *chunked", head):
        return not body.endswith(b"0\r\n\r\n")
    return status_of(raw) not in {204, 304} and length is not None and len(body) < int(length[1])
