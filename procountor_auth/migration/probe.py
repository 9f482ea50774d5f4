"""Tries one provider: gets a token and calls `sessioninfo`, and waits if the server says so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from procountor_auth.errors import CredentialsRefused, ProcountorAuthError
from procountor_auth.protocol.sessioninfo import may_get, read_session
from procountor_auth.protocol.sunset import read_sunset_notice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procountor_auth.protocol.flow import Response
    from procountor_auth.protocol.sessioninfo import Session
    from procountor_auth.protocol.sunset import SunsetNotice
    from procountor_auth.protocol.token import Token
    from procountor_auth.tokens.provider import TokenProvider

_MAX_PAUSES: Final = 10
"""How often one profile waits at the server's request."""

_MAX_PAUSE: Final = 900.0
"""The longest such wait, in seconds: if the server requests more, the profile's error is reported."""


class Reached(NamedTuple):
    """The result of trying a provider.

    Attributes:
        session: The user and company of the token, according to the API.
        token: The token.
        allowed: Which resources its user may read.
        notices: The server's announcements.
    """

    session: Session
    token: Token
    allowed: dict[str, bool]
    notices: tuple[SunsetNotice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values, without secrets; times are Unix seconds."""
        return {
            "company_id": self.session.company_id,
            "company": self.session.company_name,
            "user_id": self.session.user_id,
            "user": self.session.user_name,
            "expires_at": self.token.expires_at,
            "refresh_expires_at": self.token.refresh_expires_at,
            "announced": [str(notice) for notice in self.notices],
        }


class _Pause:
    """A wait that the server has requested of one profile, and that applies to all."""

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._until = float("-inf")
        self._lock = threading.Lock()
        self.over = False

    def ask(self, seconds: float) -> None:
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)

    def take(self) -> None:
        while not self.over and (left := self._until - self._monotonic()) > 0:
            self._sleep(min(left, 1.0))  # in short steps: the rehearsal may be cancelled meanwhile

    def give_up(self) -> None:
        self.over = True


class Probe:
    """Tries providers: gets a token and calls the API. A wait that the server requests applies to all of them.

    Args:
        resources: Resources of the API that the token's user must be able to read.
        monotonic: The clock for pauses, in seconds.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self, resources: Sequence[str], *, monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._resources = tuple(resources)
        self._pause = _Pause(monotonic, sleep)

    def give_up(self) -> None:
        """End all waiting."""
        self._pause.give_up()

    @property
    def is_given_up(self) -> bool:
        """Whether waiting has ended."""
        return self._pause.over

    def reach(self, provider: TokenProvider) -> Reached:
        """Get a token and ask the API whom it is for; wait if the server says so."""
        pauses, again = 0, True
        while True:
            self._pause.take()
            try:
                return self._ask(provider)
            except ProcountorAuthError as error:
                failed = error
            asked = getattr(failed, "retry_after", None)
            if self._pause.over:
                raise failed.with_traceback(None)
            if asked is not None and asked <= _MAX_PAUSE and pauses < _MAX_PAUSES:
                # A wait that is requested of one applies to all.
                pauses += 1
                self._pause.ask(asked)
            elif failed.retryable and asked is None and again:
                again = False
            else:
                raise failed.with_traceback(None)

    def _ask(self, provider: TokenProvider) -> Reached:
        notices: list[SunsetNotice] = []

        def on_response(_: TokenProvider, response: Response, _path: str) -> None:
            notice = read_sunset_notice(response.combined)
            if notice is not None and notice not in notices:
                notices.append(notice)

        provider = provider.observed_by(on_response)
        endpoints = provider.endpoints
        token, from_server, _ = provider.renew(None, None, pauses=False)
        try:
            session = provider.drive(read_session(endpoints, token), provider.deadline())
        except CredentialsRefused:
            if from_server:
                raise
            # A token from the store may have been revoked since.
            token = provider.renew(token, token).token
            session = provider.drive(read_session(endpoints, token), provider.deadline())
        allowed = {
            path: provider.drive(may_get(endpoints, token, path), provider.deadline()) for path in self._resources
        }
        return Reached(session, token, allowed, tuple(notices))
