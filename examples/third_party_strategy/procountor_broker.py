"""A strategy for procountor-auth: access tokens from the company's own token broker.

PROCOUNTOR_STRATEGY=broker
PROCOUNTOR_BROKER_URL=https://tokens.example/procountor
PROCOUNTOR_BROKER_SECRET=…
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import urlencode, urlsplit

from procountor_auth import ConfigurationError, ProcountorAuthError, Strategy
from procountor_auth.errors import Problem
from procountor_auth.strategies import Repeat, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from procountor_auth import Token
    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.strategies import Flow, StrategySettings

_HINT = "Check PROCOUNTOR_BROKER_URL and PROCOUNTOR_BROKER_SECRET, or ask the broker's administrator."


class BrokerStrategy(Strategy):
    """Gets the access token from a broker, which holds the Procountor credentials.

    Args:
        client: The API client. Only its host and clock are used: the broker has the credentials.
        url: The broker's URL for tokens.
        secret: The secret that authenticates this program.
        account: Which of the broker's accounts to get a token for; empty for its only one.
    """

    name: ClassVar[str] = "broker"
    required_settings: ClassVar[tuple[str, ...]] = ("broker_url", "broker_secret")
    extra_settings: ClassVar[tuple[str, ...]] = ("broker_url", "broker_secret", "broker_account")

    def __init__(self, client: OAuthClient, *, url: str, secret: SecretStr, account: str = "") -> None:
        super().__init__(client)
        self._url = url
        self._secret = secret
        self._account = account

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that have the `required_settings`.

        Raises:
            ConfigurationError: `PROCOUNTOR_BROKER_URL` is not a URL that a secret may be sent to.
        """
        url = settings.own["broker_url"].get_secret_value()
        if not _may_get_secrets(url):
            message = "PROCOUNTOR_BROKER_URL must start with https:// (http:// is for this machine only)"
            raise ConfigurationError.from_problems(
                (Problem("PROCOUNTOR_BROKER_URL", "invalid", message),),
                hint="Set it to something like https://tokens.example/procountor, with no user name in it.",
                profile=settings.profile,
            )
        account = settings.own.get("broker_account")
        return cls(
            settings.oauth_client(clock),
            url=url,
            secret=settings.own["broker_secret"],
            account=account.get_secret_value() if account else "",
        )

    def identity(self) -> tuple[str, ...]:
        """Return the broker and the account: stored tokens of another one are not used."""
        return (self._url, self._account)

    def acquire(self) -> Flow[Token]:
        """Ask the broker.

        Raises:
            CredentialsRefused: The broker rejected the secret.
            ServiceUnavailable: The server can't serve the request at the moment.
            UnexpectedResponse: The response contains no usable token.
        """
        request = Request(
            "POST",
            self._url,
            urlencode({"account": self._account}) if self._account else "",
            bearer=self._secret.get_secret_value(),
            repeat=Repeat.SAFE,  # a second token does no harm
        )
        try:
            token = yield from self.ask_for_token(request, what="the request to the token broker", hint=_HINT)
        except ProcountorAuthError as error:
            if not error.retryable:
                error.hint = _HINT  # some of the hints are about Procountor's server
            raise
        # A stored one would be sent to Procountor's token endpoint, which does not know this program.
        return replace(token, refresh_token=None)


def _may_get_secrets(url: str) -> bool:
    try:
        parts = urlsplit(url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False
    whole = bool(parts.hostname) and parts.username is None and url.isascii() and url.isprintable() and " " not in url
    return whole and (parts.scheme == "https" or (parts.scheme == "http" and local))
