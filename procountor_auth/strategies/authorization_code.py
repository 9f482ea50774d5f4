"""The authorization code flow: a person logs in on the vendor's page, once; then refresh tokens.

Source: the vendor's page on API authentication; RFC 6749, sections 4.1 and 6; RFC 7636 (PKCE); RFC 9700.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from procountor_auth.errors import InteractionRequired, InvalidGrant
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from procountor_auth.protocol.client import AuthorizationRequest, OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.base import StrategySettings

WAYS: Final = (
    "Set PROCOUNTOR_REFRESH_TOKEN, or log in: with the command `procountor-auth login`, or with "
    "`login = TokenSource.from_env().begin_login()`, open `login.url`, then `login.complete(redirected_url)`."
)


class AuthorizationCodeStrategy(Strategy):
    """A login in the browser, its code traded for a token, and refresh tokens from then on."""

    name: ClassVar[str] = "authorization_code"
    unattended: ClassVar[bool] = False
    refresh_hint: ClassVar[str] = WAYS

    def __init__(self, client: OAuthClient, *, refresh_token: SecretStr | None = None) -> None:
        super().__init__(client)
        self._refresh_token = refresh_token

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it."""
        return cls(settings.oauth_client(clock), refresh_token=settings.refresh_token)

    def identity(self) -> tuple[str, ...]:
        """Return the user and company that the configured refresh token says it is for; nothing without one."""
        if self._refresh_token is None:
            return ()
        claims = self.credential_claims()
        whose = (str(claims.get("sub")), str(claims.get("cid")))
        return whose if "sub" in claims else (self._refresh_token.get_secret_value(),)

    def credential_claims(self) -> Mapping[str, Any]:
        """Return what the configured refresh token says of itself."""
        return unverified_claims(self._refresh_token.get_secret_value()) if self._refresh_token else {}

    def authorization_request(self, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Return one visit to the login page, with a state (and a PKCE verifier) of its own.

        Args:
            redirect_uri: The registered redirect URI with this login's port filled in; by default as it is.

        Raises:
            ConfigurationError: `redirect_uri` is another one.
        """
        return self.client.authorization_request(self.client.endpoints.login, redirect_uri)

    def exchange(self, code: SecretStr, visit: AuthorizationRequest) -> Flow[Token]:
        """Trade the code that `visit` brought for a token.

        Raises:
            InvalidGrant: The code was used, has expired, or belongs to another client.
            ProcountorAuthError: Whatever else goes wrong.
        """
        request = self.client.code_request(code, visit.code_verifier, redirect_uri=visit.redirect_uri)
        return (
            yield from self.ask_for_token(
                request,
                what="the authorization code grant",
                hint="A code works once, for minutes: log in again.",
            )
        )

    def acquire(self) -> Flow[Token]:
        """Start from the configured refresh token.

        Raises:
            InteractionRequired: There is none, or it has ended: a person must log in.
        """
        if self._refresh_token is None:
            raise InteractionRequired("The authorization_code strategy has no refresh token to start from.", hint=WAYS)
        return (yield from self.refresh(self._refresh_token))

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The configured refresh token."""
        return self._refresh_token

    def refresh(self, refresh_token: SecretStr) -> Flow[Token]:
        """Trade a refresh token for an access token.

        Raises:
            InteractionRequired: The refresh token has ended: a person must log in.
        """
        try:
            return (yield from super().refresh(refresh_token))
        except InvalidGrant as error:
            needed = InteractionRequired(error.message, hint=error.hint)
            needed.definite = error.definite
        raise needed
