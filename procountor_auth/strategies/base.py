"""The base class of strategies, and the settings that a strategy gets."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Self

from pydantic import SecretStr

from procountor_auth.protocol.flow import Repeat, Request
from procountor_auth.protocol.reply import Reply
from procountor_auth.protocol.token_response import read_logout, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.protocol.token import Token
    from procountor_auth.strategies.deprecation import LegacyPolicy, Lifecycle


class StrategySettings(Protocol):
    """The part of `Settings` that a strategy uses."""

    @property
    def strategy(self) -> str:
        """The name of the chosen strategy."""
        ...

    @property
    def profile(self) -> str | None:
        """The chosen profile, if there are profiles."""
        ...

    @property
    def refresh_token(self) -> SecretStr | None:
        """A refresh token to start with."""
        ...

    @property
    def allow_missing_state(self) -> bool:
        """Whether a legacy redirect without a `state` is accepted."""
        ...

    @property
    def legacy_policy(self) -> LegacyPolicy:
        """What happens when the legacy strategy is chosen."""
        ...

    @property
    def own(self) -> Mapping[str, SecretStr]:
        """The values of the settings that only the chosen strategy uses (`Strategy.extra_settings`)."""
        ...

    def oauth_client(self, clock: Callable[[], float] = ...) -> OAuthClient:
        """Return the API client.

        Args:
            clock: The wall clock, in Unix seconds.
        """
        ...

    def required(self, name: str) -> SecretStr:
        """Return a secret that the strategy needs.

        Args:
            name: The name of its setting, in lower case and without `PROCOUNTOR_`.

        Raises:
            ConfigurationError: The setting is missing.
            StoreError: It is in a keychain that can't be used.
        """
        ...


class Strategy(ABC):
    """A way to get tokens, described as flows without I/O.

    A strategy is immutable and safe to share between threads.

    Attributes:
        name: Its name in `PROCOUNTOR_STRATEGY` and in `Token.strategy`.
        client: The API client that requests tokens.
    """

    name: ClassVar[str]

    unattended: ClassVar[bool] = True
    """Whether it can always get a new token without a user, even if it has lost the last one."""

    lifecycle: ClassVar[Lifecycle | None] = None
    """What the vendor announced about its removal, if it is deprecated."""

    required_settings: ClassVar[tuple[str, ...]] = ("client_id", "client_secret", "redirect_uri")
    """The names of the settings that it requires, in lower case."""

    optional_settings: ClassVar[tuple[str, ...]] = ()
    """The names of settings that it sends if they are configured, and can do without."""

    refresh_hint: ClassVar[str] = "The refresh token has expired or was revoked: log in again."
    """What to do if the server rejects a refresh token."""

    extra_settings: ClassVar[tuple[str, ...]] = ()
    """The names of settings that only this strategy uses: it finds them in `StrategySettings.own`."""

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
        """Warn or raise if the strategy is deprecated.

        A `TokenSource` calls this before it sends anything. Commands that only inspect a configuration do not.

        Raises:
            ConfigurationError: A policy forbids the strategy.
        """

    @abstractmethod
    def acquire(self) -> Flow[Token]:
        """Get a first token.

        Raises:
            InteractionRequired: A user has to log in first.
            ProcountorAuthError: Any other failure.
        """

    def renew(self, token: Token) -> Flow[Token]:
        """Get the next token: with the refresh token if there is a valid one, otherwise as `acquire` does.

        Args:
            token: The token to renew.

        Raises:
            ProcountorAuthError: As in `acquire`.
        """
        if token.refresh_token is None or token.refresh_ended(self.client.clock()):
            return (yield from self.acquire())
        return (yield from self.refresh(SecretStr(token.refresh_token)))

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The refresh token that `acquire` sends, if any."""
        return None

    def owns(self, token: Token) -> bool:
        """Whether a stored token was issued with this strategy.

        Args:
            token: The stored token.
        """
        return token.strategy == self.name

    def identity(self) -> tuple[str, ...]:
        """Return what identifies the tokens' account, besides host and client. Secret: it is only used hashed."""
        return ()

    def credential_claims(self) -> Mapping[str, Any]:
        """Return the credential's claims, such as its company (`cid`). They are not verified."""
        return {}

    def logout(self, token: Token) -> Flow[None]:
        """Revoke a token at the server (`POST logout`).

        Args:
            token: The access token.
        """
        request = Request("POST", self.client.endpoints.logout, bearer=token.access_token, repeat=Repeat.SAFE)
        response = yield request
        read_logout(Reply(request, response, "the logout", "The token expires within an hour anyway."))

    def refresh(self, refresh_token: SecretStr) -> Flow[Token]:
        """Get an access token with a refresh token (RFC 6749, section 6).

        The response may contain a new refresh token; if it does not, the old one stays valid [C].

        Args:
            refresh_token: The refresh token.
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
        """Send a token request, and validate every field of its response.

        Args:
            request: The request.
            what: A description of the request for errors, such as `the client credentials grant`.
            hint: What to do if the server rejects it.
            previous: The refresh token to keep if the response has none.

        Raises:
            CredentialsRefused: The server rejected the request.
            ServiceUnavailable: The server can't serve it at the moment.
            UnexpectedResponse: The response is not what the protocol defines.
        """
        asked_at = self.client.clock()
        response = yield request
        exchange = Reply(request, response, what, hint)
        return read_token(exchange, strategy=self.name, asked_at=asked_at, previous=previous)

    def __repr__(self) -> str:
        if not hasattr(self, "client"):  # in a traceback with locals, of a subclass that refuses its settings
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} for {self.client.endpoints.host}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} holds secrets and is not pickled: create it where it is used.")
