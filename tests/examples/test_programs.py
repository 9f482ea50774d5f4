"""The examples that are one program: they reach the company, and end with the status that they should."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.sandbox import Faults
from tests.documents.test_http_clients import SPECIFICATION

from .conftest import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    from .example import Run

PACKAGE: Final = "procountor==2.4.0"


def test_cron_job_goes_through_the_companies(
    run: Run,
    sandbox: Sandbox,
    companies: Callable[[int], list[str]],
    token_requests: Callable[[Sandbox], list[str]],
) -> None:
    """Each run prints every company, and the second one finds the tokens of the first."""
    names = companies(3)
    for _ in range(2):
        done = run("cron_job.py")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [f"{name}: {name} Oy" for name in names]
    assert token_requests(sandbox) == ["client_credentials"] * 3


def test_cron_job_tells_what_passes_from_what_needs_a_person(
    run: Run, sandbox: Sandbox, companies: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage is 75, a refused key 1, also beside an outage, and a wrong configuration 2."""
    names = companies(2)
    sandbox.faults = Faults(status=503, where="all")
    monkeypatch.setenv("PROCOUNTOR_TIMEOUT", "1")
    assert run("cron_job.py").returncode == 75
    monkeypatch.setenv("PROCOUNTOR_PROFILES__COMPANY_01__STRATEGY", "authorization_code")
    done = run("cron_job.py")
    assert done.returncode == 1
    assert all(f"{name}: " in done.stderr for name in names)
    assert run("cron_job.py", PROCOUNTOR_PROFILES_FILE="nowhere.toml").returncode == 2


def test_plain_requests(run: Run, sandbox: Sandbox, environment: Callable[[dict[str, str]], None]) -> None:
    """The company is printed; an outage is a status of its own."""
    environment(sandbox.environment("client_credentials"))
    assert run("plain_requests.py").stdout == "Sandbox Oy\n"
    for where in ("token", "api"):
        sandbox.faults = Faults(status=503, where=where)
        assert run("plain_requests.py", PROCOUNTOR_TIMEOUT="1").returncode == 75


def test_async_httpx2(run: Run, companies: Callable[[int], list[str]]) -> None:
    """All companies are asked for, and come in their order."""
    pytest.importorskip("httpx2")
    names = companies(5)
    done = run("async_httpx2.py")
    assert done.stdout.splitlines() == [f"{name}: {name} Oy" for name in names], done.stderr


def test_generated_client(
    run: Run, sandbox: Sandbox, environment: Callable[[dict[str, str]], None], tmp_path: Path
) -> None:
    """A client that was generated from a description gets its tokens from here."""
    environment(sandbox.environment("client_credentials"))
    (tmp_path / "openapi.json").write_text(json.dumps(SPECIFICATION))
    made = run(
        *("-m", "openapi_python_client", "generate", "--path", str(tmp_path / "openapi.json")),
        *("--meta", "none", "--output-path", str(tmp_path / "procountor_api")),
    )
    assert (tmp_path / "procountor_api" / "client.py").exists(), made.stdout + made.stderr
    done = run("generated_client.py", PYTHONPATH=str(tmp_path))
    assert done.stdout == f"Sandbox Oy (company {sandbox.company})\n", done.stderr


@pytest.fixture
def package() -> Path:
    """The folder of the package `procountor` and what it needs; where it can't be had, the test is skipped."""
    clients: Any = importlib.import_module("examples.foreign_clients")
    (client,) = [client for client in clients.CLIENTS if client.label == PACKAGE]
    try:
        python = Path(clients.installed(client, Path(sys.prefix) / "foreign")[0])
    except clients.UnavailableError as error:
        pytest.skip(str(error))
    return next((python.parents[1] / "lib").glob("python*/site-packages"))


def test_procountor_client(
    run: Run, sandbox: Sandbox, environment: Callable[[dict[str, str]], None], package: Path, tmp_path: Path
) -> None:
    """The package asks with our token at our host, and with another one after a 401."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_API_VERSION": "supported"})
    shutil.copytree(package / "procountor", tmp_path / "packages" / "procountor")
    shutil.copytree(package / "requests_toolbelt", tmp_path / "packages" / "requests_toolbelt")
    path = f"{tmp_path / 'packages'}:{EXAMPLES}"
    done = run("procountor_client.py", PYTHONPATH=path)
    assert done.stdout == "Sandbox Oy\n", done.stderr
    after_a_401 = (
        "from procountor_auth import TokenSource\n"
        "from procountor_client import ProcountorClient\n"
        "client = ProcountorClient(TokenSource.from_env())\n"
        "client.invalidate_token()\n"
        "print(client.get_session_info()['content']['name'])\n"
    )
    done = run("-c", after_a_401, PYTHONPATH=path)
    assert done.stdout == "Sandbox Oy\n", done.stderr
    paths = {str(entry["path"]) for entry in sandbox.log()}
    assert paths == {"/supported/api/oauth/token", "/supported/api/sessioninfo", "/logout"}
