"""The client credentials flow: an API key gets a token, with nobody at a browser.

Source: the vendor's page on machine-to-machine authentication; RFC 6749, section 4.4.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Self

from procountor_auth.protocol.answer import Exchange, read_api_key
from procountor_auth.protocol.flow import Repeat
from procountor_auth.stores.pointer import follow
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.oauth import AuthorizationRequest, OAuthClient
    from procountor_auth.settings import Settings
    from procountor_auth.token import Token


class ClientCredentialsStrategy(Strategy):
    """Machine to machine: `grant_type=client_credentials` with an API key.

    A key belongs to one user, one company and one client. The server gives no refresh token: when the access
    token ends, the key gets the next one.
    """

    name: ClassVar[str] = "client_credentials"
    needs: ClassVar[tuple[str, ...]] = (*Strategy.needs, "api_key")

    def __init__(self, client: OAuthClient, *, api_key: SecretStr) -> None:
        super().__init__(client)
        self._api_key = api_key

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it. An API key in the keychain is read now.

        Raises:
            ConfigurationError: The API key should be in the keychain, and is not.
            StoreError: The keychain can't be used.
        """
        return cls(settings.oauth_client(clock), api_key=follow(settings.required("api_key")))

    def identity(self) -> tuple[str, ...]:
        """Return the API key, which stands for a user and a company."""
        return (self._api_key.get_secret_value(),)

    def acquire(self) -> Flow[Token]:
        """Get a token with the API key."""
        request = self.client.token_request(
            "client_credentials", repeat=Repeat.SAFE, redirect_uri=self.client.redirect_uri, api_key=self._api_key
        )
        return (
            yield from self.ask_for_token(
                request,
                what="the client credentials grant",
                hint="Check PROCOUNTOR_API_KEY: it may be revoked, or belong to another PROCOUNTOR_CLIENT_ID.",
            )
        )


class KeyRequest:
    """Getting an API key without the vendor's user interface: `keylogin`, then `oauth/key`.

    Attributes:
        client: The API client that the key will belong to.
    """

    def __init__(self, client: OAuthClient) -> None:
        self.client = client

    def authorization_request(self, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Return the visit to `keylogin`, where a person logs in and picks the company.

        Args:
            redirect_uri: The registered redirect URI with this login's port filled in; by default as it is.

        Raises:
            ConfigurationError: `redirect_uri` is another one.
        """
        return self.client.authorization_request(self.client.endpoints.key_login, redirect_uri)

    def exchange(self, code: SecretStr, visit: AuthorizationRequest) -> Flow[SecretStr]:
        """Trade the code that `visit` brought for an API key.

        Raises:
            CredentialsRefused: The code or the client was refused.
            ProcountorAuthError: Whatever else goes wrong.
        """
        request = self.client.code_request(
            code, visit.code_verifier, url=self.client.endpoints.key, redirect_uri=visit.redirect_uri
        )
        response = yield request
        return read_api_key(Exchange(request, response, "the request for an API key", "Start the key login again."))
