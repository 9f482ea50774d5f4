"""The URLs of a Procountor host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CHECK_HOST: Final = "Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION."
"""The hint for responses that can't be from the service."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of one host.

    Attributes:
        host: Scheme and host, such as `https://api.procountor.com`, without a trailing slash.
        api_version: The version segment: `latest`, `supported` or `vYYMM`; None if the path has no version.
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
        """The endpoint that exchanges a code from `key_login` for an API key, `oauth/key`."""
        return f"{self.api}/oauth/key"

    @property
    def logout(self) -> str:
        """The endpoint that invalidates a bearer token."""
        return f"{self.host}/logout"

    @property
    def login(self) -> str:
        """The login page, for the user's browser."""
        return f"{self.host}/login"

    @property
    def key_login(self) -> str:
        """The login page for getting an API key, for the user's browser."""
        return f"{self.host}/keylogin"
