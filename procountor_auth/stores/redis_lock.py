"""The lock of an entry in Redis, and what ends the wait for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from redis import exceptions
from redis.lock import Lock

from procountor_auth.protocol.instrumentation import uninstrumented
from procountor_auth.stores.base import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.stores.codec import Damaged

ERRORS: Final = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""What redis-py raises where Redis or the network fails."""

_POLL: Final = 0.05
"""Seconds between two attempts to get a lock."""

# KEYS: the lock, the entry. ARGV: the lock's token, milliseconds of the lease.
# The reply to a connection that was lost is gone: the lock that was taken just before is ours.
_TAKE: Final = """
if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('get', KEYS[1]) == ARGV[1] then
    return 'taken'
end
return redis.call('hget', KEYS[2], 'version') or ''
"""

_logger = logging.getLogger("procountor_auth")


class Wait:
    """Watches an entry while its lock is somebody else's.

    Args:
        read: Reads the entry.
        enough: Whether an entry is all that is needed; None if nothing but the lock is.

    Attributes:
        found: The entry that is enough, once there is one.
    """

    def __init__(self, read: Callable[[], Entry | Damaged | None], enough: Callable[[Entry], bool] | None) -> None:
        self._read = read
        self._enough = enough
        self._seen = b""
        self.found: Entry | None = None

    def is_over(self, version: bytes) -> bool:
        """Whether the entry, of which this version is there now, is enough. It is read once for each version."""
        if self._enough is not None and version != self._seen:
            self._seen = version
            there = self._read()
            if isinstance(there, Entry) and self._enough(there):
                self.found = there
        return self.found is not None


class EntryLock(Lock):
    """redis-py's lock, of an entry, which is waited for no longer than it is needed.

    Args:
        client: The client.
        entry: The name of the entry.
        lease: Seconds after which the lock expires.
        wait: What ends the wait for it.
    """

    def __init__(self, client: Any, entry: str, *, lease: float, wait: Wait) -> None:  # noqa: ANN401 - a server's or a cluster's
        super().__init__(client, f"{entry}:lock", timeout=lease, sleep=_POLL, thread_local=False)
        self._client: Any = client
        self._entry = entry
        self._wait = wait
        self._milliseconds = int(lease * 1000)

    def do_acquire(self, token: Any) -> bool:  # noqa: ANN401 - redis-py's annotation and its use differ
        """Return whether there is no need to wait any more: the lock is taken, or what is wanted is there."""
        take = self._client.register_script(_TAKE)
        found = bytes(take(keys=[self.name, self._entry], args=[token, self._milliseconds]))
        return found == b"taken" or self._wait.is_over(found)

    def renew(self) -> bool:
        """Renew it for another lease; return whether it may still be ours."""
        try:
            with uninstrumented():
                self.reacquire()
        except exceptions.LockError:
            return False
        except ERRORS:
            # Tried again: the connection may come back before the lease expires.
            _logger.debug("the lock in Redis could not be renewed, for now")
        return True
