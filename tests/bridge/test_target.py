"""What a path is about, and which paths are refused since another server could read them in another way."""

from __future__ import annotations

import pytest

from procountor_auth.bridge.target import Target

pytestmark = pytest.mark.once


@pytest.mark.parametrize("endpoint", ["authz", "token"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/oauth/{}",
        "/api/oauth/{}/",
        "/latest/api/oauth/{}",
        "/supported/api/oauth/{}",
        "/v2302/api/oauth/{}/",
        "/api//oauth/{}",
        "//api///oauth//{}//",
        "/api/%6Fauth/{}",
        "/api/OAuth/{}",
    ],
)
def test_an_oauth_endpoint_is_the_bridge_s(path: str, endpoint: str) -> None:
    """With and without a version, with a slash at the end, with `//`: no such request is passed on."""
    assert Target.of(path.format(endpoint).encode()) == Target(endpoint, "/")  # type: ignore[arg-type] # a kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/logout", "logout"),
        ("/logout/", "logout"),
        ("/_bridge/live", "live"),
        ("/_bridge/ready", "ready"),
        ("/", "unknown"),
        ("/login", "unknown"),
        ("/keylogin", "unknown"),
        ("/_bridge", "unknown"),
        ("/_bridge/other", "unknown"),
        ("/latest", "unknown"),
        ("/latest/logout", "logout"),
        ("/v23/api/users", "unknown"),
        ("/latest/latest/api/users", "unknown"),
        ("/API/users", "unknown"),
        ("/apis/users", "unknown"),
        ("/api/oauth", "unknown"),
        ("/api/oauth/key", "unknown"),
        ("/api/oauth/token/more", "unknown"),
        ("/api/oauth;x/key", "unknown"),
    ],
)
def test_what_is_not_the_api_is_not_passed_on(path: str, kind: str) -> None:
    """The bridge has its own endpoints; whatever else there may be at the service is not reached."""
    assert Target.of(path.encode()) == Target(kind, "/")  # type: ignore[arg-type] # a kind


@pytest.mark.parametrize(
    ("path", "passed"),
    [
        ("/api/sessioninfo", "/api/sessioninfo"),
        ("/api/users/", "/api/users/"),
        ("/api", "/api"),
        ("/latest/api/invoices/12", "/latest/api/invoices/12"),
        ("/v2605/api/invoices", "/v2605/api/invoices"),
        ("/api//invoices///12", "/api/invoices/12"),
        ("/api/products/%C3%A4%20b", "/api/products/%C3%A4%20b"),
        ("/api/products/100%25", "/api/products/100%25"),
        ("/api/products/a;version=1", "/api/products/a;version=1"),
        ("/api/products/a..b", "/api/products/a..b"),
        ("/api/products/...", "/api/products/..."),
        ("/api/oauthors", "/api/oauthors"),
        ("/api/x/oauth/token", "/api/x/oauth/token"),
    ],
)
def test_a_call_is_passed_on_as_it_was_sent(path: str, passed: str) -> None:
    """The path keeps its version, its encoding and its last slash; slashes that stand twice become one."""
    assert Target.of(path.encode()) == Target("api", passed)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"api/users",
        b"*",
        b"http://other.example/api/users",
        b"/api/../oauth/token",
        b"/api/..",
        b"/api/./users",
        b"/api/%2e%2e/users",
        b"/api/%2E./users",
        b"/api/%252e%252e/users",
        b"/api/..;x=1/users",
        b"/api/%2e%2e;x/users",
        b"/api/..%3bx/users",
        b"/api/;/users",
        b"/api/oauth%2ftoken",
        b"/api/oauth%252Ftoken",
        b"/api/a%5c..%5cb",
        b"/api/a\\b",
        b"/api/users%00",
        b"/api/users%0d%0aX:1",
        b"/api/users%7f",
        b"/api/a b",
        b"/api/a\tb",
        b"/api/\xc3\xa4",
        b"/api/%25252525252e",
        b"/api/users#",
        b"/api/users#/../x",
        b"/api/oauth/token#x",
        b"#",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: bytes) -> None:
    """Dots, encoded slashes, backslashes and control characters are refused, however often they are encoded."""
    assert Target.of(path) == Target("refused", "/")


@pytest.mark.parametrize("query", [b"#", b"a=b#c", b"#a?b"])
def test_a_query_with_a_fragment_is_not_passed_on(query: bytes) -> None:
    """A fragment has no place in a request: it is not passed on. The login's own endpoints only read it."""
    assert Target.of(b"/api/users", query) == Target("refused", "/")
    assert Target.of(b"/api/oauth/authz", query) == Target("authz", "/")
