"""The authorization request (RFC 6749, section 4.1.1) of one login."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from procountor_auth.protocol.authorization_response import read_redirect
from procountor_auth.protocol.secret_fields import SecretFields

if TYPE_CHECKING:
    from procountor_auth.protocol.authorization_response import ExpectedResponse


@dataclass(frozen=True, slots=True, eq=False)
class AuthorizationRequest(SecretFields):
    """One authorization request (RFC 6749, section 4.1.1), for the login page. Its `repr` shows no values.

    Attributes:
        url: The URL to open in the user's browser. It contains `state`, so keep it out of logs.
        expected: What the redirect must match.
        code_verifier: The PKCE code verifier (RFC 7636) to send with the code, if PKCE is enabled.
    """

    url: str = field(repr=False)
    expected: ExpectedResponse = field(repr=False)
    code_verifier: SecretStr | None = field(default=None, repr=False)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI that was sent, and is sent again with the code."""
        return self.expected.redirect_uri

    def code_from(self, redirected_url: str | SecretStr) -> SecretStr:
        """Return the code in the redirect.

        Raises:
            RedirectError: The redirect can't be trusted or used; its subclasses are `StateMismatch` and `AccessDenied`.
        """
        if isinstance(redirected_url, str):
            redirected_url = SecretStr(redirected_url)
        return read_redirect(redirected_url, self.expected)
