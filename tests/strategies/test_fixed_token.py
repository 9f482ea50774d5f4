"""A token that a program has already."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

from procountor_auth import Settings, TokenSource
from procountor_auth.protocol.token import Token
from procountor_auth.strategies.fixed_token import LIFETIME, FixedTokenStrategy


def test_it_sends_nothing_and_says_since_when() -> None:
    """The flow ends before its first request, with a token that is valid for ten years from now."""
    strategy = FixedTokenStrategy(SecretStr("acc3ss"), "https://api.example")
    before = time.time()
    with pytest.raises(StopIteration) as done:
        next(strategy.acquire())
    token = done.value.value
    assert before <= token.issued_at <= time.time()
    assert token == Token("acc3ss", token.issued_at, token.issued_at + LIFETIME, "fixed_token")
    assert LIFETIME > 10 * 365 * 86_400
    assert list(strategy.logout(token)) == []  # whoever obtained it ends it


def test_a_source_has_it() -> None:
    """`TokenSource.fixed` gives the token, and says which strategy it is of."""
    token = TokenSource.fixed("acc3ss").token()
    assert (token.access_token, token.strategy) == ("acc3ss", "fixed_token")


def test_no_setting_leads_to_it() -> None:
    """It can't be built from settings, and says what to call instead."""
    with pytest.raises(TypeError) as caught:
        FixedTokenStrategy.from_settings(Settings.model_construct())
    assert str(caught.value) == "The settings have no fixed token: pass it to `TokenSource.fixed`."
