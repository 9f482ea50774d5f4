"""A pending login as text: started in one process, and completed in another.

The text is encrypted and authenticated (Fernet), with the token store's key or, without one, with a key that is derived
from the client secret. So it can be stored in a cookie, for example, without being read or changed there. It is valid
for one login to one entry of the token store, and for an hour.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.fernet import InvalidToken
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError, RedirectError
from procountor_auth.protocol.authorization_request import AuthorizationRequest
from procountor_auth.protocol.authorization_response import ExpectedResponse
from procountor_auth.stores.sealing import make_fernet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.fernet import MultiFernet

VALID: Final = 3600.0
"""Seconds in which a saved login can be completed: a user may have to look for a password."""

MAX_LENGTH: Final = 16_384
"""The longest accepted text, in characters."""

_AGAIN: Final = "Start the login again."


@dataclass(frozen=True, slots=True)
class SavedLogins:
    """Converts logins to text and back.

    Attributes:
        keys: The token store's keys: the first encrypts, all decrypt.
        last_key: The key that encrypts where there is no other, and decrypts in any case.
        entry: The entry of the token store that the login is for.
        clock: The wall clock, in Unix seconds.
    """

    keys: tuple[SecretStr, ...]
    last_key: SecretStr
    entry: str
    clock: Callable[[], float]

    def save(self, request: AuthorizationRequest) -> str:
        """Return the text of a login.

        Raises:
            ConfigurationError: A key is not one.
        """
        fernet = self._fernet()  # first: where it fails, no local must hold a secret
        expected = request.expected
        fields = {
            "entry": self.entry,
            "ends": self.clock() + VALID,
            "url": request.url,
            "verifier": request.code_verifier.get_secret_value() if request.code_verifier else None,
            "redirect_uri": expected.redirect_uri,
            "state": expected.state.get_secret_value(),
            "asked_at": expected.asked_at,
            "issuer": expected.issuer,
        }
        return fernet.encrypt(json.dumps(fields).encode()).decode()

    def resume(self, saved: SecretStr) -> AuthorizationRequest:
        """Return the login in a text.

        Raises:
            RedirectError: The text is invalid, was changed, has expired, or belongs to another entry.
        """
        request = self._read(saved)
        if isinstance(request, RedirectError):
            request.ends_login = True
            raise request
        return request

    def _read(self, saved: SecretStr) -> AuthorizationRequest | RedirectError:
        try:
            text = saved.get_secret_value()
            opened = self._fernet().decrypt(text.encode("ascii")) if len(text) <= MAX_LENGTH else b"{}"
            fields = json.loads(opened)
            entry, ends = str(fields["entry"]), float(fields["ends"])
            request = AuthorizationRequest(
                str(fields["url"]),
                ExpectedResponse(
                    str(fields["redirect_uri"]),
                    SecretStr(fields["state"]),
                    str(fields["asked_at"]),
                    str(fields["issuer"]),
                ),
                SecretStr(fields["verifier"]) if fields["verifier"] is not None else None,
            )
        except (InvalidToken, ValueError, KeyError, TypeError):
            return RedirectError(
                "This is not a saved login of this program: it was changed, or saved with another client secret or "
                "another PROCOUNTOR_TOKEN_STORE_KEY.",
                hint=f"Pass the result of `save` to `resume_login`, in a worker with the same settings. {_AGAIN}",
            )
        if entry != self.entry:
            return RedirectError(
                "The saved login belongs to another client, profile or account than this source.",
                hint="Resume it with the same source and `account` that it was started with.",
            )
        if not 0 <= ends - self.clock() <= VALID:
            return RedirectError(f"The saved login has expired: it is valid for {VALID / 60:.0f} minutes.", hint=_AGAIN)
        return request

    def _fernet(self) -> MultiFernet:
        found = make_fernet(self.keys, self.last_key)
        if isinstance(found, ConfigurationError):  # a key that no store has refused, as the memory store needs none
            raise found
        return found


def key_from(client_secret: SecretStr) -> SecretStr:
    """Derive a Fernet key from the client secret, which all workers have."""
    digest = hmac.new(client_secret.get_secret_value().encode(), b"procountor-auth saved login", hashlib.sha256)
    return SecretStr(base64.urlsafe_b64encode(digest.digest()).decode("ascii"))
