"""The OAuth endpoints as they were: `oauth/authz`, `oauth/token`, and `logout`.

Source: the vendor's page on legacy authentication, and what public clients sent and read.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlencode

from procountor_auth.errors import ProcountorAuthError, StoreError
from procountor_auth.settings.validators import check_redirect_uri

from . import responses
from .credentials import ACCESS_TOKEN_SECONDS, CODE_SECONDS, login_in
from .parameters import Parameters, has_secret
from .problem import BridgeProblem, OAuthProblem, oauth_problem, reason_of, store_problem
from .upstream import is_final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pydantic import SecretStr
    from starlette.requests import Request
    from starlette.responses import Response

    from .access import AccessTokens
    from .credentials import Credentials
    from .exchange import Exchange
    from .guard import Guard
    from .login import BridgeLogin, Logins
    from .upstream import Upstream

T = TypeVar("T")

_AUTHZ: Final = ("response_type", "client_id", "username", "password", "company", "redirect_uri")


class Authorization:
    """The endpoints that log programs in and out.

    Args:
        logins: Who may log in.
        guard: Checks passwords and clients.
        credentials: Codes and tokens.
        access: The access tokens that were used lately.
        upstream: The service, which has to have a token for a login.
        body_seconds: Seconds that a form has to come.
        on_login: Called with each login or refresh.
        on_refusal: Called with each refused login, and a code that says why.
    """

    def __init__(
        self,
        logins: Logins,
        guard: Guard,
        credentials: Credentials,
        access: AccessTokens,
        upstream: Upstream,
        *,
        body_seconds: float,
        on_login: Callable[[BridgeLogin, str, str], None],
        on_refusal: Callable[[Exchange, str], None],
    ) -> None:
        self._logins = logins
        self._guard = guard
        self._credentials = credentials
        self._access = access
        self._upstream = upstream
        self._body_seconds = body_seconds
        self._on_login = on_login
        self._on_refusal = on_refusal

    async def authz(self, request: Request, exchange: Exchange) -> Response:
        """Check a user's name, password and company; return the redirect that brings a code.

        Raises:
            OAuthProblem: Something is missing or wrong, or there is no token of the service for this login.
        """
        with self._refusals_told(exchange):
            return await self._authz(await self._parameters(request, exchange), exchange)

    async def _authz(self, given: Parameters, exchange: Exchange) -> Response:
        given.require(*_AUTHZ)
        if given.text("response_type") != "code":
            raise OAuthProblem("unsupported_response_type", "The parameter response_type must be code.")
        login = await self._guard.check_password(
            exchange, given.text("client_id"), given.get("username"), given.text("company"), given.get("password")
        )
        exchange.is_for(login)
        redirect_uri = _redirect_uri(login, given.text("redirect_uri"))
        await self._check_upstream(login)
        code = await self._stored(self._credentials.issue_code, login.key, redirect_uri)
        fields = {"code": code.get_secret_value(), "expires_in": str(CODE_SECONDS)}
        state = given.text("state")
        return responses.redirect(f"{redirect_uri}?{urlencode(fields | ({'state': state} if state else {}))}")

    async def token(self, request: Request, exchange: Exchange) -> Response:
        """Trade a code, or a refresh token, for an access token.

        Raises:
            OAuthProblem: Something is missing or wrong, or there is no token of the service for this login.
        """
        with self._refusals_told(exchange):
            return await self._token(await self._parameters(request, exchange), exchange)

    async def _token(self, given: Parameters, exchange: Exchange) -> Response:
        grant_type = given.text("grant_type")
        exchange.grant_type = grant_type if grant_type in {"authorization_code", "refresh_token"} else None
        given.require("grant_type")
        if exchange.grant_type is None:
            raise OAuthProblem("unsupported_grant_type", "The bridge knows authorization_code and refresh_token only.")
        await self._guard.check_client(exchange, given.text("client_id"), given.get("client_secret"))
        if exchange.grant_type == "authorization_code":
            return await self._exchange_code(exchange, given)
        return await self._refresh(exchange, given)

    async def logout(self, access_token: SecretStr | None) -> Response:
        """End an access token of the bridge. The service's own is not touched: others use it.

        Raises:
            BridgeProblem: There is no token, or the store can't be used.
        """
        if access_token is None or await login_of(self._access, access_token) is None:
            raise BridgeProblem(HTTPStatus.UNAUTHORIZED, "The access token is missing, unknown or expired.")
        try:
            await asyncio.to_thread(self._credentials.end_access_token, access_token)
        except StoreError as error:
            raise store_problem(error) from None
        self._access.forget(access_token)
        return responses.empty()

    async def _parameters(self, request: Request, exchange: Exchange) -> Parameters:
        exchange.secret_in_url = has_secret(request.scope["query_string"])
        if request.method != "POST":
            raise OAuthProblem("invalid_request", "This endpoint takes POST.", status=HTTPStatus.METHOD_NOT_ALLOWED)
        return await Parameters.of(request, seconds=self._body_seconds)

    async def _exchange_code(self, exchange: Exchange, given: Parameters) -> Response:
        given.require("code", "redirect_uri")
        code = given.get("code")
        login = self._logins.by_key(login_in(code))
        if login is None:
            raise _invalid_grant("The code is unknown, used or expired.")
        exchange.is_for(login)
        if not login.is_of_client(given.text("client_id"), given.get("client_secret")):
            raise _invalid_grant("The code is another client's.")
        # Before the code is used up: while the service is away, the program may come again with it.
        await self._check_upstream(login)
        redirect_uri = await self._stored(self._credentials.take_code, code)
        if redirect_uri is None:
            raise _invalid_grant("The code is unknown, used or expired.")
        if given.text("redirect_uri") != redirect_uri:
            raise _invalid_grant("The redirect_uri is not the one that the code was sent to.")
        issued = await self._stored(self._credentials.issue, login.key, exchange.user_agent)
        self._on_login(login, exchange.user_agent, "authorization_code")
        return _tokens(issued.access_token, issued.refresh_token)

    async def _refresh(self, exchange: Exchange, given: Parameters) -> Response:
        given.require("refresh_token")
        refresh_token = given.get("refresh_token")
        login = self._logins.by_key(login_in(refresh_token))
        if login is None or not await self._stored(self._credentials.has_refresh_token, refresh_token):
            raise _invalid_grant("The refresh token is unknown or expired.")
        exchange.is_for(login)
        if not login.is_of_client(given.text("client_id"), given.get("client_secret")):
            raise _invalid_grant("The refresh token is another client's.")
        self._guard.count_refresh(exchange, login)
        await self._check_upstream(login)
        access = await self._stored(self._credentials.refresh, refresh_token, exchange.user_agent)
        if access is None:  # ended just now
            raise _invalid_grant("The refresh token is unknown or expired.")
        self._on_login(login, exchange.user_agent, "refresh_token")
        return _tokens(access, refresh_token)

    async def _check_upstream(self, login: BridgeLogin) -> None:
        """Refuse a login whose API calls would fail, as the service does if a user has lost access."""
        try:
            await self._upstream.check(login)
        except ProcountorAuthError as error:
            if is_final(error):
                message = "The login is not accepted any more."
                raise _invalid_grant(message, reason=reason_of(error), told_as=error.code) from None
            raise oauth_problem(error) from None

    async def _stored(self, do: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
        try:
            return await asyncio.to_thread(do, *arguments)
        except StoreError as error:
            raise oauth_problem(error) from None

    @contextmanager
    def _refusals_told(self, exchange: Exchange) -> Generator[None]:
        """Report a refused login."""
        try:
            yield
        except OAuthProblem as problem:
            if problem.told_as is not None:
                self._on_refusal(exchange, problem.told_as)
            raise


async def login_of(access: AccessTokens, access_token: SecretStr) -> BridgeLogin | None:
    """Return the login that an access token is of, or None.

    Raises:
        BridgeProblem: The store can't be read.
    """
    try:
        return await access.login_of(access_token)
    except StoreError as error:
        raise store_problem(error) from None


def _invalid_grant(message: str, *, reason: str | None = None, told_as: str = "invalid_grant") -> OAuthProblem:
    return OAuthProblem("invalid_grant", message, reason=reason, told_as=told_as)


def _redirect_uri(login: BridgeLogin, given: str) -> str:
    if login.redirect_uri is not None:
        if given == login.redirect_uri:
            return given
        raise OAuthProblem("invalid_request", "The redirect_uri is not the client's.")
    try:
        return check_redirect_uri(given)
    except ValueError:
        raise OAuthProblem("invalid_request", "The redirect_uri can't be one.") from None


def _tokens(access_token: SecretStr, refresh_token: SecretStr) -> Response:
    return responses.json(
        {
            "access_token": access_token.get_secret_value(),
            "refresh_token": refresh_token.get_secret_value(),
            "expires_in": ACCESS_TOKEN_SECONDS,
        }
    )
