"""What a renewal with other secrets takes over from the one that was refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jwt
import pytest

from procountor_auth import Token
from procountor_auth.errors import InvalidGrant, WrongCompany
from procountor_auth.settings.profile import NO_PROFILE
from procountor_auth.stores.lineage import Lineage
from procountor_auth.tokens.rotated_renewal import renew_rotated
from procountor_auth.tokens.stored import Acquired


def of_company(number: int) -> Token:
    """Return a token that says which company it is for."""
    return Token(jwt.encode({"cid": number}, "k" * 32), 0.0, 3600.0, "client_credentials")


def refusing(key: str) -> Any:  # noqa: ANN401 - the part of a provider that is asked
    """Return a provider whose secret is refused, and whose reference leads to another one."""

    def renew(*_: object) -> Acquired:
        error = InvalidGrant("refused")
        error.definite = True
        raise error

    rotation = SimpleNamespace(found=lambda: "other settings")
    return SimpleNamespace(key=key, renew=renew, rotation=rotation, whose=NO_PROFILE)


@pytest.mark.parametrize("same_entry", [True, False])
def test_what_is_known_of_an_entry_goes_with_that_entry(*, same_entry: bool) -> None:
    """The other secret's provider gets the known token and its place only if it keeps its tokens in the same entry."""
    known, rejected, place = of_company(7), of_company(7), Lineage.of(of_company(7))
    asked: list[tuple[object, ...]] = []

    def renew(*arguments: object) -> Acquired:
        asked.append(arguments)
        return Acquired(of_company(7), from_server=True)

    other: Any = SimpleNamespace(key="a" if same_entry else "b", renew=renew)
    provider, acquired = renew_rotated(refusing("a"), lambda _: other, known, rejected, place)
    assert (provider, acquired.token.company_id) == (other, 7)
    assert asked == [(known, rejected, place) if same_entry else (None, rejected, None)]


def test_another_company_s_token_is_not_gone_on_with() -> None:
    """Whoever repeats a request has begun it for the company of the token that is known."""
    other: Any = SimpleNamespace(key="a", renew=lambda *_: Acquired(of_company(8), from_server=True))
    with pytest.raises(WrongCompany, match="of company 8 by now; it was of company 7 before"):
        renew_rotated(refusing("a"), lambda _: other, of_company(7), None, None)
