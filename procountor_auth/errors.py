"""Every error that this package raises, and whose fault each one is.

    ProcountorAuthError                 catch this one to catch them all
    ├── ConfigurationError              yours: a PROCOUNTOR_* variable is missing, wrong or unknown
    │   ├── UnknownProfile              there is no profile of this name
    │   └── LegacyNotAllowed            PROCOUNTOR_LEGACY_POLICY=error forbids the chosen strategy
    ├── InteractionRequired             a user has to log in before there can be a token
    ├── RedirectError                   the redirect of a login can't be trusted or used
    │   ├── StateMismatch               its `state` is not the one that was sent
    │   └── AccessDenied                the user declined on the login page
    ├── LoginTimedOut                   nobody completed the login page in time
    ├── CannotListen                    the redirect URI's port on this machine is not available
    ├── CredentialsRefused              the server rejected the request (RFC 6749, section 5.2)
    │   ├── InvalidGrant                the password, code, refresh token or API key
    │   └── InvalidClient               the client ID or client secret
    ├── WrongCompany                    a token is for another company than PROCOUNTOR_COMPANY
    ├── LegacyRemoved                   the server no longer offers the legacy login
    ├── UnexpectedResponse              the server's: not what the protocol defines (HTML, impossible fields)
    ├── ServiceUnavailable              the server's, and temporary: 429 or 5xx; try again later
    ├── ConnectionFailed                the network's: DNS, refused, TLS, a timeout; try again later
    └── StoreError                      the token store's: no permission, no such key
        ├── UnreadableEntry             an entry needs another key, or a newer version of this package
        ├── StoreNotListable            the store can't list its entries
        ├── StoreUnavailable            the store is temporarily unreachable or locked; try again later
        └── StoreConflict               another process wrote in between; nothing was overwritten

`str(error)` is one line that says what happened and one that says what to do. No error contains a secret in its text,
attributes, cause or context: errors of other libraries are replaced, never chained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Self

__all__ = [
    "AccessDenied",
    "CannotListen",
    "ConfigurationError",
    "ConnectionFailed",
    "CredentialsRefused",
    "InteractionRequired",
    "InvalidClient",
    "InvalidGrant",
    "LegacyNotAllowed",
    "LegacyRemoved",
    "LoginTimedOut",
    "Problem",
    "ProcountorAuthError",
    "RedirectError",
    "ServiceUnavailable",
    "StateMismatch",
    "StoreConflict",
    "StoreError",
    "StoreNotListable",
    "StoreUnavailable",
    "UnexpectedResponse",
    "UnknownProfile",
    "UnreadableEntry",
    "WrongCompany",
]


def printable(text: str) -> str:
    """Return text from outside (a server, a file, a name) as one line that is safe to show on a terminal.

    Control characters, characters that change the writing direction, and invisible characters become spaces.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


class ProcountorAuthError(Exception):
    """The base class of all errors in this package.

    Attributes:
        code: A stable machine-readable word for this kind of error.
        hint: What to do next.
        retryable: Whether the same call may succeed later without any change.
        profile: The profile that the error is about, if there are profiles.
    """

    code: ClassVar[str] = "procountor_auth_error"
    retryable: bool = False
    profile: str | None = None
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(printable(message))
        if hint is not None:
            self.hint = printable(hint)

    @property
    def message(self) -> str:
        """What happened, without the hint."""
        return str(self.args[0]) if self.args else self.code

    def __str__(self) -> str:
        whose = f"Profile {self.profile}: " if self.profile else ""
        said = self.message if self.message.startswith(whose) else whose + self.message
        return f"{said}\n{self.hint}" if self.hint else said


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with the configuration.

    Attributes:
        variable: The name of the environment variable, `PROCOUNTOR_…`.
        kind: `missing`, `invalid`, `unknown` or `unreadable`.
        message: A sentence that describes it. It never contains the value.
        needed_by: The strategy that needs the missing variable, if one does.
    """

    variable: str
    kind: str
    message: str
    needed_by: str | None = None

    def __post_init__(self) -> None:
        for name in ("variable", "message"):
            object.__setattr__(self, name, printable(getattr(self, name)))


class ConfigurationError(ProcountorAuthError):
    """The configuration is incomplete or invalid.

    Attributes:
        problems: Every problem that was found.
    """

    code = "configuration"

    def __init__(self, message: str, *, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems

    @classmethod
    def from_problems(cls, problems: tuple[Problem, ...], *, hint: str, profile: object = None) -> Self:
        """Build the error that lists all problems of a profile, or of the only configuration.

        Args:
            problems: Everything that is wrong.
            hint: What to do about it.
            profile: The profile that has them, if there are profiles.
        """
        missing = [problem for problem in problems if problem.needed_by]
        sentences = [problem.message for problem in problems if not problem.needed_by]
        if len(missing) > 1:
            names = ", ".join(problem.variable for problem in missing)
            sentences.insert(0, f"{missing[0].needed_by} needs {names}, which are missing")
        else:
            sentences[:0] = [problem.message for problem in missing]
        message = (f"Profile {profile}: " if profile else "") + "; ".join(sentences)
        error = cls(message if message.endswith("?") else f"{message}.", hint=hint, problems=problems)
        error.profile = str(profile) if profile else None
        return error

    def errors(self) -> list[dict[str, str | None]]:
        """Return the problems as plain dictionaries, without the variables' values."""
        return [asdict(problem) for problem in self.problems]

    def json(self) -> str:
        """Return `errors()` as JSON."""
        return json.dumps(self.errors())


class UnknownProfile(ConfigurationError):
    """There is no profile of this name. An invalid profile is a plain `ConfigurationError` instead."""

    code = "unknown_profile"


class LegacyNotAllowed(ConfigurationError):
    """The legacy strategy is chosen, but `PROCOUNTOR_LEGACY_POLICY=error` forbids it."""

    code = "legacy_not_allowed"


class InteractionRequired(ProcountorAuthError):
    """A user has to log in with a browser before there can be a token.

    Attributes:
        definite: Whether the server has clearly refused a refresh token. None if no refresh token was sent or left.
    """

    code = "interaction_required"
    definite: bool | None = None


class RedirectError(ProcountorAuthError):
    """The authorization response (RFC 6749, section 4.1.2) can't be used.

    Attributes:
        ends_login: Whether its `state` proves that this was the response to the login, which is then over. Any other
            redirect may come from an attacker, so the login stays open for the right one.
        is_repeated: Whether its `state` is right, but an earlier redirect has already completed or ended the login.
    """

    code = "redirect"
    ends_login: bool = False
    is_repeated: bool = False


class StateMismatch(RedirectError):
    """The `state` of the redirect is missing, or is not the one that was sent (RFC 6749, section 10.12)."""

    code = "state_mismatch"


class AccessDenied(RedirectError):
    """The user declined on the login page (`error=access_denied`)."""

    code = "access_denied"


class LoginTimedOut(ProcountorAuthError):
    """Nobody completed the login in the browser in time."""

    code = "login_timed_out"


class CannotListen(ProcountorAuthError):
    """The port of `PROCOUNTOR_REDIRECT_URI` on this machine is in use, or this user may not listen on it."""

    code = "cannot_listen"


class CredentialsRefused(ProcountorAuthError):
    """The server rejected the request, and sending it again will not help.

    Attributes:
        error: The server's own error code where it gave one, such as `invalid_scope`.
        definite: Whether the server has clearly decided about these credentials, as opposed to a gateway's page or an
            unknown error.
    """

    code = "credentials_refused"
    error: str | None = None
    definite: bool = False


class InvalidGrant(CredentialsRefused):
    """The password, authorization code, refresh token or API key was rejected."""

    code = "invalid_grant"
    definite = True


class InvalidClient(CredentialsRefused):
    """The client ID or client secret was rejected, or the client may not use this grant."""

    code = "invalid_client"
    definite = True


class WrongCompany(ProcountorAuthError):
    """The token, or the credential for it, is for another company than `PROCOUNTOR_COMPANY`. It is discarded.

    Attributes:
        variable: The variable with the credential, if the credential itself names the other company.
    """

    code = "wrong_company"
    variable: str | None = None
    definite = True
    """Another request would have the same result, so token requests pause, as after a rejection."""


class LegacyRemoved(ProcountorAuthError):
    """The server no longer offers the legacy login. Switch to another strategy."""

    code = "legacy_removed"


class UnexpectedResponse(ProcountorAuthError):
    """The server's response is not what the protocol defines, such as a web page or impossible fields."""

    code = "unexpected_answer"


class ServiceUnavailable(ProcountorAuthError):
    """The server can't serve the request at the moment (status 408, 425, 429 or 5xx).

    Attributes:
        retry_after: How long the server asked to wait, in seconds, if it did.
    """

    code = "service_unavailable"
    retryable = True
    retry_after: float | None = None


class ConnectionFailed(ProcountorAuthError):
    """There was no response because of DNS, the connection, a proxy, TLS or the timeout.

    Attributes:
        sent: Whether the server may have received and processed the request.
    """

    code = "connection_failed"
    retryable = True
    sent: bool = True


class StoreError(ProcountorAuthError):
    """The token store can't be used as configured."""

    code = "store"


class UnreadableEntry(StoreError):
    """A stored entry is encrypted with a key that is not configured, or was written by a newer version.

    Strategies that need no user continue without it. `TokenSource.invalidate()` and `procountor-auth logout`
    remove it.

    Attributes:
        sealed: Whether the key is the reason.
    """

    code = "unreadable_entry"
    sealed: bool = False


class StoreNotListable(StoreError):
    """The token store can't list its entries, because it is a keychain or the memory of a program."""

    code = "store_not_listable"


class StoreUnavailable(StoreError):
    """The token store can't be reached, or its lock was not released in time."""

    code = "store_unavailable"
    retryable = True


class StoreConflict(StoreError):
    """The entry has changed since it was read, so nothing was written."""

    code = "store_conflict"
    retryable = True
