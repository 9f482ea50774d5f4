"""The requests of old programs in other languages, one by one, as they put them on the wire."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import pytest

from tests.bridge.documented import PASSWORD, USER, code_for, of_client, of_code, of_refresh, of_user, reached, refused
from tests.bridge.raw_requests import BOUNDARY, FORM, form, multipart, query, send
from tests.bridge.request_lines import request_lines
from tests.bridge.running import RunningBridge

if TYPE_CHECKING:
    from procountor_auth.bridge.login import BridgeLogin

pytestmark = pytest.mark.once

PATHS: Final = (
    ("/api/oauth/authz", "/api/oauth/token", "/api/sessioninfo"),
    ("/api/oauth/authz/", "/api/oauth/token/", "/api/sessioninfo"),
    ("/api//oauth/authz", "/api//oauth/token", "/api//sessioninfo"),
    ("//api/oauth//authz//", "//api/oauth//token//", "//api/sessioninfo"),
    ("/latest/api/oauth/authz", "/latest/api/oauth/token", "/latest/api/sessioninfo"),
    ("/v2302/api/oauth/authz", "/v2302/api/oauth/token", "/v2302/api/sessioninfo"),
    ("/supported/api/oauth/authz/", "/supported/api/oauth/token/", "/supported/api/sessioninfo"),
    ("/supported/api//oauth/authz", "/supported/api//oauth/token", "/supported/api//sessioninfo"),
)
"""Those of a login, of a token, and of a call."""


@pytest.mark.parametrize(("authz", "token", "call"), PATHS)
def test_csharp(bridge: RunningBridge, login: BridgeLogin, authz: str, token: str, call: str) -> None:
    """`HttpClient` with `FormUrlEncodedContent` announces each form, and waits for the word to go on."""
    expect = ["Expect: 100-continue"]
    target = f"{authz}?{query(of_client(login))}"
    answer = send(bridge.url, target, form(of_user(login)), headers=expect, waits=True)
    assert (answer.status, answer.interim) == (302, (100,))
    assert answer.headers["location"].startswith(f"{login.redirect_uri}?code=")
    assert answer.headers["location"].endswith("&expires_in=300&state=a+b")
    answer = send(bridge.url, token, form(of_code(login, answer.code)), headers=expect, waits=True)
    assert answer.interim == (100,)
    assert reached(bridge, answer, call) == int(login.company)


@pytest.mark.parametrize(("authz", "token", "call"), PATHS)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_php_sends_an_array(
    bridge: RunningBridge, login: BridgeLogin, authz: str, token: str, call: str, encoding: str
) -> None:
    """An array of fields, given to PHP's curl or to Guzzle, is sent as `multipart/form-data`."""
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    target = f"{authz}?{query(of_client(login))}"
    answer = send(bridge.url, target, multipart(of_user(login), encoding), content_type=kind)
    assert answer.status == 302
    answer = send(bridge.url, token, multipart(of_code(login, answer.code)), content_type=kind)
    assert reached(bridge, answer, call) == int(login.company)


@pytest.mark.parametrize(("authz", "token", "call"), PATHS)
def test_go(bridge: RunningBridge, login: BridgeLogin, authz: str, token: str, call: str) -> None:
    """`x/oauth2` has the client in a Basic header first, is refused, and then in the form, with the same code."""
    agent = "User-Agent: Go-http-client/1.1"
    answer = send(bridge.url, f"{authz}?{query(of_client(login))}", form(of_user(login)), headers=[agent])
    fields = of_code(login, answer.code)
    client = {name: fields.pop(name) for name in ("client_id", "client_secret")}
    basic = base64.b64encode(":".join(client.values()).encode()).decode()
    answer = send(bridge.url, token, form(fields), headers=[agent, f"Authorization: Basic {basic}"])
    assert refused(answer) == (401, "invalid_client")
    assert reached(bridge, send(bridge.url, token, form(fields | client), headers=[agent]), call) == int(login.company)


def test_go_is_not_held_up_for_how_it_begins(bridge: RunningBridge, login: BridgeLogin) -> None:
    """However often it begins with a Basic header, no failure is counted: there was nothing to guess."""
    attempts = bridge.bridge._guard._attempts
    for _ in range(5):
        answer = send(bridge.url, "/api/oauth/token", form({"grant_type": "authorization_code", "code": "c"}))
        assert refused(answer) == (401, "invalid_client")
    assert [tried.failures for tried in attempts._tried.values() if tried.failures] == []
    code = code_for(bridge, login)
    assert send(bridge.url, "/api/oauth/token", form(of_code(login, code))).status == 200


@pytest.mark.parametrize(("authz", "token", "call"), PATHS)
def test_node(bridge: RunningBridge, login: BridgeLogin, authz: str, token: str, call: str) -> None:
    """`fetch` with `URLSearchParams` names the charset, and nothing stands in the query."""
    kind = f"{FORM};charset=UTF-8"
    fields = of_client(login) | of_user(login)
    answer = send(bridge.url, authz, form(fields), content_type=kind, headers=["User-Agent: node", "Accept: */*"])
    answer = send(bridge.url, token, form(of_code(login, answer.code)), content_type=kind)
    assert reached(bridge, answer, call) == int(login.company)
    refresh = form(of_refresh(login, answer.json()["refresh_token"]))
    assert reached(bridge, send(bridge.url, token, refresh, content_type=kind), call) == int(login.company)


@pytest.mark.parametrize(("authz", "token", "call"), PATHS)
@pytest.mark.parametrize("content_type", [FORM, None])
def test_the_oldest_have_all_in_the_query(
    login: BridgeLogin,
    caplog: pytest.LogCaptureFixture,
    authz: str,
    token: str,
    call: str,
    content_type: str | None,
) -> None:
    """With every credential in the URL and an empty body they are understood; the log says so, and shows none."""
    with RunningBridge([login]) as bridge:
        target = f"{authz}?{query(of_client(login) | of_user(login))}"
        answer = send(bridge.url, target, content_type=content_type)
        assert answer.status == 302
        code = answer.code
        answer = send(bridge.url, f"{token}?{query(of_code(login, code))}", content_type=content_type)
        assert reached(bridge, answer, call) == int(login.company)
        refresh_token = answer.json()["refresh_token"]
        answer = send(bridge.url, f"{token}?{query(of_refresh(login, refresh_token))}", content_type=content_type)
        assert reached(bridge, answer, call) == int(login.company)
    lines = request_lines(caplog)
    assert [line["secret_in_url"] for line in lines] == [True, True, False, True, False]
    assert caplog.text.count("a secret stood in the URL") == 3
    shown = caplog.text + str(lines)
    for secret in (PASSWORD, USER, code, refresh_token, login.client_secret.get_secret_value(), "%20"):
        assert secret not in shown


@pytest.mark.parametrize("place", ["body", "query"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_beyond_ascii(bridge: RunningBridge, login: BridgeLogin, encoding: str, place: str) -> None:
    """A user name and password are understood as UTF-8 and as Latin-1, in the form and in the query."""
    encoded = form(of_user(login), encoding)
    assert (b"%E4" if encoding == "latin-1" else b"%C3%A4") in encoded
    target = f"/api/oauth/authz?{query(of_client(login))}"
    more = (f"{target}&{encoded.decode()}",) if place == "query" else (target, encoded)
    assert send(bridge.url, *more).status == 302


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_letters_that_are_not_escaped(bridge: RunningBridge, login: BridgeLogin, encoding: str) -> None:
    """`curl -d` sends the letters of its terminal as they are, and is understood."""
    escaped = form(of_user(login) | {"username": "USER"})
    body = escaped.replace(b"USER", USER.encode(encoding)).replace(b"%C3%84", "Ä".encode(encoding))
    body = body.replace(b"%C3%B6", "ö".encode(encoding))
    assert not body.isascii()
    assert send(bridge.url, f"/api/oauth/authz?{query(of_client(login))}", body).status == 302


@pytest.mark.parametrize("zeros", ["0", "0000"])
def test_zeros_before_the_company(bridge: RunningBridge, login: BridgeLogin, zeros: str) -> None:
    """A company is a number, whatever zeros stand before it."""
    fields = of_user(login) | {"company": f"{zeros}{login.company}"}
    answer = send(bridge.url, f"/api/oauth/authz?{query(of_client(login))}", form(fields))
    answer = send(bridge.url, "/api/oauth/token", form(of_code(login, answer.code)))
    assert reached(bridge, answer) == int(login.company)
