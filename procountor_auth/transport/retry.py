"""Repeats requests: which ones, when, and how often.

| request | repeated after |
|---|---|
| client credentials, legacy login, logout | no connection, a lost response, 408, 425, 429, 5xx |
| authorization code, API key, refresh token | no connection, 429, 503: the server can't have acted on it |

A code works once, and a refresh token may have been replaced in a response that was lost: sending those again could
only make it worse. There are at most three attempts, within the deadline. `Retry-After` is honoured; if it exceeds the
remaining time, the response is final. The implementation is tenacity, in which both the wait and the stop can depend on
the response. It is imported on the first repetition.
"""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from procountor_auth.errors import ConnectionFailed
from procountor_auth.protocol.availability import is_temporary, retry_after
from procountor_auth.protocol.flow import Repeat, Request, Response
from procountor_auth.protocol.importing import importing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

ATTEMPTS: Final = 3
"""The most times that a request is sent."""

FIRST_WAIT: Final = 0.25
"""Seconds before the second attempt, less a random part of up to a half; twice as many before the third."""

_UNPROCESSED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Retry:
    """The retries of one request.

    Args:
        request: The request.
        time_left: Returns the seconds until the deadline.
    """

    def __init__(self, request: Request, time_left: Callable[[], float]) -> None:
        self._safe = request.repeat is Repeat.SAFE
        self._time_left = time_left

    def run(self, send: Callable[[], Response], sleep: Callable[[float], None]) -> Response:
        """Send the request until the response is final; return the last response or raise the last error."""
        first: Response | ConnectionFailed
        try:
            first = send()
        except ConnectionFailed as error:
            if not self._passes(error):
                raise
            first = error
        else:
            if not self._is_temporary(first):
                return first
        with importing():
            from tenacity import Retrying  # noqa: PLC0415 - see above
        repeated = Retrying(
            sleep=sleep, retry=self._again, wait=self._wait, stop=self._stop, retry_error_callback=_last
        )
        done = [first]

        def attempt() -> Response:
            outcome = done.pop() if done else send()
            if isinstance(outcome, Response):
                return outcome
            raise outcome

        return repeated(attempt)

    def _again(self, attempt: RetryCallState) -> bool:
        outcome = attempt.outcome
        if outcome is None:
            return False
        error = outcome.exception()
        return self._passes(error) if error is not None else self._is_temporary(outcome.result())

    def _passes(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionFailed) and error.retryable and (self._safe or not error.sent)

    def _is_temporary(self, response: Response) -> bool:
        return is_temporary(response.status) if self._safe else response.status in _UNPROCESSED

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
