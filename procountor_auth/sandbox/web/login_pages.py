"""The web pages: ``login`` and ``keylogin``, where a user logs in and chooses a company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import flask
from authlib.oauth2.rfc6749 import OAuth2Error

from . import assets
from .grants import key_server, token_server
from .notes import note_owner, note_refusal
from .oauth_endpoints import company_number
from .oauth_server import ParameterRequest, parameters
from .redirect import redirect_back
from .responses import html_page

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.credentials import Purpose
    from procountor_auth.sandbox.state.directory import Client, User
    from procountor_auth.sandbox.state.service import Service

    from .grants import CodeGrant
    from .oauth_server import OAuthServer

#: The request's parameters, which the forms pass on in hidden fields.
_KEPT = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")


@dataclass(frozen=True, slots=True)
class _LoginRequest:
    client: Client
    kept: dict[str, str]

    @property
    def state(self) -> str | None:
        return self.kept.get("state")

    @property
    def fingerprint(self) -> tuple[str | None, ...]:
        return tuple(self.kept.get(name) for name in _KEPT)


class _Page:
    """One of the two pages: their codes have different purposes, and their redirects different parameters."""

    def __init__(self, service: Service, path: str, purpose: Purpose, server: OAuthServer) -> None:
        self._service = service
        self._path = path
        self._purpose: Purpose = purpose
        self._server = server

    def __call__(self) -> flask.Response:
        given = parameters(flask.request)
        client = self._service.world.directory.client(given.get("client_id"))
        # Until both are verified, there must be no redirect (RFC 6749, section 4.1.2.1).
        if client is None:
            return _error_page("This client is unknown.")
        if not client.check_redirect_uri(given.get("redirect_uri", "")):
            return _error_page("The redirect URI is not the client's.")
        request = _LoginRequest(client, {name: given[name] for name in _KEPT if given.get(name)})
        try:
            self._check()
        except OAuth2Error as error:
            return self._refuse(request, str(error.error))
        return self._form(request) if flask.request.method != "POST" else self._submit(request)

    def _check(self) -> None:
        request = ParameterRequest(flask.request)
        grant = cast("CodeGrant", self._server.get_authorization_grant(request))
        grant.validate_authorization_request()

    def _submit(self, request: _LoginRequest) -> flask.Response:
        if flask.request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
            return _error_page(
                "This form was sent from another site.",
                403,
                advice="Go back to the integration, and start the login again.",
            )
        given = parameters(flask.request)
        if given.get("action") == "deny":
            return self._refuse(request, "access_denied")
        return self._log_in(request, given.get("company"))

    def _log_in(self, request: _LoginRequest, company: str | None) -> flask.Response:
        world = self._service.world
        form = flask.request.form
        if "ticket" in form:
            user = world.credentials.claim_ticket(form["ticket"], request.fingerprint)
            if user is None:
                return self._form(request, "That took too long. Please log in again.")
        else:
            given = parameters(flask.request)
            user = world.directory.check_password(given.get("username", ""), given.get("password", ""))
            if user is None:
                return self._form(request, "The user name or the password is wrong.", wrong=True)
        # Users who are limited to API login can use only API keys, so they may create one.
        if user.api_login_only and self._purpose == "token":
            return self._form(request, "This user is limited to API login only: use an API key.")
        return self._pick_company(request, user, company)

    def _pick_company(self, request: _LoginRequest, user: User, company: str | None) -> flask.Response:
        note_owner(user_id=user.id)
        companies = self._service.world.directory.companies_of(user)
        if not companies:
            return self._form(request, "This user has no access to any company.")
        if not company and len(companies) == 1:
            return self._grant(request, user, companies[0].id)
        company_id = company_number(company)
        if company_id is not None and company_id in [each.id for each in companies]:
            return self._grant(request, user, company_id)
        if company:
            note_refusal("This user has no access to that company.")
        return html_page(
            "company.html",
            400 if company else 200,
            action=self._path,
            kept=request.kept,
            ticket=self._service.world.credentials.open_ticket(user, request.fingerprint),
            companies=companies,
            purpose=self._purpose,
            message="This user has no access to that company." if company else None,
        )

    def _grant(self, request: _LoginRequest, user: User, company_id: int) -> flask.Response:
        note_owner(user_id=user.id, company_id=company_id)
        code = self._service.world.credentials.issue_code(
            self._purpose,
            request.client,
            user,
            company_id,
            redirect_uri=request.kept["redirect_uri"],
            code_challenge=request.kept.get("code_challenge"),
            code_challenge_method=request.kept.get("code_challenge_method"),
        )
        fields = {"code": code}
        if self._purpose == "key":
            fields["expires_in"] = str(self._service.quirks.code_lifetime)
        return self._redirect(request, fields)

    def _refuse(self, request: _LoginRequest, error: str) -> flask.Response:
        note_refusal(error)
        return self._redirect(request, {"error": error})

    def _redirect(self, request: _LoginRequest, fields: dict[str, str]) -> flask.Response:
        return redirect_back(request.kept["redirect_uri"], fields, request.state, self._service.quirks.state)

    def _form(self, request: _LoginRequest, message: str | None = None, *, wrong: bool = False) -> flask.Response:
        if message:
            note_refusal(message)
        return html_page(
            "login.html",
            400 if message else 200,
            action=self._path,
            kept=request.kept,
            message=message,
            wrong=wrong,
            # After a wrong password, the name is filled in, and the password has the focus.
            username=flask.request.form.get("username", "") if wrong else "",
            purpose=self._purpose,
        )


def _error_page(message: str, status: int = 400, advice: str | None = None) -> flask.Response:
    note_refusal(message)
    return html_page("error.html", status, message=message, advice=advice)


def blueprint(service: Service) -> flask.Blueprint:
    """Return the pages, relative to the host."""
    routes = flask.Blueprint("pages", __name__)
    routes.register_blueprint(assets.blueprint())
    for path, purpose, server in (
        ("/login", "token", token_server(service)),
        ("/keylogin", "key", key_server(service)),
    ):
        page = _Page(service, path, "key" if purpose == "key" else "token", server)
        routes.add_url_rule(path, endpoint=path.strip("/"), view_func=page, methods=["GET", "POST"])

    @routes.get("/")
    def home() -> flask.Response:
        return html_page("home.html", base_url=service.base_url)

    @routes.get("/<word>")
    def copy_address(word: str) -> flask.Response:
        # A browser treats the bare word in a redirect as a path on this host, and requests this page.
        if not service.world.directory.is_redirect_word(word):
            flask.abort(404)
        error = flask.request.args.get("error")
        return html_page("copy.html", declined=error == "access_denied", refused=error is not None)

    return routes
