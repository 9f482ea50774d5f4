"""The legacy flow: ``oauth/authz``."""

from __future__ import annotations

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.transport.backend import backend as httpx
from tests.sandbox.conftest import Caller, answer, claims


def test_success_is_a_redirect_to_the_bare_word(caller: Caller) -> None:
    """The location is the placeholder itself, with code, lifetime and state in this order."""
    response = caller.authz()
    location = response.headers["Location"]
    assert response.status_code == 302
    assert location.startswith("redirect-uri-placeholder?code=")
    assert location.endswith("&expires_in=300&state=s1")


def test_state_is_optional(caller: Caller) -> None:
    """Without a state in the request there is none in the answer."""
    assert set(answer(caller.authz(state=None))) == {"code", "expires_in"}


def test_code_becomes_tokens(caller: Caller) -> None:
    """The code buys tokens for the company that was named."""
    tokens = caller.exchange(caller.legacy_code()).json()
    assert set(tokens) == {"access_token", "refresh_token", "expires_in"}
    assert tokens["expires_in"] == 3600
    assert claims(tokens["access_token"])["cid"] == int(caller.sandbox.company)


def test_everything_in_the_query_is_understood_and_noted(caller: Caller) -> None:
    """An old client that puts the password into the URL gets its code, and the log says so."""
    sandbox = caller.sandbox
    query = {
        "response_type": "code",
        "client_id": sandbox.client_id,
        "username": sandbox.username,
        "password": sandbox.password,
        "company": sandbox.company,
        "redirect_uri": sandbox.redirect_uri,
    }
    code = answer(caller.http.post("/api/oauth/authz", params=query))["code"]
    query = {"grant_type": "authorization_code", "code": code, "redirect_uri": sandbox.redirect_uri}
    assert caller.http.post("/api/oauth/token", params={**query, **caller.client}).status_code == 200
    assert [(entry["path"], entry["secret_in_url"]) for entry in sandbox.log()] == [
        ("/api/oauth/authz", True),
        ("/api/oauth/token", True),
    ]
    assert sandbox.log()[1]["grant_type"] == "authorization_code"


@pytest.mark.parametrize("password", ["pässwörd€", "a&b=c+d %41;#?/", " leading and trailing ", "🔑", "quote\"'<>\\"])
def test_any_password_arrives_as_it_is(password: str) -> None:
    """Whatever characters a password has, exactly this one is accepted."""
    with Sandbox(password=password) as sandbox, httpx.Client(base_url=sandbox.base_url, verify=False) as http:
        caller = Caller(sandbox, http)
        assert caller.authz().status_code == 302
        assert caller.login().status_code == 302
        assert caller.authz(password=password + " ").status_code == 400
        assert caller.authz(password=password.strip() + "x").status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "nobody"}, 400, "invalid_grant"),
        ({"company": "99"}, 400, "access_denied"),
        ({"company": "Sandbox Oy"}, 400, "access_denied"),
        ({"company": None}, 400, "invalid_request"),
        ({"password": None}, 400, "invalid_request"),
        ({"redirect_uri": "redirect-uri-placeholde"}, 400, "invalid_request"),
        ({"redirect_uri": None}, 400, "invalid_request"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
    ],
)
def test_mistakes_are_json_errors(caller: Caller, changes: dict[str, str | None], status: int, error: str) -> None:
    """A mistake is never a redirect, and says what is wrong."""
    response = caller.authz(**changes)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_description"]
    assert "Location" not in response.headers


def test_the_other_error_shape(caller: Caller) -> None:
    """With the quirk, errors have the shape of the API's own."""
    caller.sandbox.quirks = Quirks(error_shape="errors")
    body = caller.authz(password="wrong").json()
    assert body == {"errors": [{"status": 400, "message": "Invalid 'username' or 'password' in request."}]}


@pytest.mark.parametrize(
    ("how", "status", "content_type"),
    [
        ("404", 404, "application/json"),
        ("410", 410, "application/json"),
        ("html", 404, "text/html; charset=utf-8"),
        ("login_page", 200, "text/html; charset=utf-8"),
    ],
)
def test_removal(caller: Caller, how: str, status: int, content_type: str) -> None:
    """Once removed, the endpoint answers in one of the ways in which an absent endpoint answers."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", legacy_removed=how)  # type: ignore[arg-type] # one of the known words
    response = caller.authz()
    assert (response.status_code, response.headers["Content-Type"]) == (status, content_type)
    assert caller.machine().status_code == 200


def test_foreign_location(caller: Caller) -> None:
    """The quirk sends the redirect to exactly the location it names."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", location="https://elsewhere.invalid/?code=x")
    assert caller.authz().headers["Location"] == "https://elsewhere.invalid/?code=x"


@pytest.mark.parametrize("echo", ["omit", "wrong"])
def test_state_quirks(caller: Caller, echo: str) -> None:
    """The state can be missing or wrong, on the legacy endpoint and on the login page."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", state=echo)  # type: ignore[arg-type] # one of the known words
    for response in (caller.authz(), caller.login()):
        state = answer(response).get("state")
        assert state is None if echo == "omit" else state not in {None, "s1"}


def test_api_login_only_users_cannot_use_the_password(caller: Caller) -> None:
    """A user limited to API login is refused by the legacy flow and by the login page."""
    company = int(caller.sandbox.company)
    user = caller.sandbox.world.add_user("robot", "pw", companies=[company], api_login_only=True)
    assert caller.authz(username=user.username, password="pw").json()["error"] == "access_denied"
    assert caller.login(username=user.username, password="pw").status_code == 400
    assert answer(caller.login("/keylogin", username=user.username, password="pw"))["code"]


def test_lost_access_to_the_company(caller: Caller) -> None:
    """A user who lost access gets no code, and a code from before no tokens."""
    code = caller.legacy_code()
    caller.sandbox.world.revoke_user_access(caller.sandbox.user_id, int(caller.sandbox.company))
    assert caller.authz().json()["error"] == "access_denied"
    assert caller.exchange(code).json()["error"] == "invalid_grant"
