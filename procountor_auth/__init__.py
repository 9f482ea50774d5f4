"""Procountor API authentication, switched by one environment variable.

    import httpx
    from procountor_auth.httpx import ProcountorAuth

    with httpx.Client(auth=ProcountorAuth()) as client:
        ...

Everything is imported on first use, so that `import procountor_auth` costs next to nothing.
"""

from __future__ import annotations

# Not from `typing`, whose import takes longer than everything else here.
TYPE_CHECKING = False

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

_HOMES = {
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

_MODULES = frozenset({"errors", "events"})
"""Public modules that are available without being imported."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - `import procountor_auth` alone needs nothing

    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "ProcountorAuth":
        # Not an AttributeError: Python replaces its text in `from procountor_auth import …`.
        raise ImportError(
            "Each HTTP client has its own ProcountorAuth: `from procountor_auth.httpx import ProcountorAuth`, or "
            "import it from procountor_auth.httpx2 or procountor_auth.requests"
        )
    if name[:1].isupper() and name not in _HOMES and hasattr(importlib.import_module(f"{__name__}.errors"), name):
        raise ImportError(f"{name} is in another module: `from procountor_auth.errors import {name}`")

    from procountor_auth.protocol.importing import load  # noqa: PLC0415 - as above

    return load(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
