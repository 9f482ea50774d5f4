"""Programs that others wrote for the legacy login, and our own, run through the bridge as they are."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import InvalidGrant
from procountor_auth.sandbox import Quirks, Sandbox
from procountor_auth.settings import Settings
from procountor_auth.transport.backend import backend as httpx
from tests.bridge.request_lines import LOGGER, request_lines
from tests.bridge.running import RunningBridge, login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPT: Final = Path(__file__).parents[2] / "examples" / "foreign_clients.py"

_spec = importlib.util.spec_from_file_location("foreign_clients", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
foreign: Any = importlib.util.module_from_spec(_spec)
sys.modules["foreign_clients"] = foreign
_spec.loader.exec_module(foreign)

ProcountorAuth: Any = import_module(f"procountor_auth.{httpx.__name__}").ProcountorAuth

LEGACY: Final = tuple(client for client in foreign.CLIENTS if client.flow == "legacy")


@pytest.fixture(params=["redirect-uri-placeholder", "https://program.example/back"])
def service(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The service without the legacy login, for a client whose redirect URI is the vendor's word, or a URL."""
    with Sandbox(redirect_uri=request.param, quirks=Quirks(legacy_removed="404")) as sandbox:
        yield sandbox


def grants(sandbox: Sandbox) -> set[tuple[str, str]]:
    """Return the OAuth endpoints that the service was asked at, each with the grant."""
    return {(entry["path"], entry["grant_type"]) for entry in sandbox.log() if "oauth" in entry["path"]}


@pytest.mark.once
def test_the_script_has_the_legacy_clients() -> None:
    """Three versions of the package, which a server can tell apart, and curl use the legacy login."""
    assert [client.label for client in LEGACY] == [
        "procountor==0.1.0",
        "procountor==1.1.0",
        "procountor==1.2.1",
        "curl:legacy",
    ]


@pytest.mark.once
@pytest.mark.parametrize("client", LEGACY, ids=lambda client: client.label)
def test_a_foreign_client_reads_the_company_through_the_bridge(
    client: Any,  # noqa: ANN401 - of the script
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    sandbox: Sandbox,
) -> None:
    """It logs in, refreshes and logs out as ever; the service sees one token request with the API key, and calls."""
    sandbox.quirks = Quirks(legacy_removed="404")
    caplog.set_level(logging.INFO, LOGGER)
    # `make foreign` installs to the same place.
    cache = Path(sys.prefix) / "foreign" if os.access(sys.prefix, os.W_OK) else tmp_path_factory.mktemp("foreign")
    try:
        command = foreign.installed(client, cache)
    except foreign.UnavailableError as error:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"{error} (CI must not skip the foreign clients)")
        pytest.skip(str(error))
    with RunningBridge([login_of(sandbox)]) as bridge:
        variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_BASE_URL": bridge.url}
        told = foreign.sessioninfo(client, command, variables)

    assert str(told["companyId"]) == sandbox.company
    assert grants(sandbox) == {("/api/oauth/token", "client_credentials")}
    assert not any(entry["secret_in_url"] for entry in sandbox.log())
    lines = request_lines(caplog)
    assert any(line["secret_in_url"] for line in lines) is client.secret_in_url
    assert all(line["status"] < 400 for line in lines), [(line["path"], line["reason"]) for line in lines]
    assert [line["grant_type"] for line in lines if line["grant_type"]] == ["authorization_code", "refresh_token"]
    kinds = [line["path"].strip("/").rpartition("/")[2] for line in lines]
    calls = ["sessioninfo", "token", "sessioninfo", "logout"] if client.name != "curl" else ["token", "sessioninfo"]
    assert kinds == ["authz", "token", *calls]


def test_our_own_legacy_strategy_reads_the_company_through_the_bridge(
    service: Sandbox, environment: Callable[[dict[str, str]], None]
) -> None:
    """Configured with the bridge's host, it gets a token and calls the API, with a client of either kind."""
    with RunningBridge([login_of(service)]) as bridge:
        variables = service.environment("legacy_password") | {"PROCOUNTOR_BASE_URL": bridge.url}
        environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
        auth = ProcountorAuth()
        with httpx.Client(auth=auth, trust_env=False) as http:
            answer = http.get(f"{auth.api_url}/sessioninfo")
        assert str(answer.raise_for_status().json()["companyId"]) == service.company

        async def call() -> Any:  # noqa: ANN401 - JSON
            auth = ProcountorAuth()
            async with httpx.AsyncClient(auth=auth, trust_env=False) as http:
                return (await http.get(f"{auth.api_url}/sessioninfo")).raise_for_status().json()

        assert str(asyncio.run(call())["companyId"]) == service.company
    assert grants(service) == {("/api/oauth/token", "client_credentials")}


@pytest.mark.parametrize("api_version", [None, "latest", "v2302"])
@pytest.mark.parametrize("in_a_loop", [False, True], ids=["sync", "async"])
def test_our_own_legacy_strategy_refreshes_and_logs_out(
    service: Sandbox, caplog: pytest.LogCaptureFixture, api_version: str | None, *, in_a_loop: bool
) -> None:
    """Its token is refreshed when it has expired, and ends with the logout; the service's own token does not."""
    caplog.set_level(logging.INFO, LOGGER)
    now = [1_800_000_000.0]
    with RunningBridge([login_of(service)], clock=lambda: now[0]) as bridge:
        source = TokenSource.from_settings(
            Settings(
                strategy="legacy_password",
                base_url=bridge.url,
                api_version=api_version,
                client_id=service.client_id,
                client_secret=service.client_secret,
                redirect_uri=service.redirect_uri,
                username=service.username,
                password=service.password,
                company=service.company,
                legacy_policy="allow",
            ),
            clock=lambda: now[0],
        )
        first = asyncio.run(source.atoken()) if in_a_loop else source.token()
        assert first.refresh_token is not None
        assert first.expires_at == now[0] + 3600
        now[0] += 3601
        second = asyncio.run(source.atoken()) if in_a_loop else source.token()
        assert second.access_token != first.access_token
        assert second.refresh_token == first.refresh_token
        with httpx.Client(base_url=bridge.url, trust_env=False) as http:

            def status(token: str) -> int:
                return http.get("/api/sessioninfo", headers={"Authorization": f"Bearer {token}"}).status_code

            assert (status(first.access_token), status(second.access_token)) == (401, 200)
            asyncio.run(source.alogout()) if in_a_loop else source.logout()
            assert status(second.access_token) == 401
    lines = request_lines(caplog)
    assert [line["grant_type"] for line in lines if line["grant_type"]] == ["authorization_code", "refresh_token"]
    assert not any(line["secret_in_url"] for line in lines)
    version = f"/{api_version}" if api_version else ""
    asked = [line["path"] for line in lines if "sessioninfo" not in line["path"]]
    token = f"{version}/api/oauth/token"
    assert asked == [f"{version}/api/oauth/authz", token, token, "/logout"]
    assert not any(entry["path"] == "/logout" for entry in service.log())


def test_our_own_legacy_strategy_understands_a_refusal(service: Sandbox) -> None:
    """A password that the bridge does not know is the error that the service's refusal has been."""
    with RunningBridge([login_of(service, bridge_password="another one")]) as bridge:
        source = TokenSource.from_settings(
            Settings(
                strategy="legacy_password",
                base_url=bridge.url,
                client_id=service.client_id,
                client_secret=service.client_secret,
                redirect_uri=service.redirect_uri,
                username=service.username,
                password=service.password,
                company=service.company,
                legacy_policy="allow",
            )
        )
        with pytest.raises(InvalidGrant, match="password"):
            source.token()
    assert service.log() == []
