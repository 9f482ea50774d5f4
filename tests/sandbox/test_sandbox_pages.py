"""The login pages, as browsers and scripts use them."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values

from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.transport.backend import backend
from tests.sandbox.conftest import answer, claims

if TYPE_CHECKING:
    from procountor_auth.transport.backend import backend as httpx
    from tests.sandbox.conftest import Caller


class Form(HTMLParser):
    """The inputs of a page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.radios: list[str] = []
        self.action = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the form would send."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = values["action"]
        if tag == "input" and values["type"] == "hidden":
            self.hidden[values["name"]] = values["value"]
        if tag == "input" and values["type"] == "radio":
            self.radios.append(values["value"])


def person(caller: Caller, **more: str) -> dict[str, str]:
    """Return what a person types."""
    return {"username": caller.sandbox.username, "password": caller.sandbox.password, **more}


@pytest.mark.parametrize("page", ["/login", "/keylogin", "/login/"])
def test_one_post_is_enough_for_a_script(caller: Caller, page: str) -> None:
    """The form's hidden fields with user name, password and company bring the code back."""
    form = Form(caller.http.get(page, params=caller.login_query()).text)
    data = {**form.hidden, **person(caller, company=caller.sandbox.company)}
    response = caller.http.post(form.action, data=data)
    assert response.headers["Location"].startswith("redirect-uri-placeholder?code=")
    assert answer(response)["state"] == "s1"


def test_login_redirect_has_code_and_state_only(caller: Caller) -> None:
    """The login page's redirect has no lifetime in it, unlike the legacy one's."""
    assert list(answer(caller.login())) == ["code", "state"]


def test_a_person_chooses_a_company(caller: Caller) -> None:
    """Without a company the person gets the choice, and the tokens are for the chosen one."""
    choice = caller.http.post("/login", data={**caller.login_query(), **person(caller)})
    form = Form(choice.text)
    assert (choice.status_code, form.radios) == (200, ["14159", "14160"])
    assert caller.sandbox.password not in choice.text
    response = caller.http.post(form.action, data={**form.hidden, "company": "14160"})
    tokens = caller.exchange(answer(response)["code"]).json()
    assert claims(tokens["access_token"])["cid"] == 14160


def test_one_company_is_no_choice(caller: Caller) -> None:
    """A user with one company is not asked for it, and cannot name another one."""
    caller.sandbox.world.add_user("solo", "pw", companies=[14160])
    data = {**caller.login_query(), "username": "solo", "password": "pw"}
    assert answer(caller.http.post("/login", data=data))["code"]
    refused = caller.http.post("/login", data={**data, "company": "14159"})
    assert refused.status_code == 400
    assert "no access to that company" in refused.text


def test_a_ticket_is_for_one_request_and_once(caller: Caller) -> None:
    """The proof between the two steps cannot be used twice, nor for another login request."""
    query = caller.login_query()
    form = Form(caller.http.post("/login", data={**query, **person(caller)}).text)
    other = {**form.hidden, "state": "s2", "company": "14159"}
    assert caller.http.post("/login", data=other).status_code == 400
    again = {**form.hidden, "company": "14159"}
    assert caller.http.post("/login", data=again).status_code == 400


def test_wrong_password(caller: Caller) -> None:
    """A wrong password shows the form again with a message, and keeps the request."""
    response = caller.login(password="wrong")
    assert "The user name or the password is wrong." in response.text
    assert Form(response.text).hidden["state"] == "s1"
    assert "Location" not in response.headers


def test_deny(caller: Caller) -> None:
    """Who denies is sent back with the error, and needs no password for it."""
    response = caller.http.post("/login", data={**caller.login_query(), "action": "deny"})
    assert answer(response) == {"error": "access_denied", "state": "s1"}


def test_wrong_response_type(caller: Caller) -> None:
    """A known client learns of its mistake by the redirect."""
    response = caller.http.get("/login", params=caller.login_query(response_type="token"))
    assert answer(response) == {"error": "unsupported_response_type", "state": "s1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": "https://evil.invalid/"},
        {"redirect_uri": "redirect-uri-placeholder?x=1"},
        {"redirect_uri": None},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_is_redirected_to_an_unknown_place(caller: Caller, method: str, changes: dict[str, str | None]) -> None:
    """An unknown client or redirect URI gets an error page, never a redirect."""
    query = caller.login_query(**changes)
    data = person(caller, action="deny") if method == "POST" else None
    response = caller.http.request(method, "/login", params=query, data=data)
    assert response.status_code == 400
    assert "Location" not in response.headers


def test_parameters_are_escaped(caller: Caller) -> None:
    """A state full of markup stays a value, and comes back as it was."""
    state = '"><script>alert(1)</script>&amp; ä€🔑+%41'
    page = caller.http.get("/login", params=caller.login_query(state=state))
    assert "<script>" not in page.text
    assert Form(page.text).hidden["state"] == state
    assert answer(caller.login(state=state))["state"] == state


def test_pages_are_neither_kept_nor_framed(caller: Caller) -> None:
    """Every page forbids caching, referrers, scripts and frames."""
    pages: list[httpx.Response] = [
        caller.http.get("/"),
        caller.http.get("/login", params=caller.login_query()),
        caller.http.get("/login"),
        caller.http.get("/redirect-uri-placeholder?code=x"),
    ]
    for page in pages:
        assert "not the Procountor service" in page.text
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        policy = page.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
        assert "script" not in page.text


def test_another_sites_form_is_refused(caller: Caller) -> None:
    """A browser that says a form came from another site is not listened to."""
    data = {**caller.login_query(), **person(caller, company="14159")}
    response = caller.http.post("/login", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403


def test_where_the_bare_word_leads(caller: Caller) -> None:
    """A browser that follows the bare word finds a page that says what to copy; other words are unknown."""
    page = caller.http.get("/redirect-uri-placeholder?code=secret-code&state=s1")
    assert page.status_code == 200
    assert "Copy the address" in page.text
    assert "secret-code" not in page.text
    assert caller.http.get("/another-word").status_code == 404
    assert [entry["secret_in_url"] for entry in caller.sandbox.log()] == [False, False]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("style.css", "text/css; charset=utf-8"),
        ("log.css", "text/css; charset=utf-8"),
        ("dashboard.js", "text/javascript; charset=utf-8"),
        ("faults.js", "text/javascript; charset=utf-8"),
        ("copy.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_assets(caller: Caller, name: str, media_type: str) -> None:
    """Assets come from the sandbox itself, once per browser as long as they stay the same, and unlogged."""
    asset = caller.http.get(f"/_sandbox/static/{name}")
    assert (asset.status_code, asset.headers["Content-Type"]) == (200, media_type)
    again = caller.http.get(f"/_sandbox/static/{name}", headers={"If-None-Match": asset.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "no-store" not in asset.headers["Cache-Control"]
    assert caller.sandbox.log() == []


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fapp.py", "%2e%2e/app.py", "bootstrap.min.css", ""])
def test_nothing_else_is_served(caller: Caller, name: str) -> None:
    """Only the assets are served, and no other file of the package."""
    assert caller.http.get(f"/_sandbox/static/{name}").status_code == 404


def test_no_other_stylesheet(caller: Caller) -> None:
    """Every page loads its styles from the sandbox and has none of its own between the lines."""
    for page in (caller.http.get("/"), caller.http.get("/login"), caller.http.get("/_sandbox/")):
        assert page.text.count('<link rel="stylesheet" href="/_sandbox/static/') == page.text.count("stylesheet") > 0
        assert not re.search(r"<style|\sstyle=|https?://(?!127\.0\.0\.1)", page.text)


def test_the_dashboards_own_policy(caller: Caller) -> None:
    """The dashboard runs its own scripts alone, sends its forms to itself, and tells no other site where it was."""
    page = caller.http.get("/_sandbox/")
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} <= set(policy)
    # Not no-referrer: that turns the Origin of its forms into "null".
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script>|\son\w+=", page.text)


def test_each_env_is_what_a_program_needs() -> None:
    """The .env of each strategy means what `Sandbox.environment` says, whatever is in the password."""
    password = "it's \\ a #\"pass\nword\" $HOME ä\\'"
    with (
        Sandbox(password=password) as sandbox,
        backend.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as http,
    ):
        texts = [unescape(text) for text in re.findall(r"<textarea[^>]*>([^<]*)", http.get("/_sandbox/").text)]
        found = [dotenv_values(stream=StringIO(text), interpolate=False) for text in texts]
        expected = [
            sandbox.environment("client_credentials"),
            sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": "file"},
            sandbox.environment("legacy_password"),
        ]
    assert found == expected


def test_a_new_key_is_shown_once(caller: Caller) -> None:
    """The page after the creation shows the key; looking ahead does not use that up, looking twice does."""
    form = {"access": "26535:14160", "client_id": caller.sandbox.client_id}
    created = caller.http.post("/_sandbox/dashboard/keys", data=form)
    assert created.status_code == 303
    page = created.headers["Location"]
    assert "eyJ" not in page
    assert caller.http.head(page).status_code == 200

    def new_keys() -> list[str]:
        # The first key is in the .env of the first steps.
        return [key for key in re.findall(r"eyJ[\w.-]+", caller.http.get(page).text) if key != caller.sandbox.api_key]

    (found,) = new_keys()
    assert caller.machine(api_key=found).status_code == 200
    assert new_keys() == []
    assert [entry["path"] for entry in caller.sandbox.log()] == ["/api/oauth/token"]


@pytest.mark.parametrize(
    "changes",
    [
        {"access": ""},
        {"access": "26535"},
        {"access": "26535:1"},
        {"access": "1:14159"},
        {"access": "²:³"},
        {"access": "26535:" + "9" * 5000},
        {"client_id": "unknown"},
    ],
)
def test_impossible_keys(caller: Caller, changes: dict[str, str]) -> None:
    """A key for nobody, for no company or for no client is not created, and the page says so."""
    form = {"access": "26535:14159", "client_id": caller.sandbox.client_id, **changes}
    before = caller.sandbox.world.api_keys()
    answer = caller.http.post("/_sandbox/dashboard/keys", data=form)
    assert answer.status_code == 400
    assert "No API key was created" in answer.text
    assert caller.sandbox.world.api_keys() == before


def test_switches_by_form(caller: Caller) -> None:
    """A form sets what it names, all of it or nothing; a field that is no switch is left alone."""
    fields = {"latency": "0", "status": "503", "retry_after": "7", "other": "x", "action": "apply"}
    assert caller.http.post("/_sandbox/dashboard/switches", data=fields).status_code == 303
    assert caller.sandbox.faults == Faults(status=503, retry_after="7")
    wrong = caller.http.post("/_sandbox/dashboard/switches", data={**fields, "status": "", "clock_skew": "<b>nan"})
    assert wrong.status_code == 400
    assert '<a href="#clock_skew">Clock skew</a> must be a number' in wrong.text
    assert "<b>nan" not in wrong.text
    assert caller.sandbox.faults == Faults(status=503, retry_after="7")
    assert caller.http.post("/_sandbox/dashboard/switches", data={"action": "reset"}).status_code == 303
    assert caller.sandbox.faults == Faults()


_FORMS = ("keys", "keys/x/revoke", "faults", "switches", "log/clear")


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://other.example"}, {"Host": "other.example"}]
)
def test_the_dashboards_forms_of_another_site(caller: Caller, form: str, headers: dict[str, str]) -> None:
    """Another site's page cannot use the dashboard's forms, not even by another name for this machine."""
    caller.sandbox.faults = Faults(times=3)
    answer = caller.http.post(f"/_sandbox/dashboard/{form}", data={"action": "reset", "clear": "all"}, headers=headers)
    assert answer.status_code == 403
    assert caller.sandbox.faults == Faults(times=3)


def test_public_dashboard() -> None:
    """Without the token there is the form for it and its styles, and nothing to see or to change."""
    with (
        Sandbox(admin_token="a-token-that-nobody-guesses") as sandbox,
        backend.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as http,
    ):
        page = http.get("/_sandbox/")
        assert page.status_code == 401
        assert 'type="password"' in page.text
        assert not any(each in page.text for each in (sandbox.client_id, sandbox.client_secret, sandbox.api_key))
        assert http.get("/_sandbox/static/style.css").status_code == 200
        for form in _FORMS:
            assert http.post(f"/_sandbox/dashboard/{form}", data={"action": "reset"}).status_code == 401
        admitted = {"Authorization": "Bearer a-token-that-nobody-guesses"}
        assert sandbox.client_id in http.get("/_sandbox/", headers=admitted).text
