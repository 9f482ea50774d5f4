"""Events as OpenTelemetry metrics, if its API is installed (extra `[otel]`); otherwise nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event

COUNTER: Final = "procountor_auth.events"
"""A counter of events, with the attributes `event`, `strategy`, `host`, and `profile`, `error`, `fallback` if any."""

_ATTRIBUTES: Final = ("event", "strategy", "host", "profile", "error", "fallback")


def record(event: Event) -> None:
    """Count an event."""
    add = _counter()
    if add is not None:
        values = event.as_dict()
        add(1, {name: values[name] for name in _ATTRIBUTES if values.get(name) is not None})


@lru_cache(maxsize=1)
def _counter() -> Callable[[int, dict[str, Any]], None] | None:
    try:
        from opentelemetry import metrics  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    meter = metrics.get_meter("procountor_auth")
    counter = meter.create_counter(COUNTER, unit="{event}", description="What happened to Procountor tokens.")
    return counter.add
