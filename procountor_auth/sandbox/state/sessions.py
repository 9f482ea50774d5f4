"""The sessions: access tokens, refresh tokens and logout."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import TokenMixin

from procountor_auth.sandbox.behaviour.quirks import SIX_MONTHS

from .ttl_table import TTLTable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procountor_auth.sandbox.behaviour.quirks import Quirks

    from .credentials import ApiKey
    from .directory import Client, Directory
    from .token_issuer import TokenIssuer


@dataclass(frozen=True)
class Session(TokenMixin):
    """One login of one user to one company through one client.

    It is not stored: each of its tokens contains everything about it. ``jti`` is that of the refresh token
    it was read from, or empty for a login that has no tokens yet.
    """

    client_id: str
    user_id: int
    company_id: int
    auth_time: int
    jti: str = ""

    def check_client(self, client: Client) -> bool:
        """Return whether the session is this client's (called by Authlib)."""
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        """Return no scope (called by Authlib)."""
        return ""


class Sessions:
    """The sessions of one sandbox, in memory; thread-safe.

    Args:
        directory: The directory, which records who has access to what.
        token_issuer: Signs and reads the tokens.
        clock: Returns the Unix time in seconds.
        quirks: Returns the current quirks.
    """

    def __init__(
        self,
        directory: Directory,
        token_issuer: TokenIssuer,
        clock: Callable[[], float],
        quirks: Callable[[], Quirks],
    ) -> None:
        self._directory = directory
        self._token_issuer = token_issuer
        self._clock = clock
        self._quirks = quirks
        self._lock = threading.Lock()
        #: By session: the ``jti`` of the one refresh token that is valid; empty if none is.
        self._current: TTLTable[str, str] = TTLTable(clock)
        #: The sessions that were logged out.
        self._logged_out: TTLTable[str, bool] = TTLTable(clock)

    def start_session(self, session: Session) -> tuple[str, str]:
        """Return the access token and the refresh token of a new session."""
        jti = self._token_issuer.new_id()
        return self._access_token(session, jti), self._refresh_token(session, jti)

    def machine_token(self, api_key: ApiKey) -> str:
        """Return an access token for an API key. It is a separate session without a refresh token."""
        return self._token_issuer.access_token(
            self._token_issuer.new_id(),
            api_key.client_id,
            api_key.user_id,
            api_key.company_id,
            int(self._clock()),
            machine=True,
        )

    def find_refresh_token(self, refresh_token: str) -> Session | None:
        """Return the session that the refresh token can renew now, or None."""
        claims = self._token_issuer.read(refresh_token, "refresh")
        if claims is None or not self._is_current(claims["jti"]):
            return None
        session = Session(claims["aud"], int(claims["sub"]), claims["cid"], claims["auth_time"], claims["jti"])
        return session if self._directory.has_access(session.user_id, session.company_id) else None

    def renew(self, session: Session, refresh_token: str) -> tuple[str, str] | None:
        """Return a new access token and the refresh token to use from now on.

        With rotation, the given one is checked and replaced in one step: of any number of
        concurrent callers, exactly one succeeds and the others get None.

        Args:
            session: The session from the refresh token.
            refresh_token: That refresh token.
        """
        session_id = self._token_issuer.session_id(session.jti)
        jti = self._token_issuer.new_id(session_id)
        with self._lock:
            if not self._is_current(session.jti):
                return None
            if self._quirks().refresh_token == "rotate":  # noqa: S105 - not a secret
                refresh_token = self._refresh_token(session, jti)
                self._current.put(session_id, jti, self._expires_at_latest(session.auth_time))
        return self._access_token(session, jti), refresh_token

    def revoke_refresh_token(self, refresh_token: str) -> None:
        """Revoke a refresh token, as a user does who withdraws an integration's access.

        Raises:
            ValueError: There is no such refresh token.
        """
        claims = self._token_issuer.read(refresh_token, "refresh")
        if claims is None:
            raise ValueError("there is no such refresh token")
        with self._lock:
            self._current.put(self._token_issuer.session_id(claims["jti"]), "", claims["exp"])

    def is_logged_out(self, jti: str) -> bool:
        """Return whether the session of the token with this ID was logged out."""
        return self._logged_out.get(self._token_issuer.session_id(jti)) is not None

    def log_out(self, claims: Mapping[str, Any]) -> None:
        """Invalidate all tokens of the session that an access token came from."""
        # A machine's session has only this token; other sessions can get more with a refresh token.
        until = claims["exp"] if "scope" in claims else self._expires_at_latest(claims["auth_time"])
        session_id = self._token_issuer.session_id(claims["jti"])
        with self._lock:
            self._logged_out.put(session_id, value=True, expires_at=max(until, claims["exp"]))

    def _is_current(self, jti: str) -> bool:
        session_id = self._token_issuer.session_id(jti)
        return self._logged_out.get(session_id) is None and self._current.get(session_id) in {None, jti}

    def _expires_at_latest(self, auth_time: int) -> float:
        # The quirks may have been different when the session's refresh tokens were issued.
        return auth_time + max(self._quirks().refresh_token_lifetime, SIX_MONTHS)

    def _access_token(self, session: Session, jti: str) -> str:
        return self._token_issuer.access_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time, machine=False
        )

    def _refresh_token(self, session: Session, jti: str) -> str:
        return self._token_issuer.refresh_token(
            jti, session.client_id, session.user_id, session.company_id, session.auth_time
        )
