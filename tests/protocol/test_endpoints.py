"""Where things are on a host."""

from __future__ import annotations

import pytest

from procountor_auth.protocol.endpoints import Endpoints

_HOST = "https://api.procountor.com"


@pytest.mark.parametrize(
    ("version", "api"),
    [
        (None, f"{_HOST}/api"),
        ("latest", f"{_HOST}/latest/api"),
        ("supported", f"{_HOST}/supported/api"),
        ("v2302", f"{_HOST}/v2302/api"),
    ],
)
def test_the_version_stands_before_api(version: str | None, api: str) -> None:
    """The OAuth endpoints are below the API's base, which carries the version segment."""
    endpoints = Endpoints(_HOST, version)
    assert endpoints.api == api
    assert endpoints.authorization == f"{api}/oauth/authz"
    assert endpoints.token == f"{api}/oauth/token"
    assert endpoints.key == f"{api}/oauth/key"


@pytest.mark.parametrize("version", [None, "latest", "v2302"])
def test_the_login_pages_are_on_the_host_itself(version: str | None) -> None:
    """The pages for a person's browser have neither `/api` nor a version in their path."""
    endpoints = Endpoints(_HOST, version)
    assert endpoints.login == f"{_HOST}/login"
    assert endpoints.key_login == f"{_HOST}/keylogin"
