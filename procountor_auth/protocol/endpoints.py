"""Where things are on a Procountor host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of one host.

    Attributes:
        host: Scheme and host, such as `https://api.procountor.com`, with no slash at the end.
        api_version: The version segment: `latest`, `supported`, `vYYMM`, or None for none.
    """

    host: str
    api_version: str | None = None

    @property
    def api(self) -> str:
        """The base of the API, such as `https://api.procountor.com/api`."""
        return f"{self.host}/{self.api_version}/api" if self.api_version else f"{self.host}/api"

    @property
    def authorization(self) -> str:
        """The legacy authorization endpoint, `oauth/authz`."""
        return f"{self.api}/oauth/authz"

    @property
    def token(self) -> str:
        """The token endpoint, `oauth/token`."""
        return f"{self.api}/oauth/token"

    @property
    def key(self) -> str:
        """Where a code from `key_login` becomes an API key, `oauth/key`."""
        return f"{self.api}/oauth/key"

    @property
    def logout(self) -> str:
        """Where a bearer token is invalidated."""
        return f"{self.host}/logout"

    @property
    def login(self) -> str:
        """The login page, for a person's browser."""
        return f"{self.host}/login"

    @property
    def key_login(self) -> str:
        """The login page that leads to an API key, for a person's browser."""
        return f"{self.host}/keylogin"
