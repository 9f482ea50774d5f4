"""The time by which a response has to be there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from procountor_auth.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time by which a flow has to be done.

    Attributes:
        at: When that is, on the clock `monotonic`.
        timeout: Seconds that a flow usually has, for the errors.
        monotonic: The clock, in seconds.
    """

    at: float
    timeout: float
    monotonic: Callable[[], float] = field(repr=False)

    @property
    def time_left(self) -> float:
        """The seconds until then; negative if it has passed."""
        return self.at - self.monotonic()

    def error(self) -> ConnectionFailed:
        """Return the error for a response that is not there by then."""
        return ConnectionFailed(
            f"The server did not answer within {self.timeout:g} seconds.",
            hint="Try again later, or give it more time with PROCOUNTOR_TIMEOUT.",
        )
