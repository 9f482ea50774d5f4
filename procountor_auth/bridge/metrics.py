"""Counting the requests of a bridge, in a program that has OpenTelemetry's metrics."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from procountor_auth.tokens.telemetry import has_metrics, open_counter

from .exchange import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from .exchange import Exchange

COUNTER: Final = "procountor_auth.bridge.requests"
"""A counter of requests, with the attributes `method`, `status` (`2xx`, …, or `aborted`), and `profile` if it is known.

Those for the bridge's health are not counted.
"""

OTHER: Final = "_OTHER"
"""Replaces an unknown method, as in OpenTelemetry's conventions: a client could make up any number of them."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_logger = logging.getLogger(LOGGER)


def count(exchange: Exchange) -> None:
    """Count an answered request. Errors of OpenTelemetry do not reach the program."""
    if not has_metrics():
        return
    try:
        add = _counter()
        if add is not None:
            add(1, _attributes(exchange))
    except Exception as error:  # noqa: BLE001 - a provider that is set up wrongly must not cost anybody the answer
        _logger.error("OpenTelemetry failed on a request: %s", type(error).__name__)  # noqa: TRY400 - as no traceback


def _attributes(exchange: Exchange) -> dict[str, str]:
    found = {
        "method": exchange.method if exchange.method in _METHODS else OTHER,
        "status": f"{exchange.status // 100}xx" if exchange.status else "aborted",
    }
    return found if exchange.profile is None else found | {"profile": exchange.profile}


@lru_cache(maxsize=1)
def _counter() -> Callable[[int, dict[str, str]], None] | None:
    return open_counter(COUNTER, "{request}", "Requests to the bridge.")
