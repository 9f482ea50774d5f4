"""The places of tokens in their chains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth.stores.lineage import INVALIDATED, MAX_SPENT, NO_LINEAGE, Lineage, refresh_digest

if TYPE_CHECKING:
    from procountor_auth.protocol.token import Token

_SENT = SecretStr("sent-CANARY")


def test_a_token_begins_a_chain(token: Token, other: Token) -> None:
    """It is named after the token, says what it replaces, and keeps what was spent; no token has no place."""
    before = Lineage("origin", 7, ("spent",))
    begun = Lineage.of(token, before)
    assert (begun.link, begun.spent, begun.replaces) == (0, ("spent",), "origin")
    assert begun.origin == Lineage.of(token).origin != Lineage.of(other).origin
    assert len(begun.origin) == 32
    assert "CANARY" not in repr(begun)
    assert (Lineage.of(token).spent, Lineage.of(token).replaces) == ((), "")
    assert Lineage.of(None, before) is NO_LINEAGE


def test_an_invalidation_is_a_place_of_its_own() -> None:
    """Each is another one, which keeps what was spent."""
    before = Lineage("origin", 7, ("spent",), "older")
    first, second = before.invalidated(), before.invalidated()
    assert first != second
    assert len(first.origin) == len(second.origin) == 32
    assert (first.link, first.spent, first.replaces) == (0, ("spent",), "")


def test_an_answer_is_the_next_link(token: Token) -> None:
    """The chain stays, or another one begins; what was replaced is spent, once."""
    place = Lineage("origin", 7, ("first",), "older")
    digest = refresh_digest(_SENT)
    after = place.next(_SENT, token, begins=False)
    assert (after.origin, after.link, after.spent, after.replaces) == ("origin", 8, ("first", digest), "older")
    assert after.next(_SENT, token, begins=False).spent == ("first", digest)
    begun = place.next(_SENT, token, begins=True)
    assert (begun, begun.spent, begun.replaces) == (Lineage.of(token), ("first", digest), "origin")
    assert place.next(None, token, begins=False).spent == ("first",)
    assert token.refresh_token is not None
    assert place.next(SecretStr(token.refresh_token), token, begins=False).spent == ("first",)


def test_a_refresh_token_that_was_not_replaced_is_not_spent(other: Token) -> None:
    """An answer without a refresh token leaves the one that was sent."""
    assert Lineage("origin").next(_SENT, other, begins=False).spent == ()


def test_the_first_and_the_last_ones_are_remembered(token: Token) -> None:
    """Of many spent ones: the first, which may be configured somewhere, and the latest."""
    by_answers = by_uses = Lineage("origin")
    sent = [SecretStr(f"sent-{number}") for number in range(MAX_SPENT + 4)]
    for each in sent:
        by_answers = by_answers.next(each, token, begins=False)
        by_uses = by_uses.spending(each)
    kept = [refresh_digest(each) for each in (sent[0], *sent[-(MAX_SPENT - 1) :])]
    assert list(by_answers.spent) == list(by_uses.spent) == kept
    assert by_answers.has_spent(sent[0])
    assert not by_answers.has_spent(sent[1])


def test_what_is_used_once_is_spent_in_its_place() -> None:
    """The place stays the same one, and what was spent again is the latest."""
    place = Lineage("origin", 7, ("a", refresh_digest(_SENT), "b"), "older")
    after = place.spending(_SENT)
    assert after == place
    assert (after.spent, after.replaces) == (("a", "b", refresh_digest(_SENT)), "older")
    assert Lineage("origin").spending(_SENT).spent == (refresh_digest(_SENT),)


@pytest.mark.parametrize(
    ("later", "earlier", "follows"),
    [
        (Lineage("a", 2), Lineage("a", 1), True),
        (Lineage("a", 1), Lineage("a", 1), False),
        (Lineage("a", 1), Lineage("a", 2), False),
        (Lineage("b", 2), Lineage("a", 1), False),
        (Lineage("b", 0, (), "a"), Lineage("a", 5), True),
        (Lineage("b", 0, (), "c"), Lineage("a", 5), False),
        (Lineage("a", 0), NO_LINEAGE, True),
        (INVALIDATED, NO_LINEAGE, True),
        (NO_LINEAGE, NO_LINEAGE, False),
        (NO_LINEAGE, Lineage("a", 0), False),
    ],
)
def test_which_place_follows_which(later: Lineage, earlier: Lineage, *, follows: bool) -> None:
    """A later link, the chain that replaces it, and anything after nothing."""
    assert later.follows(earlier) is follows
