"""Clean environments: the Pythons of this machine, and what is installed into a virtual environment of one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST: Final = 11
NEWEST: Final = 19
"""The minor versions of Python that are looked for, as in `.ci/run`."""


def pythons() -> list[Path]:
    """Return one interpreter for each minor version: from the PATH, from pyenv, or one that uv has installed."""
    found: dict[str, Path] = {f"3.{sys.version_info[1]}": Path(sys.executable)}
    for candidate in _candidates():
        asked = "import ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
        try:
            done = subprocess.run([candidate, "-c", asked], capture_output=True, text=True, check=False, timeout=60)
        except OSError:
            continue
        # A shim of pyenv may exist and still not run.
        if done.returncode == 0 and int(done.stdout.partition(".")[2]) >= OLDEST:
            found.setdefault(done.stdout.strip(), candidate)
    return [found[version] for version in sorted(found, key=lambda version: int(version.partition(".")[2]))]


def _candidates() -> Iterator[Path]:
    """Find what may be an interpreter."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", Path.home() / ".local/share/uv/python"))
    for minor in range(OLDEST, NEWEST + 1):
        program = shutil.which(f"python3.{minor}")
        if program:
            yield Path(program)
        yield from sorted(pyenv.glob(f"3.{minor}*/bin/python3"))
        yield from sorted(uv.glob(f"cpython-3.{minor}*/bin/python3"))


@dataclass(frozen=True)
class Environment:
    """A virtual environment with one of the two distributions, an extra, and what these need.

    Attributes:
        folder: Where it is; an empty folder `work` in it is the working directory of its programs.
    """

    folder: Path

    @property
    def work(self) -> Path:
        """Where programs run."""
        return self.folder / "work"

    @classmethod
    def bare(cls, folder: Path, python: Path) -> Environment:
        """Make one with pip, and nothing else."""
        _check_uv()
        _uv("venv", "--seed", "--python", str(python), str(folder))
        made = cls(folder)
        made.work.mkdir()
        return made

    @classmethod
    def make(cls, folder: Path, python: Path, distribution: Path, extra: str) -> Environment:
        """Make one with uv, which takes a second or two once it has downloaded what is needed."""
        _check_uv()
        _uv("venv", "--python", str(python), str(folder))
        wanted = f"procountor-auth{f'[{extra}]' if extra else ''} @ {distribution.as_uri()}"
        into = str(folder / "bin" / "python")
        said = _uv("pip", "install", "--python", into, wanted, check=False)
        if said is not None:
            _unavailable(f"the package index can't be used: {said}")
        _uv("pip", "check", "--python", into)
        made = cls(folder)
        made.work.mkdir()
        return made

    def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs to its end, with some text as standard input."""
        return subprocess.run(
            [self.program(program), *arguments],
            cwd=self.work,
            env=self.variables(environment or {}),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run_shell(self, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a line of a shell to its end."""
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=cwd,
            env=self.variables({}),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self.folder / "bin" / name

    def variables(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its programs: a home of their own, and nothing that leads to this checkout."""
        left_out = ("PYTHON", "PROCOUNTOR_", "VIRTUAL_ENV", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        path = os.pathsep.join([str(self.folder / "bin"), kept.get("PATH", os.defpath)])
        return kept | {"PATH": path, "HOME": str(self.work)} | dict(more)


def _uv(*arguments: str, check: bool = True) -> str | None:
    """Run uv. Return None, or what it has said if it failed and `check` is off."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments, "--quiet"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stderr if done.returncode else None


def _check_uv() -> None:
    if find_spec("uv") is None:
        _unavailable("uv is not installed: `make` installs it")


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"{reason} (CI must not skip the installations)")
    pytest.skip(reason)
