"""Runs a command on a host, and looks at everything that it leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import SecretBytes

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.protocol.token import Token
from procountor_auth.settings.profiles import Profiles
from procountor_auth.stores.base import Entry
from procountor_auth.stores.codec import Codec
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    from .hosts import Host

ROOT: Final = Path(__file__).parents[2]
_ENTER: Final = "from tests.hosts.inside import main; main()"
_SECRET: Final = ("_SECRET", "_API_KEY", "_PASSWORD", "_REFRESH_TOKEN")
LIMIT: Final = 60
"""Seconds after which a command has hung."""

COMMANDS: Final = {
    "from_env": ("api", "from_env"),
    "token": ("api", "token"),
    "renew": ("api", "token"),
    "status": ("status",),
    "doctor": ("doctor",),
    "rehearse": ("migrate", "rehearse", "--to", "client_credentials"),
    "login": ("login", "--no-browser"),
}
"""What is run: the library in a program of its own, with an API key or a stored refresh token, and the commands."""


@dataclass
class Result:
    """What came of it.

    Attributes:
        status: The exit status; negative for a signal.
        out: Standard output.
        err: Standard error.
        said: What the program of the API commands has printed.
        requests: How many requests for a token the server has got.
        places: Which addresses and names the process has asked for.
        files: What is in the folders of tokens.
        broken: Entries that are not whole.
        kept: `none`, `old` or `new`: which token is kept.
        lost: Whether a person has to log in now.
        secrets: What must not be in what it has printed.
        took: Seconds.
    """

    status: int
    out: str
    err: str
    requests: int
    places: set[str]
    took: float
    said: dict[str, object] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    kept: str = "none"
    lost: bool = False
    secrets: list[str] = field(default_factory=list, repr=False)

    @property
    def outcome(self) -> str:
        """What came of the command, in the table's words."""
        words = {0: "done", 1: "fails", 2: "configuration", 130: "interrupted", -signal.SIGTERM: "ended"}
        return str(self.said.get("outcome") or words.get(self.status, f"status {self.status}"))


class Runner:
    """Runs commands at a sandbox, each with a home of its own.

    Args:
        sandbox: The service. It rotates refresh tokens: one that is lost is a login that is lost.
        fork_server: Starts processes.
        folder: Where homes are made.
        environment: Replaces the variables of this process.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        fork_server: ForkServer,
        folder: Path,
        environment: Callable[[dict[str, str]], None],
    ) -> None:
        self._sandbox = sandbox
        self._fork_server = fork_server
        self._folder = folder
        self._environment = environment

    def run(self, host: Host, command: str) -> Result:
        """Run a command on a host."""
        home = self._folder / "home"
        home.mkdir(mode=0o700)
        report = self._folder / "report"
        report.touch()
        strategy = "authorization_code" if command in {"renew", "login"} else "client_credentials"
        if command == "rehearse":
            strategy = "legacy_password"
        described = self._sandbox.environment(strategy) | {"PROCOUNTOR_TOKEN_STORE": "file"}
        if command == "rehearse":
            described["PROCOUNTOR_API_KEY"] = self._sandbox.api_key
        if command == "renew":
            self._seed(described)
        variables: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(home),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "TERM": "dumb",
            "REPORT": str(report),
            **described,
            **host.environment,
        }
        python = sys.executable if host.fresh else self._fork_server.python
        become = list(host.become) or [""]
        self._sandbox.clear_log()
        began = time.monotonic()
        process = subprocess.Popen(
            [python, "-c", _ENTER, json.dumps(become), *COMMANDS[command]],
            cwd=self._folder,
            env={name: value for name, value in variables.items() if value is not None},
            stdin=subprocess.PIPE if command == "login" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        before = self._log_in(process) if command == "login" else ""
        try:
            out, err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"It hangs: {out!r} {err!r}") from None
        took = time.monotonic() - began
        requests = [each for each in self._sandbox.log() if each["grant_type"]]
        result = Result(
            process.returncode,
            out.decode("utf-8", "replace"),
            before + err.decode("utf-8", "replace"),
            len(requests),
            set(report.read_text("utf-8").split()),
            took,
        )
        if COMMANDS[command][0] == "api" and result.out.startswith("{"):
            result.said = json.loads(result.out)
        result.secrets = [value for name, value in described.items() if name.endswith(_SECRET)]
        self._look_at_stores(result, home)
        if command == "renew":
            result.lost = self._is_lost(described)
        return result

    def _seed(self, described: dict[str, str]) -> None:
        """Have a login in the store whose access token has expired."""
        refresh = self._sandbox.environment("authorization_code", refresh_token=True)["PROCOUNTOR_REFRESH_TOKEN"]
        now = time.time()
        self._in_home(described)
        provider = ProviderPool(Profiles.search()).provider(None)
        with provider.store.transaction(provider.key, timeout=10) as transaction:
            transaction.write(Token("old-access-token", now - 7200, now - 3600, "authorization_code", refresh))

    def _in_home(self, described: dict[str, str]) -> None:
        self._environment(described)
        os.environ["HOME"] = str(self._folder / "home")

    def _log_in(self, process: subprocess.Popen[bytes]) -> str:
        """Be the person: read where to log in, do it, and paste the address that the browser ends at."""
        assert process.stderr is not None
        assert process.stdin is not None
        said = ""
        for line in iter(process.stderr.readline, b""):
            said += line.decode("utf-8", "replace")
            found = re.search(r"http\S+/login\S+", said)
            if found is not None:
                address = self._sandbox.log_in(found[0])
                try:
                    process.stdin.write(f"{address}\n".encode())
                    process.stdin.flush()
                except BrokenPipeError:
                    pass
                break
        return said

    def _look_at_stores(self, result: Result, home: Path) -> None:
        for path in home.rglob("tokens/*"):
            result.files.append(path.name)
            if path.suffix == ".json":
                entry = Codec().decode(path.stem, SecretBytes(path.read_bytes()))
                if not isinstance(entry, Entry):
                    result.broken.append(path.name)
                elif entry.token is not None:
                    old = entry.token.access_token == "old-access-token"
                    result.kept = "old" if old else "new"
                    result.secrets += [entry.token.access_token, entry.token.refresh_token or entry.token.access_token]

    def _is_lost(self, described: dict[str, str]) -> bool:
        """Whether the usual host, which has the same home, can't renew the login any more."""
        home = self._folder / "home"
        home.chmod(0o700)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, 0, 0)
        self._in_home(described)
        try:
            TokenSource.from_env().token()
        except InteractionRequired:
            return True
        except ProcountorAuthError as error:
            raise AssertionError(f"not to be expected here: {error}") from None
        return False
