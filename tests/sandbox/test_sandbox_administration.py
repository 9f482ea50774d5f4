"""The administration under `/_sandbox/`: who may, and what it does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from procountor_auth.sandbox import Sandbox
from procountor_auth.transport.backend import backend as httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.conftest import Caller

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def public() -> Iterator[httpx.Client]:
    """A client of a sandbox whose administration needs a token."""
    with (
        Sandbox(admin_token=TOKEN) as sandbox,
        httpx.Client(base_url=sandbox.base_url, trust_env=False, verify=False) as client,
    ):
        yield client


def test_keys_are_created_listed_and_revoked(caller: Caller) -> None:
    """A new key works, is listed without itself, and is refused after its deletion."""
    sandbox = caller.sandbox
    body = {"client_id": sandbox.client_id, "user_id": sandbox.user_id, "company_id": 14160}
    made = caller.http.post("/_sandbox/keys", json=body)
    assert made.status_code == 201
    key = made.json()["api_key"]
    assert caller.machine(api_key=key).status_code == 200
    world = caller.http.get("/_sandbox/world")
    listed = next(each for each in world.json()["api_keys"] if each["id"] == made.json()["id"])
    assert listed.items() >= body.items()
    for secret in (key, sandbox.api_key, sandbox.password, sandbox.client_secret):
        assert secret not in world.text
    assert caller.http.delete(f"/_sandbox/keys/{listed['id']}").status_code == 204
    assert caller.machine(api_key=key).status_code == 400
    assert caller.http.delete(f"/_sandbox/keys/{listed['id']}").status_code == 404


@pytest.mark.parametrize(
    "wrong", [{"company_id": 1}, {"user_id": 1}, {"client_id": "x"}, {"company_id": "x"}, {"client_id": None}]
)
def test_a_wrong_key_is_not_created(caller: Caller, wrong: dict[str, object]) -> None:
    """An unknown user, company or client is a 400, and there are no more keys than before."""
    sandbox = caller.sandbox
    body = {"client_id": sandbox.client_id, "user_id": sandbox.user_id, "company_id": 14160}
    assert caller.http.post("/_sandbox/keys", json=body | wrong).status_code == 400
    assert len(caller.http.get("/_sandbox/world").json()["api_keys"]) == 1


@pytest.mark.parametrize("path", ["faults", "keys"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '{"status":' + "[" * 300 + "]" * 300 + "}"])
def test_deeply_nested_json_is_refused(caller: Caller, path: str, body: str) -> None:
    """JSON that is nested deeper than Python reads is a 400, like other JSON that is wrong."""
    answer = caller.http.post(f"/_sandbox/{path}", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/_sandbox/", "/_sandbox/world", "/_sandbox/faults", "/_sandbox/log"])
def test_another_name_is_refused(caller: Caller, host: str, path: str) -> None:
    """A page whose name was made to point here can't read the administration (DNS rebinding)."""
    port = urlsplit(caller.sandbox.base_url).port
    response = caller.http.get(path, headers={"Host": host.format(port=port)})
    assert response.status_code == 403


def test_the_api_answers_to_any_name(caller: Caller) -> None:
    """Clients may reach the API itself through a proxy or another name."""
    assert caller.http.get("/api/sessioninfo", headers={"Host": "api.example"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("POST", "log/clear"),
        ("POST", "keys"),
        ("POST", "dashboard/switches"),
    ],
)
def test_another_sites_page_changes_nothing(caller: Caller, headers: dict[str, str], method: str, path: str) -> None:
    """A browser that says that another site's page asks is refused."""
    caller.machine()
    response = caller.http.request(method, f"/_sandbox/{path}", headers=headers, content=json.dumps({"status": 503}))
    assert response.status_code == 403
    assert len(caller.sandbox.log()) == 1
    assert caller.sandbox.faults.status is None


@pytest.mark.parametrize("path", ["faults", "log", "world"])
def test_a_public_sandbox_wants_its_token(public: httpx.Client, path: str) -> None:
    """With a token configured nothing is shown without it, and a near miss is a miss."""
    url = f"/_sandbox/{path}"
    assert public.get(url).status_code == 401
    for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", f"Basic {TOKEN}"):
        assert public.get(url, headers={"Authorization": wrong}).status_code == 401
    assert public.get(url, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_browser_gets_a_session_for_the_token(public: httpx.Client) -> None:
    """The form's token becomes a cookie that scripts and other sites do not get, until the session ends."""
    assert public.post("/_sandbox/session", data={"token": "wrong"}).status_code == 401
    opened = public.post("/_sandbox/session", data={"token": TOKEN})
    cookie = opened.headers["Set-Cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/_sandbox"))
    assert TOKEN not in cookie
    assert public.get("/_sandbox/world").status_code == 200
    public.post("/_sandbox/session/end")
    assert public.get("/_sandbox/world").status_code == 401


def test_other_machines_are_let_in_only_with_a_token() -> None:
    """A host that is not loopback needs a token of some length."""
    with pytest.raises(ValueError, match="admin_token"):
        Sandbox(host="0.0.0.0")  # noqa: S104 - the mistake under test
    with pytest.raises(ValueError, match="at least 16"):
        Sandbox(host="0.0.0.0", admin_token="short")  # noqa: S104
    with Sandbox(host="0.0.0.0", admin_token=TOKEN) as sandbox:  # noqa: S104
        assert httpx.get(f"{sandbox.base_url}/_sandbox/world", trust_env=False, verify=False).status_code == 401


def test_two_sandboxes_share_no_client(caller: Caller) -> None:
    """The client ID is each sandbox's own, so that no token that was cached for another one is served."""
    with Sandbox() as other:
        assert other.client_id != caller.sandbox.client_id


def test_older_clients_paths_are_understood(caller: Caller) -> None:
    """The version segment of the first API versions works for the API and for the logout, and is in the log."""
    base = "/procountor.api.v10"
    token = caller.machine().json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert caller.http.get(f"{base}/api/sessioninfo/", headers=bearer).status_code == 200
    assert caller.http.post(f"{base}/logout", headers=bearer).status_code == 204
    assert caller.sandbox.log()[-1]["path"] == f"{base}/logout"


def test_a_person_without_a_browser(caller: Caller) -> None:
    """`log_in` does what a person does, and says when the page leads nowhere."""
    sandbox = caller.sandbox
    url = f"{sandbox.base_url}/login?{httpx.QueryParams(caller.login_query())}"
    assert "code=" in sandbox.log_in(url, company="14160")
    assert sandbox.log_in(url, deny=True).endswith("error=access_denied&state=s1")
    with pytest.raises(ValueError, match="responded with 400"):
        sandbox.log_in(url, password="wrong")
