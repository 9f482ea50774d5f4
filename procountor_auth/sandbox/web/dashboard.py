"""The dashboard at ``/_sandbox/``: the contents of the sandbox, its requests and its switches, for users.

It works without scripts: with forms, and redirects back to the form's part of the page. The scripts keep the
log and the faults on the page up to date, and copy texts.
"""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import flask

from procountor_auth.sandbox.behaviour.active_faults import active_faults
from procountor_auth.sandbox.behaviour.quick_faults import QUICK_FAULTS, find_quick_fault
from procountor_auth.sandbox.behaviour.switch import GROUPS
from procountor_auth.sandbox.state.ttl_table import TTLTable

from .administration import PREFIX, is_admin
from .first_steps import first_steps
from .log_view import LogView
from .responses import html_page
from .switch_form import SwitchForm, fields_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procountor_auth.sandbox.client_settings import ClientSettings
    from procountor_auth.sandbox.state.service import Service

#: The most companies, users or keys on the page; all are at ``/_sandbox/world``.
_MAX_OF_A_KIND = 50
#: The most active faults in the bar, which must not fill a phone's screen; all are beside the switches.
_MAX_ACTIVE = 4
#: Seconds in which the browser has to follow the redirect to the page that shows a new key.
_KEY_SHOWN_WITHIN = 300
_MAX_NEW_KEYS = 100

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: The messages about completed actions, and the part of the page that shows them.
_DONE = {
    "applied": ("switches", "The switches are set. They take effect with the next request."),
    "reset": ("switches", "There are no faults: every switch has its default."),
    "fault": ("faults", "The fault is set. It takes effect with the next request."),
    "ended": ("faults", "The fault is no longer active."),
    "no-faults": ("faults", "There are no faults: every switch has its default."),
    "revoked": ("keys", "The API key is revoked. Access tokens that were issued for it stay valid until they expire."),
    "cleared": ("requests", "The request log is empty."),
    "gone": ("", "The new API key has already been shown. Create another one if you did not copy it."),
}


class _Some(NamedTuple):
    """The items of one kind that fit on a page."""

    shown: Sequence[object]
    more: int

    @classmethod
    def of(cls, everything: Sequence[object]) -> _Some:
        return cls(everything[:_MAX_OF_A_KIND], max(0, len(everything) - _MAX_OF_A_KIND))


class _Dashboard:
    def __init__(self, service: Service, log_view: LogView, client_settings: ClientSettings) -> None:
        self._service = service
        self._log_view = log_view
        self._client_settings = client_settings
        self._lock = threading.Lock()
        # By the machine's clock: the sandbox's may be stopped.
        self._new_keys: TTLTable[str, str] = TTLTable(time.time, _MAX_NEW_KEYS)

    def show(self) -> flask.Response:
        given = flask.request.args
        if not is_admin(self._service):
            message = "This is not the sandbox's token." if "refused" in given else None
            response = _page("token.html", HTTPStatus.UNAUTHORIZED, action=f"{PREFIX}/session", message=message)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        done = given.get("done", "")
        new_key = None
        # A HEAD request must not use up the only time that the key is shown.
        if "created" in given and flask.request.method == "GET":
            with self._lock:
                new_key = self._new_keys.pop(given["created"])
            done = "" if new_key else "gone"
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
            return self._render(message="There is no such API key. It may already be revoked.")
        return _back({"done": "revoked"}, "keys")

    def quick_fault(self) -> flask.Response:
        given = flask.request.form
        switches = self._service.switches
        if "clear" in given:
            switches.reset()
            return _back({"done": "no-faults"}, "faults")
        try:
            quick = find_quick_fault(given.get("set") or given.get("end", ""))
        except ValueError as error:
            return self._render(message=f"Nothing was changed: {error}.")
        switches.change(quick.changes if "set" in given else quick.end)
        return _back({"done": "fault" if "set" in given else "ended"}, "faults")

    def switch(self) -> flask.Response:
        given = flask.request.form
        switches = self._service.switches
        if given.get("action") == "reset":
            switches.reset()
            return _back({"done": "reset"}, "switches")
        form = SwitchForm(given)
        if form.problems:
            return self._render(form=form)
        switches.change(form.values)
        return _back({"done": "applied"}, "switches")

    def clear_log(self) -> flask.Response:
        self._service.log.clear()
        return _back({"done": "cleared"}, "requests")

    def _render(
        self,
        *,
        message: str | None = None,
        done: str = "",
        new_key: str | None = None,
        form: SwitchForm | None = None,
    ) -> flask.Response:
        service = self._service
        world = service.world
        settings = service.switches.settings()
        fields = fields_of(settings, form)
        where, words = _DONE.get(done, ("", ""))
        values = {each.switch.name: each.value for each in settings}
        return _page(
            "dashboard.html",
            HTTPStatus.BAD_REQUEST if message or form else HTTPStatus.OK,
            action=f"{PREFIX}/dashboard",
            base_url=service.base_url,
            needs_token=service.admin_access.needs_token,
            message=message,
            done={where: words},
            new_key=new_key,
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
            wrong=[each for each in fields if each.problem],
            changed=[each for each in settings if not each.is_default],
            quick_faults=[(each, each.lasts and each.is_active(values)) for each in QUICK_FAULTS],
            switches=flask.json.dumps(values),
            active=active_faults(settings),
            max_active=_MAX_ACTIVE,
            first_steps=first_steps(self._client_settings),
            **self._log_view.values(),
        )


def blueprint(service: Service, client_settings: ClientSettings) -> flask.Blueprint:
    """Return the dashboard's blueprint, with its prefix. `administration.guard` checks every request."""
    routes = flask.Blueprint("dashboard", __name__, url_prefix=PREFIX)
    log_view = LogView(service)
    dashboard = _Dashboard(service, log_view, client_settings)
    routes.add_url_rule("/", view_func=dashboard.show, endpoint="show", methods=["GET"])
    routes.add_url_rule("/dashboard/log", view_func=log_view.rows, endpoint="rows", methods=["GET"])
    for path, act in (
        ("/dashboard/keys", dashboard.create_key),
        ("/dashboard/keys/<key_id>/revoke", dashboard.revoke_key),
        ("/dashboard/faults", dashboard.quick_fault),
        ("/dashboard/switches", dashboard.switch),
        ("/dashboard/log/clear", dashboard.clear_log),
    ):
        routes.add_url_rule(path, view_func=act, endpoint=act.__name__, methods=["POST"])
    return routes


def _page(template: str, status: int, **values: object) -> flask.Response:
    response = html_page(template, status, **values)
    response.headers["Content-Security-Policy"] = _POLICY
    # With no-referrer, browsers send "Origin: null" with a form, which the guard would take for another site's.
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _back(query: dict[str, str], section: str = "") -> flask.Response:
    # To the form's part of the page: otherwise browsers show the top of the page.
    fragment = f"#{section}" if section else ""
    location = f"{PREFIX}/?{urlencode(query)}{fragment}"
    response = flask.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})
    response.autocorrect_location_header = False
    return response


def _login_query(client_id: str, redirect_uri: str) -> str:
    return urlencode({"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri})


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
