"""What has a life ends with it, at the bridge and at the service, and the old program is told what it knows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.bridge.credentials import ACCESS_TOKEN_SECONDS, CODE_SECONDS, REFRESH_TOKEN_SECONDS
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from tests.bridge.clock import Clock
from tests.bridge.request_lines import LOGGER, request_lines
from tests.bridge.running import OldProgram, RunningBridge, code_in, login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.events import Event

pytestmark = pytest.mark.once


@pytest.fixture
def clock() -> Clock:
    """The time of the service and of the bridge."""
    return Clock()


@pytest.fixture
def service(clock: Clock, caplog: pytest.LogCaptureFixture) -> Iterator[Sandbox]:
    """A service without the legacy login; the bridge's log is kept."""
    caplog.set_level(logging.INFO, LOGGER)
    with Sandbox(clock=clock, quirks=Quirks(legacy_removed="404")) as sandbox:
        yield sandbox


@pytest.fixture
def login(service: Sandbox) -> BridgeLogin:
    """The login at its first company."""
    return login_of(service)


@pytest.fixture
def bridge(login: BridgeLogin, clock: Clock) -> Iterator[RunningBridge]:
    """A bridge with that login."""
    with RunningBridge([login], clock=clock) as running:
        yield running


@pytest.fixture
def program(bridge: RunningBridge, login: BridgeLogin) -> Iterator[OldProgram]:
    """A program that has not logged in yet."""
    with OldProgram(bridge.url, login) as running:
        yield running


def refused(answer: Any) -> tuple[int, str]:  # noqa: ANN401 - the client's own answer
    """Return the status and the error of a refusal by an OAuth endpoint."""
    return answer.status_code, answer.json()["error"]


def upstream_grants(service: Sandbox) -> list[str]:
    """Return the grants of the token requests that the service has seen."""
    return [entry["grant_type"] for entry in service.log() if entry["grant_type"]]


def test_a_code_expires(program: OldProgram, clock: Clock) -> None:
    """It can be exchanged for five minutes, once."""
    codes = [{"code": code_in(program.authz()), "redirect_uri": program.redirect_uri} for _ in range(2)]
    clock.move(CODE_SECONDS - 1)
    assert program.token("authorization_code", **codes[0]).status_code == 200
    assert refused(program.token("authorization_code", **codes[0])) == (400, "invalid_grant")
    clock.move(1)
    assert refused(program.token("authorization_code", **codes[1])) == (400, "invalid_grant")


def test_an_access_token_expires(program: OldProgram, clock: Clock, login: BridgeLogin) -> None:
    """After an hour it is answered as at the API, and the refresh token brings another one."""
    program.log_in()
    clock.move(ACCESS_TOKEN_SECONDS - 1)
    assert program.company() == int(login.company)
    clock.move(1)
    answer = program.call()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["errors"] == [{"status": 401, "message": "The access token is unknown or expired."}]
    assert program.refresh().status_code == 200
    assert program.company() == int(login.company)


def test_a_refresh_token_expires(program: OldProgram, clock: Clock, login: BridgeLogin) -> None:
    """After six months the program logs in again, as it did at the service; until then, refreshing is enough."""
    program.log_in()
    clock.move(REFRESH_TOKEN_SECONDS - 1)
    assert program.refresh().status_code == 200
    assert program.company() == int(login.company)
    clock.move(1)
    assert refused(program.refresh()) == (400, "invalid_grant")
    program.log_in()
    assert program.company() == int(login.company)


def test_the_service_s_token_expires_unnoticed(
    program: OldProgram, clock: Clock, login: BridgeLogin, service: Sandbox
) -> None:
    """The bridge has another one before the call: the service sees no token that has expired."""
    service.quirks = Quirks(legacy_removed="404", access_token_lifetime=600)
    program.log_in()
    for _ in range(4):
        clock.move(601)
        assert program.company() == int(login.company)
    assert upstream_grants(service) == ["client_credentials"] * 5
    assert [entry["status"] for entry in service.log()] == [200] * 9


def test_the_service_forgets_its_token(
    bridge: RunningBridge, login: BridgeLogin, service: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that is refused before its time is replaced, the call is sent again, and the log says so."""
    with OldProgram(bridge.url, login) as program:
        program.log_in()
        service.faults = Faults(where="api", status=401, times=1)
        assert program.company() == int(login.company)
        assert program.call("POST", "/api/users", json={}).status_code != 401
    bridge.stop()
    assert [line["renewed"] for line in request_lines(caplog)] == [False, False, True, False]
    assert upstream_grants(service) == ["client_credentials"] * 2


def _revoke_key(service: Sandbox) -> None:
    service.world.revoke_api_key(service.api_key)


def _take_access(service: Sandbox) -> None:
    service.world.revoke_user_access(service.user_id, int(service.company))


def _replace_secret(service: Sandbox) -> None:
    service.world.replace_client_secret(service.client_id)


@pytest.mark.both_error_shapes
@pytest.mark.parametrize(
    ("happens", "named"),
    [
        (_revoke_key, "PROCOUNTOR_API_KEY"),
        (_take_access, "PROCOUNTOR_API_KEY"),
        (_replace_secret, "PROCOUNTOR_CLIENT_SECRET"),
    ],
    ids=["key", "access", "secret"],
)
def test_what_the_service_refuses(
    happens: Callable[[Sandbox], None],
    named: str,
    service: Sandbox,
    login: BridgeLogin,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The program is refused in the old words at a call, a refresh and a login; the log says what has to be done."""
    service.quirks = Quirks(legacy_removed="404", access_token_lifetime=100, error_shape=service.quirks.error_shape)
    told: list[Event] = []
    with RunningBridge([login], clock=clock, on_event=told.append) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        code = {"code": code_in(program.authz()), "redirect_uri": program.redirect_uri}
        assert program.company() == int(login.company)
        happens(service)
        clock.move(101)  # a key that is revoked leaves the service's token as it is
        answer = program.call()
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["message"] == "The access token is not accepted any more."
        for answer in (program.refresh(), program.authz(), program.token("authorization_code", **code)):
            assert refused(answer) == (400, "invalid_grant")
            assert answer.json()["error_description"] == "The login is not accepted any more."
    lines = [line for line in request_lines(caplog) if line["status"] >= 400]
    oauth = ["/api/oauth/token", "/api/oauth/authz", "/api/oauth/token"]
    assert [line["path"] for line in lines] == ["/api/sessioninfo", *oauth]
    assert all(named in line["reason"] for line in lines)
    assert [event.name for event in told].count("bridge_login_refused") == len(oauth)


def test_what_the_service_accepts_again(
    program: OldProgram, service: Sandbox, login: BridgeLogin, clock: Clock
) -> None:
    """When the cause is gone, the program's own tokens work again, and nobody starts the bridge anew."""
    program.log_in()
    service.world.revoke_user_access(service.user_id, int(service.company))
    clock.move(3_599)
    assert program.call().status_code == 401
    service.world.grant_user_access(service.user_id, int(service.company))
    clock.move(301)  # what was refused is not sent again at once
    assert program.refresh().status_code == 200
    assert program.company() == int(login.company)


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody"}], ids=["password", "user"])
def test_a_refused_login_is_told_as_by_the_service(
    program: OldProgram, service: Sandbox, changes: dict[str, str]
) -> None:
    """The status and the error are those of the legacy login as it was."""
    here = program.authz(**changes)
    service.quirks = Quirks(error_shape="oauth")
    with OldProgram(service.base_url, program.login) as before:
        there = before.authz(**changes)
    assert refused(here) == refused(there)
    assert here.json().keys() == there.json().keys()


@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token"])
@pytest.mark.parametrize("fault", ["unknown", "client"])
def test_a_refused_grant_is_told_as_by_the_service(
    program: OldProgram, service: Sandbox, grant: str, fault: str
) -> None:
    """An unknown code or refresh token, or a wrong client secret: status and error are those of the service."""
    service.quirks = Quirks(error_shape="oauth")
    with OldProgram(service.base_url, program.login) as before:
        answers = []
        for each in (program, before):
            each.log_in()
            secret = {"code": code_in(each.authz()), "refresh_token": each.refresh_token}
            given = secret | {"redirect_uri": each.redirect_uri}
            name = "code" if grant == "authorization_code" else "refresh_token"
            given |= {name: "unknown"} if fault == "unknown" else {"client_secret": "wrong"}
            answers.append(each.token(grant, **given))
    assert refused(answers[0]) == refused(answers[1])
