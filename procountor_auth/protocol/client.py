"""What Authlib does for us: requests to the token endpoint, and login URLs.

Authlib's sessionless `OAuth2Client` builds and reads everything here; nothing opens a socket.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from authlib.common.security import generate_token
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.authorization_response import ExpectedResponse, read_redirect
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.loopback_redirect import LoopbackRedirect
from procountor_auth.protocol.secret_fields import SecretFields
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.endpoints import Endpoints

STATE_LENGTH: Final = 43
"""Characters of `state`: 43 letters and digits are 256 random bits."""

VERIFIER_LENGTH: Final = 64
"""Characters of a PKCE verifier; RFC 7636 wants 43 to 128."""


@dataclass(frozen=True, slots=True, eq=False)
class AuthorizationRequest(SecretFields):
    """One authorization request (RFC 6749, section 4.1.1), for the login page. `repr` shows nothing of it.

    Attributes:
        url: Where to send the user's browser. It holds `state`, so keep it out of logs.
        expected: What the redirect has to match.
        code_verifier: The PKCE secret (RFC 7636) that the exchange must prove, if PKCE is on.
    """

    url: str = field(repr=False)
    expected: ExpectedResponse = field(repr=False)
    code_verifier: SecretStr | None = field(default=None, repr=False)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI that was sent, which the exchange of the code repeats."""
        return self.expected.redirect_uri

    def code_from(self, redirected_url: str | SecretStr) -> SecretStr:
        """Return the code that the redirect brings.

        Raises:
            RedirectError: It can't be trusted or used; `StateMismatch` and `AccessDenied` are kinds of it.
        """
        if isinstance(redirected_url, str):
            redirected_url = SecretStr(redirected_url)
        return read_redirect(redirected_url, self.expected)


@dataclass(frozen=True, slots=True)
class OAuthClient(Unpicklable):
    """One registered API client at one Procountor host.

    Attributes:
        endpoints: The host's URLs.
        client_id: The client ID that the vendor handed out.
        client_secret: Its secret.
        redirect_uri: Its one redirect URI: a URL, or a bare word such as `redirect-uri-placeholder`.
        pkce: Whether login URLs carry a PKCE challenge (S256, RFC 7636).
        clock: The wall clock, in Unix seconds.
    """

    endpoints: Endpoints
    client_id: str
    client_secret: SecretStr
    redirect_uri: str
    pkce: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def token_request(
        self,
        grant_type: str,
        *,
        url: str | None = None,
        repeat: Repeat = Repeat.UNPROCESSED,
        **parameters: SecretStr | str,
    ) -> Request:
        """Build a request to the token endpoint: everything in the form body, one client authentication.

        Args:
            grant_type: The grant (RFC 6749, section 4).
            url: Another endpoint that takes the same form, such as `oauth/key`.
            repeat: When the request may be sent again.
            **parameters: What the grant needs, such as `code`.
        """
        url = url or self.endpoints.token
        body = prepare_token_request(grant_type, **{name: _plain(value) for name, value in parameters.items()})
        authentication = self._authlib().client_auth("client_secret_post")
        _, _, body = authentication.prepare("POST", url, {}, body)  # type: ignore[no-untyped-call]
        return Request("POST", url, body, repeat=repeat)

    def code_request(
        self,
        code: SecretStr,
        verifier: SecretStr | None = None,
        *,
        url: str | None = None,
        redirect_uri: str | None = None,
    ) -> Request:
        """Build the request that trades an authorization code (RFC 6749, section 4.1.3).

        Args:
            code: The code.
            verifier: The PKCE verifier of its authorization request, if PKCE is on.
            url: Another endpoint than the token endpoint, such as `oauth/key`.
            redirect_uri: The redirect URI of its authorization request, if that was not the registered one.
        """
        redirect_uri = redirect_uri or self.redirect_uri
        request = partial(self.token_request, "authorization_code", url=url, redirect_uri=redirect_uri, code=code)
        return request() if verifier is None else request(code_verifier=verifier)

    def authorization_request(self, url: str, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Build a request for a login page, with a fresh `state`, and a fresh PKCE verifier if PKCE is on.

        Args:
            url: The login page.
            redirect_uri: The registered redirect URI with the port filled in on which this login listens (RFC 8252,
                section 7.3). By default it is sent as it is registered.

        Raises:
            ConfigurationError: `redirect_uri` differs from the registered one in more than a port that is not
                registered.
        """
        if redirect_uri is None:
            redirect_uri = self.redirect_uri
        self._check_redirect_uri(redirect_uri)
        state = SecretStr(generate_token(STATE_LENGTH))
        verifier = SecretStr(generate_token(VERIFIER_LENGTH)) if self.pkce else None
        login_url = self.authorization_url(url, state, redirect_uri=redirect_uri, verifier=verifier)
        expected = replace(self.expect(state, url), redirect_uri=redirect_uri)
        return AuthorizationRequest(login_url, expected, verifier)

    def authorization_url(
        self, url: str, state: SecretStr, *, redirect_uri: str | None, verifier: SecretStr | None = None
    ) -> str:
        """Return `url` with the parameters of an authorization request (RFC 6749, section 4.1.1)."""
        authorization_url: str
        authorization_url, _ = self._authlib().create_authorization_url(
            url,
            state=state.get_secret_value(),
            redirect_uri=redirect_uri,
            code_verifier=None if verifier is None else verifier.get_secret_value(),
        )
        return authorization_url

    def expect(self, state: SecretStr, asked_at: str, *, allow_missing_state: bool = False) -> ExpectedResponse:
        """Say what the response to a request at `asked_at` must match."""
        return ExpectedResponse(self.redirect_uri, state, asked_at, self.endpoints.host, allow_missing_state)

    def _check_redirect_uri(self, redirect_uri: str) -> None:
        loopback = LoopbackRedirect.parse(self.redirect_uri)
        if redirect_uri != self.redirect_uri and not (loopback and loopback.allows(redirect_uri)):
            raise ConfigurationError(
                "This login's redirect URI is not PROCOUNTOR_REDIRECT_URI. Only the port of http://127.0.0.1, "
                "http://[::1] or http://localhost may be filled in, and only where none is registered.",
                hint="Leave `redirect_uri` out, or take it from a `LoopbackListener` for the registered one.",
            )

    def _authlib(self) -> OAuth2Client:
        return OAuth2Client(
            None,
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256" if self.pkce else None,
        )


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
