"""The world: the companies, users, clients and credentials that exist in one sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .credentials import Credentials
from .directory import Directory
from .sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procountor_auth.sandbox.behaviour.faults import Faults
    from procountor_auth.sandbox.behaviour.quirks import Quirks

    from .credentials import ApiKey
    from .directory import Client, Company, User
    from .token_issuer import TokenIssuer


class World:
    """Everything that exists in one sandbox. Tests change it while the sandbox runs.

    It has those methods of its parts that tests need: to add companies, users and clients, and to revoke keys and
    access.

    Args:
        token_issuer: Signs and reads the tokens.
        clock: Returns the Unix time in seconds.
        quirks: Returns the current quirks.
        faults: Returns the current faults.

    Attributes:
        directory: Companies, users and clients, and who has access to what.
        credentials: Authorization codes, login tickets and API keys.
        sessions: Access tokens, refresh tokens and logout.
    """

    def __init__(
        self,
        token_issuer: TokenIssuer,
        clock: Callable[[], float],
        quirks: Callable[[], Quirks],
        faults: Callable[[], Faults],
    ) -> None:
        self.directory: Directory = Directory()
        self.credentials: Credentials = Credentials(self.directory, token_issuer, clock, quirks, faults)
        self.sessions: Sessions = Sessions(self.directory, token_issuer, clock, quirks)

    def add_company(self, name: str, company_id: int | None = None) -> Company:
        """Add a company; without a number, it gets the next free one.

        Raises:
            ValueError: There is already a company with this number.
        """
        return self.directory.add_company(name, company_id)

    def add_user(
        self,
        username: str,
        password: str | None = None,
        *,
        companies: Iterable[int] = (),
        name: str | None = None,
        user_id: int | None = None,
        api_login_only: bool = False,
    ) -> User:
        """Add a user with access to the companies; without a password, it gets a random one.

        Raises:
            ValueError: The user name or the number is taken, or a company does not exist.
        """
        return self.directory.add_user(
            username, password, companies=companies, name=name, user_id=user_id, api_login_only=api_login_only
        )

    def add_client(
        self, redirect_uri: str, *, client_id: str | None = None, client_secret: str | None = None
    ) -> Client:
        """Add an API client with its only redirect URI.

        Raises:
            ValueError: The client ID is taken, or the redirect URI is empty, has a query string or a
                fragment, or has characters that a header can't carry.
        """
        return self.directory.add_client(redirect_uri, client_id=client_id, client_secret=client_secret)

    def replace_client_secret(self, client_id: str) -> Client:
        """Give a client a new secret, as in a rotation; the old one is invalid at once.

        Raises:
            ValueError: There is no such client.
        """
        return self.directory.replace_client_secret(client_id)

    def companies(self) -> list[Company]:
        """Return all companies, by number."""
        return self.directory.companies()

    def users(self) -> list[User]:
        """Return all users, by number."""
        return self.directory.users()

    def grant_user_access(self, user_id: int, company_id: int) -> None:
        """Give a user access to a company.

        Raises:
            ValueError: There is no such user or company.
        """
        self.directory.grant_user_access(user_id, company_id)

    def revoke_user_access(self, user_id: int, company_id: int) -> None:
        """Remove a user's access to a company: the password, tokens and API keys stop working for it.

        Raises:
            ValueError: There is no such user.
        """
        self.directory.revoke_user_access(user_id, company_id)

    def limit_user(self, user_id: int, company_id: int, resources: Iterable[str] | None) -> None:
        """Limit a user to some resources of the API in a company, such as ``{"users"}``; None removes the limit.

        Tokens are issued as before; requests for other resources get a 403.

        Raises:
            ValueError: There is no such user, or the user has no access to the company.
        """
        self.directory.limit_user(user_id, company_id, resources)

    def change_password(self, user_id: int, password: str) -> None:
        """Give a user another password.

        Raises:
            ValueError: There is no such user.
        """
        self.directory.change_password(user_id, password)

    def create_api_key(self, client_id: str, user_id: int, company_id: int) -> str:
        """Return a new API key for one user, one company and one client.

        Raises:
            ValueError: One of them does not exist, or the user has no access to the company.
        """
        return self.credentials.create_api_key(client_id, user_id, company_id)

    def revoke_api_key(self, api_key: str) -> None:
        """Revoke an API key. Access tokens that were issued for it stay valid until they expire.

        Raises:
            ValueError: There is no such key, or it is already revoked.
        """
        self.credentials.revoke_api_key(api_key)

    def api_keys(self) -> list[ApiKey]:
        """Return the data of the API keys that are not revoked, the oldest first."""
        return self.credentials.api_keys()

    def revoke_refresh_token(self, refresh_token: str) -> None:
        """Revoke a refresh token, as a user does who withdraws an integration's access.

        Raises:
            ValueError: There is no such refresh token.
        """
        self.sessions.revoke_refresh_token(refresh_token)
