"""The authorization code flow: a user logs in once on the vendor's page; refresh tokens get all further tokens.

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

    from procountor_auth.protocol.authorization_request import AuthorizationRequest
    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.base import StrategySettings

WAYS: Final = (
    "Set PROCOUNTOR_REFRESH_TOKEN, or log in: with the command `procountor-auth login`, or with "
    "`login = TokenSource.from_env().begin_login()`, open `login.url`, then `login.complete(redirected_url)`."
)


class AuthorizationCodeStrategy(Strategy):
    """Exchanges the code of a browser login for a token, and then uses refresh tokens.

    RFC 6749, section 4.1, with PKCE (RFC 7636) if it is enabled for the client.

    Args:
        client: The API client that requests tokens.
        refresh_token: A refresh token to start with; without one, a user has to log in first.
    """

    name: ClassVar[str] = "authorization_code"
    unattended: ClassVar[bool] = False
    refresh_hint: ClassVar[str] = WAYS

    def __init__(self, client: OAuthClient, *, refresh_token: SecretStr | None = None) -> None:
        super().__init__(client)
        self._refresh_token = refresh_token

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it.

        Args:
            settings: The settings.
            clock: The wall clock, in Unix seconds.
        """
        return cls(settings.oauth_client(clock), refresh_token=settings.refresh_token)

    def identity(self) -> tuple[str, ...]:
        """Return the user and company in the configured refresh token's claims; empty without a refresh token."""
        if self._refresh_token is None:
            return ()
        claims = self.credential_claims()
        whose = (str(claims.get("sub")), str(claims.get("cid")))
        return whose if "sub" in claims else (self._refresh_token.get_secret_value(),)

    def credential_claims(self) -> Mapping[str, Any]:
        """Return the unverified claims of the configured refresh token; empty without one."""
        return unverified_claims(self._refresh_token.get_secret_value()) if self._refresh_token else {}

    def authorization_request(self, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Return an authorization request for the login page, with a new state (and PKCE verifier).

        Args:
            redirect_uri: The registered redirect URI with this login's port; by default exactly as registered.

        Raises:
            ConfigurationError: `redirect_uri` differs from the registered one in more than the port.
        """
        return self.client.authorization_request(self.client.endpoints.login, redirect_uri)

    def exchange(self, code: SecretStr, visit: AuthorizationRequest) -> Flow[Token]:
        """Exchange the code that `visit` resulted in for a token.

        Args:
            code: The authorization code.
            visit: The authorization request that resulted in the code.

        Raises:
            InvalidGrant: The code was used, has expired, or belongs to another client.
            ProcountorAuthError: Any other failure.
        """
        request = self.client.code_request(code, visit.code_verifier, redirect_uri=visit.redirect_uri)
        return (
            yield from self.ask_for_token(
                request,
                what="the authorization code grant",
                hint="A code can be used once, within a few minutes: log in again.",
            )
        )

    def acquire(self) -> Flow[Token]:
        """Get a token with the configured refresh token.

        Raises:
            InteractionRequired: There is none, or it has expired or was revoked: a user has to log in.
        """
        if self._refresh_token is None:
            raise InteractionRequired("The authorization_code strategy has no refresh token to start with.", hint=WAYS)
        return (yield from self.refresh(self._refresh_token))

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The configured refresh token."""
        return self._refresh_token

    def refresh(self, refresh_token: SecretStr) -> Flow[Token]:
        """Get an access token with a refresh token.

        Raises:
            InteractionRequired: The refresh token has expired or was revoked: a user has to log in.
        """
        try:
            return (yield from super().refresh(refresh_token))
        except InvalidGrant as error:
            needed = InteractionRequired(error.message, hint=error.hint)
            needed.definite = error.definite
        raise needed
