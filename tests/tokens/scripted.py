"""A provider whose server is a script: what it answers, and what it was asked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import SecretStr

from procountor_auth import Strategy, Token
from procountor_auth.errors import InteractionRequired, InvalidGrant
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.fallback import Fallback
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.stores.spent_tokens import SpentTokens
    from procountor_auth.strategies import StrategySettings

NOW = 1_795_000_000.0
ENDPOINTS = Endpoints("https://api.example")


def token(name: str, strategy: str, *, lifetime: float = 3600.0) -> Token:
    """Return a token whose refresh token has the same name."""
    return Token(f"access-{name}", NOW, NOW + lifetime, strategy, f"refresh-{name}")


@dataclass
class Script:
    """What the server does with a refresh token, and what it was asked.

    Attributes:
        answers: What it does with each refresh token, and with `acquire`.
        asked: What it was asked.
        initial: The configured refresh token.
        now: The time, in Unix seconds.
    """

    answers: dict[str, Callable[[], Token]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    initial: str | None = None
    now: float = NOW

    def answer(self, what: str) -> Token:
        """Answer one request."""
        self.asked.append(what)
        return self.answers[what]()


class Scripted(Strategy):
    """A strategy whose server is a script, with no request in between."""

    name: ClassVar[str] = "primary"
    unattended: ClassVar[bool] = False

    def __init__(self, script: Script) -> None:
        super().__init__(
            OAuthClient(ENDPOINTS, "client-1", SecretStr("x"), "https://a.example", clock=lambda: script.now)
        )
        self.script = script

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The configured refresh token."""
        return SecretStr(self.script.initial) if self.script.initial else None

    @classmethod
    def from_settings(cls, settings: StrategySettings, *, clock: Callable[[], float] = time.time) -> Self:
        """Refuse: the tests build it themselves."""
        raise NotImplementedError

    def acquire(self) -> Flow[Token]:
        """Ask for a first token."""
        yield from ()
        return self.script.answer(self.script.initial or "acquire")

    def renew(self, token: Token) -> Flow[Token]:
        """Ask with the refresh token."""
        yield from ()
        return self.script.answer(str(token.refresh_token))


class Other(Scripted):
    """What is fallen back to."""

    name: ClassVar[str] = "other"
    unattended: ClassVar[bool] = True


@dataclass
class Bench:
    """A provider with a fallback over a store, and what happened."""

    primary: Script = field(default_factory=Script)
    other: Script = field(default_factory=Script)
    store: MemoryStore = field(default_factory=MemoryStore)
    events: list[Event] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None
    spent: SpentTokens | None = None

    def provider(self, *, with_fallback: bool = True) -> TokenProvider:
        """Build it."""
        fallback = Fallback(Other(self.other), emit=self.events.append) if with_fallback else None
        backends = Backends(store=self.store, transport=Transport(sleep=self.sleep))
        backends.spent = self.spent
        return TokenProvider(Scripted(self.primary), backends, fallback=fallback, monotonic=lambda: self.primary.now)

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and whatever happens meanwhile."""
        self.primary.now += seconds
        self.on_sleep()

    def put(self, key: str, token: Token) -> None:
        """Store a token, as another process does."""
        self.store._entries[key] = type(self.store._entries[key])(self.store._entries[key].version + 1, token)


def refused() -> Token:
    """Refuse a refresh token."""
    raise InvalidGrant("No.", hint="Log in.")


def ended() -> Token:
    """Refuse a refresh token whose login has ended."""
    needed = InteractionRequired("The login has ended.", hint="Log in.")
    needed.definite = True
    raise needed
