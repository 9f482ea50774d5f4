"""The strategies: how a token is asked for. Flows only, no I/O.

`legacy_password.py`, `authorization_code.py` and `client_credentials.py` hold one each; `build` picks the one that
the settings name.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
from procountor_auth.strategies.base import Strategy
from procountor_auth.strategies.client_credentials import ClientCredentialsStrategy
from procountor_auth.strategies.legacy_password import LegacyPasswordStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.settings import Settings

__all__ = [
    "STRATEGIES",
    "AuthorizationCodeStrategy",
    "ClientCredentialsStrategy",
    "LegacyPasswordStrategy",
    "Strategy",
    "build",
]

STRATEGIES: Final[dict[str, type[Strategy]]] = {
    strategy.name: strategy
    for strategy in (LegacyPasswordStrategy, AuthorizationCodeStrategy, ClientCredentialsStrategy)
}
"""Every strategy by its name in `PROCOUNTOR_STRATEGY`."""


def build(settings: Settings, *, clock: Callable[[], float] = time.time) -> Strategy:
    """Return the strategy that `settings` choose.

    Raises:
        LegacyNotAllowed: It is the legacy one and `PROCOUNTOR_LEGACY_POLICY=error` forbids it.
    """
    return STRATEGIES[settings.strategy].from_settings(settings, clock=clock)
