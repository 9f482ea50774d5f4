"""Finds the login of a bridge's access token, without reading the store at every call."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from procountor_auth.errors import StoreUnavailable

from .credentials import digest, login_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from .credentials import Credentials
    from .login import BridgeLogin, Logins

RECHECK_SECONDS: Final = 5.0
"""Seconds until the store is read again: for so long, a token that was revoked at another bridge still works."""

_logger = logging.getLogger("procountor_auth.bridge")


class _Known(NamedTuple):
    tokens: dict[str, float]
    checked_at: float


class AccessTokens:
    """Finds the login of an access token.

    While the store is unreachable, known tokens work until they expire.

    Args:
        logins: Whose they can be.
        credentials: All tokens, in the store.
        monotonic: The clock for asking again, in seconds.
    """

    def __init__(
        self, logins: Logins, credentials: Credentials, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._logins = logins
        self._credentials = credentials
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}

    async def login_of(self, access_token: SecretStr) -> BridgeLogin | None:
        """Return the login that a token belongs to; None if the token is unknown or has expired.

        Raises:
            StoreError: The store can't be read.
        """
        login = self._logins.by_key(login_in(access_token))
        if login is None:
            return None
        name = digest(access_token)
        known = self._known.get(login.key)
        is_recent = known is not None and self._monotonic() - known.checked_at < RECHECK_SECONDS
        if known is None or not is_recent or name not in known.tokens:
            known = await self._ask(login, name, known)
        return login if known.tokens.get(name, 0.0) > self._credentials.now else None

    def forget(self, access_token: SecretStr) -> None:
        """Ask the store again at the next call with a token of this login."""
        self._known.pop(login_in(access_token), None)

    async def _ask(self, login: BridgeLogin, name: str, known: _Known | None) -> _Known:
        if known is not None:
            # One call asks; the others go on meanwhile with what is known.
            self._known[login.key] = known._replace(checked_at=self._monotonic())
        try:
            tokens = await asyncio.to_thread(self._credentials.access_tokens, login.key)
        except StoreUnavailable as error:
            if known is None or name not in known.tokens:
                raise  # it may be a token of another bridge: nobody knows that it is not
            _logger.warning("the token store can't be reached: the tokens that are known go on. %s", error.message)
            tokens = known.tokens
        found = self._known[login.key] = _Known(tokens, self._monotonic())
        return found
