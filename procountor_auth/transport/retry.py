"""Sending a request again: which, when, and how often.

| request | repeated after |
|---|---|
| client credentials, legacy login, logout | no connection, a lost response, 408, 425, 429, 5xx |
| authorization code, API key, refresh token | no connection, 429, 503: the server can't have acted on it |

A code works once, and a refresh token may have been replaced in a response that was lost: sending those again could
only make it worse. At most three attempts, within the deadline; `Retry-After` is honoured, and where it demands more
time than there is, the first response stands. tenacity does the repeating: unlike others it lets both the wait and the
stop depend on the response.
"""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryCallState, Retrying

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.error_response import is_temporary, retry_after
from procountor_auth.protocol.flow import Repeat, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS: Final = 3
"""How often one request is sent at most."""

FIRST_WAIT: Final = 0.25
"""Seconds before the second attempt, of which up to a half is taken off at random; twice as much before the third."""

_UNPROCESSED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Retry:
    """The rule for one request.

    Args:
        request: What is sent.
        time_left: Tells how many seconds there are until the deadline.
    """

    def __init__(self, request: Request, time_left: Callable[[], float]) -> None:
        self._safe = request.repeat is Repeat.SAFE
        self._time_left = time_left

    def run(self, send: Callable[[], Response], sleep: Callable[[float], None]) -> Response:
        """Send it until the response is final; return the last response or raise the last error."""
        repeated = Retrying(
            sleep=sleep, retry=self._again, wait=self._wait, stop=self._stop, retry_error_callback=_last
        )
        return repeated(send)

    def _again(self, attempt: RetryCallState) -> bool:
        outcome = attempt.outcome
        if outcome is None:
            return False
        error = outcome.exception()
        if error is not None:
            return isinstance(error, ConnectionFailed) and error.retryable and (self._safe or not error.sent)
        status = outcome.result().status
        return is_temporary(status) if self._safe else status in _UNPROCESSED

    def _wait(self, attempt: RetryCallState) -> float:
        demanded = None
        if attempt.outcome is not None and not attempt.outcome.failed:
            response: Response = attempt.outcome.result()
            demanded = retry_after(response.header("retry-after"), response.header("date"))
        if demanded is not None:
            return demanded
        return FIRST_WAIT * 2.0 ** (attempt.attempt_number - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def _stop(self, attempt: RetryCallState) -> bool:
        return attempt.attempt_number >= ATTEMPTS or attempt.upcoming_sleep >= self._time_left()


def _last(attempt: RetryCallState) -> Any:  # noqa: ANN401 - tenacity's outcome is untyped
    return attempt.outcome.result() if attempt.outcome else None
