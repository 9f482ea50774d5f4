"""A document as a session at a terminal: its blocks are executed in their order, in an empty directory."""

from __future__ import annotations

import difflib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import procountor_auth
from procountor_auth.transport.backend import backend

from .differences import applied, file_of
from .document import CTRL_C, EXECUTED, blocks_of, commands_of
from .placeholders import Placeholders

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    from .document import Block, Command

HERE: Final = Path(procountor_auth.__file__).parents[1]

_SERVES: Final = ("procountor-auth sandbox", "procountor-auth bridge --port")
_SERVING: Final = "Press Ctrl-C to stop.\n"

_LONGEST: Final = 60
"""Seconds that a command may take."""

#: The system's browser, and the person in front of it, who logs in wherever the browser is sent.
_BROWSER: Final = """#!{python} -I
import json, sys, urllib.error, urllib.parse, urllib.request

class Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

page, _, asked = sys.argv[1].partition("?")
with open({person!r}, encoding="utf-8") as file:
    form = dict(urllib.parse.parse_qsl(asked)) | json.load(file)
browser = urllib.request.build_opener(urllib.request.ProxyHandler({{}}), Stays)
try:
    browser.open(page, urllib.parse.urlencode(form).encode())
except urllib.error.HTTPError as redirect:
    browser.open(redirect.headers["Location"])
"""


class DocumentError(AssertionError):
    """A document says something else than what happens."""


class Session:
    """Executes documents.

    Args:
        folder: An empty directory of the session's own.
        programs: Runs `python` and `procountor-auth`.
        sandbox: The sandbox that stands for `https://api.procountor.com`; None where the document starts its own.
        known: The values of placeholders that are known from the start.

    Attributes:
        executed: The documents' names and lines of the blocks that were executed.
        requests: For each command that was run, how many requests the sandbox has served meanwhile.
        placeholders: What stands for what.
    """

    def __init__(
        self,
        folder: Path,
        programs: ForkServer,
        sandbox: Sandbox | None = None,
        known: dict[str, str] | None = None,
    ) -> None:
        self.executed: list[tuple[str, int]] = []
        self.requests: list[tuple[str, int]] = []
        self.placeholders = Placeholders(known or {})
        self.folder = folder / "work"
        self._home = folder / "home"
        self._person = folder / "person.json"
        self._browser = folder / "browser"
        self._programs = programs
        self._sandbox = sandbox
        self._serving: list[subprocess.Popen[str]] = []
        self.folder.mkdir()
        self._home.mkdir()
        self._browser.write_text(_BROWSER.format(python=sys.executable, person=str(self._person)), "utf-8")
        self._browser.chmod(0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._serving:
            process.kill()
            process.communicate()

    def run(self, document: Path) -> None:
        """Execute a document from its beginning to its end.

        Raises:
            DocumentError: Something is not as the document says; the text has the document, the line, the difference.
        """
        for block in blocks_of(document):
            if block.language not in EXECUTED:
                continue
            try:
                self._execute(block)
            except ValueError as error:
                raise DocumentError(f"{block.document}:{block.line}: {self.placeholders.hidden(str(error))}") from None
            self.executed.append((block.document, block.line))

    def log(self) -> list[dict[str, Any]]:
        """Return the requests that the sandbox has served."""
        if self._sandbox is not None:
            return self._sandbox.log()
        if not self._serving:
            return []
        url = self.placeholders.filled("http://127.0.0.1:8000") + "/_sandbox/log"
        with urllib.request.urlopen(url, timeout=_LONGEST) as answer:  # noqa: S310 - our own sandbox
            entries: list[dict[str, Any]] = json.load(answer)
        return entries

    def _execute(self, block: Block) -> None:
        if block.language == "console":
            for command in commands_of(block):
                self._run(command)
        elif block.language == "diff":
            path = self.folder / file_of(block.lines)
            lines = [self.placeholders.filled(line) for line in block.lines]
            path.write_text(applied(path.read_text("utf-8") if path.exists() else "", lines), "utf-8")
        elif block.file is not None:
            path = self.folder / block.file
            path.write_text(self._text(block), "utf-8")
            path.chmod(0o600)
        elif block.language == "python":
            self._run_program(block)
        else:
            raise ValueError("the block names no file in its first line")

    def _text(self, block: Block) -> str:
        text = self.placeholders.filled(block.text)
        # Where another HTTP client is installed, a program is written for that one.
        return re.sub(r"\bhttpx\b", backend.__name__, text) if block.language == "python" else text

    def _run(self, command: Command) -> None:
        typed = self.placeholders.filled(command.text)
        before = len(self.log())
        if typed == CTRL_C:
            status, printed = self._stopped()
        elif typed.startswith(_SERVES):
            status, printed = self._served(typed)
        else:
            done = self._done(["/bin/sh", "-c", typed])
            status, printed = done.returncode, done.stdout
        self.requests.append((command.text, len(self.log()) - before))
        if self.placeholders.match(command.expected, printed) and status == command.status:
            return
        shown = self.placeholders.hidden(printed).splitlines()
        difference = "\n".join(difflib.unified_diff(command.expected, shown, "expected", "printed", lineterm="", n=1))
        raise DocumentError(
            f"{command.document}:{command.line}: $ {command.text}\nexit status {status}, expected {command.status}\n"
            f"{difference}"
        )

    def _run_program(self, block: Block) -> None:
        done = self._done([self._programs.python, "-c", self._text(block)])
        if done.returncode:
            raise ValueError(f"the program has failed:\n{done.stdout}")

    def _done(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        self._person.write_text(json.dumps(self._who()), "utf-8")
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=_LONGEST,
            check=False,
        )

    def _served(self, command: str) -> tuple[int, str]:
        """Start a server that goes on until Ctrl-C or the session's end, and return what it prints at its start."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._serving.append(process)
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line == _SERVING:
                return 0, printed
        return process.wait(), printed

    def _stopped(self) -> tuple[int, str]:
        """Stop the server that was started last, and return what it has printed since its start."""
        if not self._serving:
            raise ValueError("nothing is running that Ctrl-C could stop")
        process = self._serving.pop()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=_LONGEST)
        return process.returncode, printed

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        return kept | {
            "PATH": os.pathsep.join([str(self._programs.folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(HERE),
            "BROWSER": str(self._browser),
        }

    def _who(self) -> dict[str, str]:
        values = self.placeholders.values
        return {
            "username": values.get("<user name>", ""),
            "password": values.get("<password>", ""),
            "company": values.get("<company>", "14159"),
        }
