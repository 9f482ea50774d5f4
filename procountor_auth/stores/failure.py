"""The failure of a renewal, in a form that other processes can share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from procountor_auth import errors
from procountor_auth.protocol.json_object import is_json_object

FIRST_PAUSE: Final = 1.0
"""Seconds during which credentials that the server has refused are not sent again. They double with each refusal."""

MAX_PAUSE: Final = 300.0
"""Seconds of the longest pause."""

_MAX_COUNT: Final = 1_000

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
        at: When it happened, in Unix seconds; 0 if that is not known.
        refusals: How often in succession the server has definitely refused these credentials.
        code: The server's own error code, if a refusal had one.
        variable: The variable whose value is of another company, if it is known.
        unsent: Whether the request is known not to have reached the server.
    """

    kind: str
    message: str
    hint: str
    retryable: bool
    retry_after: float | None = None
    credentials: str | None = None
    at: float = 0.0
    refusals: int = 0
    code: str | None = None
    variable: str | None = None
    unsent: bool = False

    @classmethod
    def of(
        cls,
        error: errors.ProcountorAuthError,
        credentials: str | None = None,
        *,
        at: float = 0.0,
        last: Failure | None = None,
    ) -> Failure:
        """Describe an error.

        Args:
            error: The error.
            credentials: A digest of the credentials that were sent, if it is known.
            at: The time, in Unix seconds.
            last: The failure before this one, if there was no token in between.
        """
        wait = getattr(error, "retry_after", None)
        refusals = 0
        if getattr(error, "definite", False):
            refusals = 1 + (last.refusals if last is not None and last.credentials == credentials else 0)
        return cls(
            type(error).__name__,
            error.message,
            error.hint,
            error.retryable,
            wait,
            credentials,
            at,
            refusals,
            code=getattr(error, "error", None),
            variable=getattr(error, "variable", None),
            unsent=not getattr(error, "sent", True),
        )

    def concerns(self, credentials: str | None) -> bool:
        """Whether a request with these credentials would have failed, too."""
        return self.retryable or self.credentials is None or self.credentials == credentials

    def pause(self, credentials: str | None, now: float) -> float:
        """Return for how many seconds these credentials are not to be sent again, because they were refused."""
        if not self.refusals or credentials is None or credentials != self.credentials:
            return 0.0
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** (self.refusals - 1))
        left = self.at + pause - now
        # More than the whole pause: a clock was set back.
        return left if 0.0 < left <= pause else 0.0

    def error(self, pause: float = 0.0) -> errors.ProcountorAuthError:
        """Return the error again, as an object of its own.

        Args:
            pause: The seconds that are left of its pause.
        """
        kind: Any = getattr(errors, self.kind, None)
        if not (isinstance(kind, type) and issubclass(kind, errors.ProcountorAuthError)):
            kind = errors.ProcountorAuthError
        message = self.message
        if pause > 0:
            seconds = math.ceil(pause)
            unit = "second" if seconds == 1 else "seconds"
            message = f"{message} Nothing was sent now: what was refused is sent again in {seconds} {unit}."
        error: errors.ProcountorAuthError = kind(message, hint=self.hint)
        error.retryable = self.retryable
        if isinstance(error, errors.ServiceUnavailable):
            error.retry_after = self.retry_after
        elif isinstance(error, errors.CredentialsRefused):
            error.error = self.code
        elif isinstance(error, errors.WrongCompany):
            error.variable = self.variable
        elif isinstance(error, errors.ConnectionFailed):
            error.sent = not self.unsent
        if isinstance(error, errors.CredentialsRefused | errors.WrongCompany):
            error.definite = self.refusals > 0
        elif isinstance(error, errors.InteractionRequired):
            error.definite = True if self.refusals else None
        return error


def read_failure(fields: Any) -> Failure | None:  # noqa: ANN401 - whatever a store had
    """Return the failure that stored fields describe, or None: without it a renewal is just tried again."""
    if not is_json_object(fields):
        return None
    kind, message, hint, wait = (fields.get(name) for name in ("kind", "message", "hint", "retry_after"))
    if not (isinstance(kind, str) and _is_text(message) and _is_text(hint)):
        return None
    credentials = fields.get("credentials")
    if not (credentials is None or _is_text(credentials)):
        return None
    seconds = float(wait) if isinstance(wait, int | float) and abs(wait) < _MAX_WAIT else None
    at, refusals = fields.get("at"), fields.get("refusals")
    if not (isinstance(at, int | float) and isinstance(refusals, int) and refusals >= 0 and math.isfinite(at)):
        at, refusals = 0.0, 0
    code, variable = (value if _is_text(value := fields.get(name)) else None for name in ("code", "variable"))
    return Failure(
        kind,
        message,
        hint,
        fields.get("retryable") is True,
        seconds,
        credentials,
        float(at),
        min(refusals, _MAX_COUNT),
        code,
        variable,
        fields.get("unsent") is True,
    )


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it can be shown: write access to the store must not be access to a terminal or a log."""
    return isinstance(value, str) and len(value) <= _MAX_TEXT_LENGTH and value.isprintable()
