"""The runner of the ways: one call, and the oracles of the fault matrix."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.transport import Transport
from tests.faults.acts import ACCESS, REFRESH
from tests.faults.conftest import API_KEY, CALLS, CLIENT_SECRET, GRACE, NOW, OLD, SECRETS, Run
from tests.faults.fault import LONG, Accepted, Refused
from tests.faults.witness import ADDRESSES, Clock, Pulse, Witness, hidden_in, shown

from .network import Authority, Network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.server import FaultServer

    from .case import Way

GRANTS: Final = ("client_credentials", "refresh_token")

_ATTEMPTS: Final = 4
"""How often a case with a short deadline is tried at most until the machine has not stood still meanwhile."""


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Authority]:
    """The service's, that of somebody who inspects TLS, and that of a certificate for another name."""
    folder = tmp_path_factory.mktemp("authorities")
    made = {name: Authority.make(folder, name) for name in ("service", "inspector")}
    return made | {"stranger": Authority.make(folder, "stranger", host="elsewhere.example")}


@dataclass(slots=True)
class Journey:
    """What a call went through, and what came of it."""

    network: Network
    store: FileStore
    run: Run
    said: str
    took: float
    lost: float
    addresses: set[tuple[Any, ...]]
    allowed: set[tuple[Any, ...]]


@pytest.fixture
def travel(
    tmp_path: Path,
    authorities: dict[str, Authority],
    pulse: Pulse,
    trap: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[[Way, str, str], None]:
    """Go a way with a grant, by `token` or `atoken`, and ask the oracles."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: "entry")

    def once(way: Way, grant: str, how: str, timeout: float, folder: Path) -> Journey:
        with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
            network = Network(authorities, trap, stack, patch)
            route = way.build(network)
            clock = Clock()
            client = OAuthClient(
                Endpoints(route.host),
                "client-1",
                SecretStr(CLIENT_SECRET),
                "https://app.example/callback",
                clock=lambda: NOW,
            )
            store = FileStore(folder / "tokens")
            if grant == "refresh_token":
                with store.transaction("entry", timeout=5) as transaction:
                    transaction.write(OLD)
            source = TokenSource(
                AuthorizationCodeStrategy(client)
                if grant == "refresh_token"
                else ClientCredentialsStrategy(client, api_key=SecretStr(API_KEY)),
                transport=Transport(
                    timeout=timeout,
                    ca_bundle=network.bundle(route.trusts, folder),
                    proxy=route.proxy,
                    monotonic=clock.monotonic,
                    sleep=clock.sleep,
                ),
                store=store,
                monotonic=clock.monotonic,
            )

            def call() -> Any:  # noqa: ANN401 - a token
                result = source.token() if how == "token" else asyncio.run(source.atoken())
                for _ in range(route.renewals - 1):
                    result = source.renew(result) if how == "token" else asyncio.run(source.arenew(result))
                return result

            capfd.readouterr()
            began, beats_from = clock.monotonic(), time.monotonic()
            with Witness() as witness, ADDRESSES.listening() as addresses:
                run = Run(call)
                took = clock.monotonic() - began
                _wait_for_renewals()
            host, proxy = urlsplit(route.host), urlsplit(route.proxy.get_secret_value() if route.proxy else "")
            allowed = {(host.hostname, host.port or 443), (proxy.hostname, proxy.port), *route.may_reach}
            if host.hostname in network.asked:
                allowed.add(("127.0.0.1", host.port or 443))
            said = "".join(capfd.readouterr()) + witness.said
            return Journey(network, store, run, said, took, pulse.lost_since(beats_from), addresses, allowed)

    def travel(way: Way, grant: str, how: str) -> None:
        arrived = trap.connections
        timeout = way.timeout
        for attempt in range(_ATTEMPTS):
            timeout = way.timeout * (1 if way.timeout == LONG else 2**attempt)
            (folder := tmp_path / str(attempt)).mkdir()
            journey = once(way, grant, how, timeout, folder)
            if way.timeout == LONG or journey.lost < way.timeout / 3:
                break
        _judge(way, grant, journey)
        assert journey.took - journey.lost < timeout + GRACE
        assert trap.connections == arrived

    return travel


def _judge(way: Way, grant: str, journey: Journey) -> None:
    safe = grant == "client_credentials"
    expected = way.expected if safe or way.once is None else way.once
    run, network = journey.run, journey.network
    if isinstance(expected, Accepted):
        assert run.error is None
        assert (run.result.access_token, run.result.refresh_token) == (ACCESS, REFRESH)
        assert not hidden_in(repr(run.result), SECRETS)
    else:
        _check_refused(expected, run.error)
    assert network.count() == (expected.safe if safe else expected.once)
    assert way.connects in {None, network.connects()}
    assert not hidden_in(journey.said, SECRETS)
    entry = journey.store.read("entry") if journey.store.folder.exists() else None
    before = None if safe else OLD
    assert (entry.token if entry else None) == (before if run.error is not None else run.result)
    assert journey.addresses <= journey.allowed


def _check_refused(expected: Refused, error: BaseException | None) -> None:
    assert type(error) is expected.error
    assert isinstance(error, ProcountorAuthError)
    assert error.retryable is expected.retryable
    assert re.search(expected.says, str(error))
    assert error.hint
    assert error.__cause__ is None
    assert not hidden_in(shown(error), SECRETS)


def _wait_for_renewals() -> None:
    """Wait for renewals whose callers have their error: they must not send anything either."""
    for thread in threading.enumerate():
        if thread.name == "procountor-auth":
            thread.join(5)


__all__ = ["CALLS", "GRANTS"]
