"""Resources that a test adds: their paths and handlers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """The request that a route receives.

    Attributes:
        method: Its method.
        path: Its path below the API, such as `/invoices/7`.
        parameters: The values of the names in the route's path.
        query: The query's parameters, the first value of each.
        headers: Its headers, without the token.
        body: Its body.
        company_id: The company that the token is for.
        user_id: The user that the token is for.
    """

    method: str
    path: str
    parameters: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    company_id: int
    user_id: int

    def json(self) -> Any:  # noqa: ANN401 - whatever the body is
        """Return the body as JSON.

        Raises:
            ValueError: It is not JSON, or is nested too deeply.
        """
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the body is nested too deeply") from None


_BRACES: Final = re.compile(r"\{([^{}/]*)\}")
"""A part of a path as FastAPI and OpenAPI write it."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Those that the sandbox's server accepts."""

_PART: Final = re.compile(r"<[^<>]*>")
"""A part of a path that varies."""

_NO_PATH: Final = re.compile(r"[?#]|//|(?:^|/)\.{1,2}(?:/|$)")
"""What clients don't send as a part of a path: a query, a fragment, another host, a part that they resolve."""

Handler: TypeAlias = "Callable[[ApiRequest], Any]"
"""Handles a request: returns JSON, text, None for an empty response, or one of these and a status."""


class Routes:
    """The routes of one sandbox. They may be added at any time."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, tuple[str, ...], Handler]] = []
        self._outcome: BaseException | None = None
        self._lock = Lock()

    def add(self, path: str, methods: Sequence[str], handler: Handler) -> None:
        """Add a route; it takes precedence over earlier ones.

        Args:
            path: The path below the API; `<int:number>` and `<name>` stand for a part of it.
            methods: The methods that it accepts.
            handler: The function that returns the response.

        Raises:
            ValueError: The path or a method is invalid.
        """
        path = _checked_path(path)
        methods = _checked_methods(methods)
        with self._lock:
            self._routes.insert(0, (path, methods, handler))

    def find(self, path: str, method: str) -> tuple[Handler, Mapping[str, Any]] | None:
        """Return the handler of a path, and the values of the names in it; or None."""
        with self._lock:
            routes = list(self._routes)
        for pattern, methods, handler in routes:
            # A separate map for each route, as one map would not keep the order of the routes.
            urls = Map([Rule(pattern, methods=methods, endpoint="route")], strict_slashes=False)
            try:
                _, parameters = urls.bind("sandbox").match(path, method=method)
            except (HTTPException, RequestRedirect):
                continue
            return handler, parameters
        return None

    def keep_outcome(self, outcome: BaseException) -> None:
        """Keep the first of what handlers raise to end a test or the program, such as `pytest.fail()`."""
        with self._lock:
            self._outcome = self._outcome or outcome

    def raise_outcome(self) -> None:
        """Raise what is kept, once; without it, do nothing."""
        with self._lock:
            outcome, self._outcome = self._outcome, None
        if outcome is not None:
            raise outcome


def _checked_path(path: str) -> str:
    path = "/" + path.strip("/")
    braces = _BRACES.search(path)
    if braces:  # Werkzeug takes them for text, and the route would answer 404 to everybody
        meant = _BRACES.sub(r"<\1>", path).strip("/")
        raise ValueError(f"a route's path has <name> where a part varies, not {braces[0]}: did you mean {meant}?")
    problem = path if path == "/" or _NO_PATH.search(_PART.sub("x", path)) else None
    try:
        Map([Rule(path)])
    except Exception as error:  # noqa: BLE001 - Werkzeug compiles the path, and has no class for what can't be
        problem = str(error)
    if problem is not None:
        raise ValueError(f"a route needs a path below the API, such as invoices/<int:number>: {problem}")
    return path


def _checked_methods(methods: Sequence[str]) -> tuple[str, ...]:
    if isinstance(methods, str):
        raise ValueError(f"a route's methods are a list, such as [{methods!r}]")  # noqa: TRY004 - as for others
    known = tuple(str(method).upper() for method in methods)
    if not known or not set(known) <= set(_METHODS):
        raise ValueError(f"a route's methods are one or more of {', '.join(_METHODS)}, not {methods!r}")
    return known
