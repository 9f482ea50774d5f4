"""OAuth: Authlib's authorization server, with responses in the service's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from werkzeug.datastructures import MultiDict

from procountor_auth.sandbox.state.sessions import Session

from .notes import note_oauth_error

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from procountor_auth.sandbox.state.credentials import ApiKey
    from procountor_auth.sandbox.state.directory import Client
    from procountor_auth.sandbox.state.service import Service


def parameters(request: flask.Request) -> MultiDict[str, str]:
    """Return the parameters of the body and the query string; the body takes precedence.

    Older clients send everything in the query string, even the password. That is accepted, and the
    request log reports it.
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
    """A request for Authlib's grants, with the parameters of the body and the query string combined."""

    def __init__(self, request: flask.Request) -> None:
        # Authlib requires TLS for every host that it does not consider loopback, and the Host header is
        # the client's choice. The sandbox is bound to loopback, so a fixed address is safe.
        super().__init__(request.method, f"https://sandbox{request.path}", headers=dict(request.headers))
        self._values = parameters(request)
        self.payload: OAuth2Payload | None = _Parameters(self._values)

    @property
    def args(self) -> dict[str, str | None]:
        """Return the parameters (called by Authlib)."""
        return cast("dict[str, str | None]", self._values)

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters (called by Authlib)."""
        return self._values


class TokenResponse(dict[str, Any]):
    """The response of a token endpoint. Authlib writes it to its debug log, so its ``repr`` contains no token."""

    def __repr__(self) -> str:
        return f"<TokenResponse {sorted(self)}>"


class _TokenGenerator(BearerTokenGenerator):
    """Builds token responses in the service's format: without ``token_type``, unless a quirk adds it."""

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
    ) -> TokenResponse:
        world = self._service.world
        if isinstance(user, Session):
            return self.token_response(*world.sessions.start_session(user))
        return self.token_response(world.sessions.machine_token(cast("ApiKey", user)))

    @staticmethod
    def _unused(**_: object) -> str:
        raise NotImplementedError  # generate() below creates the tokens instead.

    def token_response(self, access_token: str, refresh_token: str | None = None) -> TokenResponse:
        quirks = self._service.quirks
        response = TokenResponse(access_token=access_token, expires_in=quirks.access_token_lifetime)
        if refresh_token is not None:
            response["refresh_token"] = refresh_token
        if quirks.token_type is not None:
            response["token_type"] = quirks.token_type
        return response


class OAuthServer(AuthorizationServer):
    """Authlib's server for the world of one sandbox."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.token_generator: _TokenGenerator = _TokenGenerator(service)
        self.register_token_generator("default", self.token_generator)

    def query_client(self, client_id: str) -> Client | None:  # type: ignore[override] # None is Authlib's "unknown"
        """Return the client with this ID, or None (called by Authlib)."""
        return self.service.world.directory.client(client_id)

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Do nothing: the world stores what is needed when it creates the tokens."""

    # Callers need an OAuth2Request.
    def create_oauth2_request(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        request: object,  # noqa: ARG002 - Authlib's signature
    ) -> ParameterRequest:
        """Return Flask's current request in the form that grants read (called by Authlib)."""
        return ParameterRequest(flask.request)

    def authenticate_client(self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token") -> Client:
        """Return the client, authenticated by its secret.

        Raises:
            InvalidClientError: Always with status 401; Authlib's has 400 for secrets in the body.
        """
        try:
            return cast("Client", super().authenticate_client(request, methods, endpoint))
        except InvalidClientError:
            raise InvalidClientError("Client authentication failed.", status_code=401) from None

    @property
    def error_shape(self) -> str:
        """The format of errors."""
        return self.service.quirks.error_shape

    def handle_response(
        self,
        status_code: int,
        payload: Mapping[str, Any] | str,
        headers: Mapping[str, str] | list[tuple[str, str]],
    ) -> flask.Response:
        """Return the response, with errors in the format that the quirks choose."""
        if status_code >= 400 and isinstance(payload, dict):  # noqa: PLR2004 - HTTP
            error, description = payload["error"], payload.get("error_description")
            note_oauth_error(error, description, parameters(flask.request).values())
            if self.error_shape == "errors":
                payload = {"errors": [{"status": status_code, "message": description or error}]}
        if isinstance(payload, dict):
            payload = flask.json.dumps(payload)
        return flask.Response(payload, status=status_code, headers=headers)

    # Ours is Flask's.
    def create_token_response(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: object = None
    ) -> flask.Response:
        """Return the response to Flask's current request."""
        return cast("flask.Response", super().create_token_response(request))

    def handle_error_response(self, request: object, error: OAuth2Error) -> flask.Response:
        """Return the error response."""
        return cast("flask.Response", super().handle_error_response(cast("OAuth2Request", request), error))
