"""Work that ends if the program disconnects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from starlette.types import Receive

T = TypeVar("T")


class BrokenOff(Exception):
    """The answer can't be completed: the program has disconnected, or the service has broken off."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Do something unless the program disconnects. Its request has been read completely.

    Args:
        receive: Where the server tells of it.
        work: What is done; it is cancelled if the program disconnects.

    Raises:
        BrokenOff: The program has gone.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise BrokenOff("the program has closed the connection")
    finally:
        for task in (working, gone):
            if not task.done():
                task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
