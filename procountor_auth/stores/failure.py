"""How a renewal has failed, in a form that other processes can share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from procountor_auth import errors

_MAX_WAIT: Final = 1e9
_MAX_TEXT_LENGTH: Final = 4_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of this package as plain values. Its texts hold no secret, as no error's do.

    Attributes:
        kind: The name of the error's class.
        message: What happened.
        hint: What to do next.
        retryable: Whether it may pass by itself.
        retry_after: The seconds that the server demanded to wait, if it did.
        credentials: A digest of the credentials that were refused, if it is known.
    """

    kind: str
    message: str
    hint: str
    retryable: bool
    retry_after: float | None = None
    credentials: str | None = None

    @classmethod
    def of(cls, error: errors.ProcountorAuthError, credentials: str | None = None) -> Failure:
        """Describe an error."""
        wait = getattr(error, "retry_after", None)
        return cls(type(error).__name__, error.message, error.hint, error.retryable, wait, credentials)

    def concerns(self, credentials: str | None) -> bool:
        """Whether somebody with these credentials would have failed, too."""
        return self.retryable or self.credentials is None or self.credentials == credentials

    def error(self) -> errors.ProcountorAuthError:
        """Return the error again, as an object of its own."""
        kind: Any = getattr(errors, self.kind, None)
        if not (isinstance(kind, type) and issubclass(kind, errors.ProcountorAuthError)):
            kind = errors.ProcountorAuthError
        error: errors.ProcountorAuthError = kind(self.message, hint=self.hint)
        error.retryable = self.retryable
        if isinstance(error, errors.ServiceUnavailable):
            error.retry_after = self.retry_after
        return error


def read_failure(fields: Any) -> Failure | None:  # noqa: ANN401 - whatever a store had
    """Return the failure that stored fields describe, or None: without it a renewal is just tried again."""
    if not isinstance(fields, dict):
        return None
    kind, message, hint, wait = (fields.get(name) for name in ("kind", "message", "hint", "retry_after"))
    if not (isinstance(kind, str) and _is_text(message) and _is_text(hint)):
        return None
    credentials = fields.get("credentials")
    if not (credentials is None or _is_text(credentials)):
        return None
    seconds = float(wait) if isinstance(wait, int | float) and abs(wait) < _MAX_WAIT else None
    return Failure(kind, message, hint, fields.get("retryable") is True, seconds, credentials)


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it can be shown: whoever can write to the store must not write to a terminal or a log."""
    return isinstance(value, str) and len(value) <= _MAX_TEXT_LENGTH and value.isprintable()
