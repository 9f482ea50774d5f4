"""The grants: what the service's token endpoints accept, and their responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, grants
from authlib.oauth2.rfc7636 import CodeChallenge

from procountor_auth.sandbox.state.sessions import Session

from .notes import note_detail
from .oauth_server import OAuthServer, TokenResponse
from .token_refusal import why_not_api_key, why_not_refresh_token

if TYPE_CHECKING:
    from collections.abc import Collection

    from authlib.oauth2 import OAuth2Request
    from authlib.oauth2.rfc6749 import BaseGrant

    from procountor_auth.sandbox.state.credentials import Code, Purpose
    from procountor_auth.sandbox.state.directory import Client
    from procountor_auth.sandbox.state.service import Service
    from procountor_auth.sandbox.state.world import World

    from .oauth_server import ParameterRequest


_AuthlibResponse = tuple[int, Any, list[tuple[str, str]]]


class _ServerGrant(grants.BaseGrant):
    """The base of all grants here: secrets in the parameters, and access to the world."""

    TOKEN_ENDPOINT_AUTH_METHODS: Collection[str] = ["client_secret_post"]

    @property
    def oauth(self) -> OAuthServer:
        return cast("OAuthServer", self.server)

    @property
    def world(self) -> World:
        return self.oauth.service.world


class CodeGrant(_ServerGrant, grants.AuthorizationCodeGrant):
    """Exchanges an authorization code, from the login page or the legacy flow, for tokens."""

    PURPOSE: ClassVar[Purpose] = "token"

    def query_authorization_code(self, code: str, client: Any) -> Code | None:  # noqa: ANN401 - Authlib's signature
        """Return the code if it is this client's and usable (called by Authlib)."""
        return self.world.credentials.find_code(code, client.client_id, self.PURPOSE)

    def authenticate_user(self, authorization_code: Code) -> Session:
        """Consume the code and return its session (called by Authlib).

        Raises:
            InvalidGrantError: Another request was faster, or the user has lost access in the meantime.
        """
        if not self.world.credentials.spend_code(authorization_code):
            raise InvalidGrantError("Invalid 'code' in request.")
        if not self.world.directory.has_access(authorization_code.user_id, authorization_code.company_id):
            raise InvalidGrantError("The user has no access to the company.")
        return Session(
            client_id=authorization_code.client_id,
            user_id=authorization_code.user_id,
            company_id=authorization_code.company_id,
            auth_time=authorization_code.auth_time,
        )

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Do nothing: the code was used up before the tokens were made (called by Authlib)."""

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Do nothing: codes come from the pages and the legacy endpoint, not from Authlib."""


class KeyGrant(CodeGrant):
    """Exchanges an authorization code from the key login page for an API key (``oauth/key``)."""

    PURPOSE: ClassVar[Purpose] = "key"

    def create_token_response(self) -> _AuthlibResponse:
        """Return the API key (called by Authlib)."""
        session = self.authenticate_user(cast("Code", self.request.authorization_code))
        api_key = self.world.credentials.create_api_key(session.client_id, session.user_id, session.company_id)
        return 200, TokenResponse(api_key=api_key), list(self.TOKEN_RESPONSE_HEADER)


class RefreshGrant(_ServerGrant, grants.RefreshTokenGrant):
    """Exchanges a refresh token for a new access token."""

    # None is Authlib's "unknown".
    def authenticate_refresh_token(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, refresh_token: str
    ) -> Session | None:
        """Return the session of a usable refresh token (called by Authlib)."""
        session = self.world.sessions.find_refresh_token(refresh_token)
        client = cast("Client", self.request.client)
        if session is None or not session.check_client(client):
            note_detail(why_not_refresh_token(self.oauth.service, refresh_token, client.client_id))
        return session

    def authenticate_user(self, refresh_token: Session) -> Session:
        """Return the session itself, which has its user (called by Authlib)."""
        return refresh_token

    def issue_token(self, user: Session, refresh_token: object) -> dict[str, str | int]:  # noqa: ARG002 - Authlib's signature
        """Return the response, with or without a refresh token, depending on the quirks (called by Authlib).

        Raises:
            InvalidGrantError: Another request has rotated the refresh token in the meantime.
        """
        renewed = self.world.sessions.renew(user, self.request.form["refresh_token"])
        if renewed is None:
            raise InvalidGrantError
        access_token, current = renewed
        keep = self.oauth.service.quirks.refresh_token == "keep"  # noqa: S105 - not a secret
        return self.oauth.token_generator.token_response(access_token, None if keep else current)

    def revoke_old_credential(self, refresh_token: object) -> None:
        """Do nothing: rotation has replaced the old one already (called by Authlib)."""


class ApiKeyGrant(_ServerGrant, grants.ClientCredentialsGrant):
    """Exchanges a client's credentials and an API key for an access token, without a refresh token."""

    def validate_token_request(self) -> None:
        """Check the client, the redirect URI and the API key (called by Authlib).

        Raises:
            InvalidRequestError: A parameter is missing.
            InvalidGrantError: The redirect URI or the API key is not the client's, the key is unknown
                or revoked, or its user has lost access to the company.
        """
        super().validate_token_request()
        client = cast("Client", self.request.client)
        form = self.request.form
        asked = self.oauth.service.quirks.api_key_redirect_uri == "required"
        needed = ("redirect_uri", "api_key") if asked else ("api_key",)
        for name in needed:
            if not form.get(name):
                raise InvalidRequestError(f"Missing '{name}' in request.")
        if form.get("redirect_uri") and not client.check_redirect_uri(form["redirect_uri"]):
            raise InvalidGrantError("Invalid 'redirect_uri' in request.")
        api_key = self.world.credentials.find_api_key(form["api_key"])
        if (
            api_key is None
            or api_key.client_id != client.client_id
            or not self.world.directory.has_access(api_key.user_id, api_key.company_id)
        ):
            note_detail(why_not_api_key(self.oauth.service, form["api_key"], client.client_id))
            raise InvalidGrantError("Invalid 'api_key' in request.")
        self.request.user = api_key

    def generate_token(
        self,
        user: object = None,
        scope: str | None = None,
        grant_type: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,  # noqa: FBT001, FBT002 - Authlib's signature
    ) -> dict[str, str | int]:
        """Return the response for the API key, which is the user that Authlib does not know."""
        return super().generate_token(user or self.request.user, scope, grant_type, expires_in, include_refresh_token)


class S256Challenge(CodeChallenge):
    """PKCE, if a client uses it: only with S256, never plain."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - Authlib's attribute

    def validate_code_challenge(self, grant: BaseGrant, redirect_uri: str) -> None:
        """Check the authorization request (called by Authlib).

        Raises:
            InvalidRequestError: The challenge is malformed, or its method is plain, which is also the
                default for a missing method (RFC 7636, section 4.3).
        """
        super().validate_code_challenge(grant, redirect_uri)
        data = cast("ParameterRequest", grant.request).form
        if data.get("code_challenge") and not data.get("code_challenge_method"):
            raise InvalidRequestError("Unsupported 'code_challenge_method'")


def token_server(service: Service) -> OAuthServer:
    """Return the server behind ``oauth/token``, ``oauth/authz`` and the login page."""
    server = OAuthServer(service)
    server.register_grant(CodeGrant, [S256Challenge(required=False)])
    server.register_grant(RefreshGrant)
    server.register_grant(ApiKeyGrant)
    return server


def key_server(service: Service) -> OAuthServer:
    """Return the server behind ``oauth/key`` and the key login page."""
    server = OAuthServer(service)
    server.register_grant(KeyGrant, [S256Challenge(required=False)])
    return server
