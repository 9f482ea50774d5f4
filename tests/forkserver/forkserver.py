"""Programs for tests that need a process, but not an interpreter that starts from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HERE: Final = Path(__file__).parent


class ForkServer:
    """A fork server, started when it is first needed.

    Attributes:
        folder: Holds `python`, `python3` and `procountor-auth`; put before `PATH`, it stands for the interpreter's.
    """

    def __init__(self) -> None:
        # A socket's path has room for about a hundred characters, which pytest's own folders need for themselves.
        self.folder = Path(tempfile.mkdtemp(prefix="forks-"))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        path = self.folder / "socket"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROCOUNTOR_")}
        self._process = subprocess.Popen(
            [sys.executable, HERE / "server.py", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean
        )
        launcher = (HERE / "launcher.py").read_text("utf-8")
        for name in ("python", "python3", "procountor-auth"):
            program = self.folder / name
            program.write_text(f"#!{sys.executable} -IS\n{launcher}", "utf-8")
            program.chmod(0o700)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def python(self) -> str:
        """What stands for the interpreter."""
        return str(self.folder / "python")

    @property
    def command(self) -> str:
        """What stands for `procountor-auth`."""
        return str(self.folder / "procountor-auth")
