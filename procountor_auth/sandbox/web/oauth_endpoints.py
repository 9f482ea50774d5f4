"""The endpoints under ``oauth/``: the legacy ``authz``, ``token`` and ``key``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import flask
from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
)

from .grants import key_server, token_server
from .notes import note_refusal
from .oauth_server import ParameterRequest
from .redirect import redirect_back, to_location
from .responses import html_error, html_page, json_error

if TYPE_CHECKING:
    from procountor_auth.sandbox.behaviour.quirks import Removal
    from procountor_auth.sandbox.state.service import Service

    from .oauth_server import OAuthServer

_LEGACY_PARAMETERS = ("response_type", "client_id", "username", "password", "company", "redirect_uri")


def blueprint(service: Service) -> flask.Blueprint:
    """Return the OAuth endpoints, relative to an API base."""
    routes = flask.Blueprint("oauth", __name__)
    tokens = token_server(service)
    keys = key_server(service)

    @routes.post("/oauth/authz")
    def authz() -> flask.Response:
        if service.quirks.legacy_removed is not None:
            return _removed(service.quirks.legacy_removed)
        try:
            return _legacy_login(service, tokens)
        except OAuth2Error as error:
            # The legacy flow's errors are responses to the integration, never redirects.
            error.redirect_uri = None
            return tokens.handle_error_response(flask.request, error)

    @routes.post("/oauth/token")
    def token() -> flask.Response:
        return tokens.create_token_response()

    @routes.post("/oauth/key")
    def key() -> flask.Response:
        return keys.create_token_response()

    return routes


def company_number(text: str | None) -> int | None:
    """Return the numeric company ID, or None if the text is not one."""
    return int(text) if text and re.fullmatch("[0-9]{1,18}", text) else None


def _removed(how: Removal) -> flask.Response:
    note_refusal("The legacy login is removed (legacy_removed).")
    if how == "html":
        return html_error(404)
    if how == "login_page":
        return html_page("login_page.html")
    return json_error(404, "Not Found") if how == "404" else json_error(410, "Gone")


def _legacy_login(service: Service, server: OAuthServer) -> flask.Response:
    request = ParameterRequest(flask.request)
    given = request.form
    missing = [name for name in _LEGACY_PARAMETERS if not given.get(name)]
    if missing:
        raise InvalidRequestError(f"Missing '{missing[0]}' in request.")
    client = service.world.directory.client(given["client_id"])
    if client is None:
        raise InvalidClientError("The client does not exist on this server.", status_code=401)
    if not client.check_redirect_uri(given["redirect_uri"]):
        raise InvalidRequestError("Invalid 'redirect_uri' in request.")
    server.get_authorization_grant(request)
    user = service.world.directory.check_password(given["username"], given["password"])
    if user is None:
        raise InvalidGrantError("Invalid 'username' or 'password' in request.")
    company_id = company_number(given["company"])
    if company_id is None or not service.world.directory.has_access(user.id, company_id):
        raise AccessDeniedError("The user has no access to the company.")
    if user.api_login_only:
        raise AccessDeniedError("The user is limited to API login only.")
    if service.quirks.location is not None:
        return to_location(service.quirks.location)
    fields = {
        "code": service.world.credentials.issue_code(
            "token", client, user, company_id, redirect_uri=given["redirect_uri"]
        ),
        "expires_in": str(service.quirks.code_lifetime),
    }
    return redirect_back(given["redirect_uri"], fields, given.get("state"), service.quirks.state)
