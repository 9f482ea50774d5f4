"""A strategy with one given token: for tests, and for tokens that were obtained elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, Self

from pydantic import SecretStr

from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.token import Token
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.strategies.base import StrategySettings

LIFETIME: Final = 10 * 366 * 86_400.0
"""Seconds for which the token counts as valid, because its expiry is unknown."""


class FixedTokenStrategy(Strategy):
    """Always returns the same token. It sends no request, and the environment can't select it."""

    name: ClassVar[str] = "fixed_token"

    def __init__(self, access_token: SecretStr, base_url: str, api_version: str | None = None) -> None:
        super().__init__(OAuthClient(Endpoints(base_url, api_version), "", SecretStr(""), ""))
        self._access_token = access_token

    @classmethod
    def from_settings(
        cls,
        settings: StrategySettings,  # noqa: ARG003 - there is no setting for it
        *,
        clock: Callable[[], float] = time.time,  # noqa: ARG003
    ) -> Self:
        """Raise an error, because no setting contains a token.

        Raises:
            TypeError: Always.
        """
        raise TypeError("The settings have no fixed token: pass it to `TokenSource.fixed`.")

    def identity(self) -> tuple[str, ...]:
        """Return the token."""
        return (self._access_token.get_secret_value(),)

    def acquire(self) -> Flow[Token]:
        """Return the token without sending a request."""
        now = self.client.clock()
        yield from ()
        return Token(self._access_token.get_secret_value(), now, now + LIFETIME, self.name)

    def logout(self, token: Token) -> Flow[None]:  # noqa: ARG002 - whoever obtained it ends it
        """Send nothing.

        Args:
            token: The token.
        """
        yield from ()
