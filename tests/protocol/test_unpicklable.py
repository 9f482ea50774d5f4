"""What holds secrets is not copied into a pickle."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Final

import pytest
from pydantic import SecretStr

from procountor_auth.login.login import KeyLogin
from procountor_auth.protocol.client import OAuthClient
from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.protocol.reply import Reply
from procountor_auth.stores.base import Entry
from procountor_auth.strategies.api_key import KeyRequest
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENT: Final = OAuthClient(Endpoints("https://api.example"), "client", SecretStr("s3cret"), "redirect")
_LOGIN: Final = _CLIENT.authorization_request("https://api.example/login")
_REQUEST: Final = Request("POST", "https://api.example/token", "password=s3cret")
_HOLDERS: Final = (
    _CLIENT,
    _LOGIN,
    _LOGIN.expected,
    _REQUEST,
    Response(200, body=b"s3cret"),
    Reply(_REQUEST, Response(200), "the grant", "hint"),
    Entry(1, None),
    KeyRequest(_CLIENT),
    KeyLogin(KeyRequest(_CLIENT), Transport()),
    Transport(proxy=SecretStr("http://me:s3cret@proxy.example")),
)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("holder", _HOLDERS, ids=lambda holder: type(holder).__name__)
def test_a_holder_of_secrets_is_not_pickled(holder: object, take: Callable[[object], object]) -> None:
    """A pickle, or a copy by pickle's rules, is refused with the class's name and what to do, and shows no secret."""
    with pytest.raises(
        TypeError, match=f"^{type(holder).__name__} .* not pickled .* build it in each process"
    ) as caught:
        take(holder)
    assert "s3cret" not in str(caught.value)
