"""The request log: which requests were answered, without a single secret in it."""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice
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
_MAX_ENTRIES = 20_000
_WORD = re.compile(r"[a-z]{0,30}(?:[-.][a-z]{1,30}){0,3}|v\d{4}|procountor\.api\.v\d{1,2}|_sandbox")
_SECRET_IN_PATH = re.compile(rf"(?:^|[/&;])(?:{'|'.join(sorted(SECRET_PARAMETERS))})=")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        method: The HTTP method.
        path: The path, without anything that might be a secret.
        status: The status of the answer; 0 if the connection was reset before it.
        grant_type: The OAuth grant type, or None.
        at: When it arrived, in Unix time (seconds).
        secret_in_url: Whether a secret stood in the URL.
        number: Its number: 1 is the first request of the sandbox, and clearing the log does not start anew.
        fault: Which faults hit it, such as ``"latency, status"``, or None.
    """

    method: str
    path: str
    status: int
    grant_type: str | None
    at: float
    secret_in_url: bool
    number: int
    fault: str | None


class RequestLog:
    """The requests of one sandbox in the order of their answers; 20,000 are kept, and older ones dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_MAX_ENTRIES)
        self._count = 0

    def add(
        self,
        *,
        method: str,
        path: str,
        status: int,
        grant_type: str | None,
        at: float,
        query_names: Iterable[str],
        fault: str | None = None,
    ) -> None:
        """Add one request. Of the query only the parameters' names are looked at."""
        # Interned: thousands of entries have the same few words.
        harmless = sys.intern(_harmless(path))
        # A mistaken client may send anything here, even a secret: only known words are kept.
        grant_type = grant_type if grant_type is None or grant_type in _GRANT_TYPES else "unsupported"
        secret_in_url = not SECRET_PARAMETERS.isdisjoint(query_names) or bool(_SECRET_IN_PATH.search(path))
        with self._lock:
            self._count += 1
            self._entries.append(
                Entry(
                    method=sys.intern(method),
                    path=harmless,
                    status=status,
                    grant_type=grant_type and sys.intern(grant_type),
                    at=at,
                    secret_in_url=secret_in_url,
                    number=self._count,
                    fault=fault and sys.intern(fault),
                )
            )

    def entries(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the requests as JSON-ready dictionaries, the oldest first.

        Args:
            after: Only those with a higher number than this.
        """
        with self._lock:
            # The numbers have no gaps, so that the last ones can be counted off.
            news = min(max(self._count - after, 0), len(self._entries))
            entries = list(islice(reversed(self._entries), news))
        return [asdict(entry) for entry in reversed(entries)]

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
