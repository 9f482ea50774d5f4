"""What a client needs to authenticate against a sandbox: the address and the credentials."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .seed import COMPANY

if TYPE_CHECKING:
    from .seed import Seed


class ClientSettings:
    """The address and the credentials of a sandbox, individually and together.

    Args:
        redirect_uri: The one redirect URI of the sandbox's client.
        password: The user's password.

    Attributes:
        redirect_uri: As given.
        password: As given.
    """

    def __init__(self, redirect_uri: str, password: str) -> None:
        self.redirect_uri = redirect_uri
        self.password = password
        self._seed: Seed | None = None

    @property
    def base_url(self) -> str:
        """The host, such as ``http://127.0.0.1:49152``, without ``/api``."""
        return self._started.service.base_url

    @property
    def client_id(self) -> str:
        """The ID of the API client."""
        return self._started.client.client_id

    @property
    def client_secret(self) -> str:
        """The secret of the API client."""
        return self._started.client.client_secret

    @property
    def username(self) -> str:
        """The user who has access to both of the first companies."""
        return self._started.user.username

    @property
    def user_id(self) -> int:
        """The user's number, which tokens carry as ``sub``."""
        return self._started.user.id

    @property
    def company(self) -> str:
        """The number of the company that the API key is for, as digits."""
        return str(COMPANY)

    @property
    def api_key(self) -> str:
        """The API key of the user, the company and the client."""
        return self._started.api_key

    def description(self) -> dict[str, str | int]:
        """Return everything that a client needs, as in the ``--json`` line of the command."""
        return {
            "base_url": self.base_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
            "username": self.username,
            "password": self.password,
            "company": self.company,
            "user_id": self.user_id,
            "api_key": self.api_key,
        }

    def environment(self, strategy: str, *, refresh_token: bool = False) -> dict[str, str]:
        """Return the ``PROCOUNTOR_*`` variables for a client of this sandbox.

        Args:
            strategy: `legacy_password`, `client_credentials` or `authorization_code`.
            refresh_token: For ``authorization_code``: log the user in and add the refresh token, as
                for a machine that has no browser.

        Raises:
            ValueError: The strategy is unknown, or has no refresh token.
        """
        variables = {
            "PROCOUNTOR_STRATEGY": strategy,
            "PROCOUNTOR_BASE_URL": self.base_url,
            "PROCOUNTOR_CLIENT_ID": self.client_id,
            "PROCOUNTOR_CLIENT_SECRET": self.client_secret,
            "PROCOUNTOR_REDIRECT_URI": self.redirect_uri,
        }
        if refresh_token and strategy != "authorization_code":
            raise ValueError("only the strategy 'authorization_code' starts from a refresh token")
        if strategy == "legacy_password":
            variables["PROCOUNTOR_USERNAME"] = self.username
            variables["PROCOUNTOR_PASSWORD"] = self.password
            variables["PROCOUNTOR_COMPANY"] = self.company
        elif strategy == "client_credentials":
            variables["PROCOUNTOR_API_KEY"] = self.api_key
        elif strategy != "authorization_code":
            raise ValueError(
                f"there is no strategy {strategy!r} in the sandbox; its strategies are legacy_password, "
                "authorization_code and client_credentials"
            )
        elif refresh_token:
            variables["PROCOUNTOR_REFRESH_TOKEN"] = self._started.new_refresh_token()
        return variables

    def common_settings(self) -> dict[str, str]:
        """Return the values that all profiles share, as at the top of a profiles file, with the legacy strategy."""
        return {
            "strategy": "legacy_password",
            "base_url": self.base_url,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
        }

    @property
    def _started(self) -> Seed:
        if self._seed is None:
            raise RuntimeError("the sandbox has not been started")
        return self._seed


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address. The only name that counts is ``localhost``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_base_url(base_url: str) -> str:
    """Return the base URL without a trailing slash.

    Raises:
        ValueError: It is not the address of a host.
    """
    if not re.fullmatch(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?", base_url):
        raise ValueError("the base URL must be http:// or https:// and a host, such as https://sandbox.example")
    _ = urlsplit(base_url).port  # Raises if it is out of range.
    return base_url.rstrip("/")
