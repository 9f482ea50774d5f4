"""The sandbox: a local Procountor to authenticate against. It is not the Procountor service.

It speaks the service's side of every flow over real HTTP, for integrators and for this project's own
tests. It shares no code with the client's rooms: a twin that did would prove nothing.
"""

from __future__ import annotations

from .quirks import Quirks
from .server import Sandbox

__all__ = ["Quirks", "Sandbox"]
