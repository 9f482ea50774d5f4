"""The request log: the answered requests, their owners, and why some were rejected, without secrets."""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from dataclasses import asdict, dataclass
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Parameters that must not be in a URL, which proxies and servers log.
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

GRANT_TYPES = frozenset({"authorization_code", "client_credentials", "password", "refresh_token"})
_MAX_ENTRIES = 20_000
#: How many exchanges are kept.
MAX_EXCHANGES = 200
_MAX_ERROR = 200
_WORD = re.compile(r"[a-z]{0,30}(?:[-.][a-z]{1,30}){0,3}|v\d{4}|procountor\.api\.v\d{1,2}|_sandbox")
_SECRET_IN_PATH = re.compile(rf"(?:^|[/&;])(?:{'|'.join(sorted(SECRET_PARAMETERS))})=")


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a request: only a client, company and user that exist in the sandbox.

    Attributes:
        client_id: The API client.
        company_id: The number of the company that the token or the login is for.
        user_id: The number of the user.
    """

    client_id: str | None = None
    company_id: int | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response as text, in the form of HTTP, with every secret replaced by ``…``."""

    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    Attributes:
        method: The HTTP method.
        path: The path, without possible secrets.
        status: The status of the response; 0 if the connection was reset before it. A response that was reset in its
            middle has a status: see ``reset``.
        grant_type: The OAuth grant type, or None.
        at: When it arrived, in Unix time (seconds).
        secret_in_url: Whether a secret was in the URL.
        number: Its number, from 1; clearing the log does not restart the count.
        fault: The faults that affected it, such as ``"latency, status"``, or None.
        reset: Whether a fault reset the connection ``"before"`` the response or in its ``"middle"``, or None.
        error: Why it was rejected, such as ``"invalid_grant: Invalid 'api_key' in request."``, or None.
        client_id: The client that it came from, or None.
        company_id: The company that its token or login is for, or None.
        user_id: The user that its token or login is for, or None.
    """

    method: str
    path: str
    status: int
    grant_type: str | None
    at: float
    secret_in_url: bool
    number: int
    fault: str | None
    reset: str | None
    error: str | None
    client_id: str | None
    company_id: int | None
    user_id: int | None

    @property
    def outcome(self) -> str:
        """The result in a word: the status, or ``"reset"``."""
        return "reset" if self.reset else str(self.status)

    @property
    def is_refused(self) -> bool:
        """Whether the request failed."""
        return self.reset is not None or self.error is not None or self.status >= HTTPStatus.BAD_REQUEST


class RequestLog:
    """The requests of one sandbox in the order of their responses; the last 20,000 are kept.

    The exchanges of the last 200 are kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_MAX_ENTRIES)
        #: The exchanges of the last entries, one for each.
        self._exchanges: deque[Exchange | None] = deque(maxlen=MAX_EXCHANGES)
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
        reset: str | None = None,
        error: str | None = None,
        owner: Owner | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        """Add one request. Only the names of the query's parameters are read.

        ``error``, ``owner`` and ``exchange`` are stored unchanged: they must not contain secrets.
        """
        # Interned: thousands of entries share a few words.
        path_shown = sys.intern(harmless_path(path))
        # A faulty client may send anything here, even a secret: only known words are kept.
        grant_type = grant_type if grant_type is None or grant_type in GRANT_TYPES else "unsupported"
        secret_in_url = not SECRET_PARAMETERS.isdisjoint(query_names) or bool(_SECRET_IN_PATH.search(path))
        owner = owner or Owner()
        with self._lock:
            self._count += 1
            self._entries.append(
                Entry(
                    method=sys.intern(method),
                    path=path_shown,
                    status=status,
                    grant_type=grant_type and sys.intern(grant_type),
                    at=at,
                    secret_in_url=secret_in_url,
                    number=self._count,
                    fault=fault and sys.intern(fault),
                    reset=reset,
                    error=error and sys.intern(error[:_MAX_ERROR]),
                    client_id=owner.client_id,
                    company_id=owner.company_id,
                    user_id=owner.user_id,
                )
            )
            self._exchanges.append(exchange)

    @property
    def last(self) -> int:
        """The number of the last request so far."""
        return self._count

    def entries(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Return the requests as JSON-ready dictionaries, the oldest first.

        Args:
            after: Only those with a higher number than this.
        """
        with self._lock:
            entries = list(self._newest(after))
        return [asdict(entry) for entry in reversed(entries)]

    def newest(self, limit: int, wanted: Callable[[Entry], bool], *, after: int = 0) -> list[Entry]:
        """Return the newest matching requests, the newest first.

        Args:
            limit: The most requests to return.
            wanted: Returns whether a request matches.
            after: Only those with a higher number than this.
        """
        with self._lock:
            entries = list(self._newest(after))
        return list(islice(filter(wanted, entries), limit))

    def find(self, number: int) -> Entry | None:
        """Return the request with this number, or None if it is not kept."""
        with self._lock:
            back = self._count - number
            return self._entries[-1 - back] if 0 <= back < len(self._entries) else None

    def exchange(self, number: int) -> Exchange | None:
        """Return the redacted request and answer with this number, or None if they are not kept."""
        with self._lock:
            back = self._count - number
            return self._exchanges[-1 - back] if 0 <= back < len(self._exchanges) else None

    def clear(self) -> None:
        """Delete all requests."""
        with self._lock:
            self._entries.clear()
            self._exchanges.clear()

    def _newest(self, after: int) -> Iterator[Entry]:
        # The numbers have no gaps, so the last entries can be found by counting.
        news = min(max(self._count - after, 0), len(self._entries))
        return islice(reversed(self._entries), news)


def harmless_path(path: str) -> str:
    """Return a path without possible secrets.

    A client that omits the "?" sends "oauth/token&client_secret=...", and one that builds paths from
    values sends a token as a segment. Segments of the service's own paths are kept, and the rest
    is masked.
    """
    head = re.split(r"[&;=?]", path, maxsplit=1)[0]
    return "/".join(segment if _WORD.fullmatch(segment) else "…" for segment in head.split("/"))
