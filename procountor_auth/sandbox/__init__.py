"""The sandbox: a local Procountor to authenticate against. It is not the Procountor service.

It speaks the service's side of every flow over real HTTP, for integrators and for this project's own
tests. It shares no code with the client: a stand-in that did would prove nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .behaviour.faults import Faults
    from .behaviour.quirks import Quirks
    from .sandbox import Sandbox

__all__ = ["Faults", "Quirks", "Sandbox"]

_HOMES = {"Faults": "behaviour.faults", "Quirks": "behaviour.quirks", "Sandbox": "sandbox"}


def __getattr__(name: str) -> object:
    # The pytest plugin is in this package, and every run of pytest loads it, so Flask and Pydantic are imported lazily.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{home}", __name__), name)
