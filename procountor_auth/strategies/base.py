"""What every strategy can do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Self

from pydantic import SecretStr

from procountor_auth.protocol.error_response import Reply
from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.token_response import read_logout, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.deprecation import LegacyPolicy, Lifecycle


class StrategySettings(Protocol):
    """What a strategy takes from the settings: `Settings` have it, and so has whatever stands in for them."""

    @property
    def strategy(self) -> str:
        """The name of the chosen strategy."""

    @property
    def profile(self) -> str | None:
        """The chosen profile, if there are profiles."""

    @property
    def refresh_token(self) -> SecretStr | None:
        """A refresh token to start from."""

    @property
    def allow_missing_state(self) -> bool:
        """Whether a legacy redirect with no state in it is accepted."""

    @property
    def legacy_policy(self) -> LegacyPolicy:
        """What happens when the legacy strategy is chosen."""

    @property
    def own(self) -> Mapping[str, SecretStr]:
        """The values of the settings that only the chosen strategy knows (`Strategy.extra_settings`)."""

    def oauth_client(self, clock: Callable[[], float] = ...) -> OAuthClient:
        """Return the API client, with `clock` for the time in Unix seconds."""

    def required(self, name: str) -> SecretStr:
        """Return a secret that the strategy needs.

        Raises:
            ConfigurationError: It is not there.
            StoreError: It is in a keychain that can't be used.
        """


class Strategy(ABC):
    """One way to get a token, described as flows that do no I/O.

    A strategy is immutable and safe to share between threads.

    Attributes:
        name: Its name in `PROCOUNTOR_STRATEGY`, and in `Token.strategy`.
        client: The API client that asks.
    """

    name: ClassVar[str]

    unattended: ClassVar[bool] = True
    """Whether it can always acquire a token again, without a person and whatever happened to the last one."""

    lifecycle: ClassVar[Lifecycle | None] = None
    """The end of its life, if it is deprecated."""

    required_settings: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "redirect_uri")
    """The settings that it can't do without, by their names in lower case."""

    refresh_hint: ClassVar[str] = "The refresh token has ended or was revoked: log in again."
    """What to do where the server refuses a refresh token."""

    extra_settings: ClassVar[tuple[str, ...]] = ()
    """The names of settings that only this strategy knows: it finds them in `StrategySettings.own`."""

    def __init__(self, client: OAuthClient) -> None:
        self.client = client

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Build the strategy from settings that were validated for it.

        Args:
            settings: The settings.
            clock: The wall clock, in Unix seconds.
        """

    def apply_policy(self) -> None:  # noqa: B027 - most strategies have no policy
        """Act on having been chosen by a program, before anything is sent: a deprecated strategy warns, or refuses.

        Called where a `TokenSource` is built, and not by whoever only looks at a configuration.

        Raises:
            ConfigurationError: A policy forbids the strategy.
        """

    @abstractmethod
    def acquire(self) -> Flow[Token]:
        """Get a first token.

        Raises:
            InteractionRequired: Only a person can.
            ProcountorAuthError: Whatever else goes wrong.
        """

    def renew(self, token: Token) -> Flow[Token]:
        """Get the next token: with the refresh token where there is one, else by acquiring again.

        Raises:
            ProcountorAuthError: What `acquire` raises.
        """
        if token.refresh_token is None or token.refresh_ended(self.client.clock()):
            return (yield from self.acquire())
        return (yield from self.refresh(SecretStr(token.refresh_token)))

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The refresh token that `acquire` sends, if it sends one."""
        return None

    def owns(self, token: Token) -> bool:
        """Whether a stored token is one of this strategy's own."""
        return token.strategy == self.name

    def identity(self) -> tuple[str, ...]:
        """Return whose tokens these are, apart from host and client. Secret: it is only ever hashed."""
        return ()

    def credential_claims(self) -> Mapping[str, Any]:
        """Return what the credential says of itself, such as its company (`cid`). It is not verified."""
        return {}

    def logout(self, token: Token) -> Flow[None]:
        """Have the server invalidate a token (`POST logout`)."""
        request = Request("POST", self.client.endpoints.logout, bearer=token.access_token, repeat=Repeat.SAFE)
        response = yield request
        read_logout(Reply(request, response, "the logout", "The token ends by itself within the hour."))

    def refresh(self, refresh_token: SecretStr) -> Flow[Token]:
        """Trade a refresh token for an access token (RFC 6749, section 6).

        The answer may bring a new refresh token; where it brings none, the old one stays.
        """
        request = self.client.token_request("refresh_token", refresh_token=refresh_token)
        return (
            yield from self.ask_for_token(
                request,
                what="the refresh token grant",
                hint=self.refresh_hint,
                previous=refresh_token,
            )
        )

    def ask_for_token(
        self, request: Request, *, what: str, hint: str, previous: SecretStr | None = None
    ) -> Flow[Token]:
        """Send a token request, and read its answer as every strategy's is read: distrusting each field.

        Args:
            request: The request.
            what: What it is in words, for the errors, such as `the client credentials grant`.
            hint: What to do if it is refused.
            previous: The refresh token to keep if the answer has none.

        Raises:
            CredentialsRefused: The server said no.
            ServiceUnavailable: It can't answer now.
            UnexpectedAnswer: The answer is not one that the protocol knows.
        """
        asked_at = self.client.clock()
        response = yield request
        exchange = Reply(request, response, what, hint)
        return read_token(exchange, strategy=self.name, asked_at=asked_at, previous=previous)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.client.endpoints.host}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} holds secrets and is not pickled: build it where it is used.")
