"""When a 401 is worth a renewal, with no API and no sleep."""

from __future__ import annotations

import logging

import pytest

from procountor_auth.protocol.token import Token
from procountor_auth.settings.profile import Profile
from procountor_auth.tokens.cache import COOLDOWN
from procountor_auth.tokens.rejection import Rejections

FIRST, SECOND = (Token(name, 0.0, 3600.0, "client_credentials") for name in ("first", "second"))


class Monotonic:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock() -> Monotonic:
    """The clock of the test's rejections."""
    return Monotonic()


@pytest.fixture
def rejections(clock: Monotonic) -> Rejections:
    """What the API has said: the first token was rejected, and the second came instead."""
    rejections = Rejections(clock)
    assert rejections.are_worth_a_renewal(FIRST, FIRST, resendable=True)
    rejections.replaced(FIRST, SECOND)
    return rejections


def test_a_new_token_that_is_rejected_is_kept_for_a_while(rejections: Rejections, clock: Monotonic) -> None:
    """Whoever sends the new token first learns that it does no better; after the pause one renewal is tried again."""
    assert not rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)
    clock.now += COOLDOWN - 1
    assert not rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)
    clock.now += 1
    assert rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)


def test_a_retry_that_is_rejected_starts_the_pause(rejections: Rejections, clock: Monotonic) -> None:
    """The same resource has rejected both tokens: no 401 counts for a while, though others accept the token."""
    rejections.accepted(SECOND)
    assert rejections.again(SECOND)
    assert not rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)
    clock.now += COOLDOWN
    assert rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)


def test_a_retry_with_an_old_token_says_nothing(rejections: Rejections, clock: Monotonic) -> None:
    """If the second token came long ago, for others, it may have ended as well: there is no pause."""
    rejections.accepted(SECOND)
    clock.now += COOLDOWN
    assert not rejections.again(SECOND)
    assert rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)


def test_a_token_that_was_accepted_has_ended(rejections: Rejections) -> None:
    """What was accepted and is rejected then is renewed at once, if the request can tell what that is good for."""
    rejections.accepted(SECOND)
    assert rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)
    assert not rejections.are_worth_a_renewal(SECOND, SECOND, resendable=False)


def test_a_token_that_is_there_already_costs_nothing(rejections: Rejections) -> None:
    """Whoever was rejected with an older token gets the current one, also during the pause."""
    rejections.again(SECOND)
    assert rejections.are_worth_a_renewal(FIRST, SECOND, resendable=False)
    assert rejections.are_worth_a_renewal(FIRST, None, resendable=False)


@pytest.mark.parametrize("name", [None, "acme"])
def test_each_pause_is_told_once(clock: Monotonic, caplog: pytest.LogCaptureFixture, name: str | None) -> None:
    """The log says for how long, what may be the reason, and whose token it is: once for each pause."""
    rejections = Rejections(clock, Profile(name))
    for number in range(1, 3):
        rejections.are_worth_a_renewal(FIRST, FIRST, resendable=True)
        rejections.replaced(FIRST, SECOND)
        for _ in range(3):
            assert rejections.again(SECOND)
            clock.now += COOLDOWN / 4
        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (
                logging.WARNING,
                ("profile acme: " if name else "")
                + "the API rejects a token that has just come: for 30 seconds no 401 leads to another one. A resource "
                "that is closed to this user may be the reason",
            )
        ] * number
        clock.now += 10 * COOLDOWN
        rejections = Rejections(clock, Profile(name))


def test_a_pause_begins_again_with_each_rejection(rejections: Rejections, clock: Monotonic) -> None:
    """Its end is counted from the last rejection of the new token, not from the first."""
    for _ in range(2):
        rejections.again(SECOND)
        clock.now += COOLDOWN - 1
    assert not rejections.are_worth_a_renewal(SECOND, SECOND, resendable=True)


def test_only_the_token_that_was_asked_for_counts_as_new(rejections: Rejections, clock: Monotonic) -> None:
    """What came for another token's sake says nothing, nor does the same token again make the time longer."""
    third = Token("third", 0.0, 3600.0, "client_credentials")
    rejections.replaced(third, third)
    assert not rejections.again(third)
    assert rejections.unproven is SECOND
    clock.now += COOLDOWN - 1
    rejections.replaced(FIRST, SECOND)
    clock.now += 1
    assert not rejections.again(SECOND)
