"""The guests: a strategy, a store and a transport that do what they should, but for what their scene says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from procountor_auth.stores.base import Store, Transaction
from procountor_auth.stores.lineage import NO_LINEAGE, Lineage
from procountor_auth.strategies import AuthorizationCodeStrategy, ClientCredentialsStrategy
from procountor_auth.transport.backend import backend as httpx

from .acts import PROPER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

    from procountor_auth import Token
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.stores.base import Entry
    from procountor_auth.stores.failure import Failure
    from procountor_auth.stores.file import FileStore
    from procountor_auth.stores.use import Use

    from .scene import Scene


class _StrategyGuest:
    scene: Scene

    def _begin(self, begin: Callable[[], Flow[Token]]) -> Any:  # noqa: ANN401 - whatever the act returns
        found = self.scene.at("strategy: begins")
        return self._flow(begin()) if found is PROPER else found

    def _flow(self, flow: Flow[Token]) -> Flow[Any]:
        response: Any = None
        while True:
            try:
                request = flow.send(response)
            except StopIteration as done:
                token = done.value
                break
            response = yield request
        found = self.scene.at("strategy: ends", response.headers)
        return token if found is PROPER else found


class KeyGuest(_StrategyGuest, ClientCredentialsStrategy):
    """Gets tokens with an API key."""

    def acquire(self) -> Flow[Token]:
        """Get a token."""
        flow: Flow[Token] = self._begin(super().acquire)
        return flow

    renew = lambda self, _token: self.acquire()  # type: ignore[assignment]  # noqa: E731 - no generator: as others may be

    def owns(self, token: Token) -> bool:
        """Whether a token is its own."""
        self.scene.at("strategy: owns", token)
        return super().owns(token)


class RefreshGuest(_StrategyGuest, AuthorizationCodeStrategy):
    """Gets tokens with a refresh token."""

    def acquire(self) -> Flow[Token]:
        """Get a token."""
        flow: Flow[Token] = self._begin(super().acquire)
        return flow

    def renew(self, token: Token) -> Flow[Token]:
        """Get the next token."""
        inner = super().renew
        flow: Flow[Token] = self._begin(lambda: inner(token))
        return flow

    def owns(self, token: Token) -> bool:
        """Whether a token is its own."""
        self.scene.at("strategy: owns", token)
        return super().owns(token)


class GuestStore(Store):
    """A store in front of a file store.

    Args:
        scene: Says what it does.
        store: Does the work.
    """

    name = "guest"

    def __init__(self, scene: Scene, store: FileStore) -> None:
        self.scene = scene
        self.store = store

    def read(self, key: str) -> Entry | None:
        """Return what is there."""
        found: Any = self.scene.at("store: read")
        return self.store.read(key) if found is PROPER else found

    def transaction(self, key: str, *, timeout: float) -> AbstractContextManager[Transaction]:
        """Take the lock."""
        found: Any = self.scene.at("store: lock")
        return _Held(self.scene, self.store.transaction(key, timeout=timeout)) if found is PROPER else found

    def remove(self, key: str, *, timeout: float) -> None:
        """Remove an entry."""
        self.store.remove(key, timeout=timeout)


class _Held:
    def __init__(self, scene: Scene, manager: AbstractContextManager[Transaction]) -> None:
        self.scene = scene
        self.manager = manager

    def __enter__(self) -> Transaction:
        return _GuestTransaction(self.scene, self.manager.__enter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:  # noqa: ANN401 - whatever the act returns
        try:
            found = self.scene.at("store: release") if error is None else PROPER
        finally:
            self.manager.__exit__(kind, error, trace)
        return None if found is PROPER else found


class _GuestTransaction(Transaction):
    def __init__(self, scene: Scene, transaction: Transaction) -> None:
        self.scene = scene
        self.inner = transaction

    @property
    def entry(self) -> Entry | None:  # type: ignore[override]  # read only
        """What is there."""
        found: Any = self.scene.at("store: entry")
        return self.inner.entry if found is PROPER else found

    def write(
        self,
        token: Token | None,
        failure: Failure | None = None,
        *,
        lineage: Lineage = NO_LINEAGE,
        use: Use | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the act returns
        """Write the next version."""
        found: object = PROPER
        if failure is None:
            found = self.scene.at("store: mark" if use is not None else "store: write", token)
        self.inner.write(token, failure, lineage=lineage, use=use)
        return None if found is PROPER else found


class GuestTransport(httpx.BaseTransport):
    """A transport in front of httpx's.

    Args:
        scene: Says what it does.
        transport: Does the work.
    """

    def __init__(self, scene: Scene, transport: httpx.HTTPTransport) -> None:
        self.scene = scene
        self.transport = transport

    def handle_request(self, request: httpx.Request) -> Any:  # noqa: ANN401 - whatever the act returns
        """Send a request."""
        found = self.scene.at("transport: before", request)
        if found is not PROPER:
            return found
        response = self.transport.handle_request(request)
        body = response.read()
        response.close()
        found = self.scene.at("transport: after", request)
        if found is not PROPER:
            return found
        return httpx.Response(200, headers=response.headers, stream=_Stream(self.scene, body))


class _Stream(httpx.SyncByteStream):
    def __init__(self, scene: Scene, body: bytes) -> None:
        self.scene = scene
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self.body

    def close(self) -> None:
        """Close it."""
        self.scene.at("transport: close")
