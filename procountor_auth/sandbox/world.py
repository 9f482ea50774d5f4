"""The world: the companies, users, clients and credentials that exist in one sandbox."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin

from .expiring import Expiring
from .quirks import SIX_MONTHS
from .redirect import is_loopback_variant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from .jwts import Minter
    from .quirks import Quirks
    from .weather import Weather

Purpose = Literal["token", "key"]

#: Seconds in which a person has to choose a company after the password was accepted.
_TICKET_LIFETIME = 300
#: Entries of a table that grows with the requests: beyond it the oldest are forgotten.
_MOST = 100_000


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
    #: By company: the resources of the API that are all the user may read there.
    limits: dict[int, frozenset[str]] = field(default_factory=dict)


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
        """Return whether the redirect URI is exactly the registered one.

        One on a loopback address that is registered without a port stands for every port: a program
        learns only at its login which one the system gives it (RFC 8252, section 7.3).
        """
        return same(redirect_uri, self.redirect_uri) or is_loopback_variant(redirect_uri, self.redirect_uri)

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
    code_challenge: str | None
    code_challenge_method: str | None
    digest: bytes = field(repr=False)

    def get_redirect_uri(self) -> str:
        """Return the redirect URI that the token request has to repeat (asked by Authlib)."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return no scope (asked by Authlib)."""
        return ""


@dataclass(frozen=True)
class Session(TokenMixin):
    """One login of one user to one company through one client.

    Nothing keeps it: each of its tokens says everything about it. ``jti`` is that of the refresh token
    it was read from, or empty for a login that has no tokens yet.
    """

    client_id: str
    user_id: int
    company_id: int
    auth_time: int
    jti: str = ""

    def check_client(self, client: Client) -> bool:
        """Return whether the session is this client's (asked by Authlib)."""
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        """Return no scope (asked by Authlib)."""
        return ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What an API key stands for; the key itself is not kept.

    Attributes:
        id: The key's ``jti``: names the key, and is not a secret.
        client_id: The client that it is for.
        user_id: The user that it is for.
        company_id: The company that it is for.
        created: When it was made, in Unix time by the sandbox's clock.
    """

    id: str
    client_id: str
    user_id: int
    company_id: int
    created: int


@dataclass(frozen=True, slots=True)
class _Ticket:
    user_id: int
    request: tuple[str | None, ...]


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
        weather: Returns the weather of the moment.
    """

    def __init__(
        self,
        minter: Minter,
        clock: Callable[[], float],
        quirks: Callable[[], Quirks],
        weather: Callable[[], Weather],
    ) -> None:
        self._minter = minter
        self._clock = clock
        self._quirks = quirks
        self._weather = weather
        self._lock = threading.RLock()
        self._companies: dict[int, Company] = {}
        self._users: dict[int, User] = {}
        self._usernames: set[str] = set()
        self._clients: dict[str, Client] = {}
        self._api_keys: dict[bytes, ApiKey] = {}
        # These alone grow with the requests, so they forget what has expired.
        self._codes: Expiring[bytes, Code] = Expiring(clock, _MOST)
        self._tickets: Expiring[bytes, _Ticket] = Expiring(clock, _MOST)
        #: By session: the ``jti`` of the one refresh token that counts; empty if none does.
        self._current: Expiring[str, str] = Expiring(clock, _MOST)
        #: The sessions that were logged out.
        self._ended: Expiring[str, bool] = Expiring(clock, _MOST)

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
            if number in self._users or username in self._usernames:
                raise ValueError(f"there is a user {number} or {username!r} already")
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
        """Add an API client with its one redirect URI.

        Raises:
            ValueError: The client ID is taken, or the redirect URI is empty, has a query string or a
                fragment, or has characters that cannot stand in a header.
        """
        check_redirect_uri(redirect_uri)
        with self._lock:
            # Random: a token that somebody kept from another sandbox on this port is never taken for ours.
            number = f"sandbox-{secrets.token_hex(4)}" if client_id is None else client_id
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
            key_id = self._minter.new_id()
            api_key = self._minter.api_key(key_id, client_id, user_id, company_id)
            self._api_keys[_digest(api_key)] = ApiKey(key_id, client_id, user_id, company_id, int(self._clock()))
            return api_key

    def revoke_api_key(self, api_key: str) -> None:
        """Make an API key worthless. Access tokens that it got live on until they expire.

        Raises:
            ValueError: There is no such key, or it is revoked already.
        """
        with self._lock:
            if self._api_keys.pop(_digest(api_key), None) is None:
                raise ValueError("there is no such API key")

    def revoke_api_key_by_id(self, key_id: str) -> None:
        """Make an API key worthless, by the ID that `api_keys` lists.

        Raises:
            ValueError: There is no such key, or it is revoked already.
        """
        with self._lock:
            found = [digest for digest, api_key in self._api_keys.items() if api_key.id == key_id]
            if not found:
                raise ValueError("there is no such API key")
            del self._api_keys[found[0]]

    def api_key_id(self, api_key: str) -> str:
        """Return the ID of an API key, which is not a secret.

        Raises:
            ValueError: There is no such key, or it is revoked.
        """
        with self._lock:
            found = self._api_keys.get(_digest(api_key))
            if found is None:
                raise ValueError("there is no such API key")
            return found.id

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

    def limit_user(self, user_id: int, company_id: int, resources: Iterable[str] | None) -> None:
        """Leave a user only some resources of the API in a company, such as ``{"users"}``; None gives all back.

        Tokens are given out as before; what else they ask for is answered with 403.

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

    def may_read(self, user_id: int, company_id: int, resource: str) -> bool:
        """Return whether a user with access to a company may read a resource of the API there."""
        with self._lock:
            allowed = self._users[user_id].limits.get(company_id)
            return allowed is None or resource in allowed

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
        claims = self._minter.read(refresh_token, "refresh")
        if claims is None:
            raise ValueError("there is no such refresh token")
        with self._lock:
            self._current.put(self._minter.session_id(claims["jti"]), "", claims["exp"])

    # -- what people look at ----------------------------------------------------------------------

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

    def api_keys(self) -> list[ApiKey]:
        """Return what the API keys that are not revoked stand for, the oldest first."""
        with self._lock:
            return list(self._api_keys.values())

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
        redirect_uri: str | None = None,
        code_challenge: str | None = None,
        code_challenge_method: str | None = None,
    ) -> str:
        """Return a new single-use authorization code.

        ``redirect_uri`` is the one in the request, which the token request has to repeat; without it
        the client's registered one.
        """
        code = secrets.token_urlsafe(30)
        digest = _digest(code)
        now = self._clock()
        with self._lock:
            expires_at = now + self._quirks().code_lifetime
            entry = Code(
                purpose=purpose,
                client_id=client.client_id,
                redirect_uri=client.redirect_uri if redirect_uri is None else redirect_uri,
                user_id=user.id,
                company_id=company_id,
                auth_time=int(now),
                code_challenge=code_challenge,
                code_challenge_method=code_challenge_method,
                digest=digest,
            )
            self._codes.put(digest, entry, expires_at)
        return code

    def find_code(self, code: str, client_id: str, purpose: Purpose) -> Code | None:
        """Return what the code stands for, if it is this client's, for this purpose, unused and in time."""
        found = self._codes.get(_digest(code))
        if found is None or found.client_id != client_id or found.purpose != purpose:
            return None
        return found

    def spend_code(self, code: Code) -> bool:
        """Use the code up. Of any number of callers at the same time, exactly one gets True."""
        with self._lock:
            return self._codes.pop(code.digest) is not None

    def open_ticket(self, user: User, request: tuple[str | None, ...]) -> str:
        """Return a single-use proof that the user's password was right, for this login request only."""
        ticket = secrets.token_urlsafe(30)
        with self._lock:
            self._tickets.put(_digest(ticket), _Ticket(user.id, request), self._clock() + _TICKET_LIFETIME)
        return ticket

    def claim_ticket(self, ticket: str, request: tuple[str | None, ...]) -> User | None:
        """Return the user whose ticket this is, and use it up; None if it does not fit."""
        with self._lock:
            found = self._tickets.pop(_digest(ticket))
            if found is None or found.request != request:
                return None
            return self._users.get(found.user_id)

    def find_api_key(self, api_key: str) -> ApiKey | None:
        """Return what the API key stands for, or None if it is unknown or revoked."""
        if self._weather().revoked_keys:
            return None
        return self._api_keys.get(_digest(api_key))

    def start_session(self, session: Session) -> tuple[str, str]:
        """Return the access token and the refresh token of a new session."""
        jti = self._minter.new_id()
        return self._access_token(session, jti), self._refresh_token(session, jti)

    def machine_token(self, api_key: ApiKey) -> str:
        """Return an access token for an API key. It is a session of its own: there is nothing to renew."""
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
        claims = self._minter.read(refresh_token, "refresh")
        if claims is None or not self._is_current(claims["jti"]):
            return None
        session = Session(claims["aud"], int(claims["sub"]), claims["cid"], claims["auth_time"], claims["jti"])
        return session if self.has_access(session.user_id, session.company_id) else None

    def renew(self, session: Session, refresh_token: str) -> tuple[str, str] | None:
        """Return a new access token and the refresh token to use from now on.

        With rotation the given one is replaced in the same step that checks it: of any number of
        callers at the same time, exactly one succeeds and the others get None.

        Args:
            session: The session as its refresh token says it.
            refresh_token: That refresh token.
        """
        session_id = self._minter.session_id(session.jti)
        jti = self._minter.new_id(session_id)
        with self._lock:
            if not self._is_current(session.jti):
                return None
            if self._quirks().refresh_token == "rotate":  # noqa: S105 - not a secret
                refresh_token = self._refresh_token(session, jti)
                self._current.put(session_id, jti, self._last_moment(session.auth_time))
        return self._access_token(session, jti), refresh_token

    def is_logged_out(self, jti: str) -> bool:
        """Return whether the session of the token with this ID was logged out."""
        return self._ended.get(self._minter.session_id(jti)) is not None

    def log_out(self, claims: Mapping[str, Any]) -> None:
        """End the session that an access token came from, with all of its tokens."""
        # A machine's session ends with its one token; to another a refresh token may bring more.
        until = claims["exp"] if "scope" in claims else self._last_moment(claims["auth_time"])
        with self._lock:
            self._ended.put(self._minter.session_id(claims["jti"]), value=True, expires_at=max(until, claims["exp"]))

    def _is_current(self, jti: str) -> bool:
        session_id = self._minter.session_id(jti)
        return self._ended.get(session_id) is None and self._current.get(session_id) in {None, jti}

    def _last_moment(self, auth_time: int) -> float:
        # The quirks may have been others when the session's refresh tokens were made.
        return auth_time + max(self._quirks().refresh_token_lifetime, SIX_MONTHS)

    def _access_token(self, session: Session, jti: str) -> str:
        return self._minter.access_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time, machine=False
        )

    def _refresh_token(self, session: Session, jti: str) -> str:
        return self._minter.refresh_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time
        )


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
