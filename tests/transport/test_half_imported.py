"""Modules that another thread has only begun to import, or that the program hides, while a token is requested."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import ConnectionFailed
from procountor_auth.transport import backend
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]


def _without_its_functions(name: str) -> ModuleType:
    module = ModuleType(name)
    vars(module)["lowlevel"] = ModuleType(f"{name}.lowlevel")
    return module


@pytest.mark.server
@pytest.mark.parametrize(
    "trio", [ModuleType("trio"), _without_its_functions("trio"), None], ids=["begun", "further", "hidden"]
)
def test_asyncio_does_not_need_the_rest_of_trio(
    sandbox: Sandbox, environment: Environment, monkeypatch: pytest.MonkeyPatch, trio: ModuleType | None
) -> None:
    """A coroutine on asyncio gets its token while another thread imports trio, as any use of anyio may do."""
    environment(sandbox.environment("client_credentials"))
    source = TokenSource.from_env()
    monkeypatch.setitem(sys.modules, "trio", trio)
    assert asyncio.run(source.atoken()).strategy == "client_credentials"


@pytest.mark.server
@pytest.mark.parametrize("httpx2", [ModuleType("httpx2"), None], ids=["begun", "hidden"])
def test_a_failure_is_recognized_without_the_other_library(
    sandbox: Sandbox, environment: Environment, monkeypatch: pytest.MonkeyPatch, httpx2: ModuleType | None
) -> None:
    """A refused connection is a `ConnectionFailed` while another thread imports httpx2, or if the program hides it."""
    pytest.importorskip("httpx")
    environment(sandbox.environment("client_credentials"))
    monkeypatch.setenv("PROCOUNTOR_BASE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setitem(sys.modules, "httpx2", httpx2)
    source = TokenSource.from_env(library="httpx")
    with pytest.raises(ConnectionFailed):
        source.token()


def test_a_hidden_library_is_not_the_one_that_the_program_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `sys.modules["httpx2"] = None`, the way in which tests hide a package, httpx makes the requests."""
    pytest.importorskip("httpx")
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "httpx", raising=False)
    assert backend.library().__name__ == "httpx"
