"""Ctrl-C: how soon a command ends, what it says, and that a second one shows no traceback."""

from __future__ import annotations

import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.migration.conftest import Companies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command

pytestmark = [pytest.mark.server, pytest.mark.process]


class StalledServer:
    """A server that takes requests and says nothing.

    Attributes:
        url: Where it is.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._heard = threading.Event()
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._taken.append(connection)
            connection.recv(1)
            self._heard.set()

    def hears(self) -> None:
        """Wait until a request has come."""
        assert self._heard.wait(30)

    def close(self) -> None:
        """Stop."""
        self._socket.close()
        for connection in self._taken:
            connection.close()


@pytest.fixture
def stalled() -> Iterator[StalledServer]:
    """A server that says nothing."""
    server = StalledServer()
    yield server
    server.close()


@pytest.mark.parametrize("command", [("token",), ("token", "--json"), ("doctor",)])
def test_a_stalled_server_does_not_hold_up_ctrl_c(
    start: Callable[..., Command], stalled: StalledServer, command: tuple[str, ...]
) -> None:
    """Ctrl-C ends a command at once, with status 130, long before the server's time is over."""
    variables = {
        "PROCOUNTOR_STRATEGY": "client_credentials",
        "PROCOUNTOR_CLIENT_ID": "c",
        "PROCOUNTOR_CLIENT_SECRET": "s",
        "PROCOUNTOR_REDIRECT_URI": "r",
        "PROCOUNTOR_API_KEY": "k",
        "PROCOUNTOR_BASE_URL": stalled.url,
        # Longer than the test waits for the end.
        "PROCOUNTOR_TIMEOUT": "300",
    }
    running = start(*command, environment=variables)
    stalled.hears()
    running.interrupt()
    status, out, err = running.ends()
    assert (status, err) == (130, "")
    assert ('"code": "interrupted"' in out) == ("--json" in command)


def test_a_second_ctrl_c_shows_no_traceback(start: Callable[..., Command], stalled: StalledServer) -> None:
    """Where a refresh token was sent its answer has a moment, and another Ctrl-C ends even that, with no word."""
    variables = {
        "PROCOUNTOR_STRATEGY": "authorization_code",
        "PROCOUNTOR_CLIENT_ID": "c",
        "PROCOUNTOR_CLIENT_SECRET": "s",
        "PROCOUNTOR_REDIRECT_URI": "r",
        "PROCOUNTOR_REFRESH_TOKEN": "t",
        "PROCOUNTOR_BASE_URL": stalled.url,
        "PROCOUNTOR_TIMEOUT": "300",
    }
    running = start("token", environment=variables)
    stalled.hears()
    running.process.send_signal(signal.SIGINT)
    running.interrupt()
    status, out, err = running.ends()
    assert (status in {130, -signal.SIGINT}, out, err) == (True, "", "")


def test_an_interrupted_rehearsal_says_how_far_it_came(
    start: Callable[..., Command],
    sandbox: Sandbox,
    stalled: StalledServer,
    tmp_path: Path,
    environment: Callable[[dict[str, str]], None],
) -> None:
    """Ctrl-C in a rehearsal says how many are done, and ends it though a server is silent; those done stay so."""
    variables = sandbox.environment("legacy_password") | {
        "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
        "PROCOUNTOR_PROFILES_FILE": str(tmp_path / "profiles.toml"),
        "PROCOUNTOR_TIMEOUT": "300",
    }
    for name in ("USERNAME", "PASSWORD", "COMPANY"):
        del variables[f"PROCOUNTOR_{name}"]
    environment(variables)
    companies = Companies(sandbox, tmp_path / "profiles.toml")
    companies.add("a")
    for name in ("b", "c"):
        companies.add(name, base_url=stalled.url)
    companies.write()
    running = start("migrate", "rehearse", "--at-once", "1", environment=variables)
    stalled.hears()
    running.interrupt()
    status, out, err = running.ends()
    assert (status, out) == (130, "")
    assert err == "Interrupted: 1 of 3 rehearsed. Run the same command to continue.\n"
    sandbox.clear_log()
    again = start("migrate", "rehearse", "--profile", "a", environment=variables)
    assert again.ends()[0] == 0
    assert sandbox.log() == []
