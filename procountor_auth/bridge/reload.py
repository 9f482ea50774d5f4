"""Reloads the configuration of a running bridge, for example on SIGHUP."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from procountor_auth.errors import ProcountorAuthError, printable

from .exchange import LOGGER
from .problem import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bridge import Bridge
    from .login import Logins

_logger = logging.getLogger(LOGGER)


class Reload:
    """Has a bridge serve what the configuration says now. If that is wrong, the old one goes on, and the log says why.

    Args:
        bridge: The bridge.
        read: Reads who may log in. It may take its time: it is called on a thread.
    """

    def __init__(self, bridge: Bridge, read: Callable[[], Logins]) -> None:
        self._bridge = bridge
        self._read = read
        self._lock = asyncio.Lock()

    async def __call__(self) -> None:
        """Reload once; requests during a reload lead to another one afterwards."""
        async with self._lock:
            before = {login.key for login in self._bridge.logins}
            problem: str | None = None
            try:
                logins = await asyncio.to_thread(self._read)
                await self._bridge.reload(logins)
            except ProcountorAuthError as error:
                problem = reason_of(error)
            except Exception as error:  # noqa: BLE001 - of which a traceback could show the configuration
                problem = f"a fault of the bridge: {type(error).__name__}"
            if problem is not None:
                _logger.error("the new configuration can't be used, and the old one goes on: %s", printable(problem))
                return
            now = {login.key for login in self._bridge.logins}
            _logger.info(
                "the configuration was read again: %d logins are served, %d of them new, and %d no longer",
                len(now),
                len(now - before),
                len(before - now),
            )
