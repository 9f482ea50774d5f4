"""A bridge is started again, has others beside it, and is told to forget its tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from procountor_auth import Settings
from procountor_auth.bridge.access import RECHECK_SECONDS
from procountor_auth.bridge.login import BridgeLogin, Logins
from procountor_auth.bridge.shared_store import shared_store
from procountor_auth.cli.app import build_app
from procountor_auth.sandbox import Quirks
from procountor_auth.stores.file import FileStore
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.sql import SQLStore
from tests.bridge.clock import Clock
from tests.bridge.running import OldProgram, RunningBridge, code_in, login_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.stores.base import Store

pytestmark = pytest.mark.once


@pytest.fixture
def login(sandbox: Sandbox) -> BridgeLogin:
    """A login at a service without the legacy login."""
    sandbox.quirks = Quirks(legacy_removed="404")
    return login_of(sandbox)


@pytest.fixture(params=["file", "redis", "sql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open one more store over the same entries, as another process does it."""
    if request.param == "redis":
        url = SecretStr(request.getfixturevalue("redis_url"))
        return lambda: RedisStore(url)
    if request.param == "sql":
        return lambda: SQLStore(SecretStr(f"sqlite:///{tmp_path / 'bridge.db'}"))
    return lambda: FileStore(tmp_path / "bridge")


def of_code(program: OldProgram, answer: Any) -> dict[str, str]:  # noqa: ANN401 - the client's own answer
    """Return the parameters with which a program exchanges the code of an answer."""
    return {"code": code_in(answer), "redirect_uri": program.redirect_uri}


def test_a_restart_is_not_noticed(login: BridgeLogin, open_store: Callable[[], Store]) -> None:
    """Codes and tokens from before are good afterwards, at the same address."""
    with RunningBridge([login], store=open_store()) as first, OldProgram(first.url, login) as program:
        program.log_in()
        code = of_code(program, program.authz())
        first.stop()
        with RunningBridge([login], store=open_store(), port=first.port):
            assert program.company() == int(login.company)
            assert program.token("authorization_code", **code).status_code == 200
            assert program.refresh().status_code == 200
            assert program.company() == int(login.company)


def test_a_bridge_in_memory_begins_anew(login: BridgeLogin) -> None:
    """Without a store the old program is told what makes it log in again."""
    with RunningBridge([login]) as first, OldProgram(first.url, login) as program:
        program.log_in()
        first.stop()
        with RunningBridge([login], port=first.port):
            assert program.call().status_code == 401
            refreshed = program.refresh()
            assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
            program.log_in()
            assert program.company() == int(login.company)


def test_two_bridges_on_one_store(login: BridgeLogin, open_store: Callable[[], Store]) -> None:
    """A login begins at one and goes on at the other; a logout at one ends at the other within seconds."""
    monotonic = Clock(0)
    with (
        RunningBridge([login], store=open_store(), monotonic=monotonic) as one,
        RunningBridge([login], store=open_store(), monotonic=monotonic) as two,
        OldProgram(one.url, login) as here,
        OldProgram(two.url, login) as there,
    ):
        code = of_code(here, here.authz())
        answer = there.token("authorization_code", **code)
        assert answer.status_code == 200
        assert here.token("authorization_code", **code).json()["error"] == "invalid_grant"
        for program in (here, there):
            program.access_token, program.refresh_token = answer.json()["access_token"], answer.json()["refresh_token"]
            assert program.company() == int(login.company)
        assert here.call("POST", "/logout").status_code == 204
        assert here.call().status_code == 401
        assert there.call().status_code == 200
        monotonic.move(RECHECK_SECONDS)
        assert there.call().status_code == 401
        assert there.refresh().status_code == 200
        here.access_token = there.access_token
        assert (here.company(), there.company()) == (int(login.company), int(login.company))


@pytest.mark.parametrize(
    "path", ["/logout", "/logout/", "/latest//logout", "/supported/logout", "/api/logout", "/v2302/api/logout/"]
)
def test_a_logout_ends_one_token(login: BridgeLogin, sandbox: Sandbox, path: str) -> None:
    """Others of the same login go on, and so does the service's own; without a token there is nothing to end."""
    with (
        RunningBridge([login]) as bridge,
        OldProgram(bridge.url, login) as one,
        OldProgram(bridge.url, login) as two,
    ):
        one.log_in()
        two.log_in()
        assert one.call("POST", path).status_code == 204
        assert one.call("POST", path).status_code == 401
        assert (one.call().status_code, two.call().status_code) == (401, 200)
        assert one.http.post(path).status_code == 401
        assert one.refresh().status_code == 200
        assert one.company() == int(login.company)
    asked = [entry["path"] for entry in sandbox.log()]
    assert asked == ["/api/oauth/token", "/api/sessioninfo", "/api/sessioninfo"]


@pytest.mark.parametrize("as_json", [False, True])
def test_the_operator_ends_all_tokens(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    login: BridgeLogin,
    *,
    as_json: bool,
) -> None:
    """`bridge revoke` ends what a running bridge has given out within seconds; the program logs in again."""
    variables = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    environment(variables | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"})
    configured = BridgeLogin.of(Settings(), has_file=False)
    assert configured is not None
    assert configured.key == login.key
    monotonic = Clock(0)
    with (
        RunningBridge([configured], store=shared_store(Logins([configured])), monotonic=monotonic) as bridge,
        OldProgram(bridge.url, configured) as program,
    ):
        program.log_in()
        code = of_code(program, program.authz())
        assert program.company() == int(sandbox.company)
        result = CliRunner().invoke(build_app(), ["bridge", "revoke", *(["--json"] if as_json else [])])
        assert result.exit_code == 0, result.stderr
        if as_json:
            assert json.loads(result.stdout)["profiles"] == [{"profile": None, "revoked": 2}]
        else:
            assert result.stdout == "this configuration: 2 tokens revoked\n"
        monotonic.move(RECHECK_SECONDS)
        assert program.call().status_code == 401
        assert program.refresh().json()["error"] == "invalid_grant"
        assert program.token("authorization_code", **code).json()["error"] == "invalid_grant"
        program.log_in()
        assert program.company() == int(sandbox.company)
    # The service's own token is another matter: it was asked for once.
    assert [entry["grant_type"] for entry in sandbox.log() if entry["grant_type"]] == ["client_credentials"]
