"""The strategies: how a token is requested. They are flows without I/O.

`legacy_password.py`, `authorization_code.py` and `client_credentials.py` contain one each; `registry.py` finds them,
and other packages' strategies, by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.protocol.importing import load

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Flow, Repeat, Request
    from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
    from procountor_auth.strategies.base import Strategy, StrategySettings
    from procountor_auth.strategies.client_credentials import ClientCredentialsStrategy
    from procountor_auth.strategies.legacy_password import LegacyPasswordStrategy
    from procountor_auth.strategies.registry import build

__all__ = [
    "AuthorizationCodeStrategy",
    "ClientCredentialsStrategy",
    "Flow",
    "LegacyPasswordStrategy",
    "Repeat",
    "Request",
    "Strategy",
    "StrategySettings",
    "build",
]

_HOMES = {
    "AuthorizationCodeStrategy": "strategies.authorization_code",
    "ClientCredentialsStrategy": "strategies.client_credentials",
    "Flow": "protocol.flow",
    "LegacyPasswordStrategy": "strategies.legacy_password",
    "Repeat": "protocol.flow",
    "Request": "protocol.flow",
    "Strategy": "strategies.base",
    "StrategySettings": "strategies.base",
    "build": "strategies.registry",
}


def __getattr__(name: str) -> object:
    # Imported on first use, so that the command line's help does not wait for Pydantic.
    return load(__name__, _HOMES, name)
