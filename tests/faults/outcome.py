"""What has to come of a call while a store has a fault, and the row of a table that says so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from procountor_auth.errors import (
    InteractionRequired,
    ProcountorAuthError,
    StoreError,
    StoreUnavailable,
    UnreadableEntry,
)

from .fault import LONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    import pytest

    from procountor_auth.protocol.token import Token
    from procountor_auth.stores import Store

KEY: Final = "entry"

AMPLE: Final = 5.0
"""Seconds of which waiting for a lock takes `SHORT`: the rest is plenty for a request, on a busy machine as well."""


class Place(Protocol):
    """A store with an old token in it, and the means to break it.

    Attributes:
        patch: Replaces values until the call has ended.
        stack: Undoes what a fault has done, when the call has ended.
        old: The token that is there.
        python: Runs programs in processes of their own.
        later: Called when the server has the request.
    """

    patch: pytest.MonkeyPatch
    stack: ExitStack
    old: Token
    python: str
    later: Callable[[], object] | None

    def store(self) -> Store:
        """Return a store at this place."""

    def data(self) -> bytes | None:
        """Return the bytes of the entry, if there are any."""

    @property
    def addresses(self) -> set[tuple[Any, ...]]:
        """The addresses that the store connects to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has to come of a call.

    Attributes:
        error: The exact kind of error; None where the new token is returned.
        requests: How many requests are sent.
        kept: What is in the store afterwards: `new`, `old`, `none` (nothing), or `left` (the very bytes that were
            there).
        timeout: Seconds that the call may take.
    """

    error: type[ProcountorAuthError] | None = None
    requests: int = 1
    kept: str = "new"
    timeout: float = LONG


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True)
class StoreFault(Generic[P]):
    """Something that goes wrong with a store.

    Attributes:
        id: Its name.
        bring: Brings it about.
        key: What has to come of it where an API key gets the next token.
        refresh: What has to come of it where a refresh token does, which is replaced by another one.
    """

    id: str
    bring: Callable[[P], object]
    key: Outcome
    refresh: Outcome


NEW: Final = Outcome()
SERVED: Final = Outcome(kept="old")
"""The token is good, and is served, though it could not be stored."""

REFUSED: Final = Outcome(StoreError, 0, "left")
ALONE: Final = Outcome(None, 1, "left")
"""What needs no person goes on by itself."""

CLOSED: Final = Outcome(UnreadableEntry, 0, "left")
AWAY: Final = Outcome(StoreUnavailable, 0, "left")
LOST: Final = Outcome(InteractionRequired, 0, "none")


def later(work: Callable[[P], object]) -> Callable[[P], None]:
    """Return a fault that happens when the server has the request."""

    def bring(place: P) -> None:
        place.later = partial(work, place)

    return bring
