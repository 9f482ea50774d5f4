"""The dashboard at ``/_sandbox/``: what exists in the sandbox, its requests, and its switches, for users.

It works without script: forms, and redirects back to the page. The one script only keeps the request
log on the page up to date.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import flask

from procountor_auth.sandbox.behaviour.switch import GROUPS, SWITCHES, Setting, parse
from procountor_auth.sandbox.state.ttl_table import TTLTable

from .administration import PREFIX, is_admin
from .responses import html_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from procountor_auth.sandbox.state.service import Service

#: Requests on the page; all that are kept are at ``/_sandbox/log``.
_MAX_REQUESTS = 50
#: Companies, users, keys on the page; all are at ``/_sandbox/world``.
_MAX_OF_A_KIND = 50
#: Seconds in which the browser has to follow the redirect to the page that shows a new key.
_KEY_SHOWN_WITHIN = 300
_MAX_NEW_KEYS = 100

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_DONE = {
    "applied": "The switches are set. They count from the next request.",
    "reset": "There are no faults: every switch has its default.",
    "revoked": "The API key is revoked. Access tokens that were issued for it stay valid until they expire.",
    "cleared": "The request log is empty.",
    "gone": "The new API key has been shown already. Create another one if you did not copy it.",
}


@dataclass(frozen=True, slots=True)
class _Field:
    """A switch in the form."""

    setting: Setting
    text: str
    wrong: bool

    @property
    def name(self) -> str:
        return self.setting.switch.name

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()


class _Some(NamedTuple):
    """As many of a kind as fit on a page."""

    shown: Sequence[object]
    more: int

    @classmethod
    def of(cls, everything: Sequence[object]) -> _Some:
        return cls(everything[:_MAX_OF_A_KIND], max(0, len(everything) - _MAX_OF_A_KIND))


class _Dashboard:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        # By the machine's clock: the sandbox's own may stand still.
        self._new_keys: TTLTable[str, str] = TTLTable(time.time, _MAX_NEW_KEYS)

    def show(self) -> flask.Response:
        given = flask.request.args
        if not is_admin(self._service):
            message = "This is not the sandbox's token." if "refused" in given else None
            response = _page("token.html", HTTPStatus.UNAUTHORIZED, action=f"{PREFIX}/session", message=message)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        done = _DONE.get(given.get("done", ""))
        new_key = None
        # Looking ahead with HEAD must not use up the one time.
        if "created" in given and flask.request.method == "GET":
            with self._lock:
                new_key = self._new_keys.pop(given["created"])
            done = None if new_key else _DONE["gone"]
        return self._render(done=done, new_key=new_key)

    def create_key(self) -> flask.Response:
        given = flask.request.form
        user, _, company = given.get("access", "").partition(":")
        world = self._service.world
        try:
            if not (user.isdecimal() and company.isdecimal()):
                raise ValueError("choose a user and a company for the API key")  # noqa: TRY301 - one way out
            api_key = world.credentials.create_api_key(given.get("client_id", ""), int(user), int(company))
        except ValueError as error:
            return self._render(message=f"No API key was created: {error}.")
        key_id = world.credentials.api_key_id(api_key)
        with self._lock:
            self._new_keys.put(key_id, api_key, time.time() + _KEY_SHOWN_WITHIN)
        return _back({"created": key_id})

    def revoke_key(self, key_id: str) -> flask.Response:
        try:
            self._service.world.credentials.revoke_api_key_by_id(key_id)
        except ValueError:
            return self._render(message="There is no such API key. It may have been revoked already.")
        return _back({"done": "revoked"})

    def switch(self) -> flask.Response:
        given = flask.request.form
        switches = self._service.switches
        if given.get("action") == "reset":
            switches.reset()
            return _back({"done": "reset"})
        texts = {each.name: given[each.name] for each in SWITCHES if each.name in given}
        # An unchecked box sends nothing.
        flags = {each.name: given.get(each.name, "false") for each in SWITCHES if each.kind == "flag"}
        texts |= flags
        try:
            switches.change(parse(texts))
        except ValueError as error:
            return self._render(message=f"Nothing was changed: {error}.", texts=texts, reason=str(error))
        return _back({"done": "applied"})

    def clear_log(self) -> flask.Response:
        self._service.log.clear()
        return _back({"done": "cleared"})

    def _render(
        self,
        *,
        message: str | None = None,
        done: str | None = None,
        new_key: str | None = None,
        texts: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> flask.Response:
        service = self._service
        world = service.world
        requests = service.log.entries()
        settings = service.switches.settings()
        fields = [
            # The reason starts with the name of the switch.
            _Field(each, (texts or {}).get(each.switch.name, each.text), reason.startswith(f"{each.switch.name} "))
            for each in settings
        ]
        return _page(
            "dashboard.html",
            HTTPStatus.BAD_REQUEST if message else HTTPStatus.OK,
            action=f"{PREFIX}/dashboard",
            base_url=service.base_url,
            needs_token=service.admin_access.needs_token,
            message=message,
            done=done,
            new_key=new_key,
            requests=requests[: -_MAX_REQUESTS - 1 : -1],
            clock=_clock,
            moment=_moment,
            companies=_Some.of(world.directory.companies()),
            users=_Some.of(world.directory.users()),
            clients=[(each, _login_query(each.client_id, each.redirect_uri)) for each in world.directory.clients()],
            accesses=[
                (user, company)
                for user in world.directory.users()[:_MAX_OF_A_KIND]
                for company in world.directory.companies_of(user)[:_MAX_OF_A_KIND]
            ],
            api_keys=_Some.of(world.credentials.api_keys()),
            company=world.directory.company,
            user=world.directory.user,
            groups=[(group, [each for each in fields if each.setting.switch.group == group]) for group in GROUPS],
            changed=[each for each in settings if not each.is_default],
        )


def blueprint(service: Service) -> flask.Blueprint:
    """Return the dashboard, with its own prefix. `administration.guard` stands in front of all of it."""
    routes = flask.Blueprint("dashboard", __name__, url_prefix=PREFIX)
    dashboard = _Dashboard(service)
    routes.add_url_rule("/", view_func=dashboard.show, endpoint="show", methods=["GET"])
    for path, act in (
        ("/dashboard/keys", dashboard.create_key),
        ("/dashboard/keys/<key_id>/revoke", dashboard.revoke_key),
        ("/dashboard/switches", dashboard.switch),
        ("/dashboard/log/clear", dashboard.clear_log),
    ):
        routes.add_url_rule(path, view_func=act, endpoint=act.__name__, methods=["POST"])
    return routes


def _page(template: str, status: int, **values: object) -> flask.Response:
    response = html_page(template, status, **values)
    response.headers["Content-Security-Policy"] = _POLICY
    # With no-referrer browsers send "Origin: null" with a form, and the guard would take it for another site's.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _back(query: dict[str, str]) -> flask.Response:
    response = flask.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": f"{PREFIX}/?{urlencode(query)}"})
    response.autocorrect_location_header = False
    return response


def _login_query(client_id: str, redirect_uri: str) -> str:
    return urlencode({"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri})


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
