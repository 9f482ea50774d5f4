"""Any order of gets, invalidations, expiries, rotations, crashes and forks: no refresh token is used twice."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired, ServiceUnavailable
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.base import Entry, Store, Transaction
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import AuthorizationCodeStrategy
from procountor_auth.tokens.entry_key import entry_key
from procountor_auth.transport.backend import backend
from procountor_auth.transport.retry import ATTEMPTS
from procountor_auth.transport.transport import Transport

from .mutation import FEWER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.protocol.token import Token

from pydantic import SecretStr

pytestmark = [pytest.mark.fuzz, pytest.mark.process]

STEPS: Final = 50


@dataclass(slots=True)
class Server(backend.BaseTransport):
    """A server in memory that rotates refresh tokens strictly: a used one ends them all.

    Attributes:
        down: Whether it answers with 503.
        right: The one refresh token that works now.
        requests: How many requests it got.
        reuses: How many of them brought a refresh token that had been used.
    """

    down: bool = False
    right: str | None = None
    requests: int = 0
    reuses: int = 0
    _used: set[str] = field(default_factory=set)
    _issued: int = 0

    def handle_request(self, request: backend.Request) -> backend.Response:
        """Answer a token request."""
        self.requests += 1
        form = {name: values[0] for name, values in parse_qs(request.read().decode()).items()}
        if self.down:
            return backend.Response(503)
        given = form.get("refresh_token")
        if given is not None:
            if given in self._used:
                self.reuses += 1
                self.right = None
            if given != self.right:
                return backend.Response(400, json={"error": "invalid_grant"})
            self._used.add(given)
        self._issued += 1
        self.right = f"refresh-{self._issued}"
        return backend.Response(
            200, json={"access_token": f"access-{self._issued}", "expires_in": 3600, "refresh_token": self.right}
        )


class Killed(BaseException):
    """What a process can't catch."""


class _Dying(Transaction):
    """The transaction of a process that is killed when it writes."""

    def __init__(self, entry: Entry | None) -> None:
        self.entry = entry

    def write(self, token: Token | None, failure: object = None, **more: object) -> None:  # noqa: ARG002 - the base class's
        raise Killed


class DyingStore(Store):
    """The store of a process that is killed between the server's answer and the write.

    Args:
        store: Where the tokens are.
    """

    name = "file"

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, key: str) -> Entry | None:
        """Return what is there now."""
        return self._store.read(key)

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        """Take the lock; the system lets go of it when the process is gone."""
        with self._store.transaction(key, timeout=timeout) as transaction:
            yield _Dying(transaction.entry)


class TokenMachine(RuleBasedStateMachine):
    """One user's tokens, in two processes and a file."""

    @initialize()
    def start(self) -> None:
        """Log in once."""
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.now = 1_795_000_000.0
        self.server = Server()
        self.lost = False  # a refresh token went down with a killed process
        self.logged_in = False
        self.strategy = AuthorizationCodeStrategy(
            OAuthClient(
                Endpoints("https://api.example"),
                "client-1",
                SecretStr("s3cret"),
                "https://app.example/callback",
                clock=lambda: self.now,
            )
        )
        self.store = FileStore(self.folder)
        self.sources = [self._source(FileStore(self.folder)) for _ in range(2)]
        self.log_in()

    def _source(self, store: Store) -> TokenSource:
        transport = Transport(http=self.server, sleep=lambda _: None)
        return TokenSource(self.strategy, transport=transport, store=store)

    @rule()
    def log_in(self) -> None:
        """A person logs in, whatever there was."""
        self.server.down = False
        login = self.sources[0].begin_login()
        state = dict(parse_qsl(urlsplit(login.url).query))["state"]
        redirected = f"https://app.example/callback?{urlencode({'code': 'c0de', 'state': state})}"
        token = login.complete(redirected)
        assert token.expires_at > self.now
        self.lost, self.logged_in, self.server.reuses = False, True, 0

    @rule(which=st.integers(0, 1))
    def get(self, which: int) -> None:
        """A process wants a token: it gets a valid one, or the right error, with no more requests than allowed."""
        before = self.server.requests
        try:
            token = self.sources[which].token()
        except InteractionRequired:
            assert self.lost or not self.logged_in
        except ServiceUnavailable:
            assert self.server.down
        else:
            assert token.expires_at > self.now
        self._settle()
        assert self.server.requests - before <= (ATTEMPTS if self.server.down else 2 if self.lost else 1)

    @rule(seconds=st.sampled_from([1.0, 600.0, 3_300.0, 3_599.0, 3_601.0, 100_000.0]))
    def expire(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds

    @rule(which=st.integers(0, 1))
    def invalidate(self, which: int) -> None:
        """A process forgets the token, here and in the store."""
        self.sources[which].invalidate()
        self._settle()
        assert getattr(self.store.read(entry_key(self.strategy)), "token", None) is None

    @rule(which=st.integers(0, 1))
    def reject(self, which: int) -> None:
        """The API rejects the token with a 401."""
        held = self.sources[which]._cache.cached
        if held is None:
            return
        try:
            other = self.sources[which].renew(held.token)
        except InteractionRequired:
            assert self.lost or not self.logged_in or self._emptied()
        except ServiceUnavailable:
            assert self.server.down
        else:
            assert other.access_token != held.token.access_token
        self._settle()

    @rule(down=st.booleans())
    def server_fails(self, down: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """The server goes down, or comes back."""
        self.server.down = down

    @rule()
    def crash(self) -> None:
        """A third process is killed between the server's answer and its write."""
        issued = self.server._issued
        source = self._source(DyingStore(FileStore(self.folder)))
        with suppress(Killed, InteractionRequired, ServiceUnavailable):
            source.token()
        self._settle()
        if self.server._issued > issued:
            self.lost = True

    @precondition(lambda _: hasattr(os, "fork"))
    @rule(which=st.integers(0, 1), now=st.integers(0, 19))
    def fork(self, which: int, now: int) -> None:
        """A forked child of a process that has a token answers at once."""
        source = self.sources[which]
        held = source._cache.cached
        if now or held is None or self.now >= held.stale_from:
            return  # it is slow: one in twenty is enough
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forking with threads
            child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(0 if source.token() == held.token else 1)
        assert os.waitpid(child, 0)[1] == 0

    def _emptied(self) -> bool:
        entry = self.store.read(entry_key(self.strategy))
        return entry is None or entry.token is None

    def _settle(self) -> None:
        for thread in threading.enumerate():
            if thread.name == "procountor-auth":
                thread.join(10)
        if self._emptied():
            self.logged_in = False

    @invariant()
    def no_refresh_token_is_used_twice(self) -> None:
        """Strict rotation never sees an old refresh token, unless the answer with the new one was lost."""
        if hasattr(self, "server"):
            assert self.lost or self.server.reuses == 0

    @invariant()
    def the_store_is_whole(self) -> None:
        """The store holds nothing, or the one refresh token that works."""
        if not hasattr(self, "store"):
            return
        entry = self.store.read(entry_key(self.strategy))
        if entry is not None and entry.token is not None and not self.lost:
            assert entry.token.refresh_token == self.server.right
        assert {path.suffix for path in self.folder.iterdir()} <= {".json", ".lock"}

    def teardown(self) -> None:
        """Leave nothing behind."""
        self._settle()
        shutil.rmtree(self.folder, ignore_errors=True)


TokenMachine.TestCase.settings = settings(
    max_examples=max(1, FEWER // STEPS),
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestMachine(TokenMachine.TestCase):  # type: ignore[misc, valid-type]  # made by Hypothesis
    """Thousands of steps."""
