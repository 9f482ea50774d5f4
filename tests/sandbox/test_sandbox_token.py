"""The token endpoint: every grant, and what its tokens say."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from tests.sandbox.conftest import START, answer, claims

if TYPE_CHECKING:
    from tests.sandbox.conftest import Caller, Clock

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def test_claims_have_the_documented_order_and_types(caller: Caller, clock: Clock) -> None:
    """Access and refresh token look like the documentation's sample, down to its six months."""
    code = caller.legacy_code()
    clock.advance(1)
    tokens = caller.exchange(code).json()
    access, refresh = claims(tokens["access_token"]), claims(tokens["refresh_token"])
    assert list(access) == ["iss", "aud", "sub", "cid", "jti", "auth_time", "iat", "exp"]
    assert access == {
        "iss": caller.sandbox.base_url,
        "aud": caller.sandbox.client_id,
        "sub": 26535,
        "cid": 14159,
        "jti": access["jti"],
        "auth_time": START,
        "iat": START + 1,
        "exp": START + 3601,
    }
    assert refresh == {**access, "exp": START + 15_724_801}


def test_machine_token(caller: Caller) -> None:
    """The API key buys an access token with the machine's scope and no refresh token."""
    tokens = caller.machine().json()
    assert set(tokens) == {"access_token", "expires_in"}
    assert claims(tokens["access_token"])["scope"] == "m2m"
    assert list(claims(caller.sandbox.api_key)) == ["iss", "aud", "sub", "cid", "iat", "jti"]


def test_string_subject(caller: Caller) -> None:
    """With the quirk, ``sub`` is a string, and the API takes such a token like the other."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", subject="string")
    token = caller.machine().json()["access_token"]
    assert claims(token)["sub"] == "26535"
    assert caller.session(token).json()["userId"] == 26535


@pytest.mark.parametrize("source", ["legacy", "login"])
def test_codes_work_once(caller: Caller, source: str) -> None:
    """A second exchange of the same code is refused."""
    code = caller.legacy_code() if source == "legacy" else answer(caller.login())["code"]
    assert caller.exchange(code).status_code == 200
    again = caller.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_codes_work_once_under_a_race(caller: Caller) -> None:
    """Of many simultaneous exchanges of one code, exactly one succeeds."""
    code = caller.legacy_code()
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: caller.exchange(code).status_code, range(32)))
    assert statuses.count(200) == 1


def test_codes_expire(caller: Caller, clock: Clock) -> None:
    """A code works up to its 300th second and not after."""
    early, late = caller.legacy_code(), caller.legacy_code()
    clock.advance(299)
    assert caller.exchange(early).status_code == 200
    clock.advance(1)
    assert caller.exchange(late).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("redirect_uri", [None, "", "other", "redirect-uri-placeholder/"])
def test_the_redirect_uri_is_compared_exactly(sandbox: Sandbox, caller: Caller, redirect_uri: str | None) -> None:
    """Every grant that names a redirect URI refuses another one, or none; an API key needs none unless it is asked."""
    assert bool(redirect_uri) is (caller.machine(redirect_uri=redirect_uri).status_code == 400)
    sandbox.quirks = Quirks(error_shape="oauth", api_key_redirect_uri="required")
    assert caller.exchange(caller.legacy_code(), redirect_uri=redirect_uri).status_code == 400
    assert caller.machine(redirect_uri=redirect_uri).status_code == 400


def test_another_clients_code_and_key_are_refused(caller: Caller) -> None:
    """Codes, refresh tokens and API keys belong to the client that they were made for."""
    other = caller.sandbox.world.add_client("redirect-uri-placeholder")
    stranger = {"client_id": other.client_id, "client_secret": other.client_secret}
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    for response in (
        caller.exchange(caller.legacy_code(), **stranger),
        caller.machine(**stranger),
        caller.token("refresh_token", refresh_token=refresh_token, **stranger),
    ):
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes", [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "x"}, {"client_id": None}]
)
@pytest.mark.parametrize("grant_type", ["authorization_code", "refresh_token", "client_credentials"])
def test_wrong_client(caller: Caller, grant_type: str, changes: dict[str, str | None]) -> None:
    """A client that does not prove its secret gets 401 from every grant."""
    response = caller.token(grant_type, code="x", refresh_token="x", api_key="x", **changes)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_client_secret_in_a_header_is_not_enough(caller: Caller) -> None:
    """The service takes the client's credentials as parameters, not as Basic authentication."""
    form = {"grant_type": "client_credentials", "redirect_uri": caller.sandbox.redirect_uri}
    auth = (caller.sandbox.client_id, caller.sandbox.client_secret)
    assert caller.http.post("/api/oauth/token", data=form, auth=auth).status_code == 401


@pytest.mark.parametrize("grant_type", ["password", "", "urn:x"])
def test_other_grants(caller: Caller, grant_type: str) -> None:
    """A grant that the service does not have is unsupported."""
    response = caller.token(grant_type)
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("api_key", [None, "", "wrong"])
def test_api_key_is_needed(caller: Caller, api_key: str | None) -> None:
    """Without a known API key there is no machine token."""
    assert caller.machine(api_key=api_key).status_code == 400


def test_api_keys_end_with_revocation_and_with_access(caller: Caller) -> None:
    """A key dies when it is revoked, and when its user loses access to the company."""
    sandbox = caller.sandbox
    company = int(sandbox.company)
    second = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, company)
    sandbox.world.revoke_api_key(second)
    assert caller.machine(api_key=second).json()["error"] == "invalid_grant"
    assert caller.machine().status_code == 200
    sandbox.world.revoke_user_access(sandbox.user_id, company)
    assert caller.machine().json()["error"] == "invalid_grant"
    sandbox.world.grant_user_access(sandbox.user_id, company)
    assert caller.machine().status_code == 200


def test_one_key_per_company(caller: Caller) -> None:
    """Each key's tokens are for the key's own company."""
    sandbox = caller.sandbox
    company = sandbox.world.add_company("Third Oy")
    sandbox.world.grant_user_access(sandbox.user_id, company.id)
    key = sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, company.id)
    token = caller.machine(api_key=key).json()["access_token"]
    assert caller.session(token).json()["companyId"] == company.id


def test_refresh_keeps_by_default(caller: Caller, clock: Clock) -> None:
    """The answer to a refresh has no refresh token, and the old one works on."""
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    clock.advance(4000)
    for _ in range(2):
        tokens = caller.refresh(refresh_token).json()
        assert set(tokens) == {"access_token", "expires_in"}
        assert caller.session(tokens["access_token"]).status_code == 200
        assert claims(tokens["access_token"])["auth_time"] == START


def test_refresh_repeats(caller: Caller) -> None:
    """With the quirk, the answer repeats the same refresh token."""
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    caller.sandbox.quirks = Quirks(error_shape="oauth", refresh_token="repeat")
    assert caller.refresh(refresh_token).json()["refresh_token"] == refresh_token


def test_refresh_rotates(caller: Caller) -> None:
    """With the quirk, each refresh token works once and brings the next one."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", refresh_token="rotate")
    first = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    second = caller.refresh(first).json()["refresh_token"]
    assert second != first
    assert caller.refresh(first).json()["error"] == "invalid_grant"
    assert caller.refresh(second).status_code == 200


def test_rotation_under_a_race(caller: Caller) -> None:
    """Of many simultaneous uses of one rotating refresh token, exactly one succeeds."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", refresh_token="rotate")
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: caller.refresh(refresh_token).status_code, range(32)))
    assert statuses.count(200) == 1


def test_refresh_tokens_end_after_six_months(caller: Caller, clock: Clock) -> None:
    """A refresh token works until its last second and not after."""
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    clock.advance(15_724_800)
    assert caller.refresh(refresh_token).status_code == 200
    clock.advance(1)
    assert caller.refresh(refresh_token).json()["error"] == "invalid_grant"


def test_revoked_refresh_token(caller: Caller) -> None:
    """A refresh token that the user withdrew is refused."""
    refresh_token = caller.exchange(caller.legacy_code()).json()["refresh_token"]
    caller.sandbox.world.revoke_refresh_token(refresh_token)
    assert caller.refresh(refresh_token).json()["error"] == "invalid_grant"


def test_an_access_token_is_no_refresh_token(caller: Caller) -> None:
    """The two look alike, and only the right one renews."""
    tokens = caller.exchange(caller.legacy_code()).json()
    assert caller.refresh(tokens["access_token"]).json()["error"] == "invalid_grant"


def test_pkce(caller: Caller) -> None:
    """A code that was asked for with a challenge needs its verifier, and works with it."""
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    code = answer(caller.login(**pkce))["code"]
    assert caller.exchange(code).json()["error"] == "invalid_request"
    assert caller.exchange(code, code_verifier="w" * 43).json()["error"] == "invalid_grant"
    assert caller.exchange(code, code_verifier=VERIFIER).status_code == 200


@pytest.mark.parametrize("method", ["plain", None])
def test_plain_pkce_is_refused(caller: Caller, method: str | None) -> None:
    """A challenge that is the verifier itself protects nothing, so it is an error."""
    response = caller.login(code_challenge=VERIFIER, code_challenge_method=method)
    assert answer(response) == {"error": "invalid_request", "state": "s1"}


def test_api_key_from_the_key_login(caller: Caller) -> None:
    """A code from the key login buys an API key, with which tokens come."""
    redirect = answer(caller.login("/keylogin"))
    assert list(redirect) == ["code", "expires_in", "state"]
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": caller.sandbox.redirect_uri,
        "code": redirect["code"],
    }
    response = caller.http.post("/api/oauth/key", data={**form, **caller.client})
    assert set(response.json()) == {"api_key"}
    assert caller.machine(api_key=response.json()["api_key"]).status_code == 200
    assert caller.http.post("/api/oauth/key", data={**form, **caller.client}).status_code == 400
    assert caller.sandbox.log()[-1]["grant_type"] == "authorization_code"


def test_codes_buy_only_what_they_are_for(caller: Caller) -> None:
    """A code from the key login buys no tokens, and one from the login no key."""
    assert caller.exchange(answer(caller.login("/keylogin"))["code"]).json()["error"] == "invalid_grant"
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": caller.sandbox.redirect_uri,
        "code": answer(caller.login())["code"],
    }
    response = caller.http.post("/api/oauth/key", data={**form, **caller.client})
    assert response.json()["error"] == "invalid_grant"


def test_lifetimes_and_token_type(caller: Caller, clock: Clock) -> None:
    """Lifetimes follow the quirks, and a token type appears only when one asks for it."""
    caller.sandbox.quirks = Quirks(error_shape="oauth", access_token_lifetime=5, code_lifetime=2, token_type="Bearer")
    tokens = caller.machine().json()
    assert (tokens["expires_in"], tokens["token_type"]) == (5, "Bearer")
    assert answer(caller.authz())["expires_in"] == "2"
    clock.advance(5)
    assert caller.session(tokens["access_token"]).status_code == 401
