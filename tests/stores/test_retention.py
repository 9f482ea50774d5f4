"""How long an entry is kept, and what it would be missed for."""

from __future__ import annotations

import time

import jwt
import pytest

from procountor_auth.protocol.token import Token
from procountor_auth.stores.base import Entry
from procountor_auth.stores.retention import Worth, seconds_to_keep, worth_of
from procountor_auth.stores.use import Use

DAY = 86_400.0
NOW = 1_800_000_000.0


def _token(expires_at: float, refresh_token: str | None = None) -> Token:
    return Token("acc3ss", expires_at - 3600, expires_at, "authorization_code", refresh_token)


def _until(seconds: float) -> str:
    return jwt.encode({"exp": int(seconds)}, "c" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("entry", "written_at", "worth"),
    [
        (Entry(1, _token(NOW + 1)), None, "token"),
        (Entry(1, _token(NOW)), None, "nothing"),
        (Entry(1, _token(NOW - DAY, "r3fresh")), None, "login"),
        (Entry(1, _token(NOW + 1, _until(NOW))), None, "token"),
        (Entry(1, _token(NOW - DAY, _until(NOW + 1))), None, "login"),
        (Entry(1, None), None, "invalidation"),
        (Entry(1, None), NOW - DAY + 1, "invalidation"),
        (Entry(1, None), NOW - DAY, "nothing"),
        (Entry(1, _token(NOW), use=Use("digest", NOW, NOW + 1, "elsewhere", 1)), None, "answer"),
        (Entry(1, _token(NOW), use=Use("digest", NOW - 2, NOW, "elsewhere", 1)), None, "nothing"),
    ],
)
def test_what_an_entry_is_worth(entry: Entry, written_at: float | None, worth: Worth) -> None:
    """An entry is missed for a valid token, a login, an answer that may come, or for a day for its invalidation."""
    assert worth_of(entry, NOW, written_at) == worth


def test_how_long_an_entry_is_kept() -> None:
    """It is kept a day longer than what is in it, half a year for a login that does not say when it ends."""
    now = time.time()
    assert seconds_to_keep(None) == DAY
    assert seconds_to_keep(_token(now - 5)) == DAY
    assert seconds_to_keep(_token(now + 3600)) == pytest.approx(DAY + 3600, abs=60)
    assert 180 * DAY < seconds_to_keep(_token(now + 3600, "r3fresh")) < 3660 * DAY
    assert seconds_to_keep(_token(now + 4000 * DAY)) == 3660 * DAY
