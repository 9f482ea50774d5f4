"""The runner of the tables: one fault, one call, six oracles."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import re
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.token import Token
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy, LegacyPasswordStrategy
from procountor_auth.transport.transport import Transport

from .acts import ACCESS, CODE, REFRESH, token
from .fault import SHORT, Accepted, Refused
from .server import FaultServer
from .witness import ADDRESSES, Clock, Pulse, Witness, hidden_in, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.login.login import Login
    from procountor_auth.strategies import Strategy

    from .fault import Fault

NOW: Final = 1_795_000_000.0

GRACE: Final = 0.5
"""Seconds beyond its deadline within which a call has to end."""

_ATTEMPTS: Final = 4
"""How often a call is made at most until the machine has not stood still meanwhile."""

CLIENT_SECRET: Final = "CanaryClientSecret/+-8d21"
API_KEY: Final = "CanaryApiKey.e30-44c7"
USERNAME: Final = "canary.username@example.com"
PASSWORD: Final = "CanaryPassword &%-0f6e"
COMPANY: Final = "998877665"
OLD_ACCESS: Final = "CanaryOldAccessToken-1b90"
OLD_REFRESH: Final = "CanaryOldRefreshToken-62dd"

SECRETS: Final = (CLIENT_SECRET, API_KEY, USERNAME, PASSWORD, COMPANY, OLD_ACCESS, OLD_REFRESH, ACCESS, REFRESH, CODE)

OLD: Final = Token(OLD_ACCESS, NOW - 7200, NOW - 3600, "authorization_code", OLD_REFRESH)
"""A token that has ended, with a refresh token that has not."""

GRANTS: Final = ("client_credentials", "authorization_code", "refresh_token")

SAFE: Final = frozenset({"client_credentials", "legacy"})
"""Of these and the legacy login, those whose requests may be repeated."""

CALLS: Final = ("token", "atoken")
"""In a thread, and in an event loop."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate for 127.0.0.1 that nobody has signed but itself."""

    path: Path
    context: ssl.SSLContext = field(repr=False)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificates]:
    """Certificates, made for this run: one that is good today, one from tomorrow on, one until yesterday."""
    folder = tmp_path_factory.mktemp("certificates")
    days = {"tls": (-1, 1), "early": (1, 2), "late": (-2, -1)}
    return {name: _certificate(folder / f"{name}.pem", *span) for name, span in days.items()}


def _certificate(path: Path, first: int, last: int) -> Certificates:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today + dt.timedelta(days=first))
        .not_valid_after(today + dt.timedelta(days=last))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return Certificates(path, context)


@dataclass(slots=True)
class Case:
    """A call of the library against a server that misbehaves.

    Attributes:
        fault: What goes wrong.
        store: The store of the source.
        source: What is called.
        server: Who misbehaves.
        path: The end of the path of the requests that are counted.
        old: The token that was in the store before.
        safe: Whether the counted request may be repeated.
        saved: The text of the login, where another source has begun it.
    """

    fault: Fault
    store: FileStore
    source: TokenSource
    server: FaultServer
    transport: Transport
    strategy: Strategy
    clock: Clock
    pulse: Pulse
    trap: FaultServer
    path: str
    old: Token | None
    safe: bool
    redirected: str = field(default="", repr=False)
    saved: str = field(default="", repr=False)
    login: Login | None = None

    def call(self, how: str) -> Token:
        """Ask for a token as a program would."""
        if self.login is not None:
            if how == "token":
                return self.login.complete(self.redirected)
            return asyncio.run(self.login.acomplete(self.redirected))
        if how == "token":
            return self.source.token()
        return asyncio.run(self.source.atoken())


class Run:
    """The result of a call."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        try:
            self.result = call()
        except BaseException as error:  # noqa: BLE001 - whatever comes is looked at
            self.error = error


def judge(fault: Fault, build: Callable[[Fault], Case], how: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Make the call, and ask the six oracles.

    On a machine that stands still, a short deadline may pass before the request is sent. Such a call says nothing, and
    is made again with twice the time.
    """
    for attempt in range(_ATTEMPTS):
        longer = 2**attempt if fault.timeout == SHORT else 1
        case = build(replace(fault, timeout=fault.timeout * longer))
        arrived = case.trap.connections
        capfd.readouterr()
        began, beats_from = case.clock.monotonic(), time.monotonic()
        with Witness() as witness, ADDRESSES.listening() as addresses:
            run = Run(partial(case.call, how))
            took = case.clock.monotonic() - began
        lost = case.pulse.lost_since(beats_from)
        unasked = fault.where == "plain" and case.server.count(case.path) == 0
        if fault.timeout != SHORT or not (unasked or lost > SHORT / 3):
            break
    took -= lost
    expected = case.fault.expected
    if not case.safe and case.fault.once is not None:
        expected = case.fault.once
    requests = expected.safe if case.safe else expected.once
    _is_as_expected(case, run, expected)
    reaches = case.fault.where in {"plain", "tls", "proxy", "tunnel"}
    assert case.server.count("" if case.fault.where == "tunnel" else case.path) == (requests if reaches else 0)
    _is_kept_whole(case, run)
    said = "".join(capfd.readouterr()) + witness.said
    state = [case.server.requests[0].state] if case.server.requests and case.server.requests[0].state else []
    secrets = [*SECRETS, *state]
    assert not hidden_in(said, secrets)
    if run.error is not None:
        assert not hidden_in(shown(run.error), secrets)
        assert run.error.__cause__ is None
    else:
        assert not hidden_in(repr(run.result), secrets)
    assert took < case.fault.timeout + GRACE
    host = urlsplit(case.strategy.client.endpoints.host)
    configured = {("127.0.0.1", case.server.port), (host.hostname, host.port or 443)}
    assert addresses <= configured
    assert case.trap.connections == arrived


def _is_as_expected(case: Case, run: Run, expected: Accepted | Refused) -> None:
    if isinstance(expected, Accepted):
        assert run.error is None
        token = run.result
        assert token.access_token == ACCESS
        assert token.expires_at - token.issued_at == expected.lifetime
        kept = case.old.refresh_token if case.old else None
        assert token.refresh_token == (REFRESH if expected.refresh else kept)
        return
    kind = expected.error
    if expected.login and case.old is not None:
        kind = InteractionRequired  # a refresh token that was refused: a user has to log in
    assert type(run.error) is kind
    assert isinstance(run.error, ProcountorAuthError)
    assert run.error.retryable is expected.retryable
    assert re.search(expected.says, str(run.error))
    assert run.error.hint
    assert run.error.message


def _is_kept_whole(case: Case, run: Run) -> None:
    """The store holds the new token, or what it held before."""
    entry = FileStore(case.store.folder).read("entry") if case.store.folder.exists() else None
    kept = entry.token if entry is not None else None
    assert kept == (case.old if run.error is not None else run.result)
    files = {path.name for path in case.store.folder.iterdir()} if case.store.folder.exists() else set()
    assert files <= {"entry.json", "entry.lock"}


@pytest.fixture
def prepare(
    tmp_path: Path,
    certificates: dict[str, Certificates],
    pulse: Pulse,
    trap: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Fault, str], Case]]:
    """Build a case: a server, a store, a source."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: "entry")
    numbers = count()
    with ExitStack() as stack:

        def server_of(fault: Fault, path: str) -> FaultServer:
            script = {path: fault.act or token()}
            if path.endswith("authz"):
                script["oauth/token"] = token()
            if fault.where in {"proxy", "tunnel"}:
                script = {"": script[path]}
            certificate = certificates.get("tls" if fault.where == "untrusted" else fault.where)
            tls = certificate.context if certificate else None
            server = FaultServer(script, tls=tls, accepts=fault.where != "never-accepts", trap=trap.url)
            stack.callback(server.close)
            if fault.where in {"nothing-listens", "no-proxy"}:
                server.close()
            return server

        def build(fault: Fault, grant: str) -> Case:
            path = "oauth/authz" if grant == "legacy" else "oauth/token"
            server = server_of(fault, path)
            clock = Clock()
            host = {
                "no-such-host": "https://no-such-host.invalid",
                "not-tls": server.url.replace("http:", "https:"),
                "proxy": "http://127.0.0.1:9",
                "tunnel": "https://127.0.0.1:9",
                "no-proxy": "https://127.0.0.1:9",
            }.get(fault.where, server.url)
            transport = Transport(
                timeout=fault.timeout,
                ca_bundle=certificates[fault.where].path if fault.where in certificates else None,
                proxy=SecretStr(server.url) if fault.where in {"proxy", "tunnel", "no-proxy"} else None,
                monotonic=clock.monotonic,
                sleep=clock.sleep,
            )
            client = OAuthClient(
                Endpoints(host), "client-1", SecretStr(CLIENT_SECRET), fault.redirect_uri, clock=lambda: NOW
            )
            strategy = _strategy(grant, client)
            store = FileStore(tmp_path / f"tokens-{next(numbers)}")
            old = OLD if grant == "refresh_token" else None
            if old is not None:
                with store.transaction("entry", timeout=5) as transaction:
                    transaction.write(old)
            source = TokenSource(strategy, transport=transport, store=store, monotonic=clock.monotonic)
            safe = grant in SAFE
            case = Case(fault, store, source, server, transport, strategy, clock, pulse, trap, path, old, safe)
            if grant in {"authorization_code", "resumed"}:
                login = case.login = source.begin_login()
                state = dict(parse_qsl(urlsplit(login.url).query))["state"]
                case.redirected = f"{client.redirect_uri}?{urlencode({'code': CODE, 'state': state})}"
                if grant == "resumed":
                    resuming = TokenSource(_strategy(grant, client), transport=transport, store=store)
                    case.source, case.saved = resuming, login.save()
                    case.login = resuming.resume_login(case.saved)
            return case

        yield build


def _strategy(grant: str, client: OAuthClient) -> Strategy:
    if grant == "client_credentials":
        return ClientCredentialsStrategy(client, api_key=SecretStr(API_KEY))
    if grant == "legacy":
        return LegacyPasswordStrategy(
            client,
            username=SecretStr(USERNAME),
            password=SecretStr(PASSWORD),
            company=SecretStr(COMPANY),
            policy="allow",
        )
    return AuthorizationCodeStrategy(client)
