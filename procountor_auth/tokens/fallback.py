"""Going back to another strategy while the chosen one is refused: only where `PROCOUNTOR_FALLBACK_STRATEGY` says so."""

from __future__ import annotations

import itertools
from copy import copy
from typing import TYPE_CHECKING, Final, TypeAlias

from procountor_auth.errors import CredentialsRefused, InteractionRequired, printable
from procountor_auth.protocol.importing import importing
from procountor_auth.tokens.company import Company

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.events import Event
    from procountor_auth.strategies.base import Strategy

MAX_FALLBACKS: Final = 24
"""How often one source falls back: about a day of tokens that last an hour."""

Refusal: TypeAlias = CredentialsRefused | InteractionRequired
"""What a server has decided. It must be `definite` as well: a gateway's page, or a network fault, is no refusal."""


class Fallback:
    """The strategy to go back to whenever the server definitely refuses the chosen one.

    Each time the chosen strategy is tried before; each time it falls back there is a `FellBack` event; after `limit`
    times the refusal stands.

    Args:
        strategy: The strategy to go back to.
        limit: How many times.
        emit: Told of each time.
        company: The company that is configured.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        limit: int = MAX_FALLBACKS,
        emit: Callable[[Event], None],
        company: Company | None = None,
    ) -> None:
        self.strategy = strategy
        self.limit = limit
        self._emit = emit
        self._company = company or Company()
        self._counts = itertools.count(1)  # no lock, which a forked child might inherit held

    def continue_count_of(self, other: Fallback) -> None:
        """Share the count of another one from now on, which may be in use still.

        Args:
            other: The fallback that this one replaces.
        """
        self._counts = other._counts

    def begin(self, primary: Strategy, refusal: Refusal, profile: str | None = None) -> None:
        """Count that it falls back once more, and tell of it.

        Args:
            primary: The strategy that was refused.
            refusal: The refusal.
            profile: The profile, if there are profiles.

        Raises:
            CredentialsRefused: The refusal itself, where the limit is reached.
            InteractionRequired: The same.
            WrongCompany: The refresh token to go back to is another company's.
        """
        with importing():
            from procountor_auth.events import FellBack  # noqa: PLC0415 - only where something happens
        self._company.check_credential(self.strategy)
        count = next(self._counts)
        if count > self.limit:
            raise self._final(refusal)
        self._emit(
            FellBack(
                at=primary.client.clock(),
                strategy=primary.name,
                host=primary.client.endpoints.host,
                profile=profile,
                fallback=self.strategy.name,
                error=refusal.code,
                count=count,
                limit=self.limit,
            )
        )

    def _final(self, refusal: Refusal) -> Refusal:
        final = copy(refusal)  # with its hint, and all that a caller decides by
        limit = f"The limit of falling back to {printable(self.strategy.name)} is reached: {self.limit}."
        final.args = (f"{refusal.message} {limit}",)
        return final
