"""Checks passwords and clients, and limits the attempts."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from .attempts import MAX_OF_ADDRESS, MAX_PER_MINUTE, Attempts, TooManyAttempts
from .password import PasswordCheck
from .problem import OAuthProblem

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .exchange import Exchange
    from .login import BridgeLogin, Logins

_CHECKS_AT_ONCE: Final = 2
"""How many passwords are checked at the same time: a hash takes 64 MiB and a core."""


class Guard:
    """Checks passwords and clients.

    Args:
        logins: Who may log in.
        attempts: How often may be tried.
    """

    def __init__(self, logins: Logins, attempts: Attempts | None = None) -> None:
        self._logins = logins
        self._attempts = attempts or Attempts()
        self._passwords = PasswordCheck(with_hashes=logins.with_hashes)
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    def prepare(self) -> None:
        """Prepare what would slow down the first login."""
        self._passwords.prepare()

    def use(self, passwords: PasswordCheck) -> None:
        """Check passwords with another one from now on, as other logins need it."""
        self._passwords = passwords

    async def check_password(
        self, exchange: Exchange, client_id: str, username: SecretStr, company: str, password: SecretStr
    ) -> BridgeLogin:
        """Return the login that matches a program's user name, company and password.

        Args:
            exchange: The request.
            client_id: The client that it says it is.
            username: The user's name.
            company: The company's number.
            password: The password.

        Raises:
            OAuthProblem: There is no such login, or the password is wrong: that is not told apart. Or there were too
                many attempts.
        """
        login = self._logins.find(client_id, username, company)
        configured = login.password if login is not None else None
        try:
            async with self._attempts.one(
                exchange.address, MAX_PER_MINUTE, client_id, username.get_secret_value(), company
            ) as attempt:
                async with self._checks:
                    is_right = await asyncio.to_thread(self._passwords.matches, configured, password)
                if login is not None and is_right:
                    attempt.succeeded()
                    return login
                attempt.failed()
        except TooManyAttempts as error:
            raise _too_many(error) from None
        if login is not None:
            exchange.is_for(login)
        raise OAuthProblem(
            "invalid_grant",
            "The user name, password or company is not accepted.",
            reason="the password is wrong"
            if login is not None
            else "no profile has this client, user name and company",
            told_as="invalid_grant",
        )

    async def check_client(self, exchange: Exchange, client_id: str, client_secret: SecretStr) -> None:
        """Make sure that a program is one of the clients.

        The right secret is accepted at once, so failed guesses do not delay the real client.

        Raises:
            OAuthProblem: The client is unknown, or its secret is wrong or missing. Or there were too many attempts.
        """
        # Go's x/oauth2 begins with a Basic header each time: nothing was guessed, so nothing is counted.
        if client_id and client_secret.get_secret_value():
            if self._logins.has_client(client_id, client_secret):
                return
            try:
                async with self._attempts.one(exchange.address, MAX_OF_ADDRESS, client_id) as attempt:
                    attempt.failed()
            except TooManyAttempts as error:
                raise _too_many(error) from None
        raise OAuthProblem(
            "invalid_client",
            "The client_id or client_secret is not accepted.",
            status=HTTPStatus.UNAUTHORIZED,
            reason="no profile has this client; its secret has to be in the form",
        )

    def count_refresh(self, exchange: Exchange, login: BridgeLogin) -> None:
        """Count a refresh: a program that refreshes too often only delays itself.

        Raises:
            OAuthProblem: There were too many.
        """
        try:
            self._attempts.count(exchange.address, MAX_PER_MINUTE, "refresh", login.key)
        except TooManyAttempts as error:
            raise _too_many(error) from None


def _too_many(error: TooManyAttempts) -> OAuthProblem:
    return OAuthProblem(
        "temporarily_unavailable",
        "There were too many logins.",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        retry_after=error.retry_after,
        told_as="too_many_attempts",
    )
