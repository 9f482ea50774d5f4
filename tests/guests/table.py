"""Where guests come in, what they do there, and what has to come of it: every cell is a line of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError, ConnectionFailed, StoreError, StoreUnavailable

from .acts import ACTS

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError

    from .acts import Act

GRANTS: Final = ("client_credentials", "refresh_token")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has to come of a call.

    Attributes:
        error: The exact kind of error; None where a token is returned.
        retryable: What it has to say about that.
        requests: How many requests are sent.
        passes: Whether what the guest raised passes to the caller instead.
        kept: Whether the store has the new token afterwards, where one is returned.
    """

    error: type[ProcountorAuthError] | None = None
    retryable: bool = False
    requests: int = 1
    passes: bool = False
    kept: bool = True

    @property
    def accepts(self) -> bool:
        """Whether a token is returned."""
        return self.error is None and not self.passes


Row = dict[str, Outcome]
"""The outcome for each kind of act."""

_TOKEN: Final = Outcome()
_ALONE: Final = Outcome(kept=False)
_PASSES: Final = Outcome(passes=True, requests=0)
_LATE: Final = Outcome(ConnectionFailed, retryable=True, requests=0)
_DOWN: Final = Outcome(StoreUnavailable, retryable=True, requests=0)
_BROKEN: Final = Outcome(StoreError, requests=0)
_UNUSABLE: Final = Outcome(ConfigurationError, requests=0)

_TOLD: Final[Row] = dict.fromkeys(("raises", "passes", "hangs", "asks", "goes on"), _TOKEN)
"""Whoever is only told of something costs nobody the token."""

_ASKED: Final[Row] = {"raises": _UNUSABLE, "passes": _PASSES, "hangs": _LATE, "asks": _LATE, "goes on": _TOKEN}

_KEPT_ALONE: Final[Row] = {"raises": _ALONE, "passes": _PASSES, "hangs": _LATE, "asks": _ALONE, "goes on": _TOKEN}
"""A store that fails: an API key goes on by itself, and nothing is stored."""

_NOT_SHARED: Final[Row] = {**_KEPT_ALONE, "raises": _DOWN, "asks": _DOWN}
"""The same for a refresh token, which others may be using."""

_UNSENT: Final[Row] = {
    **dict.fromkeys(("raises", "asks", "hangs", "none", "garbage"), _LATE),
    "passes": _PASSES,
    "goes on": _TOKEN,
}


def _after(row: Row, requests: int = 1) -> Row:
    """The same after the request was sent."""
    return {
        kind: outcome
        if outcome.accepts
        else Outcome(
            outcome.error,
            outcome.retryable,
            requests if kind in {"raises", "asks", "none", "garbage"} else 1,
            outcome.passes,
        )
        for kind, outcome in row.items()
    }


_WRITE: Final[Row] = {
    **dict.fromkeys(("raises", "passes", "asks"), _ALONE),
    **dict.fromkeys(("goes on", "none", "garbage"), _TOKEN),
    "hangs": Outcome(ConnectionFailed, retryable=True),
}
"""What the server has given is served, though it is not stored."""

_MARK: Final[Row] = {
    **dict.fromkeys(("raises", "asks", "goes on", "none", "garbage"), _TOKEN),
    "passes": _PASSES,
    "hangs": _LATE,
}

_RELEASE: Final[Row] = {
    **dict.fromkeys(("raises", "asks", "goes on", "none", "garbage"), _TOKEN),
    "passes": Outcome(passes=True),
    "hangs": Outcome(ConnectionFailed, retryable=True),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a guest comes in.

    Attributes:
        name: Who it is, and when.
        key: What has to come of it where an API key gets the token.
        refresh: The same for a refresh token.
    """

    name: str
    key: Row
    refresh: Row

    def outcome(self, act: Act, grant: str) -> Outcome:
        """What has to come of an act."""
        return (self.key if grant == "client_credentials" else self.refresh)[act.kind]


PLACES: Final = (
    Place("listener", _TOLD, _TOLD),
    Place("listener, in the middle", _TOLD, _TOLD),
    Place("listener, of a fallback", *(dict.fromkeys(_TOLD, Outcome(requests=2)),) * 2),
    Place("log handler", _TOLD, _TOLD),
    Place("log filter", _TOLD, _TOLD),
    Place("metrics", _TOLD, _TOLD),
    Place("strategy: owns", _ASKED, _ASKED),
    Place(
        "strategy: begins",
        {**_ASKED, "none": _UNUSABLE, "garbage": _UNUSABLE},
        {**_ASKED, "none": _UNUSABLE, "garbage": _UNUSABLE},
    ),
    Place("strategy: ends", *(_after({**_ASKED, "none": _UNUSABLE, "garbage": _UNUSABLE}),) * 2),
    Place(
        "store: read",
        {**_KEPT_ALONE, "none": _TOKEN, "garbage": _BROKEN},
        {**_NOT_SHARED, "none": _TOKEN, "garbage": _BROKEN},
    ),
    Place(
        "store: lock",
        {**_KEPT_ALONE, "none": _ALONE, "garbage": _ALONE},
        {**_NOT_SHARED, "none": _DOWN, "garbage": _DOWN},
    ),
    Place("store: entry", {**_KEPT_ALONE, "garbage": _BROKEN}, {**_NOT_SHARED, "garbage": _BROKEN}),
    Place("store: mark", {}, _MARK),
    Place("store: write", _WRITE, _WRITE),
    Place("store: release", _RELEASE, _RELEASE),
    Place("transport: before", _UNSENT, _UNSENT),
    Place("transport: after", _after(_UNSENT, 3), _after(_UNSENT)),
    Place(
        "transport: close",
        {**_RELEASE, "passes": Outcome(passes=True)},
        {**_RELEASE, "passes": Outcome(passes=True)},
    ),
)
"""Everything but a reference to a secret, which is followed before there is a source."""

CELLS: Final = tuple(
    (place, act, grant)
    for place in PLACES
    for act in ACTS
    for grant in GRANTS
    if act.kind in (place.key if grant == "client_credentials" else place.refresh)
)
"""Who does what, with which grant."""

SCHEME: Final[Row] = {
    **dict.fromkeys(("raises", "asks", "none", "garbage"), _UNUSABLE),
    "passes": _PASSES,
    "goes on": Outcome(requests=0),
}
"""What has to come of a reference to a secret whose scheme is a guest."""

SCHEME_CELLS: Final = tuple(act for act in ACTS if act.kind in SCHEME and act.kind != "asks")


def scheme_outcome(act: Act) -> Outcome:
    """What has to come of an act of a secret scheme.

    Of a text with methods of its own, only the text is used; one that is made of a command may raise `SystemExit`.
    """
    kind = {"evil-text": "goes on", "system-exit": "raises"}.get(act.name, act.kind)
    return SCHEME[kind]
