"""The recipes of docs/http-clients.md, each with the client that it is for, at a real sandbox."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.variables import inherited

from .document import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import niquests

    from procountor_auth.requests import ProcountorAuth
    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.server

PAGE: Final = Path(__file__).parents[2] / "docs" / "http-clients.md"

SPECIFICATION: Final = {
    "openapi": "3.0.3",
    "info": {"title": "Procountor part", "version": "1"},
    "paths": {
        "/sessioninfo": {
            "get": {
                "operationId": "sessioninfo",
                "responses": {
                    "200": {
                        "description": "whose session it is",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}},
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Session": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "companyId": {"type": "integer"}},
            }
        }
    },
}


def recipe(title: str, **names: Any) -> dict[str, Any]:  # noqa: ANN401 - what a recipe finds around it
    """Run the Python under a title of the page; return its names."""
    lines = PAGE.read_text("utf-8").splitlines()
    begin = lines.index(f"## {title}")
    end = next((number for number, line in enumerate(lines) if number > begin and line.startswith("## ")), len(lines))
    (block,) = [block for block in blocks_of(PAGE) if block.language == "python" and begin < block.line <= end]
    found: dict[str, Any] = {"__name__": "recipe", **names}
    exec(compile(block.text, f"{PAGE}:{block.line}", "exec", dont_inherit=True), found)  # noqa: S102 - the page's own
    return found


@pytest.fixture(autouse=True)
def _described(sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """Describe a client of the sandbox."""
    environment(sandbox.environment("client_credentials"))


def test_httpx_with_asyncio() -> None:
    """The async client of httpx gets its token from the same object as the sync one."""
    pytest.importorskip("httpx")
    assert asyncio.run(recipe("httpx with asyncio")["company_name"]()) == "Sandbox Oy"


def test_aiohttp(sandbox: Sandbox) -> None:
    """The middleware puts a token on requests, renews it after a 401, and keeps it from other hosts."""
    aiohttp = pytest.importorskip("aiohttp")
    names = recipe("aiohttp")

    async def ask() -> list[str]:
        first = await names["company_name"]()
        old = (await names["source"].atoken()).access_token
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {old}"}
            async with session.post(f"{sandbox.base_url}/logout", headers=headers):
                pass
        second = await names["company_name"]()
        assert (await names["source"].atoken()).access_token != old
        return [first, second]

    assert asyncio.run(ask()) == ["Sandbox Oy"] * 2


def test_niquests() -> None:
    """What is for requests is for niquests, too."""
    pytest.importorskip("niquests")
    assert recipe("niquests")["company_name"]() == "Sandbox Oy"


def accept(session: niquests.Session, auth: ProcountorAuth) -> None:
    """A type checker that reads this accepts the recipe of niquests."""
    session.auth = auth
    session.get("https://example.com/", auth=auth)


@pytest.mark.process
def test_openapi_python_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generated client asks with a token of ours."""
    pytest.importorskip("httpx")
    pytest.importorskip("openapi_python_client")
    (tmp_path / "api.json").write_text(json.dumps(SPECIFICATION))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", "api.json"),
            *("--meta", "none", "--output-path", "procountor_part"),
        ],
        cwd=tmp_path,
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "procountor_part" / "client.py").exists(), done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    names = recipe("openapi-python-client", Client=importlib.import_module("procountor_part").Client)
    module = importlib.import_module("procountor_part.api.default.sessioninfo")
    with names["client"] as client:
        assert module.sync(client=client).name == "Sandbox Oy"


@pytest.mark.once
def test_kiota(sandbox: Sandbox) -> None:
    """Kiota's adapter gets its tokens from the source, and for no other host."""
    pytest.importorskip("httpx")
    pytest.importorskip("kiota_http")
    names = recipe("Kiota")
    method = importlib.import_module("kiota_abstractions.method").Method
    information = importlib.import_module("kiota_abstractions.request_information").RequestInformation

    async def ask() -> Any:  # noqa: ANN401 - JSON
        request = information(method.GET, "{+baseurl}/sessioninfo", {"baseurl": names["adapter"].base_url})
        answer = await names["adapter"].send_primitive_async(request, "bytes", {})
        await names["adapter"]._http_client.aclose()
        provider = names["ProcountorTokens"](names["source"])
        assert await provider.get_authorization_token("https://example.com/") == ""
        return json.loads(answer)

    assert asyncio.run(ask())["companyId"] == int(sandbox.company)
