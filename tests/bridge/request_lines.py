"""What the log of a bridge says of each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pytest

LOGGER: Final = "procountor_auth.bridge"


def request_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the values of each line, the first request first.

    A line is written after its answer is sent: look when the bridge has ended. `caplog` has to listen to INFO.
    """
    return [record.__dict__["procountor_request"] for record in caplog.records if "procountor_request" in vars(record)]
