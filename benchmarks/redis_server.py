"""A Redis server of the benchmark's own, which can be stopped and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from collections.abc import Iterator


class RedisServer:
    """A running server.

    Args:
        program: The path of `redis-server`.
        folder: Where it keeps its data between a stop and a start.

    Attributes:
        url: Where it is.
    """

    def __init__(self, program: str, folder: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._arguments = [program, "--port", str(self._port), "--save", "", "--dir", folder, "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with the data that it had, and wait until it answers."""
        self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL)
        while self._process.poll() is None:
            try:
                with self._connected() as connection:
                    connection.ping()
                    return
            except redis.ConnectionError:  # it is not there, or still loading its data
                time.sleep(0.02)
        raise RuntimeError(f"redis-server has ended with status {self._process.returncode}")

    def stop(self) -> None:
        """Have it save its data and end."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with self._connected() as connection:
                connection.save()
            self._process.terminate()
            self._process.wait()
        self._process = None

    def info(self, section: str) -> dict[str, Any]:
        """Return a section of what it says of itself."""
        with self._connected() as connection:
            found: dict[str, Any] = connection.info(section)
            return found

    def ask(self, *command: str | int) -> Any:  # noqa: ANN401 - whatever it answers
        """Send one command."""
        with self._connected() as connection:
            return connection.execute_command(*command)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        connection = redis.Redis.from_url(self.url, decode_responses=True)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def redis_server() -> Iterator[RedisServer | None]:
    """Run a server, or give None on a machine that has none."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        server = RedisServer(program, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
