"""The command `procountor-auth bridge` while it serves a sandbox's companies."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from tests.bridge.running import OldProgram, login_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command

    Start = Callable[..., Command]

OTHER: Final = {"username": "other user", "password": "other pässword"}
"""The login of a second profile of the same company, that programs use at the bridge."""


def configured(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """Return the variables of the sandbox's first company, with its legacy login and with some changed."""
    variables = sandbox.environment("client_credentials") | {
        "PROCOUNTOR_USERNAME": sandbox.username,
        "PROCOUNTOR_PASSWORD": sandbox.password,
        "PROCOUNTOR_COMPANY": str(sandbox.company),
    }
    return variables | {f"PROCOUNTOR_{name}".upper(): value for name, value in changes.items()}


def table(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """Return what a profile of the sandbox's first company says in the profiles file."""
    own = {
        "username": sandbox.username,
        "password": sandbox.password,
        "company": str(sandbox.company),
        "api_key": sandbox.api_key,
    }
    return own | changes


def common(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """Return the variables that all profiles share."""
    variables = configured(sandbox, **changes)
    return {name: value for name, value in variables.items() if name.partition("_")[2].lower() not in table(sandbox)}


class Serving:
    """The command on a free port, and where it is.

    Attributes:
        command: The command.
        described: The first line that it has printed.
        url: Where it answers.
    """

    def __init__(self, start: Start, *arguments: str, environment: dict[str, str], **more: Any) -> None:  # noqa: ANN401 - as `start` takes them
        self.command = start("bridge", "--port", "0", "--json", *arguments, environment=environment, **more)
        assert self.command.process.stdout
        line = self.command.process.stdout.readline()
        assert line, self.command.ends()
        self.described: dict[str, Any] = json.loads(line)
        self.url: str = self.described["base_url"]

    def program(self, sandbox: Sandbox, **changes: str) -> OldProgram:
        """Return an old program whose host is the bridge, with the sandbox's first login or another one."""
        return OldProgram(self.url, self.login(sandbox, **changes))

    @staticmethod
    def login(sandbox: Sandbox, **changes: str) -> BridgeLogin:
        """Return what such a program logs in with."""
        return login_of(sandbox, **changes)

    def stops(self, number: int = signal.SIGTERM) -> tuple[int, str, list[dict[str, Any]]]:
        """Send a signal; return the status, the rest of stdout, and the log that was JSON."""
        self.command.process.send_signal(number)
        status, out, err = self.command.ends()
        return status, out, [json.loads(line) for line in err.splitlines()]

    def logs(self, pattern: str) -> str:
        """Wait for a line in the log that matches, and return what the group in the pattern is."""
        return self.command.asks(pattern)

    def refuses_connections(self) -> None:
        """Wait until nobody can connect any more."""
        port = int(self.url.rpartition(":")[2])
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                return


class Unfinished:
    """A login whose form is still to come: a request that is under way.

    Args:
        url: Where the bridge is.
        program: Who logs in.
    """

    def __init__(self, url: str, program: OldProgram) -> None:
        request = program.http.build_request("POST", url, data=dict(program.form()))
        self._body = request.content
        query = f"response_type=code&client_id={program.login.client_id}"
        host, _, port = url.partition("://")[2].rpartition(":")
        self.connection = socket.create_connection((host, int(port)))
        self.connection.sendall(
            f"POST /api/oauth/authz?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(self._body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        # It says so when it begins to read the body.
        assert self.connection.recv(65_536).startswith(b"HTTP/1.1 100 ")

    def ends(self) -> str:
        """Send the form, and return the answer."""
        self.connection.sendall(self._body)
        return self.says()

    def says(self) -> str:
        """Return what comes until the bridge closes the connection."""
        with closing(self.connection), self.connection.makefile("rb") as answer:
            return answer.read().decode()
