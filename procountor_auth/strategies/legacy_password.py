"""The legacy login: a program posts a user's name, password and company. Deprecated and removed.

Source: the vendor's page on legacy authentication. `POST oauth/authz` responds with a redirect that contains a code;
`POST oauth/token` exchanges it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import SecretStr

from procountor_auth.errors import AccessDenied, InvalidGrant, LegacyRemoved, RedirectError, UnexpectedResponse
from procountor_auth.protocol.authorization_response import read_redirect
from procountor_auth.protocol.availability import is_temporary
from procountor_auth.protocol.client import new_state
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.success import refuse_errors
from procountor_auth.strategies.base import Strategy
from procountor_auth.strategies.deprecation import (
    CHOSEN,
    FALLEN_BACK_TO,
    LEGACY,
    LegacyPolicy,
    Lifecycle,
    apply_legacy_policy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow, Response
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.base import StrategySettings

_CHECK_LOGIN = "Check PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD and PROCOUNTOR_COMPANY."

_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})


class LegacyPasswordStrategy(Strategy):
    """The deprecated password login. A source that uses it warns or raises, depending on the policy.

    Args:
        client: The API client that requests tokens.
        username: The user's name.
        password: The user's password.
        company: The numeric company ID.
        allow_missing_state: Whether a redirect without a `state` is accepted.
        policy: What happens when the strategy is used: `warn`, `error` or `allow`.
        profile: The profile to name in the warning or error, if there are profiles.
        variable: The variable to name there.
    """

    name: ClassVar[str] = "legacy_password"
    lifecycle: ClassVar[Lifecycle | None] = LEGACY
    required_settings: ClassVar[tuple[str, ...]] = (*Strategy.required_settings, "username", "password", "company")

    def __init__(
        self,
        client: OAuthClient,
        *,
        username: SecretStr,
        password: SecretStr,
        company: SecretStr,
        allow_missing_state: bool = False,
        policy: LegacyPolicy = "warn",
        profile: str | None = None,
        variable: str = CHOSEN,
    ) -> None:
        super().__init__(client)
        self._username = username
        self._password = password
        self._company = company
        self._allow_missing_state = allow_missing_state
        self._policy: LegacyPolicy = policy
        self._profile = profile
        self._variable = variable

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it.

        Args:
            settings: The settings.
            clock: The wall clock, in Unix seconds.
        """
        return cls(
            settings.oauth_client(clock),
            username=settings.required("username"),
            password=settings.required("password"),
            company=settings.required("company"),
            allow_missing_state=settings.allow_missing_state,
            policy=settings.legacy_policy,
            profile=settings.profile,
            variable=CHOSEN if settings.strategy == cls.name else FALLEN_BACK_TO,
        )

    def apply_policy(self) -> None:
        """Warn, raise or log, depending on `PROCOUNTOR_LEGACY_POLICY`.

        Raises:
            LegacyNotAllowed: The policy is `error`.
            LegacyAuthWarning: If warnings are errors (`-W error`).
        """
        apply_legacy_policy(self._policy, self._profile, self._variable)

    def identity(self) -> tuple[str, ...]:
        """Return the user's name and the company."""
        return (self._username.get_secret_value(), self._company.get_secret_value())

    def acquire(self) -> Flow[Token]:
        """Post the password to `oauth/authz`, read the code from the redirect, and exchange it at `oauth/token`.

        Raises:
            InvalidGrant: The server rejected the name, password or company.
            LegacyRemoved: The server no longer has this endpoint.
            RedirectError: The redirect can't be trusted or used.
            UnexpectedResponse: The response is neither a redirect nor an error.
        """
        state = new_state()
        request = self._authz_request(state)
        response = yield request
        location = _location(request, response)
        expected = self.client.expect(
            state, self.client.endpoints.authorization, allow_missing_state=self._allow_missing_state
        )
        code: SecretStr | None = None
        with suppress(AccessDenied):
            code = read_redirect(location, expected)
        if code is None:  # RFC 6749, section 4.1.2.1. There is no page here on which somebody could have declined it.
            refusal = InvalidGrant("The server refused the legacy login (access_denied).", hint=_CHECK_LOGIN)
            refusal.error, refusal.definite = "access_denied", True
            raise refusal
        exchange = self.client.code_request(code)
        return (
            yield from self.ask_for_token(
                exchange, what="the authorization code grant", hint="The code was not accepted: try again."
            )
        )

    def renew(self, token: Token) -> Flow[Token]:
        """Use the refresh token; if it has expired or is rejected, log in with the password again.

        Args:
            token: The token to renew.
        """
        if token.refresh_token is not None and not token.refresh_ended(self.client.clock()):
            with suppress(InvalidGrant):
                return (yield from self.refresh(SecretStr(token.refresh_token)))
        return (yield from self.acquire())

    def _authz_request(self, state: SecretStr) -> Request:
        """Build the documented request, whose query contains no secret."""
        url = self.client.authorization_url(self.client.endpoints.authorization, state, redirect_uri=None)
        with importing():
            from authlib.common.urls import add_params_to_qs  # noqa: PLC0415 - as in `OAuthClient`
        body = add_params_to_qs(
            "",
            {
                "response_type": "code",
                "username": self._username.get_secret_value(),
                "password": self._password.get_secret_value(),
                "company": self._company.get_secret_value(),
                "redirect_uri": self.client.redirect_uri,
            },
        )
        return Request("POST", url, body, repeat=Repeat.SAFE)


def _location(request: Request, response: Response) -> SecretStr:
    """Return the redirect of `oauth/authz`, or raise the error that the response means."""
    if response.status in {HTTPStatus.FOUND, HTTPStatus.SEE_OTHER}:
        # Not kept in a local variable: a traceback may show it, and the code in it.
        count = len(response.headers.get("location", ()))
        if count != 1:
            raise RedirectError(
                f"The response to the legacy login has {count} Location headers instead of one.",
                hint="Try again. If it happens again, the server has changed: switch the strategy. " + LEGACY.advice,
            )
        return SecretStr(response.headers["location"][0])
    if response.status in _GONE or (response.is_html and not is_temporary(response.status)):
        page = " and a web page" if response.is_html else ""
        # A gateway's 403 page may also concern only this caller.
        gone = "gone, or a gateway blocks it" if response.status == HTTPStatus.FORBIDDEN else "gone"
        raise LegacyRemoved(
            f"The legacy login is {gone}: oauth/authz responded with status {response.status}{page} "
            f"({LEGACY.removed}).",
            hint=f"{LEGACY.advice} If other hosts still offer it, check PROCOUNTOR_BASE_URL.",
        )
    exchange = Reply(request, response, "the legacy login", _CHECK_LOGIN)
    refuse_errors(exchange)
    raise UnexpectedResponse(
        f"The legacy login responded with status {response.status} instead of a redirect.",
        hint="Check PROCOUNTOR_BASE_URL and PROCOUNTOR_API_VERSION.",
    )
