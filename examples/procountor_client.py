"""The package `procountor` 2.4.0 from PyPI, with tokens from this library.

pip install procountor-auth procountor==2.4.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from procountor.client import Client  # type: ignore[import-not-found] # not among the tests' packages

from procountor_auth import TokenSource

if TYPE_CHECKING:
    from procountor_auth import Token


class ProcountorClient(Client):  # type: ignore[misc] # the package has no annotations
    """The package's client. Host, API version and token are those of a token source."""

    def __init__(self, source: TokenSource) -> None:
        # Not the package's own method, which would get a token at once, and keep it.
        self._source = source
        self._token: Token = source.token()

    @property
    def api_host(self) -> str:
        """The host that the environment chose."""
        return self._source.endpoints.host

    @property
    def api_url(self) -> str:
        """The base URL of the API, with a trailing slash."""
        return f"{self._source.endpoints.api}/"

    @property
    def access_token(self) -> str:
        """A valid token; the package reads it for each request."""
        self._token = self._source.token()
        return self._token.access_token

    @access_token.setter
    def access_token(self, _: str) -> None:
        """Ignore the token that the package stores after a 401: the source has it."""

    def _get_token(self) -> str:
        """Return another token than the one that the API has just rejected."""
        return self._source.renew(self._token).access_token

    def request(self, *arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - the package's own
        """Send a request. After a 401 send it once more with the new token: the package repeats it with the old one."""
        answer: dict[str, Any] = super().request(*arguments, **options)
        return super().request(*arguments, **options) if answer["status"] == 401 else answer  # noqa: PLR2004 - HTTP


if __name__ == "__main__":
    client = ProcountorClient(TokenSource.from_env())
    print(client.get_session_info()["content"]["name"])
