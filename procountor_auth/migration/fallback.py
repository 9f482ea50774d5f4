"""Going back to the old strategy while the new one is refused: only where `PROCOUNTOR_FALLBACK_STRATEGY` says so."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from procountor_auth.errors import CredentialsRefused, InteractionRequired
from procountor_auth.events import FellBack, emit
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.settings import Settings
    from procountor_auth.token import Token

LIMIT: Final = 24
"""How often one source falls back: about a day of tokens that last an hour."""


class FallbackStrategy(Strategy):
    """Uses one strategy, and another one whenever the server definitely refuses the first.

    A network fault or a busy server is no refusal. Each time, the first strategy is tried again before; each time it
    falls back there is a `FellBack` event; after `limit` times the refusal stands.

    Args:
        primary: The strategy that is chosen.
        fallback: The one to go back to.
        limit: How many times.
        tell: Told of each time; by default the log.
    """

    name: ClassVar[str] = "fallback"

    def __init__(
        self, primary: Strategy, fallback: Strategy, *, limit: int = LIMIT, tell: Callable[[Event], None] | None = None
    ) -> None:
        super().__init__(primary.client)
        self.primary = primary
        self.fallback = fallback
        self.limit = limit
        self.tell = tell or partial(emit, listener=None)
        self._count = 0
        self._lock = threading.Lock()
        # It stands in the primary's place: under its name, with its entry in the store.
        self.name = primary.name  # type: ignore[misc]
        self.alone = primary.alone  # type: ignore[misc]

    @classmethod
    def from_settings(cls, settings: Settings, *, clock: Callable[[], float] = time.time) -> NoReturn:  # noqa: ARG003 - the base's signature
        """Refuse: `build` puts the two together."""
        raise TypeError("a FallbackStrategy is made of two others")

    def identity(self) -> tuple[str, ...]:
        """Return the primary's."""
        return self.primary.identity()

    def serves(self, token: Token) -> bool:
        """Whether the token is of one of the two."""
        return self.primary.serves(token) or self.fallback.serves(token)

    def acquire(self) -> Flow[Token]:
        """Get a token with the primary, and where that is refused, with the fallback.

        Raises:
            CredentialsRefused: The primary is refused, and the limit is reached.
            ProcountorAuthError: Whatever else either raises.
        """
        return (yield from self._either(self.primary.acquire()))

    def renew(self, token: Token) -> Flow[Token]:
        """Do what `acquire` does; the primary renews its own tokens and takes no others. Raises what `acquire` does."""
        own = self.primary.serves(token)
        return (yield from self._either(self.primary.renew(token) if own else self.primary.acquire()))

    def logout(self, token: Token) -> Flow[None]:
        """Have the server invalidate a token, in the way of the strategy that it came by."""
        own = self.fallback.serves(token) and not self.primary.serves(token)
        return (yield from (self.fallback if own else self.primary).logout(token))

    def _either(self, flow: Flow[Token]) -> Flow[Token]:
        try:
            return (yield from flow)
        except (CredentialsRefused, InteractionRequired) as error:
            refusal: CredentialsRefused | InteractionRequired = error
        with self._lock:
            self._count += 1
            count = self._count
        if count > self.limit:
            final = type(refusal)(
                f"{refusal.message} The limit of falling back to {self.fallback.name} is reached: {self.limit}.",
                hint=refusal.hint,
            )
            if isinstance(refusal, CredentialsRefused) and isinstance(final, CredentialsRefused):
                final.error = refusal.error
            raise final
        self.tell(
            FellBack(
                at=self.client.clock(),
                strategy=self.primary.name,
                host=self.client.endpoints.host,
                fallback=self.fallback.name,
                error=refusal.code,
                count=count,
                limit=self.limit,
            )
        )
        return (yield from self.fallback.acquire())
