"""The credentials: authorization codes, login tickets and API keys."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin

from .ttl_table import TTLTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox.behaviour.faults import Faults
    from procountor_auth.sandbox.behaviour.quirks import Quirks

    from .directory import Client, Directory, User
    from .token_issuer import TokenIssuer

Purpose = Literal["token", "key"]

#: Seconds in which a user has to choose a company after the password was accepted.
_TICKET_LIFETIME = 300


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """The data of a single-use authorization code; the code itself is not stored."""

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
        """Return the redirect URI that the token request has to repeat (called by Authlib)."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return no scope (called by Authlib)."""
        return ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The data of an API key; the key itself is not stored.

    Attributes:
        id: The key's ``jti``, which identifies the key and is not a secret.
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


class Credentials:
    """The codes, tickets and API keys of one sandbox, in memory; thread-safe.

    Args:
        directory: The directory, which records who has access to what.
        token_issuer: Signs the API keys.
        clock: Returns the Unix time in seconds.
        quirks: Returns the current quirks.
        faults: Returns the current faults.
    """

    def __init__(
        self,
        directory: Directory,
        token_issuer: TokenIssuer,
        clock: Callable[[], float],
        quirks: Callable[[], Quirks],
        faults: Callable[[], Faults],
    ) -> None:
        self._directory = directory
        self._token_issuer = token_issuer
        self._clock = clock
        self._quirks = quirks
        self._faults = faults
        self._lock = threading.Lock()
        self._api_keys: dict[bytes, ApiKey] = {}
        # These grow with the requests, so expired entries are removed.
        self._codes: TTLTable[bytes, Code] = TTLTable(clock)
        self._tickets: TTLTable[bytes, _Ticket] = TTLTable(clock)

    # -- API keys ---------------------------------------------------------------------------------

    def create_api_key(self, client_id: str, user_id: int, company_id: int) -> str:
        """Return a new API key for one user, one company and one client.

        Raises:
            ValueError: One of them does not exist, or the user has no access to the company.
        """
        if self._directory.client(client_id) is None:
            raise ValueError(f"there is no client {client_id!r}")
        if not self._directory.has_access(user_id, company_id):
            raise ValueError(f"user {user_id} has no access to company {company_id}")
        key_id = self._token_issuer.new_id()
        api_key = self._token_issuer.api_key(key_id, client_id, user_id, company_id)
        with self._lock:
            self._api_keys[_digest(api_key)] = ApiKey(key_id, client_id, user_id, company_id, int(self._clock()))
        return api_key

    def revoke_api_key(self, api_key: str) -> None:
        """Revoke an API key. Access tokens that were issued for it stay valid until they expire.

        Raises:
            ValueError: There is no such key, or it is already revoked.
        """
        with self._lock:
            if self._api_keys.pop(_digest(api_key), None) is None:
                raise ValueError("there is no such API key")

    def revoke_api_key_by_id(self, key_id: str) -> None:
        """Revoke an API key by the ID that `api_keys` lists.

        Raises:
            ValueError: There is no such key, or it is already revoked.
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
        found = self._api_keys.get(_digest(api_key))
        if found is None:
            raise ValueError("there is no such API key")
        return found.id

    def api_keys(self) -> list[ApiKey]:
        """Return the data of the API keys that are not revoked, the oldest first."""
        with self._lock:
            return list(self._api_keys.values())

    def find_api_key(self, api_key: str) -> ApiKey | None:
        """Return the data of the API key, or None if it is unknown or revoked."""
        if self._faults().revoked_keys:
            return None
        return self._api_keys.get(_digest(api_key))

    # -- codes ------------------------------------------------------------------------------------

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

        ``redirect_uri`` is the one in the request, which the token request has to repeat; without it,
        the client's registered one.
        """
        code = secrets.token_urlsafe(30)
        digest = _digest(code)
        now = self._clock()
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
        with self._lock:
            self._codes.put(digest, entry, now + self._quirks().code_lifetime)
        return code

    def find_code(self, code: str, client_id: str, purpose: Purpose) -> Code | None:
        """Return the data of the code if it is this client's, for this purpose, unused and not expired."""
        found = self._codes.get(_digest(code))
        if found is None or found.client_id != client_id or found.purpose != purpose:
            return None
        return found

    def code_details(self, code: str) -> Code | None:
        """Return the data of the code, for any client, or None if it is unknown, used or expired."""
        return self._codes.get(_digest(code))

    def spend_code(self, code: Code) -> bool:
        """Consume the code. Of any number of concurrent callers, exactly one gets True."""
        with self._lock:
            return self._codes.pop(code.digest) is not None

    # -- tickets ----------------------------------------------------------------------------------

    def open_ticket(self, user: User, request: tuple[str | None, ...]) -> str:
        """Return a single-use proof that the user's password was right, for this login request only."""
        ticket = secrets.token_urlsafe(30)
        with self._lock:
            self._tickets.put(_digest(ticket), _Ticket(user.id, request), self._clock() + _TICKET_LIFETIME)
        return ticket

    def claim_ticket(self, ticket: str, request: tuple[str | None, ...]) -> User | None:
        """Return the user of a ticket, and consume it; None if it does not match."""
        with self._lock:
            found = self._tickets.pop(_digest(ticket))
        if found is None or found.request != request:
            return None
        return self._directory.user(found.user_id)


def _digest(secret: str) -> bytes:
    # Tables are keyed by digests: the time of a look-up then does not depend on the secret, and no
    # repr or dump of a table can show one.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
