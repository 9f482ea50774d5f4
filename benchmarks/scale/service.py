"""The service of a simulated day: it gives tokens, is away for a while, and may reject all that it gave before."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from benchmarks.scale.clock import Clock

LIFETIME: Final = 3600
"""Seconds that a token is good for."""

_PADDING: Final = "t" * 280
"""The service's tokens have about 300 characters."""


class Service(backend.BaseTransport):  # type: ignore[misc,name-defined,unused-ignore]  # of either library
    """What token requests reach instead of a network.

    Args:
        clock: The simulated clock.
        cron: The companies below this number are those whose jobs come from cron.

    Attributes:
        away: Whether it answers with 503.
        given: How many tokens were given in each second to the companies whose jobs are spread.
        given_to_cron: The same for those whose jobs come from cron.
        refused: How many requests were answered with 503 in each second.
    """

    def __init__(self, clock: Clock, cron: int) -> None:
        self._clock = clock
        self._cron = cron
        self.away = False
        self.given: Counter[int] = Counter()
        self.given_to_cron: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self._number = 0
        self._first = 0

    def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - of either library
        """Answer a token request."""
        second = int(self._clock.elapsed)
        if self.away:
            self.refused[second] += 1
            return backend.Response(503, content=b"", request=request)
        self._number += 1
        key = parse_qs(request.read().decode())["api_key"][0]
        given = self.given_to_cron if int(key.removeprefix("key")) < self._cron else self.given
        given[second] += 1
        fields = {
            "access_token": f"{self._number}-{key}-{_PADDING}",
            "token_type": "bearer",
            "expires_in": LIFETIME,
        }
        return backend.Response(200, content=json.dumps(fields).encode(), request=request)

    def reject_all(self) -> None:
        """Answer everything that was given so far with a 401 from now on."""
        self._first = self._number + 1

    def accepts(self, access_token: str) -> bool:
        """Whether the API takes a token."""
        return int(access_token.partition("-")[0]) >= self._first
