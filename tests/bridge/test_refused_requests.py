"""Requests that the legacy endpoints refuse, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.bridge.parameters import MAX_BODY
from tests.bridge.documented import code_for, of_client, of_code, of_refresh, of_user, reached, refused
from tests.bridge.raw_requests import BOUNDARY, FORM, form, multipart, query, send
from tests.bridge.request_lines import request_lines
from tests.bridge.running import RunningBridge, login_of_another

if TYPE_CHECKING:
    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", ["username", "password", "company", "redirect_uri", "response_type"])
def test_a_parameter_that_is_there_twice(bridge: RunningBridge, login: BridgeLogin, name: str) -> None:
    """Two values of one parameter are refused (RFC 6749, section 3.1); the same one twice is one."""
    target = f"/api/oauth/authz?{query(of_client(login))}"
    fields = list(of_user(login).items())
    assert refused(send(bridge.url, target, form([*fields, (name, "other")]))) == (400, "invalid_request")
    assert send(bridge.url, target, form([*fields, (name, dict(fields)[name])])).status == 302


def test_the_body_counts_where_the_query_says_something_else(bridge: RunningBridge, login: BridgeLogin) -> None:
    """A parameter in both places has the body's value."""
    target = f"/api/oauth/authz?{query(of_client(login) | {'company': '1', 'password': 'old'})}"
    assert send(bridge.url, target, form(of_user(login))).status == 302


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("endpoint", ["authz", "token"])
def test_another_method_than_post(
    login: BridgeLogin, caplog: pytest.LogCaptureFixture, endpoint: str, method: str
) -> None:
    """The endpoints take POST, and say so; nothing is issued, even if all parameters are right."""
    target = f"/api/oauth/{endpoint}?{query(of_client(login) | of_user(login))}"
    with RunningBridge([login]) as bridge:
        answer = send(bridge.url, target, None, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "location" not in answer.headers
    assert [line["secret_in_url"] for line in request_lines(caplog)] == [True]


@pytest.mark.parametrize("endpoint", ["authz", "token"])
def test_a_form_that_is_too_large(bridge: RunningBridge, sandbox: Sandbox, endpoint: str) -> None:
    """More than a form can have is refused, and not kept."""
    answer = send(bridge.url, f"/api/oauth/{endpoint}", b"filler=" + b"x" * MAX_BODY)
    assert refused(answer) == (413, "invalid_request")
    assert sandbox.log() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"&".join(b"a%d=1" % number for number in range(200))),
        (f"multipart/form-data; boundary={BOUNDARY}", b"--another\r\n\r\n"),
        ("multipart/form-data", multipart({"username": "x"})),
        (
            f"multipart/form-data; boundary={BOUNDARY}",
            multipart({"x": "y"}).replace(b'name="x"', b'name="x"; filename="f"'),
        ),
        ("application/json", b'{"grant_type": "authorization_code"}'),
        ("text/xml", b"<a>&amp;=</a>"),
    ],
    ids=["too-many", "broken", "no-boundary", "file", "json", "xml"],
)
@pytest.mark.parametrize("endpoint", ["authz", "token"])
def test_what_is_no_form(bridge: RunningBridge, endpoint: str, kind: str, body: bytes) -> None:
    """What can't be read is a bad request, and no fault of the bridge."""
    assert refused(send(bridge.url, f"/api/oauth/{endpoint}", body, content_type=kind)) == (400, "invalid_request")


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape"])
@pytest.mark.parametrize("name", ["state", "username", "password", "company", "response_type", "other", "na\\udc00me"])
def test_a_value_that_is_no_text(bridge: RunningBridge, login: BridgeLogin, name: str, charset: str) -> None:
    """A lone surrogate, which some of the encodings have that a form can name, is a bad request wherever it is."""
    kind = f"multipart/form-data; boundary={BOUNDARY}; charset={charset}"
    fields = of_client(login) | of_user(login) | {"username": "x", "password": "y"}
    answer = send(bridge.url, "/api/oauth/authz", multipart(fields | {name: "\\ud800"}), content_type=kind)
    assert refused(answer) == (400, "invalid_request")
    assert answer.json()["error_description"] == "The form can't be read."


@pytest.mark.parametrize("target", ["/api/sessioninfo#frag", "/api/sessioninfo?a=b#c", "/api/sessioninfo#?a"])
def test_a_call_with_a_fragment(
    bridge: RunningBridge, login: BridgeLogin, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    """A fragment is refused, and no fault of the bridge; the service gets nothing."""
    answer = send(bridge.url, "/api/oauth/token", form(of_code(login, code_for(bridge, login))))
    before = len(sandbox.log())
    token = f"Authorization: Bearer {answer.json()['access_token']}"
    assert send(bridge.url, target, None, method="GET", headers=[token]).status == 400
    assert len(sandbox.log()) == before
    bridge.stop()
    assert request_lines(caplog)[-1]["reason"] == "The path of the request could lead elsewhere."


@pytest.mark.parametrize("grant_type", ["password", "client_credentials", "AUTHORIZATION_CODE", "x" * 1000])
def test_another_grant(bridge: RunningBridge, login: BridgeLogin, sandbox: Sandbox, grant_type: str) -> None:
    """Other grants are refused: what the bridge has is the legacy login."""
    fields = of_code(login, "code") | {"grant_type": grant_type, "api_key": sandbox.api_key}
    answer = send(bridge.url, "/api/oauth/token", form(fields))
    assert refused(answer) == (400, "unsupported_grant_type")
    assert sandbox.log() == []


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", ["response_type", "client_id", "username", "password", "company", "redirect_uri"])
def test_a_login_without_a_parameter(bridge: RunningBridge, login: BridgeLogin, name: str, value: str | None) -> None:
    """The one that is missing, or empty, is named."""
    given = of_client(login) | of_user(login) | {name: value}
    answer = send(bridge.url, "/api/oauth/authz", form({key: each for key, each in given.items() if each is not None}))
    assert refused(answer) == (400, "invalid_request")
    assert answer.json()["error_description"] == f"The parameter {name} is missing."


@pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "client_id", "client_secret"])
def test_an_exchange_without_a_parameter(bridge: RunningBridge, login: BridgeLogin, name: str) -> None:
    """It is refused, and the code is not used up."""
    fields = of_code(login, code_for(bridge, login))
    rest = {key: value for key, value in fields.items() if key != name}
    expected = (401, "invalid_client") if name.startswith("client") else (400, "invalid_request")
    assert refused(send(bridge.url, "/api/oauth/token", form(rest))) == expected
    assert send(bridge.url, "/api/oauth/token", form(fields)).status == 200


def test_a_response_type_of_another_flow(bridge: RunningBridge, login: BridgeLogin) -> None:
    """A token is not given out without a code."""
    fields = of_user(login) | {"response_type": "token"}
    answer = send(bridge.url, f"/api/oauth/authz?client_id={login.client_id}", form(fields))
    assert refused(answer) == (400, "unsupported_response_type")


@pytest.mark.parametrize("redirect_uri", ["https://elsewhere.example", "redirect-uri-placeholder2", "a?b", "a\r\nb: c"])
def test_a_redirect_uri_of_another_client(bridge: RunningBridge, login: BridgeLogin, redirect_uri: str) -> None:
    """The code goes to the client's one redirect URI only."""
    fields = of_user(login) | {"redirect_uri": redirect_uri}
    answer = send(bridge.url, f"/api/oauth/authz?{query(of_client(login))}", form(fields))
    assert refused(answer) == (400, "invalid_request")
    assert "location" not in answer.headers


def test_what_is_another_client_s(login: BridgeLogin, sandbox: Sandbox) -> None:
    """A client can use neither the code nor the refresh token of another one, and does not use them up."""
    other = login_of_another(sandbox, "other", bridge_client_id="another", bridge_client_secret="an0ther-secret")
    theirs = {"client_id": "another", "client_secret": "an0ther-secret"}
    with RunningBridge([login, other]) as bridge:
        fields = of_code(login, code_for(bridge, login))
        assert refused(send(bridge.url, "/api/oauth/token", form(fields | theirs))) == (400, "invalid_grant")
        answer = send(bridge.url, "/api/oauth/token", form(fields))
        assert reached(bridge, answer) == int(login.company)
        fields = of_refresh(login, answer.json()["refresh_token"])
        assert refused(send(bridge.url, "/api/oauth/token", form(fields | theirs))) == (400, "invalid_grant")
        assert reached(bridge, send(bridge.url, "/api/oauth/token", form(fields))) == int(login.company)
