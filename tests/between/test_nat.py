"""A NAT forgets the connections that somebody counts on: one call fails in time, and the next one is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import ConnectionFailed
from procountor_auth.strategies.registry import build
from procountor_auth.transport.transport import Transport
from tests.bridge.running import OldProgram, RunningBridge, login_of
from tests.variables import arguments

from .after_response import AfterResponse
from .nat import Nat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.sandbox import Sandbox

pytestmark = [pytest.mark.process, pytest.mark.server]

TIMEOUT = 1.0


@pytest.fixture
def nat(sandbox: Sandbox) -> Iterator[Nat]:
    """A NAT in front of a service that still has the legacy login."""
    with Nat(int(sandbox.base_url.rpartition(":")[2])) as road:
        yield road


@pytest.mark.filterwarnings("ignore::procountor_auth.LegacyAuthWarning")
def test_the_legacy_login_s_second_request_is_lost(sandbox: Sandbox, nat: Nat) -> None:
    """The code is not sent again, as the service may have it; the next call logs in anew, and gets a token."""
    variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_BASE_URL": f"http://127.0.0.1:{nat.listens_at}"}
    happens = [nat.forget]
    http = AfterResponse(lambda: happens and happens.pop()())
    source = TokenSource(build(Settings(**arguments(variables))), transport=Transport(timeout=TIMEOUT, http=http))
    with pytest.raises(ConnectionFailed) as caught:
        source.token()
    assert caught.value.retryable
    assert [entry["path"] for entry in sandbox.log()] == ["/api/oauth/authz"]
    assert source.token().access_token
    assert [entry["path"] for entry in sandbox.log()][1:] == ["/api/oauth/authz", "/api/oauth/token"]
    http.close()


def test_the_bridge_s_kept_connection_is_forgotten(sandbox: Sandbox, nat: Nat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call on it ends as one that was not answered, and the next one gets a connection of its own."""
    monkeypatch.setattr("procountor_auth.bridge.upstream.ANSWER_SECONDS", TIMEOUT)
    login = login_of(sandbox, base_url=f"http://127.0.0.1:{nat.listens_at}")
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        assert program.company() == int(login.company)
        nat.forget()
        assert program.call().status_code == 504
        assert program.company() == int(login.company)
