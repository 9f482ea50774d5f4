"""The token."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import jwt
import pytest

from procountor_auth import Token
from procountor_auth.protocol.token import TokenState


def _token(issued_at: float = 1_000.0, lifetime: float = 3_600.0, **claims: object) -> Token:
    access_token = jwt.encode(claims, "x" * 32)
    return Token(access_token, issued_at, issued_at + lifetime, "client_credentials", refresh_token="r3fresh")


def test_the_repr_shows_no_secret() -> None:
    """The repr shows strategy and times alone, and so does the text."""
    token = Token("acc3ss", 1.0, 2.0, "client_credentials", "r3fresh")
    assert repr(token) == "Token(issued_at=1.0, expires_at=2.0, strategy='client_credentials')"
    assert str(token) == f"{token}" == repr(token)


def test_a_token_is_frozen() -> None:
    """Nobody changes a token that others use."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        _token().access_token = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_token_is_not_pickled(take: object) -> None:
    """A pickle or a copy by pickle's rules is refused, so that no secret reaches a queue by accident."""
    assert callable(take)
    with pytest.raises(TypeError, match="not pickled"):
        take(_token())


@pytest.mark.parametrize(
    ("lifetime", "usable"), [(3_600, 3_540), (600, 540), (599, 539.1), (300, 270), (10, 9), (1, 0.9), (86_400, 86_340)]
)
def test_a_token_is_given_up_before_it_ends(lifetime: float, usable: float) -> None:
    """A token is used until a minute before its end, or for nine tenths of a short life."""
    assert _token(lifetime=lifetime).usable_until == pytest.approx(1_000 + usable)


@pytest.mark.parametrize(
    ("lifetime", "latest", "earliest"), [(3_600, 3_300, 3_150), (1_500, 1_200, 1_050), (300, 240, 210), (10, 8, 7)]
)
def test_a_token_is_renewed_while_it_is_served(lifetime: float, latest: float, earliest: float) -> None:
    """A token is stale five minutes before its end, or for a fifth of a short life, and at random a bit earlier."""
    token = _token(lifetime=lifetime)
    assert token.stale_from() == pytest.approx(1_000 + latest)
    assert token.stale_from(1.0) == pytest.approx(1_000 + earliest)
    assert token.stale_from() < token.usable_until


@pytest.mark.parametrize(
    ("after", "jitter", "state"),
    [
        (-7_200.0, 0.0, TokenState.FRESH),
        (0.0, 1.0, TokenState.FRESH),
        (3_149.0, 1.0, TokenState.FRESH),
        (3_151.0, 1.0, TokenState.STALE),
        (3_299.0, 0.0, TokenState.FRESH),
        (3_300.0, 0.0, TokenState.STALE),
        (3_539.0, 0.0, TokenState.STALE),
        (3_540.0, 0.0, TokenState.EXPIRED),
        (3_540.0, 1.0, TokenState.EXPIRED),
        (10**9, 0.0, TokenState.EXPIRED),
    ],
)
def test_a_token_is_fresh_then_stale_then_expired(after: float, jitter: float, state: TokenState) -> None:
    """The state follows the clock that is passed in, to the second."""
    assert _token(lifetime=3_600).state(1_000 + after, jitter) is state


def test_a_refresh_token_says_that_it_has_ended() -> None:
    """A refresh token has ended once its own `exp` has come; one that does not say has not."""
    refresh_token = jwt.encode({"exp": 2_000}, "x" * 32)
    token = dataclasses.replace(_token(), refresh_token=refresh_token)
    assert not token.refresh_ended(1_999.0)
    assert token.refresh_ended(2_000.0)
    assert not _token().refresh_ended(10**12)


def test_a_token_says_whom_it_is_for() -> None:
    """The claims `cid` and `sub` are the company and the user, as the documentation's samples have them."""
    token = _token(cid=14159, sub=26535)
    assert (token.company_id, token.user_id) == (14159, 26535)


@pytest.mark.parametrize(
    ("claim", "number"),
    [
        (14159, 14159),
        ("14159", 14159),
        (14159.0, 14159),
        (0, 0),
        (None, None),
        (True, None),
        ("", None),
        ("fourteen", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("9" * 10_000, None),
        (10**30, None),
        (1e300, None),
        ([14159], None),
        ({"id": 14159}, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_id_is_a_number_or_nothing(claim: object, number: int | None) -> None:
    """Integers and strings of digits are IDs; whatever else a server puts there is None and raises nothing."""
    assert _token(cid=claim).company_id == number


@pytest.mark.parametrize("access_token", ["opaque", "a.b.c", "", "..", "ä.ö.ü", "\ud800.\ud800.\ud800"])
def test_an_opaque_token_says_nothing(access_token: str) -> None:
    """A token that is no JWT has neither company nor user."""
    token = Token(access_token, 0.0, 3_600.0, "client_credentials")
    assert (token.company_id, token.user_id, token.refresh_expires_at) == (None, None, None)


def test_a_refresh_token_says_when_it_ends() -> None:
    """`refresh_expires_at` is the claim `exp` of the refresh token, in Unix seconds, if it has one."""
    refresh_token = jwt.encode({"exp": 1_623_687_280}, "x" * 32)
    assert dataclasses.replace(_token(), refresh_token=refresh_token).refresh_expires_at == 1_623_687_280.0
    assert _token().refresh_expires_at is None
