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
    from procountor_auth.login import KeyLogin
    from procountor_auth.migration.lifecycle import LegacyAuthWarning
    from procountor_auth.settings import Settings
    from procountor_auth.source import TokenSource
    from procountor_auth.strategies import (
        AuthorizationCodeStrategy,
        ClientCredentialsStrategy,
        LegacyPasswordStrategy,
        Strategy,
    )
    from procountor_auth.token import Token

__all__ = [
    "AuthorizationCodeStrategy",
    "ClientCredentialsStrategy",
    "ConfigurationError",
    "InteractionRequired",
    "KeyLogin",
    "LegacyAuthWarning",
    "LegacyPasswordStrategy",
    "ProcountorAuthError",
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
    "KeyLogin": "login",
    "LegacyAuthWarning": "migration.lifecycle",
    "LegacyPasswordStrategy": "strategies",
    "ProcountorAuthError": "errors",
    "Settings": "settings",
    "Strategy": "strategies",
    "Token": "token",
    "TokenSource": "source",
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
