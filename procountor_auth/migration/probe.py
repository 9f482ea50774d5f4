"""Trying one provider: a token, and whom the API says it is for, waiting where the server says so."""

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
"""How often one profile waits because the server said so."""

_MAX_PAUSE: Final = 900.0
"""Seconds of one such wait at most: a server that asks for more has the profile reported as it is."""


class Reached(NamedTuple):
    """What a provider has reached.

    Attributes:
        session: Whom the API says the token is for.
        token: The token.
        allowed: Which resources its user may read.
        notices: What the server has announced meanwhile.
    """

    session: Session
    token: Token
    allowed: dict[str, bool]
    notices: tuple[SunsetNotice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values; times are Unix seconds. No secret is in it."""
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
    """A wait that the server has asked one for, and that all take."""

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
            self._sleep(min(left, 1.0))  # in turns: the rehearsal may be given up meanwhile

    def give_up(self) -> None:
        self.over = True


class Probe:
    """Tries providers, each with a token and a look at the API. What one has been told to wait counts for all.

    Args:
        resources: Resources of the API that the token's user is to read.
        monotonic: The clock for pauses, in seconds.
        sleep: How to wait, in seconds.
    """

    def __init__(
        self, resources: Sequence[str], *, monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._resources = tuple(resources)
        self._pause = _Pause(monotonic, sleep)

    def give_up(self) -> None:
        """End all waiting."""
        self._pause.give_up()

    def reach(self, provider: TokenProvider) -> Reached:
        """Get a token and ask the API whom it is for, waiting where the server says so."""
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
                # What one has been told counts for all.
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
