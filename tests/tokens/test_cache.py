"""The decision about a cached token, with no clock, lock or thread: the table at the top of `cache.py`."""

from __future__ import annotations

import itertools

import pytest

from procountor_auth.protocol.token import Token, TokenState
from procountor_auth.tokens.cache import CachedToken, Decision, decide

TOKEN = Token("access", 0.0, 3600.0, "client_credentials")
CACHED = CachedToken.of(TOKEN, jitter=0.0)

FRESH, STALE, EXPIRED = CACHED.stale_from - 1, CACHED.usable_until - 1, CACHED.usable_until
BOOLEANS = (False, True)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (0.0, TokenState.FRESH),
        (CACHED.stale_from - 0.001, TokenState.FRESH),
        (CACHED.stale_from, TokenState.STALE),
        (CACHED.usable_until - 0.001, TokenState.STALE),
        (CACHED.usable_until, TokenState.EXPIRED),
        (1e12, TokenState.EXPIRED),
    ],
)
def test_a_token_passes_through_three_states(now: float, state: TokenState) -> None:
    """Each state begins at its moment, and the moments are in order: stale, unusable, expired."""
    assert CACHED.state(now) is state
    assert CACHED.stale_from < CACHED.usable_until < TOKEN.expires_at


def test_a_fresh_token_is_served_and_never_renewed() -> None:
    """Whatever else goes on, a fresh token starts nothing."""
    for renewing, cooling in itertools.product(BOOLEANS, repeat=2):
        assert decide(CACHED, FRESH, renewing=renewing, cooling=cooling) == Decision(serves=True, renews=False)


def test_a_stale_token_is_served_while_one_renewal_runs() -> None:
    """It starts a renewal, unless one is under way or has just failed."""
    for renewing, cooling in itertools.product(BOOLEANS, repeat=2):
        expected = Decision(serves=True, renews=not renewing and not cooling)
        assert decide(CACHED, STALE, renewing=renewing, cooling=cooling) == expected


@pytest.mark.parametrize("cached", [CACHED, None], ids=["expired", "none"])
def test_without_a_usable_token_everybody_waits_for_one_renewal(cached: CachedToken | None) -> None:
    """No failure of before keeps a caller from trying, and nobody starts a second renewal."""
    for renewing, cooling in itertools.product(BOOLEANS, repeat=2):
        expected = Decision(serves=False, renews=not renewing)
        assert decide(cached, EXPIRED, renewing=renewing, cooling=cooling) == expected


def test_jitter_moves_the_renewal_and_not_the_end() -> None:
    """The earliest renewal is half a margin before the latest; until when a token is used is the same."""
    early = CachedToken.of(TOKEN, jitter=1.0)
    assert CACHED.stale_from - early.stale_from == pytest.approx(150.0)
    assert early.usable_until == CACHED.usable_until
