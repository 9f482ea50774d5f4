"""Requests to the token endpoint, and login URLs, built with Authlib.

Authlib's sessionless `OAuth2Client` builds and parses everything here, without opening a socket. It is imported with
the first request, so that a program that finds its token in the store does not wait for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from pydantic import SecretStr

from procountor_auth.errors import ConfigurationError
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable

    from authlib.oauth2 import OAuth2Client

    from procountor_auth.protocol.authorization_request import AuthorizationRequest
    from procountor_auth.protocol.authorization_response import ExpectedResponse
    from procountor_auth.protocol.endpoints import Endpoints

STATE_LENGTH: Final = 43
"""The length of `state`, in characters: 43 letters and digits are 256 random bits."""

VERIFIER_LENGTH: Final = 64
"""The length of a PKCE verifier, in characters; RFC 7636 requires 43 to 128."""


@dataclass(frozen=True, slots=True)
class OAuthClient(Unpicklable):
    """One registered API client at one Procountor host.

    Attributes:
        endpoints: The host's URLs.
        client_id: The client ID that the vendor issued.
        client_secret: The client secret.
        redirect_uri: The registered redirect URI: a URL, or a plain word such as `redirect-uri-placeholder`. Empty if
            none is configured.
        pkce: Whether login URLs contain a PKCE challenge (S256, RFC 7636).
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
        """Build a request to the token endpoint, with all parameters and the client's credentials in the body.

        Args:
            grant_type: The grant (RFC 6749, section 4).
            url: The endpoint, if it is not the token endpoint, such as `oauth/key`.
            repeat: When the request may be sent again.
            **parameters: The parameters of the grant, such as `code`.
        """
        url = url or self.endpoints.token
        with importing("authlib.oauth2"):
            from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415 - see above
        body = prepare_token_request(grant_type, **{name: _plain(value) for name, value in parameters.items()})
        authentication = self._authlib().client_auth("client_secret_post")
        _, _, body = cast(
            "tuple[str, object, str]",
            authentication.prepare("POST", url, {}, body),  # type: ignore[no-untyped-call]
        )
        return Request("POST", url, body, repeat=repeat)

    def code_request(
        self,
        code: SecretStr,
        verifier: SecretStr | None = None,
        *,
        url: str | None = None,
        redirect_uri: str | None = None,
    ) -> Request:
        """Build the request that exchanges an authorization code (RFC 6749, section 4.1.3).

        Args:
            code: The code.
            verifier: The PKCE verifier of its authorization request, if PKCE is enabled.
            url: The endpoint, if it is not the token endpoint, such as `oauth/key`.
            redirect_uri: The redirect URI of its authorization request, if it was not the registered one.
        """
        redirect_uri = redirect_uri or self.redirect_uri
        request = partial(self.token_request, "authorization_code", url=url, redirect_uri=redirect_uri, code=code)
        return request() if verifier is None else request(code_verifier=verifier)

    def authorization_request(self, url: str, redirect_uri: str | None = None) -> AuthorizationRequest:
        """Build a request for a login page, with a new `state`, and a new PKCE verifier if PKCE is enabled.

        Args:
            url: The login page.
            redirect_uri: The registered redirect URI with the port that this login listens on (RFC 8252,
                section 7.3); by default exactly as registered.

        Raises:
            ConfigurationError: `redirect_uri` differs from the registered one in more than the port, or in a port
                that is registered.
        """
        with importing():
            from procountor_auth.protocol.authorization_request import AuthorizationRequest  # noqa: PLC0415 - for logins

        if redirect_uri is None:
            redirect_uri = self.redirect_uri
        self._check_redirect_uri(redirect_uri)
        state = new_state()
        verifier = _random(VERIFIER_LENGTH) if self.pkce else None
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
        """Return what the response to a request at `asked_at` must match."""
        with importing():
            from procountor_auth.protocol.authorization_response import ExpectedResponse  # noqa: PLC0415 - for logins

        return ExpectedResponse(self.redirect_uri, state, asked_at, self.endpoints.host, allow_missing_state)

    def _check_redirect_uri(self, redirect_uri: str) -> None:
        with importing():
            from procountor_auth.protocol.loopback_redirect import LoopbackRedirect  # noqa: PLC0415 - for logins

        loopback = LoopbackRedirect.parse(self.redirect_uri)
        if redirect_uri != self.redirect_uri and not (loopback and loopback.allows(redirect_uri)):
            raise ConfigurationError(
                "This login's redirect URI is not PROCOUNTOR_REDIRECT_URI. Only the port of http://127.0.0.1, "
                "http://[::1] or http://localhost may be added, and only if none is registered.",
                hint="Omit `redirect_uri`, or take it from a `LoopbackListener` for the registered one.",
            )

    def _authlib(self) -> OAuth2Client:
        with importing():
            from authlib.oauth2 import OAuth2Client  # noqa: PLC0415 - see above
        return OAuth2Client(
            None,
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256" if self.pkce else None,
        )


def new_state() -> SecretStr:
    """Return a new random `state` (RFC 6749, section 10.12)."""
    return _random(STATE_LENGTH)


def _random(length: int) -> SecretStr:
    with importing():
        from authlib.common.security import generate_token  # noqa: PLC0415 - see above
    return SecretStr(generate_token(length))


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
