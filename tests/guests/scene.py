"""A source, with one guest in it that acts as its cell says until it is told to behave."""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from procountor_auth import Token, TokenSource
from procountor_auth.events import FellBack, SunsetAnnounced, TokenAcquired
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.base import Entry
from procountor_auth.stores.file import FileStore
from procountor_auth.tokens import telemetry
from procountor_auth.transport.backend import backend as httpx
from procountor_auth.transport.transport import Transport
from tests.faults.conftest import API_KEY, CLIENT_SECRET, NOW, OLD_REFRESH

from .acts import PROPER, EvilText
from .guests import GuestStore, GuestTransport, KeyGuest, RefreshGuest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from procountor_auth.events import Event
    from tests.faults.server import FaultServer
    from tests.faults.witness import Clock

    from .acts import Act


@dataclass(slots=True)
class Scene:
    """What a guest and its test share.

    Attributes:
        place: Where the guest comes in.
        act: What it does there.
        source: The source that it is a guest of.
        folder: Where the tokens are.
        reached: Set when a guest hangs.
        released: Set when it is to go on.
        behaves: Whether the guest does what it should.
    """

    place: str
    act: Act
    source: TokenSource = field(init=False)
    folder: Path = field(init=False)
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    behaves: bool = False
    acted: int = 0
    _acting: threading.local = field(default_factory=threading.local)
    _own: httpx.HTTPTransport | None = None

    def at(self, place: str, given: object = None) -> object:
        """Act, if this is the place and the time; return what the guest returns, or `PROPER`."""
        if place != self.place or self.behaves or getattr(self._acting, "now", False):
            return PROPER
        self.acted += 1
        if self.acted > 1 and self.act.kind in {"hangs", "goes on"}:
            return PROPER
        self._acting.now = True
        try:
            return self.act.do(self, given)
        finally:
            self._acting.now = False

    def evil(self) -> object:
        """Return what looks right here, with somebody else's methods in it."""
        text = EvilText("EvilAccessToken")
        token = Token.__new__(Token)
        for name, value in {"issued_at": NOW, "expires_at": NOW + 3600, "strategy": "client_credentials"}.items():
            object.__setattr__(token, name, value)
        for name in ("access_token", "refresh_token"):
            object.__setattr__(token, name, text)
        for name in ("deprecated_at", "sunset_at"):
            object.__setattr__(token, name, None)
        if self.place == "strategy: ends":
            return token
        if self.place in {"store: read", "store: entry"}:
            entry = Entry(1, None)
            object.__setattr__(entry, "token", token)
            return entry
        return text

    def change(self, given: object) -> None:
        """Change what the guest was given, as far as it can be changed."""
        if isinstance(given, logging.LogRecord):
            given.msg, given.args = object(), None
            given.__dict__.pop("procountor_event", {}).clear()
        elif isinstance(given, httpx.Request):
            given.headers["User-Agent"] = "somebody else"
        elif isinstance(given, dict):
            given.clear()
        elif isinstance(given, FellBack | TokenAcquired | SunsetAnnounced):
            object.__setattr__(given, "host", 7)

    def invite(self, server: FaultServer, folder: Path, timeout: float, grant: str, clock: Clock, patch: Any) -> None:  # noqa: ANN401 - pytest's
        """Build the source, and have the guest come in."""
        client = OAuthClient(
            Endpoints(server.url),
            "client-1",
            SecretStr(CLIENT_SECRET),
            "https://app.example/callback",
            clock=lambda: NOW,
        )
        falls_back = self.place == "listener, of a fallback"
        by_refresh = RefreshGuest(client, refresh_token=SecretStr(OLD_REFRESH) if falls_back else None)
        strategies: list[KeyGuest | RefreshGuest] = [by_refresh, KeyGuest(client, api_key=SecretStr(API_KEY))]
        if (grant == "refresh_token") is falls_back:  # what brings the token comes first, or after what is refused
            strategies.reverse()
        for each in strategies:
            each.scene = self
        own = httpx.HTTPTransport(trust_env=False) if self.place.startswith("transport") else None
        self._own = own
        transport = Transport(
            timeout=timeout,
            http=None if own is None else GuestTransport(self, own),
            monotonic=clock.monotonic,
            sleep=clock.sleep,
        )
        self.folder = folder
        store = FileStore(folder)
        self.source = TokenSource(
            strategies[0],
            fallback=strategies[1] if falls_back else None,
            transport=transport,
            store=GuestStore(self, store) if self.place.startswith("store") else store,
            on_event=self._listen if self.place.startswith("listener") else None,
            monotonic=clock.monotonic,
        )
        if self.place.startswith("log"):
            self._hear(patch)
        elif self.place == "metrics":
            count(lambda values: self.at("metrics", values), patch)

    def end(self) -> None:
        """Let go who hangs, and close the guest's connections."""
        self.released.set()
        if self._own is not None:
            self._own.close()

    def _listen(self, event: Event) -> None:
        moment = {SunsetAnnounced: ", in the middle", FellBack: ", of a fallback"}.get(type(event), "")
        self.at(f"listener{moment}", event)

    def _hear(self, patch: pytest.MonkeyPatch) -> None:
        scene = self

        class Hearing(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if record.name.startswith(("procountor_auth", "filelock")):
                    scene.at("log handler", record)

        def listen(record: logging.LogRecord) -> bool:
            scene.at("log filter", record)
            return True

        ours = logging.getLogger("procountor_auth")
        if self.place == "log filter":
            patch.setattr(ours, "filters", [*ours.filters, listen])
        else:
            # Before the one that watches: what this one changes is seen there.
            patch.setattr(logging.getLogger(), "handlers", [Hearing(), *logging.getLogger().handlers])


def count(add: Callable[[dict[str, Any]], object], patch: pytest.MonkeyPatch) -> None:
    """Have OpenTelemetry's counters call a function with each event's attributes."""
    counter = SimpleNamespace(add=lambda _amount, values: add(values))
    meter = SimpleNamespace(create_counter=lambda *_, **__: counter)
    metrics = ModuleType("opentelemetry.metrics")
    metrics.get_meter = lambda _name: meter  # type: ignore[attr-defined]
    package = ModuleType("opentelemetry")
    package.metrics = metrics  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "opentelemetry", package)
    patch.setitem(sys.modules, "opentelemetry.metrics", metrics)
    telemetry._counter.cache_clear()
