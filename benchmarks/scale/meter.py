"""What Redis is asked, and what it costs, over its restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from benchmarks.redis_server import RedisServer


class Use(NamedTuple):
    """What a Redis server has done.

    Attributes:
        commands: Commands, those within scripts as well.
        processor: Seconds of processor time.
        received: Bytes that came in.
        sent: Bytes that went out.
    """

    commands: float = 0.0
    processor: float = 0.0
    received: float = 0.0
    sent: float = 0.0

    def plus(self, other: Use) -> Use:
        """Return the sum."""
        return Use(*(mine + its for mine, its in zip(self, other, strict=True)))

    def since(self, other: Use) -> Use:
        """Return the difference."""
        return Use(*(mine - its for mine, its in zip(self, other, strict=True)))


class Meter:
    """Adds up what one server does, which forgets it when it is stopped.

    Args:
        redis: The server.
    """

    def __init__(self, redis: RedisServer) -> None:
        self._redis = redis
        self._before = Use()
        self._runs = True

    def read(self) -> Use:
        """Return what it has done so far."""
        return self._before.plus(self._now()) if self._runs else self._before

    def stop(self) -> None:
        """Stop the server."""
        self._before = self.read()
        self._runs = False
        self._redis.stop()

    def start(self) -> None:
        """Start it again."""
        self._redis.start()
        self._runs = True

    def _now(self) -> Use:
        stats, processor = self._redis.info("stats"), self._redis.info("cpu")
        return Use(
            sum(each["calls"] for each in self._redis.info("commandstats").values()),
            processor["used_cpu_user"] + processor["used_cpu_sys"],
            stats["total_net_input_bytes"],
            stats["total_net_output_bytes"],
        )
