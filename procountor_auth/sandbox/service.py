"""The service: what all endpoints of one sandbox share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .jwts import Minter
from .requestlog import RequestLog
from .switches import Switchboard
from .weather import Sky
from .world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from .admission import Admission
    from .quirks import Quirks
    from .weather import Weather


class Service:
    """The state behind one sandbox's endpoints; nothing of it is shared between sandboxes.

    Args:
        base_url: The host that the sandbox is reached at, without a path.
        clock: Returns the Unix time in seconds.
        quirks: The quirks to start with.
        weather: The weather to start with.
        admission: Decides who may administer the sandbox.

    Attributes:
        base_url: As given.
        admission: As given.
        sky: The weather, and the count of its faults.
        switches: The quirks and the weather as switches; `quirks` and `weather` are the same, whole.
        log: The request log.
        minter: Signs and reads tokens.
        world: Everything that exists in the sandbox.
        stopping: Set when the server stops.
    """

    def __init__(
        self,
        base_url: str,
        clock: Callable[[], float],
        quirks: Quirks,
        weather: Weather,
        admission: Admission,
    ) -> None:
        self.base_url = base_url
        self.admission = admission
        self._clock = clock
        self.sky = Sky(weather)
        self.switches = Switchboard(self.sky, quirks)
        self.log = RequestLog()
        self.minter = Minter(base_url, self.clock, self.current_quirks)
        self.world = World(self.minter, self.clock, self.current_quirks, self.current_weather)
        self.stopping = threading.Event()

    @property
    def quirks(self) -> Quirks:
        """The quirks that count at this moment; replace them at any time."""
        return self.switches.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self.switches.quirks = quirks

    @property
    def weather(self) -> Weather:
        """The weather that counts at this moment; replace it at any time."""
        return self.sky.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self.switches.weather = weather

    def clock(self) -> float:
        """Return the Unix time in seconds as the service believes it, which the weather may skew."""
        return self._clock() + self.sky.weather.clock_skew

    def true_time(self) -> float:
        """Return the Unix time in seconds."""
        return self._clock()

    def current_quirks(self) -> Quirks:
        """Return the quirks that count at this moment."""
        return self.switches.quirks

    def current_weather(self) -> Weather:
        """Return the weather that counts at this moment."""
        return self.sky.weather
