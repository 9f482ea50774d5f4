"""The judge of a store's faults: one call, and six oracles."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.transport import Transport

from .acts import ACCESS, token
from .conftest import API_KEY, CLIENT_SECRET, GRACE, NOW, OLD, SECRETS, Run
from .outcome import KEY
from .server import FaultServer, Visit
from .witness import ADDRESSES, Clock, Pulse, Witness, hidden_in, shown

if TYPE_CHECKING:
    import pytest

    from .outcome import Outcome, Place, StoreFault

GRANTS = ("client_credentials", "refresh_token")

LONG_ACCESS = ACCESS + "x" * 9_000
"""A token that needs a page of its own in SQLite's file."""


class StoreJudge:
    """Asks for a token while a store has a fault, and asks the six oracles.

    Args:
        pulse: Measures how long the machine was suspended.
        capfd: What is written to stdout and stderr.
    """

    def __init__(self, pulse: Pulse, capfd: pytest.CaptureFixture[str]) -> None:
        self._pulse = pulse
        self._capfd = capfd

    def judge(self, fault: StoreFault[Any], grant: str, how: str, place: Place) -> None:
        """Judge one call.

        Args:
            fault: What goes wrong.
            grant: How the next token is had.
            how: `token`, in a thread, or `atoken`, in an event loop.
            place: Where the entry is.
        """
        expected = fault.refresh if grant == "refresh_token" else fault.key
        place.old = OLD if grant == "refresh_token" else replace(OLD, strategy=grant, refresh_token=None)
        with place.store().transaction(KEY, timeout=5) as transaction:
            transaction.write(place.old)

        def act(visit: Visit) -> None:
            if place.later is not None:
                place.later()
            token(access_token=LONG_ACCESS)(visit)

        server = FaultServer({"oauth/token": act})
        clock = Clock()
        source = _source(grant, server, place, expected, clock)
        try:
            fault.bring(place)
            OUTAGES.forget()
            left = place.data()
            self._capfd.readouterr()
            began, beats_from = clock.monotonic(), time.monotonic()
            with Witness() as witness, ADDRESSES.listening() as addresses:
                run = Run(source.token if how == "token" else lambda: asyncio.run(source.atoken()))
                took = clock.monotonic() - began - self._pulse.lost_since(beats_from)
        finally:
            place.patch.undo()
            server.close()
            place.stack.close()
        _check(expected, run, place, left)
        assert len(server.requests) == expected.requests
        assert not hidden_in("".join(self._capfd.readouterr()) + witness.said, SECRETS)
        assert took < expected.timeout + GRACE
        assert addresses <= {("127.0.0.1", server.port)} | place.addresses


def _source(grant: str, server: FaultServer, place: Place, expected: Outcome, clock: Clock) -> TokenSource:
    client = OAuthClient(
        Endpoints(server.url), "client-1", SecretStr(CLIENT_SECRET), "https://app.example/callback", clock=lambda: NOW
    )
    strategy = (
        AuthorizationCodeStrategy(client)
        if grant == "refresh_token"
        else ClientCredentialsStrategy(client, api_key=SecretStr(API_KEY))
    )
    transport = Transport(timeout=expected.timeout, monotonic=clock.monotonic, sleep=clock.sleep)
    return TokenSource(strategy, transport=transport, store=place.store(), monotonic=clock.monotonic)


def _check(expected: Outcome, run: Run, place: Place, left: bytes | None) -> None:
    if expected.error is None:
        assert run.error is None
        assert run.result.access_token == LONG_ACCESS
    else:
        assert type(run.error) is expected.error
        assert isinstance(run.error, ProcountorAuthError)
        assert run.error.retryable is type(run.error).retryable
        assert run.error.hint
        assert not hidden_in(shown(run.error), SECRETS)
    if expected.kept == "left":
        assert place.data() == left
        return
    OUTAGES.forget()
    entry = place.store().read(KEY) if place.data() is not None else None
    kept: Any = entry.token if entry else None
    assert kept == {"new": run.result, "old": place.old, "none": None}[expected.kept]
