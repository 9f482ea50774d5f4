"""What a bearer token opens: ``sessioninfo``, ``users`` and ``logout``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from procountor_auth.transport.backend import backend as httpx
    from tests.sandbox.conftest import Caller, Clock


def is_unauthorized(response: httpx.Response) -> bool:
    """Return whether the answer is the API's own 401."""
    challenge = response.headers.get("WWW-Authenticate")
    return response.status_code == 401 and challenge == "Bearer" and response.json()["errors"][0]["status"] == 401


def test_sessioninfo(caller: Caller) -> None:
    """The session says which company and user the token is for."""
    body = caller.session(caller.machine().json()["access_token"]).json()
    assert body == {
        "companyId": 14159,
        "name": "Sandbox Oy",
        "country": "FINLAND",
        "productVersion": "sandbox",
        "userId": 26535,
        "userName": "Sandbox User",
    }


def test_users(caller: Caller) -> None:
    """The current user is the token's."""
    headers = {"Authorization": f"bearer {caller.machine().json()['access_token']}"}
    assert caller.http.get("/api/users", headers=headers).json()["id"] == 26535
    assert is_unauthorized(caller.http.get("/api/users"))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Bearer x", "Basic x", "Bearer é"])
def test_what_is_no_token(caller: Caller, header: str) -> None:
    """Anything but a token of this sandbox is refused."""
    headers = [(b"Authorization", header.encode())]
    assert is_unauthorized(caller.http.get("/api/sessioninfo", headers=headers))


def test_only_access_tokens_open_resources(caller: Caller) -> None:
    """API keys and refresh tokens are signed alike, and refused."""
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    assert is_unauthorized(caller.session(refresh_token))
    assert is_unauthorized(caller.session(caller.sandbox.api_key))


def test_a_token_in_the_url_is_refused_and_noted(caller: Caller) -> None:
    """The query string is no place for a token: it does not count there."""
    token = caller.machine().json()["access_token"]
    response = caller.http.get("/api/sessioninfo", params={"access_token": token})
    assert is_unauthorized(response)
    assert caller.sandbox.log()[-1]["secret_in_url"] is True


def test_tokens_expire_by_the_sandboxs_clock(caller: Caller, clock: Clock) -> None:
    """A token works up to its last second and not after."""
    token = caller.machine().json()["access_token"]
    clock.advance(3599)
    assert caller.session(token).status_code == 200
    clock.advance(1)
    assert is_unauthorized(caller.session(token))


def test_another_sandboxs_token_is_refused(caller: Caller, sandbox: Sandbox) -> None:
    """Each sandbox signs with its own secret."""
    token = caller.machine().json()["access_token"]
    with Sandbox() as other:
        url = f"{other.base_url}/api/sessioninfo"
        assert is_unauthorized(caller.http.get(url, headers={"Authorization": f"Bearer {token}"}))
        assert other.client_secret != sandbox.client_secret


@pytest.mark.parametrize("path", ["/logout", "/logout/"])
def test_logout(caller: Caller, path: str) -> None:
    """After the logout neither the tokens of the session nor its refresh token work."""
    tokens = caller.exchange(caller.legacy_code()).json()
    renewed = caller.refresh(tokens["refresh_token"]).json()["access_token"]
    headers = {"Authorization": f"Bearer {renewed}"}
    assert caller.http.post(path, headers=headers).status_code == 204
    assert is_unauthorized(caller.session(renewed))
    assert is_unauthorized(caller.session(tokens["access_token"]))
    assert caller.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert is_unauthorized(caller.http.post(path, headers=headers))


def test_logout_of_a_machine_token(caller: Caller) -> None:
    """A machine token ends with its logout; the API key goes on to buy others."""
    token = caller.machine().json()["access_token"]
    caller.http.post("/logout", headers={"Authorization": f"Bearer {token}"})
    assert is_unauthorized(caller.session(token))
    assert caller.session(caller.machine().json()["access_token"]).status_code == 200


def test_lost_access_closes_the_session(caller: Caller) -> None:
    """A token for a company that the user has lost opens nothing."""
    token = caller.machine().json()["access_token"]
    caller.sandbox.world.revoke_user_access(26535, 14159)
    assert is_unauthorized(caller.session(token))


@pytest.mark.parametrize("base", ["/api", "/latest/api", "/supported/api", "/v2302/api"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_every_path_answers_without_a_redirect(caller: Caller, base: str, slash: str) -> None:
    """Versions and trailing slashes make no difference."""
    assert caller.http.post(f"{base}/oauth/token{slash}").json()["error"] == "unsupported_grant_type"
    assert caller.http.post(f"{base}/oauth/authz{slash}").json()["error"] == "invalid_request"
    assert caller.http.post(f"{base}/oauth/key{slash}").json()["error"] == "unsupported_grant_type"
    assert is_unauthorized(caller.http.get(f"{base}/sessioninfo{slash}"))
    assert is_unauthorized(caller.http.get(f"{base}/users{slash}"))


@pytest.mark.parametrize("path", ["/v23/api/users", "/vold1/api/users", "/api", "/api/nothing"])
def test_unknown_paths(caller: Caller, path: str) -> None:
    """What the service does not have is the API's own 404."""
    response = caller.http.get(path)
    assert response.status_code == 404
    assert response.json()["errors"][0]["status"] == 404


def test_wrong_method(caller: Caller) -> None:
    """The token endpoint takes POST alone and says so."""
    response = caller.http.get("/api/oauth/token")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
