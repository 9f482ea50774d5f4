"""Telling what happens to tokens: the log always, a listener, and OpenTelemetry if its API is installed (`[otel]`)."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.sunset import read_sunset_notice
from procountor_auth.transport.deferral import defer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from procountor_auth.errors import ProcountorAuthError
    from procountor_auth.events import Event, Listener
    from procountor_auth.protocol.flow import Response
    from procountor_auth.protocol.sunset import SunsetNotice
    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.provider import TokenProvider

COUNTER: Final = "procountor_auth.events"
"""A counter of events, with the attributes `event`, `strategy`, `host`, and `profile`, `error`, `fallback` if any."""

MAX_NOTICES: Final = 100
"""How many different announcements are reported, so that a server can't fill the log with new ones."""

_ATTRIBUTES: Final = ("event", "strategy", "host", "profile", "error", "fallback")

_logger = logging.getLogger("procountor_auth")


class Telemetry:
    """Tells what happens to the tokens of one source.

    Args:
        listener: Called with each event, if there is one.
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.listener = listener
        self._notices: set[SunsetNotice] = set()

    def acquired(self, provider: TokenProvider, token: Token, previous: Token | None) -> None:
        """Tell of a token that the server has given, and of a deprecated strategy that has brought it."""
        if not self._is_heard(logging.INFO):
            return
        events = _events()
        kind = events.TokenAcquired if previous is None else events.TokenRenewed
        self._tell(provider, kind, token.strategy, expires_at=token.expires_at)
        if any(each.name == token.strategy and each.lifecycle is not None for each in provider.strategies):
            self._tell(provider, events.DeprecatedStrategyUsed, token.strategy)

    def failed(self, provider: TokenProvider, error: ProcountorAuthError) -> None:
        """Tell that there is no new token."""
        self._tell(provider, _events().TokenFailed, provider.strategy.name, error=error.code, retryable=error.retryable)

    def on_response(self, provider: TokenProvider, response: Response, path: str) -> None:
        """Look at a response to a token request."""
        self.observe(provider, response.combined, path)

    def observe(self, provider: TokenProvider, header: Callable[[str], str | None], path: str) -> None:
        """Look for an announced sunset in the headers of a response, and tell of each one once.

        Args:
            provider: Whose strategy was used.
            header: Returns the value of a header, or None.
            path: The path of the request.
        """
        notice = read_sunset_notice(header)
        if notice is None or notice in self._notices or len(self._notices) >= MAX_NOTICES:
            return
        self._notices.add(notice)
        self._tell(
            provider,
            _events().SunsetAnnounced,
            provider.strategy.name,
            path=path,
            deprecated_at=notice.deprecated_at,
            sunset_at=notice.sunset_at,
            link=notice.link,
        )

    def _tell(self, provider: TokenProvider, kind: type[Event], strategy: str, **more: Any) -> None:  # noqa: ANN401 - each event's own
        event = kind(
            at=provider.clock(), strategy=strategy, host=provider.endpoints.host, profile=provider.whose.name, **more
        )
        self.emit(event)

    def _is_heard(self, level: int) -> bool:
        """Whether anything handles events of this level. If not, as is usual, none is made."""
        return self.listener is not None or _logger.isEnabledFor(level) or has_metrics()

    def emit(self, event: Event) -> None:
        """Report an existing event: in the middle of a renewal, once that is done."""
        defer(lambda: emit(event, self.listener))


def _events() -> ModuleType:
    """Return the module of the events, which is imported when something happens."""
    with importing():
        from procountor_auth import events  # noqa: PLC0415 - see above
    return events


def emit(event: Event, listener: Listener | None) -> None:
    """Tell the log, the listener and OpenTelemetry. Nothing that they do reaches the token."""
    # Each is told, even if another one raises what passes on, such as a KeyboardInterrupt.
    try:
        _log(event.level, "%s", event, extra={"procountor_event": event.as_dict()})
    finally:
        try:
            _tell_listener(event, listener)
        finally:
            _count(event)


def _tell_listener(event: Event, listener: Listener | None) -> None:
    if listener is not None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - a broken listener must not cost anybody the token
            _log(logging.ERROR, "the listener failed on %s: %s", event.name, type(error).__name__)


def _count(event: Event) -> None:
    try:
        record(event)
    except Exception as error:  # noqa: BLE001 - nor must a provider that is set up wrongly
        _log(logging.ERROR, "OpenTelemetry failed on %s: %s", event.name, type(error).__name__)


def record(event: Event) -> None:
    """Count an event, in a program that has OpenTelemetry's metrics."""
    add = _counter() if has_metrics() else None
    if add is not None:
        values = event.as_dict()
        add(1, {name: values[name] for name in _ATTRIBUTES if values.get(name) is not None})


def has_metrics() -> bool:
    """Whether the program may read the counts: it has imported OpenTelemetry, or named its provider."""
    return sys.modules.get("opentelemetry.metrics") is not None or "OTEL_PYTHON_METER_PROVIDER" in os.environ


def open_counter(name: str, unit: str, description: str) -> Callable[[int, dict[str, Any]], None] | None:
    """Return what adds to a counter of this package, or None where OpenTelemetry is not installed.

    Args:
        name: The counter's name.
        unit: What it counts, in braces.
        description: The same as a sentence.
    """
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return metrics.get_meter("procountor_auth").create_counter(name, unit=unit, description=description).add


@lru_cache(maxsize=1)
def _counter() -> Callable[[int, dict[str, Any]], None] | None:
    return open_counter(COUNTER, "{event}", "What happened to Procountor tokens.")


def _log(level: int, text: str, *values: object, extra: dict[str, Any] | None = None) -> None:
    with suppress(Exception):  # a program's own filter may raise
        _logger.log(level, text, *values, extra=extra)
