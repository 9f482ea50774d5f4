"""Gets an API key without the vendor's user interface: `keylogin`, then `oauth/key`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.token_response import read_api_key
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from pydantic import SecretStr

    from procountor_auth.protocol.authorization_request import AuthorizationRequest
    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow


class KeyRequest(Unpicklable):
    """Gets an API key without the vendor's user interface: `keylogin`, then `oauth/key`.

    Attributes:
        client: The API client that the key will belong to.
    """

    def __init__(self, client: OAuthClient) -> None:
        self.client = client

    def authorization_request(self, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Return the authorization request for `keylogin`, where the user logs in and selects the company.

        Args:
            redirect_uri: The registered redirect URI with this login's port; by default exactly as registered.

        Raises:
            ConfigurationError: `redirect_uri` differs from the registered one in more than the port.
        """
        return self.client.authorization_request(self.client.endpoints.key_login, redirect_uri)

    def exchange(self, code: SecretStr, visit: AuthorizationRequest) -> Flow[SecretStr]:
        """Exchange the code that `visit` resulted in for an API key.

        Raises:
            CredentialsRefused: The server rejected the code or the client.
            ProcountorAuthError: Any other failure.
        """
        request = self.client.code_request(
            code, visit.code_verifier, url=self.client.endpoints.key, redirect_uri=visit.redirect_uri
        )
        response = yield request
        return read_api_key(Reply(request, response, "the request for an API key", "Start the key login again."))
