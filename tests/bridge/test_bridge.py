"""An old program logs in at the bridge, and its calls reach the API with another strategy's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks
from tests.bridge.running import OldProgram, RunningBridge, login_of

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox


@pytest.fixture(autouse=True)
def legacy_removed(sandbox: Sandbox) -> None:
    """Have the service without the legacy login, as it is today."""
    sandbox.quirks = Quirks(legacy_removed="404")


def test_an_old_program_reaches_its_company(sandbox: Sandbox) -> None:
    """It logs in, calls, refreshes its token and calls again, and the service sees the API key's token only."""
    login = login_of(sandbox)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        assert program.company() == int(sandbox.company)
        first = program.access_token
        assert program.refresh().json()["expires_in"] == 3600
        assert program.access_token != first
        assert program.company() == int(sandbox.company)
    asked = [(entry["path"], entry["grant_type"]) for entry in sandbox.log()]
    assert asked == [
        ("/api/oauth/token", "client_credentials"),
        ("/api/sessioninfo", None),
        ("/api/sessioninfo", None),
    ]


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"company": "1"}, {"username": "nobody"}])
def test_a_wrong_login_is_refused(sandbox: Sandbox, changes: dict[str, str]) -> None:
    """The wrong password, company or user name get one answer, which does not say what was wrong."""
    login = login_of(sandbox)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        answer = program.authz(**changes)
        assert answer.status_code == 400
        assert answer.json() == {
            "error": "invalid_grant",
            "error_description": "The user name, password or company is not accepted.",
        }
    assert sandbox.log() == []
