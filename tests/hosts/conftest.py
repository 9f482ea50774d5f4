"""A service and processes for the hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks, Sandbox

from .runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A service that rotates refresh tokens."""
    with Sandbox(quirks=Quirks(refresh_token="rotate")) as running:
        yield running


@pytest.fixture
def runner(
    service: Sandbox,
    fork_server: ForkServer,
    tmp_path: Path,
    environment: Callable[[dict[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Runner:
    """Runs a command on a host."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Runner(service, fork_server, tmp_path, environment)
