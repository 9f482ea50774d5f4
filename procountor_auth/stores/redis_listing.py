"""Lists this package's entries in Redis, with SCAN, which does not block other clients, on all primaries."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from procountor_auth.stores.listing import Leftover, ListedEntry
from procountor_auth.stores.redis_error import PREFIX

_NAME: Final = re.compile(rf"{PREFIX}:\{{([A-Za-z0-9_-]+)\}}(:lock|:damaged)?")

_COUNT: Final = 1_000
"""How many keys the server looks at for each answer: a Redis may have millions of other keys."""


def list_redis(client: Any) -> tuple[list[ListedEntry], list[Leftover]]:  # noqa: ANN401 - a server's or a cluster's
    """Return the entries, and those that are kept aside. Locks expire by themselves, and are not listed.

    Raises:
        redis.RedisError: Whatever the server says.
    """
    entries: list[ListedEntry] = []
    leftovers: list[Leftover] = []
    # SCAN may return a key twice.
    for name in sorted({bytes(each) for each in client.scan_iter(match=f"{PREFIX}:{{*", count=_COUNT)}):
        found = _NAME.fullmatch(name.decode("utf-8", "replace"))
        if found is None or found[2] == ":lock":
            continue
        size = int(client.hstrlen(name, "data"))
        if found[2]:
            leftovers.append(Leftover(found[0], "damaged", size, key=found[1]))
            continue
        left = int(client.pttl(name))  # milliseconds; negative if there is no end, or no entry any more
        entries.append(ListedEntry(found[1], size, kept_until=time.time() + left / 1000 if left >= 0 else None))
    return entries, leftovers
