"""The login pages, as browsers and scripts use them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.conftest import answer, claims

if TYPE_CHECKING:
    from procountor_auth.backend import backend as httpx
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
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


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
