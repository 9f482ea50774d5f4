"""A PostgreSQL of the tests' own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.ports import free_port

if TYPE_CHECKING:
    from tests.certificate import Certificate

_OPTIONS: Final = {
    # What a test's server writes need not survive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the PATH."""
    found = shutil.which("initdb")
    if found is not None and Path(found).resolve().with_name("postgres").exists():
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


class Cluster:
    """An empty cluster of databases, made once, of which servers are copies."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # Not in a folder of pytest's: PostgreSQL does not run as root, and another user can't look in there.
        self._folder = Path(tempfile.mkdtemp(prefix="procountor-auth-postgres-"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self._folder, self.user)
        self._run("initdb", "--username=tester", "--auth=trust", "--encoding=UTF8", "--no-sync", str(self.data))

    @property
    def data(self) -> Path:
        """The cluster's files."""
        return self._folder / "template"

    def copy(self) -> Path:
        """Return the files of a new cluster."""
        copied = Path(tempfile.mkdtemp(prefix="data-", dir=self._folder))
        if self.user:
            shutil.chown(copied, self.user)
        subprocess.run(["/bin/cp", "-R", f"{self.data}/.", str(copied)], check=True, user=self.user)
        copied.chmod(0o700)
        return copied

    def remove(self) -> None:
        """Remove all files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, user=self.user, cwd="/")
        if done.returncode:
            pytest.fail(f"{program} failed:\n{done.stderr}")


class PostgresServer:
    """A PostgreSQL server.

    Args:
        cluster: What it is a copy of.
        certificate: What it shows; None for a server without TLS.
        options: Its parameters.

    Attributes:
        url: Where it is, for SQLAlchemy.
        port: Its port on 127.0.0.1.
    """

    def __init__(self, cluster: Cluster, certificate: Certificate | None = None, **options: str) -> None:
        self._cluster = cluster
        self._data = cluster.copy()
        if certificate is not None:
            options["ssl"] = "on"
            for source, name in ((certificate.file, "server.crt"), (certificate.secret, "server.key")):
                shown = self._data / name
                shutil.copyfile(source, shown)
                shown.chmod(0o600)
                if cluster.user:
                    shutil.chown(shown, cluster.user)
        self._options = _OPTIONS | options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, for SQLAlchemy."""
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/postgres"

    def connect(self) -> Any:  # noqa: ANN401 - psycopg is not there everywhere
        """Return a connection for the tests themselves."""
        import psycopg  # noqa: PLC0415 - as above

        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=tester dbname=postgres", autocommit=True)

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        import psycopg  # noqa: PLC0415 - as above

        options = [each for name, value in self._options.items() for each in ("-c", f"{name}={value}")]
        command = [str(self._cluster.programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        self._process = subprocess.Popen(
            command, user=self._cluster.user, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    pytest.fail(f"postgres has ended with status {self._process.returncode}")
                time.sleep(0.02)  # there is nothing else to wait for
            else:
                return
        pytest.fail("postgres does not accept connections")

    def stop(self) -> None:
        """End it at once, with all of its connections; what was committed is kept."""
        if self._process is not None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it, and what serves its connections, without a word; they stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        parent = self._process.pid
        os.kill(parent, number)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    os.kill(int(stat.parent.name), number)
            except (FileNotFoundError, ProcessLookupError):
                continue
