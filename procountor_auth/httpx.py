"""Authentication for `httpx` clients, sync and async."""

from __future__ import annotations

import httpx

from procountor_auth.tokens.bearer import HttpxBearer


class ProcountorAuth(HttpxBearer, httpx.Auth):
    """`httpx.Client(auth=ProcountorAuth())`: the token of the environment's strategy on every request to its host.

    After a 401 the token is renewed once and the request sent once more, if its body can be sent again: bytes, JSON, a
    form with files, but no stream. Requests to other origins, redirects included, go without the token.

    Args:
        source: Where the tokens come from; by default the one that the environment describes.
        profile: Which profile of the environment to use; by default the one that `PROCOUNTOR_PROFILE` names, if any.

    Raises:
        ConfigurationError: There is no source given, and the environment does not describe one.
    """

    bytes_stream = httpx.ByteStream
