"""Why the bridge refuses a request, in the form that the service would use."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError, StoreError

RETRY_SECONDS: Final = 10
"""Seconds in `Retry-After`."""


class BridgeProblem(Exception):
    """A request is refused.

    Attributes:
        status: The status of the answer.
        message: The text for the program, without secrets.
        reason: Further details for the log.
        retry_after: Whole seconds after which it can be tried again, if that helps.
    """

    def __init__(self, status: int, message: str, *, reason: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status: int = int(status)
        self.message = message
        self.reason: str = reason or message
        self.retry_after = retry_after


class OAuthProblem(BridgeProblem):
    """A request to the OAuth endpoints is refused (RFC 6749, section 5.2).

    Attributes:
        error: The standard's code.
        told_as: The code of its event, if it is a refused login.
    """

    def __init__(
        self,
        error: str,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        reason: str | None = None,
        retry_after: int | None = None,
        told_as: str | None = None,
    ) -> None:
        super().__init__(status, message, reason=reason, retry_after=retry_after)
        self.error = error
        self.told_as = told_as


def reason_of(error: ProcountorAuthError) -> str:
    """Return an error's text for the log: what is wrong, and what to do."""
    return f"{error.message} {error.hint}".strip()


def oauth_problem(error: ProcountorAuthError) -> OAuthProblem:
    """Return the answer of an OAuth endpoint where the bridge can't do its work."""
    if error.retryable:
        return OAuthProblem(
            "temporarily_unavailable",
            "The service is not available.",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            reason=reason_of(error),
            retry_after=RETRY_SECONDS,
        )
    message = "The bridge can't do this; its log says why."
    return OAuthProblem("server_error", message, status=HTTPStatus.INTERNAL_SERVER_ERROR, reason=reason_of(error))


def store_problem(error: StoreError) -> BridgeProblem:
    """Return the answer of the API where the store can't be used."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if error.retryable else HTTPStatus.INTERNAL_SERVER_ERROR
    retry_after = RETRY_SECONDS if error.retryable else None
    return BridgeProblem(
        status, "The bridge can't look up the token.", reason=reason_of(error), retry_after=retry_after
    )
