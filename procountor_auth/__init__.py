"""Procountor API authentication, switched by one environment variable.

    import httpx
    from procountor_auth.httpx import ProcountorAuth

    with httpx.Client(auth=ProcountorAuth()) as client:
        ...

Everything is imported on first use, so that `import procountor_auth` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from procountor_auth.errors import ConfigurationError, InteractionRequired, ProcountorAuthError
    from procountor_auth.login.login import KeyLogin
    from procountor_auth.protocol.token import Token
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.settings.settings import Settings
    from procountor_auth.strategies import (
        AuthorizationCodeStrategy,
        ClientCredentialsStrategy,
        LegacyPasswordStrategy,
        Strategy,
    )
    from procountor_auth.strategies.deprecation import LegacyAuthWarning
    from procountor_auth.tokens.source import TokenSource

__all__ = [
    "AuthorizationCodeStrategy",
    "ClientCredentialsStrategy",
    "ConfigurationError",
    "InteractionRequired",
    "KeyLogin",
    "LegacyAuthWarning",
    "LegacyPasswordStrategy",
    "ProcountorAuthError",
    "Profiles",
    "Settings",
    "Strategy",
    "Token",
    "TokenSource",
]

_HOMES: Final = {
    "AuthorizationCodeStrategy": "strategies",
    "ClientCredentialsStrategy": "strategies",
    "ConfigurationError": "errors",
    "InteractionRequired": "errors",
    "KeyLogin": "login.login",
    "LegacyAuthWarning": "strategies.deprecation",
    "LegacyPasswordStrategy": "strategies",
    "ProcountorAuthError": "errors",
    "Profiles": "settings.profiles",
    "Settings": "settings.settings",
    "Strategy": "strategies",
    "Token": "protocol.token",
    "TokenSource": "tokens.source",
}

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
