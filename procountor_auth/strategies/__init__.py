"""The strategies: how a token is asked for. Flows only, no I/O.

`legacy_password.py`, `authorization_code.py` and `client_credentials.py` hold one each; `registry.py` finds them by
name, and those of other packages; `build` picks the one that the settings name.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.flow import Flow, Repeat, Request
from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
from procountor_auth.strategies.base import Strategy
from procountor_auth.strategies.client_credentials import ClientCredentialsStrategy
from procountor_auth.strategies.legacy_password import LegacyPasswordStrategy
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings import Settings

__all__ = [
    "AuthorizationCodeStrategy",
    "ClientCredentialsStrategy",
    "Flow",
    "LegacyPasswordStrategy",
    "Repeat",
    "Request",
    "Strategy",
    "build",
]


def build(settings: Settings, *, clock: Callable[[], float] = time.time) -> Strategy:
    """Return the strategy that `settings` choose, with the one to fall back to if they name one.

    Raises:
        LegacyNotAllowed: It is the legacy one and `PROCOUNTOR_LEGACY_POLICY=error` forbids it.
        ConfigurationError: It is another package's, and can't be imported.
    """
    strategy = _class_of(settings.strategy).from_settings(settings, clock=clock)
    name = settings.fallback_strategy
    if name is None or name == settings.strategy:
        # It may be set before the switch, and stay set after the way back.
        return strategy
    from procountor_auth.migration.fallback import FallbackStrategy  # noqa: PLC0415 - few have one

    fallback = _class_of(name).from_settings(settings, clock=clock)
    return FallbackStrategy(strategy, fallback, limit=settings.fallback_limit)


def _class_of(name: str) -> type[Strategy]:
    found = find_strategy(name)
    if found is None:
        raise ConfigurationError(f"There is no strategy {name}.", hint="PROCOUNTOR_STRATEGY names one that exists.")
    return found
