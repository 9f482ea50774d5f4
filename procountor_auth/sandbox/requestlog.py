"""The request log: what was asked, without a single secret in it."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Parameters that must not stand in a URL, where proxies and servers write them into their logs.
SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "api_key",
        "client_secret",
        "code",
        "code_verifier",
        "password",
        "refresh_token",
        "token",
    }
)

_GRANT_TYPES = frozenset({"authorization_code", "client_credentials", "password", "refresh_token"})
_MOST_ENTRIES = 100_000
_WORD = re.compile(r"[a-z]{0,30}(?:[-.][a-z]{1,30}){0,3}|v\d{4}|_sandbox")
_SECRET_IN_PATH = re.compile(rf"(?:^|[/&;])(?:{'|'.join(sorted(SECRET_PARAMETERS))})=")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request that was answered; ``at`` is the sandbox's Unix time in seconds."""

    method: str
    path: str
    status: int
    grant_type: str | None
    at: float
    secret_in_url: bool


class RequestLog:
    """The requests of one sandbox in the order of their answers; the oldest fall out after 100,000."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)

    def add(
        self,
        *,
        method: str,
        path: str,
        status: int,
        grant_type: str | None,
        at: float,
        query_names: Iterable[str],
    ) -> None:
        """Write one request down. Of the query only the parameters' names are looked at."""
        entry = Entry(
            method=method,
            path=_harmless(path),
            status=status,
            # A mistaken client may send anything here, even a secret: only known words are kept.
            grant_type=grant_type if grant_type is None or grant_type in _GRANT_TYPES else "unsupported",
            at=at,
            secret_in_url=not SECRET_PARAMETERS.isdisjoint(query_names) or bool(_SECRET_IN_PATH.search(path)),
        )
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[dict[str, Any]]:
        """Return the requests as JSON-ready dictionaries, the oldest first."""
        with self._lock:
            entries = list(self._entries)
        return [asdict(entry) for entry in entries]

    def clear(self) -> None:
        """Forget every request."""
        with self._lock:
            self._entries.clear()


def _harmless(path: str) -> str:
    # A client that forgot the "?" sends "oauth/token&client_secret=...", and one that builds paths from
    # values sends a token as a segment. What the service's own paths are made of is kept, and the rest
    # is only hinted at.
    head = re.split(r"[&;=?]", path, maxsplit=1)[0]
    return "/".join(segment if _WORD.fullmatch(segment) else "…" for segment in head.split("/"))
