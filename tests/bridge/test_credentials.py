"""What the bridge gives out: for one login, for a time, and worth nothing anywhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.access import RECHECK_SECONDS
from procountor_auth.bridge.credentials import Credentials, digest
from procountor_auth.bridge.records import Records
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.transport.backend import backend as httpx
from tests.bridge.running import OldProgram, RunningBridge, code_in, login_of, served

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once


def test_a_code_works_once(sandbox: Sandbox) -> None:
    """The second exchange of a code is refused, and so is one with another redirect URI."""
    with served(sandbox) as program:
        code = code_in(program.authz())
        exchange = {"code": code, "redirect_uri": program.redirect_uri}
        assert program.token("authorization_code", **exchange).status_code == 200
        again = program.token("authorization_code", **exchange)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        code = code_in(program.authz())
        elsewhere = program.token("authorization_code", code=code, redirect_uri="elsewhere")
        assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_grant")


def test_the_code_goes_to_the_registered_address_only(sandbox: Sandbox) -> None:
    """Another redirect URI than the client's gets no code."""
    with served(sandbox) as program:
        answer = program.authz(redirect_uri="https://evil.example/")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("changes", [{"client_secret": "wrong"}, {"client_id": "other"}, {"client_secret": ""}])
def test_a_wrong_client_gets_no_token(sandbox: Sandbox, changes: dict[str, str]) -> None:
    """A code without the client's secret is worth nothing, and can be used by the client afterwards."""
    with served(sandbox) as program:
        code = code_in(program.authz())
        exchange = {"code": code, "redirect_uri": program.redirect_uri}
        refused = program.token("authorization_code", **exchange | changes)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
        assert program.token("authorization_code", **exchange).status_code == 200


def test_another_login_s_client_gets_no_token(sandbox: Sandbox) -> None:
    """A code and a refresh token are of one client, though the bridge knows both."""
    other = {"bridge_client_id": "other", "bridge_client_secret": "other-secret-1", "company": "14160"}
    one, two = login_of(sandbox), login_of(sandbox, **other)
    with RunningBridge([one, two]) as bridge, OldProgram(bridge.url, one) as program:
        program.log_in()
        stolen = {"client_id": "other", "client_secret": "other-secret-1"}
        refused = program.token("refresh_token", refresh_token=program.refresh_token, **stolen)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        code = code_in(program.authz())
        exchange = {"code": code, "redirect_uri": program.redirect_uri}
        assert program.token("authorization_code", **exchange | stolen).status_code == 400


def test_no_real_token_leaves_the_bridge(sandbox: Sandbox) -> None:
    """What the program gets is no token of the service's, and opens nothing there."""
    with served(sandbox) as program:
        program.log_in()
        for token in (program.access_token, program.refresh_token):
            assert not token.startswith("eyJ")
            answer = httpx.get(f"{sandbox.base_url}/api/sessioninfo", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401


def test_the_store_has_hashes_only(sandbox: Sandbox) -> None:
    """Whoever reads the store learns no code and no token, and no name of the login."""
    login, store = login_of(sandbox), MemoryStore()
    with RunningBridge([login], store=store) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        code = code_in(program.authz())
        given = [code, program.access_token, program.refresh_token]
    kept = json.dumps(Records(store).read(login.key))
    assert len(set(given)) == 3
    for secret in given:
        assert digest(SecretStr(secret)) in kept
        assert secret.partition(".")[2] not in kept
    assert sandbox.username not in kept


def test_what_is_revoked_is_worth_nothing(sandbox: Sandbox) -> None:
    """Both tokens end, at a running bridge within seconds; the password still opens a new login."""
    login, store, now = login_of(sandbox), MemoryStore(), [0.0]
    with (
        RunningBridge([login], store=store, monotonic=lambda: now[0]) as bridge,
        OldProgram(bridge.url, login) as program,
    ):
        program.log_in()
        assert program.call().status_code == 200
        assert Credentials(Records(store)).revoke(login.key) == 2
        now[0] += RECHECK_SECONDS
        assert program.call().status_code == 401
        assert program.refresh().json()["error"] == "invalid_grant"
        program.log_in()
        assert program.company() == int(sandbox.company)
