"""Every error that this package raises, and whose fault each one is.

    ProcountorAuthError                 catch this one to catch them all
    ├── ConfigurationError              yours: a PROCOUNTOR_* variable is missing, wrong or unknown
    │   └── LegacyNotAllowed            PROCOUNTOR_LEGACY_POLICY=error forbids the chosen strategy
    ├── InteractionRequired             a user has to log in before there can be a token
    ├── RedirectError                   the redirect that should bring a code can't be trusted or used
    │   ├── StateMismatch               its `state` is not the one that was sent
    │   └── AccessDenied                the user declined on the login page
    ├── LoginTimedOut                   nobody came back from the login page in time
    ├── CannotListen                    the redirect URI's port on this machine can't be had
    ├── CredentialsRefused              the server rejects what was sent (RFC 6749, section 5.2)
    │   ├── InvalidGrant                the password, code, refresh token or API key
    │   └── InvalidClient               the client ID or client secret
    ├── WrongCompany                    a token is for another company than PROCOUNTOR_COMPANY
    ├── LegacyRemoved                   the server no longer offers the legacy login
    ├── UnexpectedResponse              theirs: not what the protocol promises (HTML, impossible fields)
    ├── ServiceUnavailable              theirs, for now: 429 or 5xx; try again later
    ├── ConnectionFailed                the network's: DNS, refused, TLS, a deadline; try again later
    └── StoreError                      the token store's: no permission, no such key
        ├── UnreadableEntry             what is stored needs another key, or a newer version
        ├── StoreUnavailable            it can't be reached or is locked, for now; try again later
        └── StoreConflict               somebody else wrote in between; nothing was overwritten

`str(error)` is one line that says what happened and one that says what to do. No error carries a secret, in its
text, its attributes, its cause or its context: errors of other libraries are replaced, never chained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar


def printable(text: str) -> str:
    """Return a text from outside (a server, a file, a name) as one line that no terminal obeys and nothing reorders.

    Control characters, those that turn the direction of writing, and those that can't be seen become spaces.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


class ProcountorAuthError(Exception):
    """The root of every error here.

    Attributes:
        code: A stable machine-readable word for this kind of error.
        hint: What to do next, for a human.
        retryable: Whether the same call may succeed later with nothing changed.
        profile: The profile that it happened to, if there are profiles.
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
    """One thing that is wrong with the configuration.

    Attributes:
        variable: The environment's own name for it, `PROCOUNTOR_…`.
        kind: `missing`, `invalid`, `unknown` or `unreadable`.
        message: The sentence for a human. It never holds the value.
        needed_by: The strategy that misses it, if one does.
    """

    variable: str
    kind: str
    message: str
    needed_by: str | None = None

    def __post_init__(self) -> None:
        for name in ("variable", "message"):
            object.__setattr__(self, name, printable(getattr(self, name)))


class ConfigurationError(ProcountorAuthError):
    """The environment does not describe a way to authenticate.

    Attributes:
        problems: Everything that is wrong, found in one go.
    """

    code = "configuration"

    def __init__(self, message: str, *, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems

    @classmethod
    def from_problems(cls, problems: tuple[Problem, ...], *, hint: str, profile: object = None) -> ConfigurationError:
        """Build the error that lists all `problems` at once, of one profile or of the only configuration."""
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
        """Return the problems as plain dictionaries. No value of a variable is in them."""
        return [asdict(problem) for problem in self.problems]

    def json(self) -> str:
        """Return `errors()` as JSON."""
        return json.dumps(self.errors())


class LegacyNotAllowed(ConfigurationError):
    """The legacy strategy is chosen, and `PROCOUNTOR_LEGACY_POLICY=error` forbids it."""

    code = "legacy_not_allowed"


class InteractionRequired(ProcountorAuthError):
    """Only a user at the login page can start this.

    Attributes:
        definite: Whether the server has clearly refused a refresh token; None where none was sent, or none is left.
    """

    code = "interaction_required"
    definite: bool | None = None


class RedirectError(ProcountorAuthError):
    """The authorization response (RFC 6749, section 4.1.2) can't be used.

    Attributes:
        ends_login: Whether it was the response to the login, proven by its `state`: then the login is over. Any other
            redirect may be anybody's, and the login stays open for the right one.
    """

    code = "redirect"
    ends_login: bool = False


class StateMismatch(RedirectError):
    """`state` is missing or is not the one that was sent (RFC 6749, section 10.12)."""

    code = "state_mismatch"


class AccessDenied(RedirectError):
    """The user declined on the login page (`error=access_denied`)."""

    code = "access_denied"


class LoginTimedOut(ProcountorAuthError):
    """Nobody came back from the login page in time."""

    code = "login_timed_out"


class CannotListen(ProcountorAuthError):
    """The port of `PROCOUNTOR_REDIRECT_URI` on this machine can't be listened on: it is taken, or not allowed."""

    code = "cannot_listen"


class CredentialsRefused(ProcountorAuthError):
    """The server rejected what was sent. Sending it again will not help.

    Attributes:
        error: The server's own error code where it gave one, such as `invalid_scope`.
        definite: Whether it has certainly decided about these credentials, and it was not a gateway's page, or an
            error that nobody knows.
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
    """A token, or what one is requested with, is for another company than `PROCOUNTOR_COMPANY`. Nobody gets it.

    Attributes:
        variable: The variable with what one is requested with, if it says so itself.
    """

    code = "wrong_company"
    variable: str | None = None
    definite = True
    """Asking again brings the same, so that it pauses as a refusal does."""


class LegacyRemoved(ProcountorAuthError):
    """The server no longer offers the legacy login: time to switch the strategy."""

    code = "legacy_removed"


class UnexpectedResponse(ProcountorAuthError):
    """The server responded, but not with what the protocol promises."""

    code = "unexpected_answer"


class ServiceUnavailable(ProcountorAuthError):
    """The server can't serve the request now (429 or 5xx).

    Attributes:
        retry_after: The seconds that the server demanded to wait, if it did.
    """

    code = "service_unavailable"
    retryable = True
    retry_after: float | None = None


class ConnectionFailed(ProcountorAuthError):
    """No response: DNS, a refused connection, TLS, or the deadline.

    Attributes:
        sent: Whether the server may have got the request, and acted on it.
    """

    code = "connection_failed"
    retryable = True
    sent: bool = True


class StoreError(ProcountorAuthError):
    """The token store can't be used as it is configured."""

    code = "store"


class UnreadableEntry(StoreError):
    """An entry of the token store is sealed with a key that is not here, or was written by a newer version.

    A strategy that needs no person goes on without it. `TokenSource.invalidate()` and `procountor-auth logout` remove
    it.
    """

    code = "unreadable_entry"


class StoreUnavailable(StoreError):
    """The token store can't be reached, or its lock could not be had in time."""

    code = "store_unavailable"
    retryable = True


class StoreConflict(StoreError):
    """The entry has changed since it was read, so nothing was written."""

    code = "store_conflict"
    retryable = True
