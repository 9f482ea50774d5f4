"""The directory: which companies, users and clients exist, and who has access to what."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749 import ClientMixin

from .redirect_uri import check_redirect_uri, is_loopback_variant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True, slots=True)
class Company:
    """A company, which clients know only by its number."""

    id: int
    name: str
    country: str = "FINLAND"


@dataclass(slots=True)
class User:
    """A person, or an integration's technical user.

    A user who is limited to API login can use only API keys: the login page and the legacy
    flow reject the password.
    """

    id: int
    username: str
    password: str = field(repr=False)
    name: str
    company_ids: set[int]
    api_login_only: bool = False
    #: By company: the only resources of the API that the user may read there.
    limits: dict[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])


@dataclass(frozen=True)
class Client(ClientMixin):
    """An API client (an integration) with exactly one redirect URI, which need not be a URL."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str

    def get_client_id(self) -> str:
        """Return the client ID (called by Authlib)."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Return the one redirect URI (called by Authlib)."""
        return self.redirect_uri

    def get_allowed_scope(self, scope: Collection[str] | str) -> str:  # noqa: ARG002 - Authlib's signature
        """Return no scope: the service has none."""
        return ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether the redirect URI is exactly the registered one.

        One on a loopback address that is registered without a port matches every port: a program
        learns its port from the system only at the login (RFC 8252, section 7.3).
        """
        return is_same(redirect_uri, self.redirect_uri) or is_loopback_variant(redirect_uri, self.redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Return whether the secret is right, compared in constant time."""
        return is_same(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Return whether clients may authenticate like this: only with parameters of the request."""
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        """Return whether the authorization endpoint supports the response type."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Return whether clients may use the grant type."""
        return grant_type in {"authorization_code", "refresh_token", "client_credentials"}


class Directory:
    """The companies, users and clients of one sandbox, in memory; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._companies: dict[int, Company] = {}
        self._users: dict[int, User] = {}
        self._usernames: set[str] = set()
        self._clients: dict[str, Client] = {}

    # -- changes ----------------------------------------------------------------------------------

    def add_company(self, name: str, company_id: int | None = None) -> Company:
        """Add a company; without a number, it gets the next free one.

        Raises:
            ValueError: There is already a company with this number.
        """
        with self._lock:
            number = max(self._companies, default=0) + 1 if company_id is None else company_id
            if number in self._companies:
                raise ValueError(f"there is already a company {number}")
            company = self._companies[number] = Company(number, name)
            return company

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
        with self._lock:
            number = max(self._users, default=0) + 1 if user_id is None else user_id
            if number in self._users or username in self._usernames:
                raise ValueError(f"there is already a user {number} or {username!r}")
            company_ids = set(companies)
            if unknown := company_ids - self._companies.keys():
                raise ValueError(f"there is no company {min(unknown)}")
            self._usernames.add(username)
            user = self._users[number] = User(
                id=number,
                username=username,
                password=secrets.token_urlsafe(15) if password is None else password,
                name=username if name is None else name,
                company_ids=company_ids,
                api_login_only=api_login_only,
            )
            return user

    def add_client(
        self, redirect_uri: str, *, client_id: str | None = None, client_secret: str | None = None
    ) -> Client:
        """Add an API client with its only redirect URI.

        Raises:
            ValueError: The client ID is taken, or the redirect URI is empty, has a query string or a
                fragment, or has characters that a header can't carry.
        """
        check_redirect_uri(redirect_uri)
        with self._lock:
            # Random, so that a token that a client has cached from another sandbox on this port is never accepted here.
            number = f"sandbox-{secrets.token_hex(4)}" if client_id is None else client_id
            if number in self._clients:
                raise ValueError(f"there is already a client {number!r}")
            secret = secrets.token_urlsafe(30) if client_secret is None else client_secret
            client = self._clients[number] = Client(number, secret, redirect_uri)
            return client

    def replace_client_secret(self, client_id: str) -> Client:
        """Give a client a new secret; the old one is invalid at once.

        Raises:
            ValueError: There is no such client.
        """
        with self._lock:
            if client_id not in self._clients:
                raise ValueError(f"there is no client {client_id!r}")
            old = self._clients[client_id]
            client = self._clients[client_id] = Client(client_id, secrets.token_urlsafe(30), old.redirect_uri)
            return client

    def grant_user_access(self, user_id: int, company_id: int) -> None:
        """Give a user access to a company.

        Raises:
            ValueError: There is no such user or company.
        """
        with self._lock:
            if user_id not in self._users or company_id not in self._companies:
                raise ValueError(f"there is no user {user_id} or no company {company_id}")
            self._users[user_id].company_ids.add(company_id)

    def revoke_user_access(self, user_id: int, company_id: int) -> None:
        """Remove a user's access to a company: the password, tokens and API keys stop working for it.

        Raises:
            ValueError: There is no such user.
        """
        with self._lock:
            if user_id not in self._users:
                raise ValueError(f"there is no user {user_id}")
            self._users[user_id].company_ids.discard(company_id)

    def limit_user(self, user_id: int, company_id: int, resources: Iterable[str] | None) -> None:
        """Limit a user to some resources of the API in a company, such as ``{"users"}``; None removes the limit.

        Tokens are issued as before; requests for other resources get a 403.

        Raises:
            ValueError: There is no such user, or the user has no access to the company.
        """
        with self._lock:
            if not self.has_access(user_id, company_id):
                raise ValueError(f"user {user_id} has no access to company {company_id}")
            limits = self._users[user_id].limits
            limits.pop(company_id, None)
            if resources is not None:
                limits[company_id] = frozenset(resources)

    def change_password(self, user_id: int, password: str) -> None:
        """Give a user another password.

        Raises:
            ValueError: There is no such user.
        """
        with self._lock:
            if user_id not in self._users:
                raise ValueError(f"there is no user {user_id}")
            self._users[user_id].password = password

    # -- look-ups ---------------------------------------------------------------------------------

    def companies(self) -> list[Company]:
        """Return all companies, by number."""
        with self._lock:
            return sorted(self._companies.values(), key=lambda company: company.id)

    def users(self) -> list[User]:
        """Return all users, by number."""
        with self._lock:
            return sorted(self._users.values(), key=lambda user: user.id)

    def clients(self) -> list[Client]:
        """Return all API clients, in the order in which they were added."""
        with self._lock:
            return list(self._clients.values())

    def client(self, client_id: str | None) -> Client | None:
        """Return the client with this ID, or None."""
        return self._clients.get(client_id or "")

    def is_redirect_word(self, word: str) -> bool:
        """Return whether a client's redirect URI is this bare word, which browsers treat as a path."""
        with self._lock:
            return any(client.redirect_uri == word for client in self._clients.values())

    def is_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether a redirect URI is a client's."""
        return any(client.check_redirect_uri(redirect_uri) for client in self.clients())

    def company(self, company_id: int) -> Company | None:
        """Return the company with this number, or None."""
        return self._companies.get(company_id)

    def user(self, user_id: int) -> User | None:
        """Return the user with this number, or None."""
        return self._users.get(user_id)

    def user_named(self, username: str) -> User | None:
        """Return the user with this user name, or None."""
        with self._lock:
            return next((user for user in self._users.values() if user.username == username), None)

    def companies_of(self, user: User) -> list[Company]:
        """Return the companies that the user can access, by number."""
        with self._lock:
            return [self._companies[number] for number in sorted(user.company_ids)]

    def has_access(self, user_id: int, company_id: int) -> bool:
        """Return whether the user exists and can access the company now."""
        with self._lock:
            user = self._users.get(user_id)
            return user is not None and company_id in user.company_ids

    def may_read(self, user_id: int, company_id: int, resource: str) -> bool:
        """Return whether a user with access to a company may read a resource of the API there."""
        with self._lock:
            allowed = self._users[user_id].limits.get(company_id)
            return allowed is None or resource in allowed

    def check_password(self, username: str, password: str) -> User | None:
        """Return the user with this name and password, or None."""
        with self._lock:
            users = list(self._users.values())
        found = None
        # Every user is compared, so that the time does not reveal which names exist.
        for user in users:
            if is_same(username, user.username) & is_same(password, user.password):
                found = user
        return found


def is_same(given: str, right: str) -> bool:
    """Compare two strings in constant time, whatever characters they have."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))
