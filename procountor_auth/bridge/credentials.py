"""The codes and tokens that the bridge issues: opaque, random, and stored only as hashes.

They are the bridge's own, and good for nothing but calls through it. Their lives are the documented ones. Each begins
with the key of its login, so that one record has all that is known of a login.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import SecretStr

from procountor_auth.protocol.json_object import is_json_object

from .caller import MAX_CALLERS, seen

if TYPE_CHECKING:
    from .records import Records

CODE_SECONDS: Final = 300
"""How long a code can be exchanged, in seconds (seen at the service)."""

ACCESS_TOKEN_SECONDS: Final = 3_600
"""How long an access token lives, in seconds (documented)."""

REFRESH_TOKEN_SECONDS: Final = 15_724_801
"""How long a refresh token lives, in seconds: that of the documentation's sample, about six months."""

MAX_TOKENS: Final = {"code": 100, "access": 500, "refresh": 100}
"""How many of each kind a login can have, with the service's limit for refresh tokens; then the oldest is revoked."""

_BYTES: Final = 32
"""Random bytes in each code and token."""


class Issued(NamedTuple):
    """The tokens that a login gets.

    Attributes:
        access_token: For calls of the API.
        refresh_token: For the next access token.
    """

    access_token: SecretStr
    refresh_token: SecretStr


class Credentials:
    """Issues codes and tokens, and finds their logins. A login is identified by its key.

    Args:
        records: Where their hashes are kept.
    """

    def __init__(self, records: Records) -> None:
        self._records = records

    @property
    def now(self) -> float:
        """The time, in Unix seconds."""
        return self._records.clock()

    def issue_code(self, login: str, redirect_uri: str) -> SecretStr:
        """Return a code for a login.

        Args:
            login: The login's key.
            redirect_uri: What the exchange has to name again.

        Raises:
            StoreError: It can't be stored.
        """
        code = _new(login)
        with self._records.changing(login) as change:
            _add(change.fields, "code", code, [self.now + CODE_SECONDS, redirect_uri], self.now)
            change.write(self.now + REFRESH_TOKEN_SECONDS)
        return code

    def take_code(self, code: SecretStr) -> str | None:
        """Use a code. Return the redirect URI that it was sent to; None if the code is unknown, used or expired.

        If several requests use the same code, only one succeeds.

        Raises:
            StoreError: The store can't be used.
        """
        with self._records.changing(login_in(code)) as change:
            codes = _live(change.fields, "code", self.now)
            found = codes.pop(digest(code), None)
            if found is None:
                return None
            change.fields["code"] = codes
            change.write(self.now + REFRESH_TOKEN_SECONDS)
        return str(found[1])

    def issue(self, login: str, user_agent: str) -> Issued:
        """Return an access token and a refresh token for a login.

        Args:
            login: The login's key.
            user_agent: What the program calls itself.

        Raises:
            StoreError: They can't be stored.
        """
        issued = Issued(_new(login), _new(login))
        with self._records.changing(login) as change:
            fields, now = change.fields, self.now
            _add(fields, "access", issued.access_token, [now + ACCESS_TOKEN_SECONDS], now)
            _add(fields, "refresh", issued.refresh_token, [now + REFRESH_TOKEN_SECONDS], now)
            fields["callers"] = seen(fields.get("callers"), user_agent, now)[:MAX_CALLERS]
            change.write(now + REFRESH_TOKEN_SECONDS)
        return issued

    def has_refresh_token(self, refresh_token: SecretStr) -> bool:
        """Whether a refresh token is known and has not expired.

        Raises:
            StoreError: The store can't be read.
        """
        fields = self._records.read(login_in(refresh_token))
        return digest(refresh_token) in _live(fields, "refresh", self.now)

    def refresh(self, refresh_token: SecretStr, user_agent: str) -> SecretStr | None:
        """Return a new access token, or None if the refresh token is unknown or has expired.

        Args:
            refresh_token: The refresh token. It stays as it is.
            user_agent: What the program calls itself.

        Raises:
            StoreError: The store can't be used.
        """
        login = login_in(refresh_token)
        access = _new(login)
        with self._records.changing(login) as change:
            fields, now = change.fields, self.now
            if digest(refresh_token) not in _live(fields, "refresh", now):
                return None
            _add(fields, "access", access, [now + ACCESS_TOKEN_SECONDS], now)
            fields["callers"] = seen(fields.get("callers"), user_agent, now)[:MAX_CALLERS]
            change.write(now + REFRESH_TOKEN_SECONDS)
        return access

    def access_tokens(self, login: str) -> dict[str, float]:
        """Return the hashes of a login's access tokens, and when each expires, in Unix seconds.

        Raises:
            StoreError: The store can't be read.
        """
        return {name: life[0] for name, life in _live(self._records.read(login), "access", self.now).items()}

    def end_access_token(self, access_token: SecretStr) -> None:
        """Forget an access token.

        Raises:
            StoreError: The store can't be used.
        """
        with self._records.changing(login_in(access_token)) as change:
            found = _live(change.fields, "access", self.now)
            if found.pop(digest(access_token), None) is not None:
                change.fields["access"] = found
                change.write(self.now + REFRESH_TOKEN_SECONDS)

    def revoke(self, login: str) -> int:
        """Forget all codes and tokens of a login. Return how many tokens there were.

        Raises:
            StoreError: The store can't be used.
        """
        with self._records.changing(login) as change:
            count = sum(len(_live(change.fields, kind, self.now)) for kind in ("access", "refresh"))
            if [change.fields.pop(kind) for kind in MAX_TOKENS if kind in change.fields]:
                change.write(self.now + REFRESH_TOKEN_SECONDS)
        return count


def login_in(secret: SecretStr) -> str:
    """Return the key of the login in a code or token, or `nobody` if it is malformed."""
    key, dot, _ = secret.get_secret_value().partition(".")
    return key if dot and key.isalnum() and key.isascii() and len(key) <= _MAX_KEY else "nobody"


_MAX_KEY: Final = 40


def digest(secret: SecretStr) -> str:
    """Return the hash under which a random secret is stored."""
    return hashlib.sha256(secret.get_secret_value().encode("utf-8", "surrogatepass")).hexdigest()


def _new(login: str) -> SecretStr:
    return SecretStr(f"{login}.{secrets.token_urlsafe(_BYTES)}")


def _add(fields: dict[str, Any], kind: str, secret: SecretStr, life: list[Any], now: float) -> None:
    """Add one of a kind; remove expired ones, and the oldest beyond the limit."""
    kept = _live(fields, kind, now) | {digest(secret): life}
    ordered = sorted(kept.items(), key=lambda item: float(item[1][0]))
    fields[kind] = dict(ordered[-MAX_TOKENS[kind] :])


def _live(fields: dict[str, Any], kind: str, now: float) -> dict[str, list[Any]]:
    """Return those of a kind that have not expired, by their hashes: each with when it expires, in Unix seconds."""
    found = fields.get(kind)
    return {name: life for name, life in found.items() if life[0] > now} if is_json_object(found) else {}
