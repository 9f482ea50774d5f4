"""The sandbox: a local Procountor to authenticate against. It is not the Procountor service.

It speaks the service's side of every flow over real HTTP, for integrators and for this project's own
tests. It shares no code with the client's rooms: a twin that did would prove nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .quirks import Quirks
from .weather import Weather

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["Quirks", "Sandbox", "Weather"]


def __getattr__(name: str) -> object:
    # The command line reads the names of the switches here: that need not wait for Flask.
    if name == "Sandbox":
        from .server import Sandbox  # noqa: PLC0415 - see above

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
