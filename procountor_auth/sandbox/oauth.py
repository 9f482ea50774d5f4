"""OAuth: Authlib's authorization server with the service's grants and the shape of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Payload,
    grants,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from werkzeug.datastructures import MultiDict

from .world import Client, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from authlib.oauth2.rfc6749 import BaseGrant

    from .service import Service
    from .world import ApiKey, Code, Purpose, World

_TokenResponse = tuple[int, Any, list[tuple[str, str]]]


def parameters(request: flask.Request) -> MultiDict[str, str]:
    """Return the parameters of the body and the query string; where both have one, the body's counts.

    Older clients send everything in the query string, even the password. They are understood; the
    request log says what they did.
    """
    merged: MultiDict[str, str] = MultiDict()
    for source in (request.args, request.form):
        for name, values in source.lists():
            merged.setlist(name, values)
    return merged


class _Parameters(OAuth2Payload):
    def __init__(self, values: MultiDict[str, str]) -> None:
        self._values = values

    @property
    def data(self) -> dict[str, str]:
        return self._values

    @property
    def datalist(self) -> dict[str, list[Any]]:
        return dict(self._values.lists())


class ParameterRequest(OAuth2Request):
    """A request as Authlib's grants read it, with the body and the query string as one."""

    def __init__(self, request: flask.Request) -> None:
        # Authlib wants TLS for every host that it does not take for loopback, and the Host header is
        # whatever the client wrote. The sandbox is bound to loopback, so the address says nothing new.
        super().__init__(request.method, f"https://sandbox{request.path}", headers=dict(request.headers))
        self._values = parameters(request)
        self.payload = _Parameters(self._values)

    @property
    def args(self) -> dict[str, str | None]:
        """Return the parameters (asked by Authlib)."""
        return cast("dict[str, str | None]", self._values)

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters (asked by Authlib)."""
        return self._values


class TokenAnswer(dict[str, Any]):
    """A token endpoint's answer, which Authlib writes into its debug log: without the tokens, then."""

    def __repr__(self) -> str:
        return f"<TokenAnswer {sorted(self)}>"


class _Answers(BearerTokenGenerator):
    """Builds token answers in the service's shape: no ``token_type``, unless a quirk asks for one."""

    def __init__(self, service: Service) -> None:
        super().__init__(access_token_generator=self._unused)
        self._service = service

    def generate(  # noqa: PLR0917 - Authlib's signature
        self,
        grant_type: str,  # noqa: ARG002 - Authlib's signature
        client: Any,  # noqa: ANN401, ARG002 - Authlib's signature
        user: Session | ApiKey | None = None,
        scope: str | None = None,  # noqa: ARG002 - Authlib's signature
        expires_in: int | None = None,  # noqa: ARG002 - Authlib's signature
        include_refresh_token: bool = True,  # noqa: ARG002, FBT001, FBT002 - Authlib's signature
    ) -> TokenAnswer:
        world = self._service.world
        if isinstance(user, Session):
            return self.answer(*world.start_session(user))
        return self.answer(world.machine_token(cast("ApiKey", user)))

    @staticmethod
    def _unused(**_: object) -> str:
        raise NotImplementedError  # generate() below asks the world instead.

    def answer(self, access_token: str, refresh_token: str | None = None) -> TokenAnswer:
        quirks = self._service.quirks
        answer = TokenAnswer(access_token=access_token, expires_in=quirks.access_token_lifetime)
        if refresh_token is not None:
            answer["refresh_token"] = refresh_token
        if quirks.token_type is not None:
            answer["token_type"] = quirks.token_type
        return answer


class OAuthServer(AuthorizationServer):
    """Authlib's server over one sandbox's world."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.answers = _Answers(service)
        self.register_token_generator("default", self.answers)

    def query_client(self, client_id: str) -> Client | None:  # type: ignore[override] # None is Authlib's "unknown"
        """Return the client with this ID, or None (asked by Authlib)."""
        return self.service.world.client(client_id)

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Do nothing: the world keeps what has to be kept while it makes the tokens."""

    def create_oauth2_request(  # type: ignore[override] # callers need an OAuth2Request
        self,
        request: object,  # noqa: ARG002 - Authlib's signature
    ) -> ParameterRequest:
        """Return Flask's current request in the form that grants read (asked by Authlib)."""
        return ParameterRequest(flask.request)

    def authenticate_client(self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token") -> Client:
        """Return the client that proved its secret.

        Raises:
            InvalidClientError: Always with status 401; Authlib's own has 400 for secrets in the body.
        """
        try:
            return cast("Client", super().authenticate_client(request, methods, endpoint))
        except InvalidClientError:
            raise InvalidClientError("Client authentication failed.", status_code=401) from None

    def handle_response(
        self,
        status: int,
        body: Mapping[str, object] | str,
        headers: Mapping[str, str] | list[tuple[str, str]],
    ) -> flask.Response:
        """Return the answer, errors in the shape that the quirks ask for."""
        payload: Any = body
        if status >= 400 and isinstance(body, dict) and self.service.quirks.error_shape == "errors":  # noqa: PLR2004 - HTTP
            message = body.get("error_description") or body.get("error")
            payload = {"errors": [{"status": status, "message": message}]}
        if isinstance(payload, dict):
            payload = flask.json.dumps(payload)
        return flask.Response(payload, status=status, headers=headers)

    def create_token_response(self, request: object = None) -> flask.Response:  # type: ignore[override] # ours is Flask's
        """Return the answer to Flask's current request."""
        return cast("flask.Response", super().create_token_response(request))

    def handle_error_response(self, request: object, error: OAuth2Error) -> flask.Response:
        """Return the answer that says what was wrong."""
        return cast("flask.Response", super().handle_error_response(cast("OAuth2Request", request), error))


class _ServerGrant(grants.BaseGrant):
    """What all grants here share: secrets in the parameters, and the way to the world."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = ["client_secret_post"]  # type: ignore[misc] # Authlib's too

    @property
    def oauth(self) -> OAuthServer:
        return cast("OAuthServer", self.server)

    @property
    def world(self) -> World:
        return self.oauth.service.world


class CodeGrant(_ServerGrant, grants.AuthorizationCodeGrant):  # type: ignore[misc] # the attribute again
    """An authorization code, from the login page or the legacy flow, becomes tokens."""

    PURPOSE: ClassVar[Purpose] = "token"

    def query_authorization_code(self, code: str, client: Any) -> Code | None:  # noqa: ANN401 - Authlib's signature
        """Return the code if it is this client's and usable (asked by Authlib)."""
        return self.world.find_code(code, client.client_id, self.PURPOSE)

    def authenticate_user(self, authorization_code: Code) -> Session:
        """Use the code up and return the session that it opens (asked by Authlib).

        Raises:
            InvalidGrantError: Another request was faster, or the user has lost access meanwhile.
        """
        if not self.world.spend_code(authorization_code):
            raise InvalidGrantError("Invalid 'code' in request.")
        if not self.world.has_access(authorization_code.user_id, authorization_code.company_id):
            raise InvalidGrantError("The user has no access to the company.")
        return Session(
            client_id=authorization_code.client_id,
            user_id=authorization_code.user_id,
            company_id=authorization_code.company_id,
            auth_time=authorization_code.auth_time,
        )

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Do nothing: the code was used up before the tokens were made (asked by Authlib)."""

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Do nothing: codes come from the pages and the legacy endpoint, not from Authlib."""


class KeyGrant(CodeGrant):
    """An authorization code from the key login page becomes an API key (``oauth/key``)."""

    PURPOSE: ClassVar[Purpose] = "key"

    def create_token_response(self) -> _TokenResponse:
        """Return the API key (asked by Authlib)."""
        session = self.authenticate_user(cast("Code", self.request.authorization_code))
        api_key = self.world.create_api_key(session.client_id, session.user_id, session.company_id)
        return 200, TokenAnswer(api_key=api_key), list(self.TOKEN_RESPONSE_HEADER)


class RefreshGrant(_ServerGrant, grants.RefreshTokenGrant):
    """A refresh token becomes a new access token."""

    def authenticate_refresh_token(self, refresh_token: str) -> Session | None:  # type: ignore[override] # None is Authlib's "unknown"
        """Return the session of a usable refresh token (asked by Authlib)."""
        return self.world.find_refresh_token(refresh_token)

    def authenticate_user(self, refresh_token: Session) -> Session:
        """Return the session itself: it knows its user (asked by Authlib)."""
        return refresh_token

    def issue_token(self, user: Session, refresh_token: object) -> dict[str, str | int]:  # noqa: ARG002 - Authlib's signature
        """Return the answer, with or without a refresh token as the quirks ask (asked by Authlib).

        Raises:
            InvalidGrantError: Another request has rotated the refresh token meanwhile.
        """
        renewed = self.world.renew(user, self.request.form["refresh_token"])
        if renewed is None:
            raise InvalidGrantError
        access_token, current = renewed
        keep = self.oauth.service.quirks.refresh_token == "keep"  # noqa: S105 - not a secret
        return self.oauth.answers.answer(access_token, None if keep else current)

    def revoke_old_credential(self, refresh_token: object) -> None:
        """Do nothing: rotation has replaced the old one already (asked by Authlib)."""


class ApiKeyGrant(_ServerGrant, grants.ClientCredentialsGrant):
    """A client's own credentials and an API key become an access token, without a refresh token."""

    def validate_token_request(self) -> None:
        """Check the client, the redirect URI and the API key (asked by Authlib).

        Raises:
            InvalidRequestError: A parameter is missing.
            InvalidGrantError: The redirect URI or the API key is not the client's, the key is unknown
                or revoked, or its user has lost access to the company.
        """
        super().validate_token_request()
        client = cast("Client", self.request.client)
        form = self.request.form
        for name in ("redirect_uri", "api_key"):
            if not form.get(name):
                raise InvalidRequestError(f"Missing '{name}' in request.")
        if not client.check_redirect_uri(form["redirect_uri"]):
            raise InvalidGrantError("Invalid 'redirect_uri' in request.")
        api_key = self.world.find_api_key(form["api_key"])
        if (
            api_key is None
            or api_key.client_id != client.client_id
            or not self.world.has_access(api_key.user_id, api_key.company_id)
        ):
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
        """Return the answer for the API key, which Authlib does not know as the user."""
        return super().generate_token(user or self.request.user, scope, grant_type, expires_in, include_refresh_token)


class S256Challenge(CodeChallenge):
    """PKCE, if a client uses it: only with S256, never plain."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - Authlib's attribute

    def validate_code_challenge(self, grant: BaseGrant, redirect_uri: str) -> None:
        """Check the authorization request (asked by Authlib).

        Raises:
            InvalidRequestError: The challenge is malformed, or its method is plain, which is also what
                a missing method means (RFC 7636, section 4.3).
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
