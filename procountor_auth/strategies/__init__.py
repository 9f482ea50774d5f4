"""The strategies: how a token is requested. Flows only, no I/O.

`legacy_password.py`, `authorization_code.py` and `client_credentials.py` hold one each; `registry.py` finds them by
name, and those of other packages.
"""

from __future__ import annotations

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
