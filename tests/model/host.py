"""A host of the model: a program that asks the real code for tokens, one step at a time."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from greenlet import GreenletExit, getcurrent, greenlet
from pydantic import SecretStr

from procountor_auth import Strategy
from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.stores import Store
from procountor_auth.stores.transaction import LockedTransaction
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.tokens.renewing_cache import RenewingCache
from procountor_auth.tokens.telemetry import Telemetry
from procountor_auth.transport.transport import Transport
from tests.model.world import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth import Token
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.stores import Entry, Transaction
    from procountor_auth.stores.use import Use
    from procountor_auth.strategies import StrategySettings
    from tests.model.world import World

NOTHING = Step("nothing")


class Outcome(NamedTuple):
    """What came of one thing that a host did."""

    what: str
    server: str
    """Whose tokens it was configured for when it began."""
    result: object
    """The token, or the error."""
    had_token: bool
    """Whether it had a token when it began."""


class LoginStrategy(Strategy):
    """Refresh tokens that only a person can replace. Its requests are steps of the model."""

    name: ClassVar[str] = "model"
    unattended: ClassVar[bool] = False

    def __init__(self, host: Host, server: str, initial: str) -> None:
        super().__init__(
            OAuthClient(
                Endpoints(f"https://{server}.example"),
                server,
                SecretStr("x"),
                "https://a.example",
                clock=lambda: host.world.now,
            )
        )
        self.host, self.server, self.initial = host, server, initial

    @classmethod
    def from_settings(cls, settings: StrategySettings, **_: object) -> Self:
        """Refuse: the model builds it itself."""
        raise NotImplementedError

    def identity(self) -> tuple[str, ...]:
        """Return whose tokens these are: the server's only user."""
        return (self.server,)

    @property
    def initial_refresh_token(self) -> SecretStr | None:
        """The configured refresh token."""
        return SecretStr(self.initial) if self.initial else None

    def acquire(self) -> Flow[Token]:
        """Start from the configured refresh token."""
        if not self.initial:
            raise InteractionRequired("Nobody has logged in.", hint="Log in.")
        return self.refresh(SecretStr(self.initial))

    def refresh(self, refresh_token: SecretStr) -> Flow[Token]:
        """Send the refresh token."""
        yield from ()
        return self.host.request(self.server, "refresh", refresh_token.get_secret_value())

    def log_in(self) -> Flow[Token]:
        """Have the user log in."""
        yield from ()
        return self.host.request(self.server, "login", "")


class KeyStrategy(LoginStrategy):
    """An API key: it gets another token whenever it wants."""

    unattended: ClassVar[bool] = True

    def acquire(self) -> Flow[Token]:
        """Send the key."""
        yield from ()
        return self.host.request(self.server, "key", "")


class _Store(Store):
    """The world's store, as one host sees it."""

    name = "model"

    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, key: str) -> Entry | None:
        return self._host.ask(Step("read", key))  # type: ignore[return-value]

    @contextmanager
    def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
        del timeout
        entry = self._host.ask(Step("lock", key))

        def swap(read: int, written: Entry) -> None:
            self._host.ask(Step("write", key, (read, written)))

        transaction = LockedTransaction(entry, swap)  # type: ignore[arg-type]
        try:
            yield transaction
        finally:
            transaction.close()
            self._host.ask(Step("unlock", key))


class Host:
    """A process on a host of its own.

    Args:
        world: The world that it is in.
        name: Its name.
        script: What it does: `get` a token, meet a `401`, `login`, `forget`.
        server: Whose tokens it is configured for.
        other: Whose tokens it is configured for after a reload, if there may be one.
        kind: Its strategy.
    """

    def __init__(
        self,
        world: World,
        name: str,
        script: tuple[str, ...],
        *,
        server: str = "a",
        other: str | None = None,
        kind: type[LoginStrategy] = LoginStrategy,
    ) -> None:
        self.world, self.name, self.script, self.other = world, name, script, other
        self.kind = kind
        self.initial = f"{server}-r1.0"
        self._telemetry = Telemetry(None)
        self.cache = self._cache(server)
        self.outcomes: list[Outcome] = []
        self.history: list[object] = []
        self.step = NOTHING
        self.seen_use: Use | None = None
        self.in_flight_spent = False
        self.logs_in = False
        self.has_unstored_login = False
        self.has_begun = False
        self.dead = False
        self._greenlet = greenlet(self._run)
        self._main = getcurrent()

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return not self.dead and not self._greenlet.dead

    def state(self) -> object:
        """Return all that decides what it does next."""
        return self.name, self.dead, self.cache.provider.endpoints.host, self.in_flight_spent, tuple(self.history)

    # -- seen from the model ----------------------------------------------------------------------

    def begin(self) -> None:
        """Go to the first step."""
        self._switch(None)

    def go_on(self, answer: object) -> None:
        """Go to the next step, with the answer to this one."""
        self.has_begun = True
        self._switch(answer)

    def _switch(self, answer: object) -> None:
        self._main = getcurrent()
        self.history.append(answer if answer is None or isinstance(answer, str) else repr(_plain(answer)))
        step = self._greenlet.switch(answer)
        self.step = step if isinstance(step, Step) else NOTHING

    def crash(self) -> None:
        """Die: nothing that it would do on its way out happens."""
        self.dead = True
        self._main = getcurrent()
        self._greenlet.throw(GreenletExit)

    def reload(self) -> None:
        """Read the configuration again, which says something else now."""
        here = self.cache.provider.strategy.client.client_id
        assert self.other is not None
        self.cache = self.cache.successor(self._cache(self.other).provider)
        self.other = here
        self.history.append("reload")

    # -- seen from the code -----------------------------------------------------------------------

    def ask(self, step: Step) -> object:
        """Ask something of the world, and wait for the answer."""
        if self.dead:
            raise GreenletExit
        answer = self._main.switch(step)
        if isinstance(answer, ProcountorAuthError):
            raise answer
        return answer

    def request(self, server: str, what: str, refresh_token: str) -> Token:
        """Send a request, and take its answer: two steps, between which anything may happen."""
        answer = self.ask_raw(Step("send", server, (what, refresh_token)))
        return self.ask(Step("answer", server, answer))  # type: ignore[return-value]

    def ask_raw(self, step: Step) -> object:
        """Ask something, and return an error of the server's as what is on its way."""
        answer = self._main.switch(step) if not self.dead else None
        if self.dead:
            raise GreenletExit
        if isinstance(answer, ProcountorAuthError) and not isinstance(answer, InteractionRequired):
            raise answer
        return answer

    def _cache(self, server: str) -> RenewingCache:
        strategy = self.kind(self, server, f"{server}-r1.0")
        backends = Backends(store=_Store(self), transport=Transport(sleep=lambda _: self._sleep(strategy)), local=None)
        backends.spent = self.world.spent  # type: ignore[assignment]
        provider = TokenProvider(strategy, backends, monotonic=lambda: 0.0)
        provider.drive = lambda flow, _: _driven(flow)  # type: ignore[method-assign,assignment,return-value,arg-type]
        return RenewingCache(provider, self._telemetry, monotonic=lambda: 0.0, jitter=lambda: 0.0)

    def _sleep(self, strategy: LoginStrategy) -> None:
        provider = TokenProvider(strategy, Backends(store=_Store(self)))
        self.ask(Step("sleep", provider.key))

    def _run(self, _: object) -> None:
        token: Token | None = None
        outcome: Token | ProcountorAuthError | None
        for what in self.script:
            cache = self.cache  # one operation, one configuration
            had = cache.cached is not None
            try:
                if what == "get" or (what == "401" and token is None):
                    token = outcome = cache.token()
                elif what == "401" and token is not None:
                    token = outcome = cache.renew(token)
                elif what == "login":
                    strategy = cache.provider.strategy
                    assert isinstance(strategy, LoginStrategy)
                    token = outcome = cache.keep_result_of(strategy.log_in(), SecretStr(secrets.token_hex(8))).result()
                else:
                    outcome = cache.forget()
                    token = None
            except ProcountorAuthError as error:
                outcome = error
            if self.dead:
                return
            self.outcomes.append(Outcome(what, cache.provider.strategy.client.client_id, outcome, had))
            self.history.append((what, repr(_plain(outcome))))


def _driven(flow: Flow[Token]) -> Token:
    try:
        next(flow)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("The model's flows have no requests of their own.")


def _plain(answer: object) -> object:
    """Return an answer as what the host's next steps depend on."""
    token = getattr(answer, "access_token", None)
    if token is not None:
        return token
    entry_token = getattr(answer, "token", None)
    if hasattr(answer, "version"):
        return (
            answer.version,
            entry_token and entry_token.access_token,
            answer.failure,  # type: ignore[attr-defined]
            answer.lineage,  # type: ignore[attr-defined]
            answer.use,  # type: ignore[attr-defined]
        )
    return type(answer).__name__, str(answer)
