"""Authentication for `httpx` clients, sync and async."""

from __future__ import annotations

from typing import ClassVar

import httpx

from procountor_auth.tokens.bearer import HttpxBearer, are_listed

__all__ = ["ProcountorAuth"]


class ProcountorAuth(HttpxBearer, httpx.Auth):
    """Adds the token to every request to the configured host: `httpx.Client(auth=ProcountorAuth())`.

    After a 401, it renews the token and sends the request once more, if the body can be sent again: bytes, JSON or a
    form with files, but not a stream. Requests to other origins, including redirects, are sent without the token.

    Args:
        source: Where the tokens come from; by default a source that is configured by the environment.
        profile: The profile to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: No source is given, and the environment's configuration is incomplete or invalid.
    """

    bytes_stream: type[object] = httpx.ByteStream
    headers_are_listed: bool = are_listed(httpx.Headers())
    library: ClassVar[str | None] = "httpx"
