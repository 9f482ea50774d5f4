"""OpenTelemetry's instrumentations see no request for a token and no command of the store."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import redis

from procountor_auth import Token, TokenSource
from procountor_auth.stores import open_store
from procountor_auth.transport.backend import backend
from procountor_auth.transport.connection import open_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox


class Instrumentation:
    """Does what those of OpenTelemetry do: wraps a method, and hears its calls unless it is suppressed.

    Attributes:
        heard: What was heard.
        calls: How many calls there were, heard or not.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.calls = 0
        self._depth = 0
        self._monkeypatch = monkeypatch
        utils = ModuleType("opentelemetry.instrumentation.utils")
        utils.__dict__["suppress_instrumentation"] = self._suppress
        monkeypatch.setitem(sys.modules, utils.__name__, utils)

    @contextmanager
    def _suppress(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def wrap(self, kind: type, name: str) -> None:
        """Hear the calls of a method."""
        original = getattr(kind, name)

        def wrapped(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
            self.calls += 1
            if not self._depth:
                self.heard.append(given[1:])
            return original(*given, **named)

        self._monkeypatch.setattr(kind, name, wrapped)


@pytest.fixture
def instrumentation(monkeypatch: pytest.MonkeyPatch) -> Instrumentation:
    """What is instrumented in this test."""
    return Instrumentation(monkeypatch)


def test_a_request_for_a_token_is_not_seen(
    instrumentation: Instrumentation, sandbox: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """A request for a token and a logout are sent unseen; the program's own request is seen as before."""
    instrumentation.wrap(backend.HTTPTransport, "handle_request")
    environment(sandbox.environment("client_credentials"))
    source = TokenSource.from_env()
    source.token()
    source.logout()
    assert (instrumentation.calls, instrumentation.heard) == (2, [])
    with open_connection(None, None) as http:
        http.handle_request(backend.Request("GET", source.endpoints.host)).read()
    assert len(instrumentation.heard) == 1


def test_a_command_of_the_store_is_not_seen(instrumentation: Instrumentation, redis_url: str) -> None:
    """Locking, reading, writing and releasing an entry are unseen."""
    instrumentation.wrap(redis.Redis, "execute_command")
    store = open_store(redis_url)
    with store.transaction("key", timeout=5) as transaction:
        transaction.write(Token("a", 0.0, 1.0, "s"))
    assert store.read("key")
    assert instrumentation.calls > 4
    assert not instrumentation.heard
