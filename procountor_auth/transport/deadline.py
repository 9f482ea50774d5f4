"""The deadline of a flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from procountor_auth.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time by which a flow must be complete.

    Attributes:
        at: The deadline, on the clock `monotonic`.
        timeout: The usual time limit of a flow in seconds, for errors.
        monotonic: The clock, in seconds.
    """

    at: float
    timeout: float
    monotonic: Callable[[], float] = field(repr=False)

    @property
    def time_left(self) -> float:
        """The seconds until the deadline; negative if it has passed."""
        return self.at - self.monotonic()

    def error(self) -> ConnectionFailed:
        """Return the error for a response that does not arrive in time."""
        return ConnectionFailed(
            f"The server did not respond within {self.timeout:g} seconds.",
            hint="Try again later, or increase PROCOUNTOR_TIMEOUT.",
        )
