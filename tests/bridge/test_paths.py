"""No path leads to another place of the service, or to another host."""

from __future__ import annotations

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_program import status_of

ASTRAY = (
    "/api/../login",
    "/api/..",
    "/api/./../login",
    "/api/%2e%2e/login",
    "/api/%2E%2e%2flogin",
    "/api/%252e%252e/login",
    "/api/%25252525252e/login",
    "/api/..;/login",
    "/api/..;x=1/login",
    "/api/%2e%2e%3b/login",
    "/api/;/login",
    "/api/a%2f..%2f..%2flogin",
    "/api%2f..%2flogin",
    "/api/..\\login",
    "/api/..%5clogin",
    "/api/%5c%5celsewhere.example/",
    "/api/a%00b",
    "/api/a%0d%0ab",
    "/api/.",
    "/./api/users",
    "/x/../api/users",
    "http://elsewhere.example/api/users",
    "https://127.0.0.1/api/users",
    "elsewhere.example:443",
    "*",
    "@elsewhere.example/api/users",
    "api/users",
)

pytestmark = pytest.mark.once
"""Refused: another server could read them in another way."""

UNKNOWN = (
    "/",
    "/login",
    "/keylogin",
    "/apis/users",
    "/API/users",
    "/api;x/users/..",
    "//elsewhere.example/api/users",
    "///elsewhere.example/api/users",
    "/v23/api/users",
    "/latest/latest/api/users",
    "/latest/login",
    "/api/oauth",
    "/api/oauth/key",
    "/api/oauth/token/more",
    "/api/oauth/revoke",
    "/api/oauth/TOKEN",
    "/api//oauth/key",
    "/api/oauth;x=1/key",
    "/api/%6Fauth/key",
    "/api/%256fauth/key",
    "/v2302/api/oauth/key",
)
"""Not there."""


@pytest.mark.parametrize("target", ASTRAY)
def test_a_path_that_could_lead_astray_is_refused(target: str) -> None:
    """The service hears nothing of a path that it could read in another way than the bridge."""
    with passing() as place, place.raw() as program:
        program.begin("GET", target, ["Connection: close"])
        answer = program.read_to_end()
        assert place.upstream.calls == []
        assert len(place.upstream.tokens) == 1
    assert status_of(answer) == 400


@pytest.mark.parametrize("target", UNKNOWN)
def test_what_is_not_the_api_s_is_not_there(target: str) -> None:
    """Nothing of the service but its API can be reached, and of that nothing under `oauth`."""
    with passing() as place:
        for method in (b"GET", b"POST"):
            with place.raw() as program:
                program.begin(method.decode(), target, ["Connection: close", "Content-Length: 0"])
                assert status_of(program.read_to_end()) in {400, 404}
        assert place.upstream.calls == []
        assert len(place.upstream.tokens) == 1


@pytest.mark.parametrize("target", ["/api/OAUTH/token", "/api/oAuth/authz", "/api/%6fauth/token", "/api/OAUTH//token/"])
def test_another_spelling_of_an_endpoint_is_the_bridge_s(target: str) -> None:
    """However a program spells the OAuth endpoints: the bridge's answer, and never the service's."""
    with passing() as place:
        answer = place.program.http.post(target, data={"grant_type": "client_credentials", "response_type": "code"})
        assert (answer.status_code, "error" in answer.json()) == (400, True)
        assert place.upstream.calls == []
        assert len(place.upstream.tokens) == 1


@pytest.mark.parametrize("target", ["/api/%2foauth/token", "/api/%2Foauth/key", "/api/oauth%2ftoken"])
def test_an_encoded_slash_hides_no_endpoint(target: str) -> None:
    """An encoded slash is refused where it could be one: `oauth/token` of the service can't be reached."""
    with passing() as place, place.raw() as program:
        program.begin("POST", target, ["Connection: close", "Content-Length: 0"])
        assert status_of(program.read_to_end()) == 400
        assert place.upstream.calls == []
        assert len(place.upstream.tokens) == 1


@pytest.mark.parametrize(
    "name", ["Host: elsewhere.example", "X-Forwarded-Host: elsewhere.example", "X-Original-URL: /login"]
)
def test_a_header_leads_nowhere(name: str) -> None:
    """Whatever host a program names, its call goes to the configured one, and to the path of the request."""
    with passing() as place, place.raw() as program:
        host = name if name.startswith("Host") else "Host: bridge.example"
        head = f"GET /api/users HTTP/1.1\r\n{host}\r\nX-A: 1\r\n{'' if host == name else name}"
        token = f"Authorization: Bearer {place.program.access_token}\r\nConnection: close\r\n\r\n"
        program.send((head.rstrip("\r\n") + "\r\n" + token).encode())
        assert status_of(program.read_to_end()) == 200
    (call,) = place.upstream.calls
    assert (call.target, call.header(b"host")) == ("/api/users", place.upstream.url.removeprefix("http://").encode())
