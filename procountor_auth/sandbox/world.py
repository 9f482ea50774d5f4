"""The world: the companies, users, clients and credentials that exist in one sandbox."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from .jwts import Minter
    from .quirks import Quirks

Purpose = Literal["token", "key"]

#: Seconds in which a person has to choose a company after the password was accepted.
_TICKET_LIFETIME = 300


@dataclass(frozen=True, slots=True)
class Company:
    """A company, known to clients by its number alone."""

    id: int
    name: str
    country: str = "FINLAND"


@dataclass(slots=True)
class User:
    """A person, or an integration's technical user.

    A user who is limited to API login has API keys as the only method: the login page and the legacy
    flow refuse the password.
    """

    id: int
    username: str
    password: str = field(repr=False)
    name: str
    company_ids: set[int]
    api_login_only: bool = False


@dataclass(frozen=True)
class Client(ClientMixin):
    """An API client (an integration) with exactly one redirect URI, which need not be a URL."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str

    def get_client_id(self) -> str:
        """Return the client ID (asked by Authlib)."""
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        """Return the one redirect URI (asked by Authlib)."""
        return self.redirect_uri

    def get_allowed_scope(self, scope: Collection[str] | str) -> str:  # noqa: ARG002 - Authlib's signature
        """Return no scope: the service has none for a client to ask for."""
        return ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Return whether the redirect URI is exactly the registered one."""
        return same(redirect_uri, self.redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Return whether the secret is right, in a time that does not depend on the difference."""
        return same(client_secret, self.client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Return whether clients may authenticate like this: only with parameters of the request."""
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        """Return whether the authorization endpoint knows the response type."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Return whether clients may use the grant type."""
        return grant_type in {"authorization_code", "refresh_token", "client_credentials"}


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """What a single-use authorization code stands for; the code itself is not kept."""

    purpose: Purpose
    client_id: str
    redirect_uri: str
    user_id: int
    company_id: int
    auth_time: int
    expires_at: float
    code_challenge: str | None
    code_challenge_method: str | None
    digest: bytes = field(repr=False)

    def get_redirect_uri(self) -> str:
        """Return the redirect URI that the token request has to repeat (asked by Authlib)."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return no scope (asked by Authlib)."""
        return ""


@dataclass(eq=False)
class Session(TokenMixin):
    """One login of one user to one company through one client, and the tokens that came from it."""

    client_id: str
    user_id: int
    company_id: int
    auth_time: int
    token_ids: set[str] = field(default_factory=set, repr=False)
    refresh_digest: bytes | None = field(default=None, repr=False)

    def check_client(self, client: Client) -> bool:
        """Return whether the session is this client's (asked by Authlib)."""
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        """Return no scope (asked by Authlib)."""
        return ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What an API key stands for; the key itself is not kept."""

    client_id: str
    user_id: int
    company_id: int


@dataclass(frozen=True, slots=True)
class _Ticket:
    user_id: int
    request: tuple[str | None, ...]
    expires_at: float


def same(given: str, right: str) -> bool:
    """Compare two strings in constant time, whatever characters they have."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def _digest(secret: str) -> bytes:
    # Tables are keyed by digests: a look-up then takes no time that depends on the secret, and no
    # repr or dump of a table can show one.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class World:
    """Everything that one sandbox knows, in memory, safe for many threads.

    Tests change it while the sandbox runs: add companies, users and clients, revoke keys and access.

    Args:
        minter: Signs the API keys.
        clock: Returns the Unix time in seconds.
        quirks: Returns the quirks of the moment.
    """

    def __init__(self, minter: Minter, clock: Callable[[], float], quirks: Callable[[], Quirks]) -> None:
        self._minter = minter
        self._clock = clock
        self._quirks = quirks
        self._lock = threading.RLock()
        self._companies: dict[int, Company] = {}
        self._users: dict[int, User] = {}
        self._clients: dict[str, Client] = {}
        self._codes: dict[bytes, Code] = {}
        self._tickets: dict[bytes, _Ticket] = {}
        self._api_keys: dict[bytes, ApiKey] = {}
        self._refresh_tokens: dict[bytes, Session] = {}
        self._sessions_by_token_id: dict[str, Session] = {}
        self._revoked_token_ids: set[str] = set()

    # -- what a test sets up ----------------------------------------------------------------------

    def add_company(self, name: str, company_id: int | None = None) -> Company:
        """Add a company; without a number it gets the next free one.

        Raises:
            ValueError: There is a company with this number.
        """
        with self._lock:
            number = max(self._companies, default=0) + 1 if company_id is None else company_id
            if number in self._companies:
                raise ValueError(f"there is a company {number} already")
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
        """Add a user with access to the companies; without a password it gets a random one.

        Raises:
            ValueError: The user name or the number is taken, or a company does not exist.
        """
        with self._lock:
            number = max(self._users, default=0) + 1 if user_id is None else user_id
            if number in self._users or any(user.username == username for user in self._users.values()):
                raise ValueError(f"there is a user {number} or {username!r} already")
            company_ids = set(companies)
            if unknown := company_ids - self._companies.keys():
                raise ValueError(f"there is no company {min(unknown)}")
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
        """Add an API client with its one redirect URI.

        Raises:
            ValueError: The client ID is taken, or the redirect URI is empty, has a query string or a
                fragment, or has characters that cannot stand in a header.
        """
        check_redirect_uri(redirect_uri)
        with self._lock:
            number = f"sandbox-client-{len(self._clients) + 1}" if client_id is None else client_id
            if number in self._clients:
                raise ValueError(f"there is a client {number!r} already")
            secret = secrets.token_urlsafe(30) if client_secret is None else client_secret
            client = self._clients[number] = Client(number, secret, redirect_uri)
            return client

    def create_api_key(self, client_id: str, user_id: int, company_id: int) -> str:
        """Return a new API key for one user, one company and one client.

        Raises:
            ValueError: One of them does not exist, or the user has no access to the company.
        """
        with self._lock:
            if client_id not in self._clients:
                raise ValueError(f"there is no client {client_id!r}")
            if not self.has_access(user_id, company_id):
                raise ValueError(f"user {user_id} has no access to company {company_id}")
            api_key = self._minter.api_key(client_id, user_id, company_id)
            self._api_keys[_digest(api_key)] = ApiKey(client_id, user_id, company_id)
            return api_key

    def revoke_api_key(self, api_key: str) -> None:
        """Make an API key worthless. Access tokens that it got live on until they expire.

        Raises:
            ValueError: There is no such key, or it is revoked already.
        """
        with self._lock:
            if self._api_keys.pop(_digest(api_key), None) is None:
                raise ValueError("there is no such API key")

    def grant_user_access(self, user_id: int, company_id: int) -> None:
        """Let a user into a company.

        Raises:
            ValueError: There is no such user or company.
        """
        with self._lock:
            if user_id not in self._users or company_id not in self._companies:
                raise ValueError(f"there is no user {user_id} or no company {company_id}")
            self._users[user_id].company_ids.add(company_id)

    def revoke_user_access(self, user_id: int, company_id: int) -> None:
        """Shut a user out of a company: the password, tokens and API keys stop working for it.

        Raises:
            ValueError: There is no such user.
        """
        with self._lock:
            if user_id not in self._users:
                raise ValueError(f"there is no user {user_id}")
            self._users[user_id].company_ids.discard(company_id)

    def change_password(self, user_id: int, password: str) -> None:
        """Give a user another password.

        Raises:
            ValueError: There is no such user.
        """
        with self._lock:
            if user_id not in self._users:
                raise ValueError(f"there is no user {user_id}")
            self._users[user_id].password = password

    def revoke_refresh_token(self, refresh_token: str) -> None:
        """Make a refresh token worthless, as a user does who withdraws an integration's access.

        Raises:
            ValueError: There is no such refresh token.
        """
        with self._lock:
            session = self._refresh_tokens.get(_digest(refresh_token))
            if session is None:
                raise ValueError("there is no such refresh token")
            session.refresh_digest = None

    # -- what the endpoints ask -------------------------------------------------------------------

    def client(self, client_id: str | None) -> Client | None:
        """Return the client with this ID, or None."""
        return self._clients.get(client_id or "")

    def is_redirect_word(self, word: str) -> bool:
        """Return whether a client's redirect URI is this bare word, which browsers take for a path."""
        with self._lock:
            return any(client.redirect_uri == word for client in self._clients.values())

    def company(self, company_id: int) -> Company | None:
        """Return the company with this number, or None."""
        return self._companies.get(company_id)

    def user(self, user_id: int) -> User | None:
        """Return the user with this number, or None."""
        return self._users.get(user_id)

    def companies_of(self, user: User) -> list[Company]:
        """Return the companies that the user can access, by number."""
        with self._lock:
            return [self._companies[number] for number in sorted(user.company_ids)]

    def has_access(self, user_id: int, company_id: int) -> bool:
        """Return whether the user exists and can access the company now."""
        with self._lock:
            user = self._users.get(user_id)
            return user is not None and company_id in user.company_ids

    def check_password(self, username: str, password: str) -> User | None:
        """Return the user whose name and password these are, or None."""
        with self._lock:
            users = list(self._users.values())
        found = None
        # Every user is compared, so that the time does not tell which names exist.
        for user in users:
            if same(username, user.username) & same(password, user.password):
                found = user
        return found

    def issue_code(
        self,
        purpose: Purpose,
        client: Client,
        user: User,
        company_id: int,
        *,
        code_challenge: str | None = None,
        code_challenge_method: str | None = None,
    ) -> str:
        """Return a new single-use authorization code."""
        code = secrets.token_urlsafe(30)
        digest = _digest(code)
        now = self._clock()
        with self._lock:
            self._codes[digest] = Code(
                purpose=purpose,
                client_id=client.client_id,
                redirect_uri=client.redirect_uri,
                user_id=user.id,
                company_id=company_id,
                auth_time=int(now),
                expires_at=now + self._quirks().code_lifetime,
                code_challenge=code_challenge,
                code_challenge_method=code_challenge_method,
                digest=digest,
            )
        return code

    def find_code(self, code: str, client_id: str, purpose: Purpose) -> Code | None:
        """Return what the code stands for, if it is this client's, for this purpose, unused and in time."""
        found = self._codes.get(_digest(code))
        if found is None or found.client_id != client_id or found.purpose != purpose:
            return None
        return found if self._clock() < found.expires_at else None

    def spend_code(self, code: Code) -> bool:
        """Use the code up. Of any number of callers at the same time, exactly one gets True."""
        with self._lock:
            return self._codes.pop(code.digest, None) is not None

    def open_ticket(self, user: User, request: tuple[str | None, ...]) -> str:
        """Return a single-use proof that the user's password was right, for this login request only."""
        ticket = secrets.token_urlsafe(30)
        with self._lock:
            self._tickets[_digest(ticket)] = _Ticket(user.id, request, self._clock() + _TICKET_LIFETIME)
        return ticket

    def claim_ticket(self, ticket: str, request: tuple[str | None, ...]) -> User | None:
        """Return the user whose ticket this is, and use it up; None if it does not fit."""
        with self._lock:
            found = self._tickets.pop(_digest(ticket), None)
            if found is None or found.request != request or self._clock() >= found.expires_at:
                return None
            return self._users.get(found.user_id)

    def find_api_key(self, api_key: str) -> ApiKey | None:
        """Return what the API key stands for, or None if it is unknown or revoked."""
        return self._api_keys.get(_digest(api_key))

    def start_session(self, session: Session) -> tuple[str, str]:
        """Return the access token and the refresh token of a new session."""
        jti = self._minter.new_id()
        refresh_token = self._new_refresh_token(session, jti)
        return self._new_access_token(session, jti), refresh_token

    def machine_token(self, api_key: ApiKey) -> str:
        """Return an access token for an API key. It has no session: there is nothing to renew."""
        return self._minter.access_token(
            self._minter.new_id(),
            api_key.client_id,
            api_key.user_id,
            api_key.company_id,
            int(self._clock()),
            machine=True,
        )

    def find_refresh_token(self, refresh_token: str) -> Session | None:
        """Return the session that the refresh token can renew now, or None."""
        digest = _digest(refresh_token)
        session = self._refresh_tokens.get(digest)
        if session is None or session.refresh_digest != digest or self._minter.read(refresh_token) is None:
            return None
        return session if self.has_access(session.user_id, session.company_id) else None

    def renew(self, session: Session, refresh_token: str) -> tuple[str, str] | None:
        """Return a new access token and the refresh token to use from now on.

        With rotation the given one is replaced in the same step that checks it: of any number of
        callers at the same time, exactly one succeeds and the others get None.
        """
        jti = self._minter.new_id()
        with self._lock:
            if session.refresh_digest != _digest(refresh_token):
                return None
            if self._quirks().refresh_token == "rotate":  # noqa: S105 - not a secret
                refresh_token = self._new_refresh_token(session, jti)
            return self._new_access_token(session, jti), refresh_token

    def is_refresh_token(self, token: str) -> bool:
        """Return whether the token was issued as a refresh token: the claims look like an access token's."""
        return _digest(token) in self._refresh_tokens

    def is_revoked(self, jti: str) -> bool:
        """Return whether the token with this ID was logged out."""
        return jti in self._revoked_token_ids

    def log_out(self, jti: str) -> None:
        """End the session that the access token came from, with all of its tokens."""
        with self._lock:
            self._revoked_token_ids.add(jti)
            session = self._sessions_by_token_id.get(jti)
            if session is not None:
                self._revoked_token_ids |= session.token_ids
                session.refresh_digest = None

    def _new_access_token(self, session: Session, jti: str) -> str:
        with self._lock:
            session.token_ids.add(jti)
            self._sessions_by_token_id[jti] = session
        return self._minter.access_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time, machine=False
        )

    def _new_refresh_token(self, session: Session, jti: str) -> str:
        refresh_token = self._minter.refresh_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time
        )
        digest = _digest(refresh_token)
        with self._lock:
            session.refresh_digest = digest
            self._refresh_tokens[digest] = session
        return refresh_token


def check_redirect_uri(redirect_uri: str) -> None:
    """Refuse a redirect URI that the service could not have handed out.

    Raises:
        ValueError: It is empty, has a query string or a fragment, or cannot stand in a header.
    """
    if not redirect_uri:
        raise ValueError("the redirect URI must not be empty")
    if "?" in redirect_uri or "#" in redirect_uri:
        raise ValueError("the redirect URI must not have a query string or a fragment")
    if not redirect_uri.isascii() or not redirect_uri.isprintable() or " " in redirect_uri:
        raise ValueError("the redirect URI must be printable ASCII without spaces")
