"""Redis servers that belong together: a primary with a replica and Sentinels, and a cluster."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
import redis

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVICE: Final = "tokens"

PATIENCE: Final = 60.0
"""Seconds in which a group has to be ready, or to have a new primary."""


def until(found: Callable[[], bool], what: str) -> None:
    """Wait for something that a server does by itself."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(redis.RedisError, OSError):
            if found():
                return
        time.sleep(0.05)
    pytest.fail(f"{what} within {PATIENCE:g} seconds")


class Servers:
    """Processes of redis-server, each on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        """Start those that belong together."""
        raise NotImplementedError

    def start(self, *options: str) -> int:
        """Start one, and return its port when it answers: another one, if somebody has taken that meanwhile."""
        for _ in range(5):
            port = free_port()
            folder = self._folder / str(port)
            folder.mkdir()
            command = [str(shutil.which("redis-server")), *options, "--port", str(port), "--bind", "127.0.0.1"]
            if "--sentinel" not in options:
                command += ["--dir", str(folder), "--save", ""]
            self._processes[port] = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            if self._answers(port):
                return port
            self.kill(port)
        pytest.fail("no redis-server starts")

    def _answers(self, port: int) -> bool:
        end = time.monotonic() + PATIENCE
        while self._processes[port].poll() is None and time.monotonic() < end:
            with contextlib.suppress(redis.RedisError, OSError), self.client(port) as client:
                # Not somebody else's, whose port it is.
                return int(client.info("server")["process_id"]) == self._processes[port].pid
            time.sleep(0.02)
        return False

    def client(self, port: int) -> Any:  # noqa: ANN401 - redis-py's answers are of any type
        """Return a client of one server."""
        return redis.Redis(port=port, socket_timeout=5, decode_responses=True)

    def kill(self, port: int) -> None:
        """End one without a word."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End them all."""
        for port in list(self._processes):
            self.kill(port)


class SentinelGroup(Servers):
    """A primary, a replica, and three Sentinels that fail over after a third of a second."""

    def _start(self) -> None:
        self.primary = self.start()
        self.replica = self.start("--replicaof", f"127.0.0.1 {self.primary}")
        self.sentinels = []
        for number in range(3):
            path = self._folder / f"sentinel-{number}.conf"
            path.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} 300\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            self.sentinels.append(self.start(str(path), "--sentinel"))
        for port in self.sentinels:
            until(lambda port=port: self._knows_all(port), "the Sentinels do not know each other")  # type: ignore[misc]

    def _knows_all(self, port: int) -> bool:
        state = self.client(port).sentinel_master(SERVICE)
        return (int(state["num-slaves"]), int(state["num-other-sentinels"])) == (1, 2)

    @property
    def url(self) -> str:
        """Where it is; the first Sentinel is one that nobody has."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in [1, *self.sentinels])
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def wait_for_replica(self) -> None:
        """Return when the replica has what the primary has."""
        primary, replica = self.client(self.primary), self.client(self.replica)

        def offset(server: Any) -> int:  # noqa: ANN401 - redis-py's client
            return int(server.info("replication")["master_repl_offset"])

        until(lambda: offset(primary) <= offset(replica), "the replica lags behind")

    def wait_for_failover(self) -> None:
        """Return when the Sentinels name the replica as the primary, and it is."""
        until(
            lambda: (
                all(
                    self.client(port).sentinel_get_master_addr_by_name(SERVICE)[1] == self.replica
                    for port in self.sentinels
                )
                and self.client(self.replica).role()[0] == "master"
            ),
            "no failover",
        )


class Cluster(Servers):
    """Three nodes that share the slots."""

    def _start(self) -> None:
        # Their second port is 10,000 higher.
        self.nodes = [self.start("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(3)]
        hosts = [f"127.0.0.1:{port}" for port in self.nodes]
        made = subprocess.run(
            [str(shutil.which("redis-cli")), "--cluster", "create", *hosts, "--cluster-yes"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout
        for port in self.nodes:
            until(
                lambda port=port: self.client(port).cluster("info")["cluster_state"] == "ok",  # type: ignore[misc]
                "the cluster is not ready",
            )

    @property
    def url(self) -> str:
        """Where it is; the first node is one that nobody has."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in [1, *self.nodes[:2]])
