"""Administration over HTTP, under ``/_sandbox``: faults, request log, world and API keys, as JSON."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import flask

from procountor_auth.sandbox.state.admin_access import SESSION_LIFETIME
from procountor_auth.sandbox.state.request_log import MAX_EXCHANGES

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service

PREFIX = "/_sandbox"

#: What may be requested without the token: the page with the token form, and the form's target.
_OPEN = frozenset({"", "session"})


def blueprint(service: Service) -> flask.Blueprint:
    """Return the administration's blueprint, with its prefix."""
    routes = flask.Blueprint("administration", __name__, url_prefix=PREFIX)
    _add_faults(routes, service)
    _add_log(routes, service)
    _add_world(routes, service)
    _add_session(routes, service)
    return routes


def guard(service: Service) -> flask.Response | None:
    """Return an error response if Flask's current request may not administer the sandbox, otherwise None.

    Every request under ``/_sandbox`` is checked here, whichever blueprint handles it.
    """
    request, access = flask.request, service.admin_access
    below = request.path.removeprefix(PREFIX).lstrip("/")
    if below.startswith("static/"):
        return None  # The login pages use it too, and are served under any host name.
    if not access.is_ours(request.headers.get("Host", "")):
        return _refusal(
            HTTPStatus.FORBIDDEN,
            f"This sandbox is {service.base_url}, and the request was sent to another name. "
            "Use that address, or start the sandbox with --base-url.",
        )
    changes = request.method not in {"GET", "HEAD", "OPTIONS"}
    if changes and access.is_from_another_site(request.headers):
        return _refusal(HTTPStatus.FORBIDDEN, "The request was sent by a page of another site.")
    if is_admin(service) or below.rstrip("/") in _OPEN:
        return None
    response = _refusal(
        HTTPStatus.UNAUTHORIZED, "This sandbox is public: send its token in the header 'Authorization: Bearer <token>'."
    )
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def is_admin(service: Service) -> bool:
    """Return whether Flask's current request may read and change the sandbox: no token is required, or it has it.

    ``GET /_sandbox/`` is open to everyone: its page has a form for the token if this is False.
    """
    request, access = flask.request, service.admin_access
    if not access.needs_token or access.has_session(request.cookies.get(access.cookie_name)):
        return True
    return access.has_token(request.headers.get("Authorization", ""))


def _add_faults(routes: flask.Blueprint, service: Service) -> None:
    @routes.get("/faults")
    def faults() -> flask.Response:
        return flask.jsonify(service.switches.values())

    @routes.post("/faults")
    def change_faults() -> flask.Response:
        try:
            service.switches.change(_json_object())
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        return flask.jsonify(service.switches.values())

    @routes.delete("/faults")
    def reset_faults() -> flask.Response:
        service.switches.reset()
        return flask.jsonify(service.switches.values())


def _add_log(routes: flask.Blueprint, service: Service) -> None:
    @routes.get("/log")
    def log() -> flask.Response:
        after = flask.request.args.get("after", "0")
        if not after.isascii() or not after.isdigit():
            return _refusal(HTTPStatus.BAD_REQUEST, "after must be the number of an entry")
        return flask.jsonify(service.log.entries(after=int(after[:18])))

    @routes.get("/log/<int:number>")
    def request_in_detail(number: int) -> flask.Response:
        entry, exchange = service.log.find(number), service.log.exchange(number)
        if entry is None or exchange is None:
            return _refusal(
                HTTPStatus.NOT_FOUND, f"There is no such request, or it is not one of the last {MAX_EXCHANGES}."
            )
        return flask.jsonify({**asdict(entry), **asdict(exchange)})

    @routes.post("/log/clear")
    def clear_log() -> flask.Response:
        service.log.clear()
        return flask.Response(status=HTTPStatus.NO_CONTENT)


def _add_world(routes: flask.Blueprint, service: Service) -> None:
    @routes.get("/world")
    def world() -> flask.Response:
        return flask.jsonify(_description(service))

    @routes.post("/keys")
    def create_key() -> flask.Response:
        try:
            given = _json_object()
            api_key = service.world.credentials.create_api_key(
                _text(given, "client_id"), _number(given, "user_id"), _number(given, "company_id")
            )
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        response = flask.jsonify(id=service.world.credentials.api_key_id(api_key), api_key=api_key)
        response.status_code = HTTPStatus.CREATED
        return response

    @routes.delete("/keys/<key_id>")
    def revoke_key(key_id: str) -> flask.Response:
        try:
            service.world.credentials.revoke_api_key_by_id(key_id)
        except ValueError as error:
            return _refusal(HTTPStatus.NOT_FOUND, str(error))
        return flask.Response(status=HTTPStatus.NO_CONTENT)


def _add_session(routes: flask.Blueprint, service: Service) -> None:
    # For browsers, which can't send the token in a header: forms, and redirects back to the dashboard.
    access = service.admin_access

    @routes.post("/session")
    def open_session() -> flask.Response:
        if not access.is_token(flask.request.form.get("token", "")):
            if "text/html" in flask.request.headers.get("Accept", ""):
                return _dashboard("?refused=1")
            return _refusal(HTTPStatus.UNAUTHORIZED, "This is not the sandbox's token.")
        response = _dashboard()
        response.set_cookie(
            access.cookie_name,
            access.open_session(),
            max_age=SESSION_LIFETIME,
            path=PREFIX,
            secure=access.secure,
            httponly=True,
            samesite="Strict",
        )
        return response

    @routes.post("/session/end")
    def close_session() -> flask.Response:
        access.close_session(flask.request.cookies.get(access.cookie_name))
        response = _dashboard()
        response.delete_cookie(access.cookie_name, path=PREFIX, httponly=True, samesite="Strict")
        return response


def _dashboard(query: str = "") -> flask.Response:
    response = flask.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"{PREFIX}/{query}"})
    response.autocorrect_location_header = False
    return response


def _description(service: Service) -> dict[str, Any]:
    world = service.world
    return {
        "companies": [
            {"id": company.id, "name": company.name, "country": company.country}
            for company in world.directory.companies()
        ],
        "users": [
            {
                "id": user.id,
                "username": user.username,
                "name": user.name,
                "company_ids": sorted(user.company_ids),
                "api_login_only": user.api_login_only,
            }
            for user in world.directory.users()
        ],
        "clients": [
            {"client_id": client.client_id, "redirect_uri": client.redirect_uri} for client in world.directory.clients()
        ],
        "api_keys": [
            {
                "id": api_key.id,
                "client_id": api_key.client_id,
                "user_id": api_key.user_id,
                "company_id": api_key.company_id,
                "created": api_key.created,
            }
            for api_key in world.credentials.api_keys()
        ],
    }


def _json_object() -> dict[str, object]:
    # With the wrong Content-Type, this is None: a form on another site can't send the right one.
    try:
        given = flask.request.get_json(silent=True)
    except RecursionError:
        raise ValueError("the body must be a JSON object, and this one is nested too deeply") from None
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object, sent with Content-Type: application/json")  # noqa: TRY004 - the caller's input
    return cast("dict[str, Any]", given)


def _text(given: dict[str, object], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")  # noqa: TRY004 - the caller's input
    return value


def _number(given: dict[str, object], name: str) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number")  # noqa: TRY004 - the caller's input
    return value


def _refusal(status: HTTPStatus, message: str) -> flask.Response:
    response = flask.jsonify(error=message)
    response.status_code = status
    return response
