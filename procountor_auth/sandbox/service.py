"""The service: what all endpoints of one sandbox share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .jwts import Minter
from .requestlog import RequestLog
from .world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from .quirks import Quirks


class Service:
    """The state behind one sandbox's endpoints; nothing of it is shared between sandboxes.

    Args:
        base_url: The host that the sandbox is reached at, without a path.
        clock: Returns the Unix time in seconds.
        quirks: The quirks to start with; ``service.quirks`` can be replaced at any time.
    """

    def __init__(self, base_url: str, clock: Callable[[], float], quirks: Quirks) -> None:
        self.base_url = base_url
        self.clock = clock
        self.quirks = quirks
        self.log = RequestLog()
        self.minter = Minter(base_url, clock, self.current_quirks)
        self.world = World(self.minter, clock, self.current_quirks)
        self.stopping = threading.Event()

    def current_quirks(self) -> Quirks:
        """Return the quirks that count at this moment."""
        return self.quirks
