"""The store or the service is out of reach for a while, and the old program goes on as far as it can."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth.bridge.access import RECHECK_SECONDS
from procountor_auth.bridge.problem import RETRY_SECONDS
from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.stores.redis import RedisStore
from tests.bridge.clock import Clock
from tests.bridge.request_lines import LOGGER, request_lines
from tests.bridge.running import OldProgram, RunningBridge, code_in, login_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.bridge.login import BridgeLogin
    from tests.conftest import RedisServer

pytestmark = pytest.mark.once

LASTING = ("--appendonly", "yes", "--appendfsync", "always")
"""A Redis that has everything again when it is started again."""


@pytest.fixture
def login(sandbox: Sandbox) -> BridgeLogin:
    """A login at a service without the legacy login."""
    sandbox.quirks = Quirks(legacy_removed="404")
    return login_of(sandbox)


def is_refused_for_now(answer: Any) -> bool:  # noqa: ANN401 - the client's own answer
    """Whether an answer of an OAuth endpoint says when to try again."""
    told = (answer.status_code, answer.json().get("error"), answer.headers.get("retry-after"))
    return told == (503, "temporarily_unavailable", str(RETRY_SECONDS))


def test_redis_is_away_for_a_while(
    login: BridgeLogin, start_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on with tokens that are known, what needs the store is told to come again, and all is well after."""
    caplog.set_level(logging.INFO, LOGGER)
    server, monotonic = start_redis(*LASTING), Clock(0)
    with (
        RunningBridge([login], store=RedisStore(SecretStr(server.url)), monotonic=monotonic) as bridge,
        OldProgram(bridge.url, login) as program,
        OldProgram(bridge.url, login) as late,
    ):
        program.log_in()
        late.log_in()
        code = code_in(program.authz())
        assert program.company() == int(login.company)
        known = late.access_token
        server.stop()
        for _ in range(3):
            assert program.company() == int(login.company)
            monotonic.move(RECHECK_SECONDS)
        assert is_refused_for_now(program.authz())
        assert is_refused_for_now(program.refresh())
        exchange = {"code": code, "redirect_uri": program.redirect_uri}
        assert is_refused_for_now(program.token("authorization_code", **exchange))
        logout = program.call("POST", "/logout")
        assert (logout.status_code, logout.headers["retry-after"]) == (503, str(RETRY_SECONDS))
        # Another bridge may have given it out: nobody can say that it is unknown.
        late.access_token = f"{login.key}.another-bridge-has-given-this-one-out"
        call = late.call()
        assert (call.status_code, call.headers["retry-after"]) == (503, str(RETRY_SECONDS))
        assert call.json()["errors"][0]["message"] == "The bridge can't look up the token."
        assert program.http.get("/_bridge/live").status_code == 200
        assert program.http.get("/_bridge/ready").status_code == 503
        server.start()
        OUTAGES.forget()  # where the machine is slow, it would be taken for granted for some seconds
        assert program.http.get("/_bridge/ready").status_code == 200
        assert late.call().status_code == 401
        late.access_token = known
        assert (program.company(), late.company()) == (int(login.company), int(login.company))
        assert program.token("authorization_code", **exchange).status_code == 200
        assert program.refresh().status_code == 200
        assert program.company() == int(login.company)
    assert "the token store can't be reached: the tokens that are known go on" in caplog.text
    failed = [line for line in request_lines(caplog) if line["status"] == 503]
    assert [line["path"] for line in failed] == [
        "/api/oauth/authz",
        "/api/oauth/token",
        "/api/oauth/token",
        "/logout",
        "/api/sessioninfo",
    ]
    assert all("Redis" in line["reason"] for line in failed), [line["reason"] for line in failed]


def test_redis_comes_back_with_nothing(login: BridgeLogin, start_redis: Callable[..., RedisServer]) -> None:
    """Whoever has a token that is gone is refused as at the service, and gets in with the password."""
    server, monotonic = start_redis(), Clock(0)
    with (
        RunningBridge([login], store=RedisStore(SecretStr(server.url)), monotonic=monotonic) as bridge,
        OldProgram(bridge.url, login) as program,
    ):
        program.log_in()
        server.stop()
        server.start()
        OUTAGES.forget()
        monotonic.move(RECHECK_SECONDS)
        assert program.call().status_code == 401
        assert program.refresh().json()["error"] == "invalid_grant"
        program.log_in()
        assert program.company() == int(login.company)


def test_a_bridge_that_starts_while_redis_is_away(login: BridgeLogin, start_redis: Callable[..., RedisServer]) -> None:
    """It knows no token yet, and says that it can't look: the program keeps its own, which is good again later."""
    server = start_redis(*LASTING)
    with (
        RunningBridge([login], store=RedisStore(SecretStr(server.url))) as first,
        OldProgram(first.url, login) as program,
    ):
        program.log_in()
        first.stop()
        server.stop()
        with RunningBridge([login], store=RedisStore(SecretStr(server.url)), port=first.port):
            assert program.call().status_code == 503
            server.start()
            OUTAGES.forget()
            assert program.company() == int(login.company)


def test_the_service_is_away_for_a_while(
    login: BridgeLogin, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A login is told to come again, a call that nobody answers; both work when the service is back."""
    caplog.set_level(logging.INFO, LOGGER)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        sandbox.stop()
        assert is_refused_for_now(program.authz())
        sandbox.start()
        program.log_in()
        assert program.company() == int(login.company)
        sandbox.stop()
        assert program.call().status_code == 502
        assert program.refresh().status_code == 200  # the service's token is still good, for all that anybody knows
        sandbox.start()
        assert program.company() == int(login.company)
    failed = [line for line in request_lines(caplog) if line["status"] >= 500]
    assert [line["path"] for line in failed] == ["/api/oauth/authz", "/api/sessioninfo"]
    assert all("reach" in line["reason"] for line in failed), [line["reason"] for line in failed]


def test_a_code_outlives_an_outage_of_the_service() -> None:
    """A code is not used up by an exchange that is told to come again."""
    clock = Clock()
    with Sandbox(clock=clock, quirks=Quirks(legacy_removed="404", access_token_lifetime=100)) as sandbox:
        login = login_of(sandbox)
        with RunningBridge([login], clock=clock) as bridge, OldProgram(bridge.url, login) as program:
            exchange = {"code": code_in(program.authz()), "redirect_uri": program.redirect_uri}
            clock.move(101)
            sandbox.stop()
            assert is_refused_for_now(program.token("authorization_code", **exchange))
            sandbox.start()
            assert program.token("authorization_code", **exchange).status_code == 200
