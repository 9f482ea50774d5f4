"""What every test starts from: no `PROCOUNTOR_*` in the environment, an empty working directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from procountor_auth.backend import backend
from procountor_auth.migration import lifecycle
from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _a_clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own configuration out of the tests."""
    for variable in [name for name in os.environ if name.upper().startswith("PROCOUNTOR_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    # Docker's default directory may exist on the machine that runs the tests.
    monkeypatch.setattr("procountor_auth.variables.DEFAULT_SECRETS_DIR", str(tmp_path / "no-secrets"))
    lifecycle.forget_warning()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A local Procountor of the test's own."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Replace the `PROCOUNTOR_*` part of the environment."""

    def replace(variables: dict[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith("PROCOUNTOR_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return replace


@pytest.fixture
def log_in() -> Callable[[str, Sandbox], str]:
    """Do what a person does at a login URL; return where the browser is sent afterwards."""

    def visit(url: str, sandbox: Sandbox) -> str:
        page, _, asked = url.partition("?")
        person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company}
        with backend.Client() as browser:
            answer = browser.post(page, data=dict(parse_qsl(asked)) | person)
        return answer.headers["Location"]

    return visit


@pytest.fixture
def token_requests() -> Callable[[Sandbox], list[str]]:
    """The grant types of the token requests that a sandbox has served, in order."""

    def served(sandbox: Sandbox) -> list[str]:
        return [
            str(entry["grant_type"]) for entry in sandbox.log() if entry["path"].rstrip("/").endswith("oauth/token")
        ]

    return served
