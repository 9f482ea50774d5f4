"""The client credentials flow: an API key gets tokens, without a user or a browser.

Source: the vendor's page on machine-to-machine authentication; RFC 6749, section 4.4.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.protocol.flow import Repeat
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.base import StrategySettings


class ClientCredentialsStrategy(Strategy):
    """Machine to machine: `grant_type=client_credentials` with an API key.

    A key belongs to one user, one company and one client. The server issues no refresh token: when the access
    token expires, the key gets the next one.

    Args:
        client: The API client that requests tokens.
        api_key: The API key, from Procountor's user interface or `procountor-auth key create`.
    """

    name: ClassVar[str] = "client_credentials"
    required_settings: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "api_key")
    # The vendor documents it for this grant; several public clients leave it out.
    optional_settings: ClassVar[tuple[str, ...]] = ("redirect_uri",)

    def __init__(self, client: OAuthClient, *, api_key: SecretStr) -> None:
        super().__init__(client)
        self._api_key = api_key

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it, and read an API key from the keychain.

        Args:
            settings: The settings.
            clock: The wall clock, in Unix seconds.

        Raises:
            ConfigurationError: The API key is a reference to an entry that the keychain does not have.
            StoreError: The keychain can't be used.
        """
        return cls(settings.oauth_client(clock), api_key=settings.required("api_key"))

    def identity(self) -> tuple[str, ...]:
        """Return the API key, which identifies a user and a company."""
        return (self._api_key.get_secret_value(),)

    def credential_claims(self) -> Mapping[str, Any]:
        """Return the unverified claims of the API key."""
        return unverified_claims(self._api_key.get_secret_value())

    def acquire(self) -> Flow[Token]:
        """Get a token with the API key. The redirect URI is sent if it is configured."""
        redirect_uri = {"redirect_uri": self.client.redirect_uri} if self.client.redirect_uri else {}
        hint = "Check PROCOUNTOR_API_KEY: it may be revoked, or belong to another PROCOUNTOR_CLIENT_ID."
        if not redirect_uri:
            hint += " PROCOUNTOR_REDIRECT_URI is not set; the vendor documents it for this request, so try setting it."
        request = self.client.token_request(
            "client_credentials", repeat=Repeat.SAFE, **redirect_uri, api_key=self._api_key
        )
        return (
            yield from self.ask_for_token(
                request,
                what="the client credentials grant",
                hint=hint,
            )
        )
