"""A URL whose path and query are sent unchanged: HTTP libraries would encode some characters differently."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


def exact_url(library: Any, host: str, target: bytes) -> httpx.URL:  # noqa: ANN401 - a module
    """Return a URL for a request whose `url` is set to it.

    Args:
        library: The HTTP library: httpx or httpx2.
        host: Scheme and host.
        target: Path and query.
    """
    url = _class_of(library)(library.URL(host).copy_with(raw_path=target))
    url.target = target
    exact: httpx.URL = url
    return exact


@cache
def _class_of(library: Any) -> Any:  # noqa: ANN401 - a module, and its class of URLs
    class ExactURL(library.URL):  # type: ignore[misc] # by name
        target = b"/"

        @property
        def raw_path(self) -> bytes:
            return self.target

    return ExactURL
