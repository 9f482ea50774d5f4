"""The command as a process, a browser that it opens, and the user of both."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import pytest

from procountor_auth import cli
from procountor_auth.settings.profiles import Profiles
from procountor_auth.tokens.pool import ProviderPool
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.token import Token
    from procountor_auth.sandbox import Sandbox
    from procountor_auth.stores.failure import Failure
    from tests.forkserver.forkserver import ForkServer

    Run = Callable[..., tuple[int, str, str]]

HERE: Final = Path(cli.__file__).parents[2]

#: What stands for the system's browser: it tells the test where it was sent, and with which environment.
_BROWSER: Final = """#!{python}
import json, os, socket, sys
with socket.create_connection(("127.0.0.1", {port})) as test:
    test.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode())
print("a browser may be talkative", flush=True)
"""


class Browser:
    """The system's browser, which is a script, and its user.

    Attributes:
        program: The path of the script, for the variable `BROWSER`.
    """

    def __init__(self, folder: Path) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(30)
        self.program = folder / "browser"
        self.program.write_text(_BROWSER.format(python=sys.executable, port=self._server.getsockname()[1]))
        self.program.chmod(0o700)

    def opened(self) -> tuple[str, dict[str, str]]:
        """Wait for it to be started; return the one address that it was given, and its environment."""
        with self._server.accept()[0] as connection, connection.makefile() as said:
            (url,), environment = json.load(said)
        return str(url), environment

    def close(self) -> None:
        """Stop waiting."""
        self._server.close()


class Person:
    """The user who logs in, with a test browser that keeps no cookies."""

    def logs_in(self, url: str, sandbox: Sandbox, **answers: str) -> str:
        """Fill in the login page at a URL; return where the browser is sent afterwards."""
        page, _, asked = url.partition("?")
        person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company} | answers
        with backend.Client(trust_env=False) as browser:
            answer = browser.post(page, data=dict(parse_qsl(asked)) | person)
        return str(answer.headers["Location"])

    def opens(self, address: str) -> str:
        """Open an address; return the page."""
        with backend.Client(trust_env=False) as browser:
            return str(browser.get(address).text)


class Terminal:
    """A terminal with 80 columns, and what a command shows on it.

    Attributes:
        side: The command's side of it.
    """

    def __init__(self) -> None:
        self._ours, self.side = pty.openpty()
        self._said = b""

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until a running command has shown what matches, without its colours."""
        while (found := re.search(pattern, self._plain())) is None:
            if not select.select([self._ours], [], [], 60)[0]:
                raise AssertionError(self._plain())
            self._said += os.read(self._ours, 65_536)
        return found

    def types(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{line}\n".encode())

    def close(self) -> None:
        """Close it, as somebody does who closes the window."""
        os.close(self.side)
        os.close(self._ours)

    def _plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self._said.decode(errors="replace"))

    def shown(self) -> str:
        """Return what the commands have shown so far, when all of them have ended."""
        os.close(self.side)
        said = self._said
        while True:
            try:
                part = os.read(self._ours, 65_536)
            except OSError:  # what Linux says when the other side has closed
                break
            if not part:
                break
            said += part
        os.close(self._ours)
        return said.decode()


class Command:
    """The command while it runs."""

    def __init__(self, start: list[str], environment: dict[str, str], pipes: dict[str, int]) -> None:
        self.process = subprocess.Popen(
            start,
            text=True,
            env=os.environ | {"PYTHONPATH": str(HERE), "NO_COLOR": "1", "COLUMNS": "200", "TERM": "dumb"} | environment,
            stdin=pipes.get("stdin", subprocess.PIPE),
            stdout=pipes.get("stdout", subprocess.PIPE),
            stderr=pipes.get("stderr", subprocess.PIPE),
        )

    def asks(self, pattern: str) -> str:
        """Read stderr up to the first line that matches, and return what the group in the pattern is."""
        assert self.process.stderr
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError("".join(seen))

    def login_url(self) -> str:
        """Return the address of the login page, which is printed."""
        return self.asks(r"^    (http\S+)$")

    def says(self, text: str, end: str = "\n") -> None:
        """Paste a line."""
        assert self.process.stdin
        self.process.stdin.write(text + end)
        self.process.stdin.flush()

    def interrupt(self) -> None:
        """Press Ctrl-C, and leave the rest as it is until that has ended the command.

        Python loses a signal that comes between its last look for one and a system call that waits, about once in a
        hundred times where both come at the same moment: then it is pressed once more, as a person would.
        """
        for _ in range(3):
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                continue
            return
        self.process.kill()
        pytest.fail(f"Ctrl-C does not end it: {self.process.communicate()}")

    def ends(self) -> tuple[int, str, str]:
        """Wait for its end; return the status and the rest of what it prints. There is never a traceback."""
        out, err = self.process.communicate(timeout=60)
        assert "Traceback" not in (err or "")
        return self.process.returncode, out, err


@pytest.fixture
def system_browser(tmp_path: Path) -> Iterator[Browser]:
    """The browser that the command opens."""
    browser = Browser(tmp_path)
    yield browser
    browser.close()


@pytest.fixture
def variables(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """The environment for a sandbox, with a token store that survives the command, and with some variables changed."""

    def describe(sandbox: Sandbox, **changes: str) -> dict[str, str]:
        described = sandbox.environment("authorization_code")
        described["PROCOUNTOR_TOKEN_STORE"] = f"file:{tmp_path / 'tokens'}"
        return described | {f"PROCOUNTOR_{name}".upper(): value for name, value in changes.items()}

    return describe


@pytest.fixture
def start(
    system_browser: Browser, variables: Callable[..., dict[str, str]], fork_server: ForkServer, tmp_path: Path
) -> Iterator[Callable[..., Command]]:
    """Start the command `at` a sandbox with some variables changed, with a home and a browser of the test's own."""
    commands = []
    own = {"HOME": str(tmp_path / "home"), "BROWSER": str(system_browser.program), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    own |= {name: str(tmp_path / "home" / name.lower()) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME")}

    def run(
        *arguments: str,
        at: Sandbox | None = None,
        environment: dict[str, str] | None = None,
        program: str = "",
        pipes: dict[str, int] | None = None,
        **changes: str,
    ) -> Command:
        described = {} if at is None else variables(at, **changes)
        # A program of the test's own may want to come before whatever the command imports.
        begin = [sys.executable, "-c", program] if program else [fork_server.command]
        commands.append(Command([*begin, *arguments], own | described | (environment or {}), pipes or {}))
        return commands[-1]

    yield run
    for command in commands:
        with command.process as process:
            process.kill()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, with no terminal; return the status, stdout and stderr."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["procountor-auth", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "\x1b" not in said.out + said.err
        return int(ended.value.code or 0), said.out, said.err

    return command


@pytest.fixture
def make_terminal() -> Callable[[], Terminal]:
    """Make a terminal."""
    return Terminal


@pytest.fixture
def store_token() -> Callable[..., None]:
    """Put a token, or a failure, into the entry of a profile, as the environment describes it now."""

    def put(token: Token | None, failure: Failure | None = None, profile: str | None = None) -> None:
        provider = ProviderPool(Profiles.search()).provider(profile)
        with provider.store.transaction(provider.key, timeout=10) as transaction:
            transaction.write(token, failure)

    return put


@pytest.fixture
def write_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write the profiles file, name it in the environment, and return its path."""

    def write(common: dict[str, str] | None = None, **profiles: dict[str, str]) -> Path:
        lines = [f"{name} = {json.dumps(value)}" for name, value in (common or {}).items()]
        for profile, values in profiles.items():
            lines.append(f"[profiles.{profile}]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        path = tmp_path / "profiles.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o600)
        monkeypatch.setenv("PROCOUNTOR_PROFILES_FILE", str(path))
        return path

    return write


@pytest.fixture
def person() -> Person:
    """The user of the command."""
    return Person()
