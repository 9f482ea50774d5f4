"""The service refuses a token: another one is got, and the call repeated where its body allows."""

from __future__ import annotations

import pytest

from tests.bridge.place import passing
from tests.bridge.raw_upstream import TOKEN, Call

REFUSAL = b'{"errors":[{"status":401,"message":"Token expired."}]}'


def refuse_the_first(call: Call) -> None:
    """Take every token but the first one."""
    if call.header(b"authorization") == f"Bearer {TOKEN}1".encode():
        call.answer(401, REFUSAL)
    else:
        call.answer(200, call.body() or b"{}")


@pytest.mark.parametrize("size", [0, 5, 65_536])
def test_a_short_call_is_repeated_once(size: int) -> None:
    """After a 401 a call with a small body is sent once more, with another token and the same body."""
    with passing(refuse_the_first) as place:
        answer = place.program.call("POST", "/api/invoices", content=b"x" * size)
        assert (answer.status_code, answer.content) == (200, b"x" * size or b"{}")
        assert [call.body() for call in place.upstream.calls] == [b"x" * size] * 2
        assert place.program.call("POST", "/api/invoices", content=b"x").status_code == 200
    assert len(place.upstream.calls) == 3
    assert len(place.upstream.tokens) == 2


def test_a_long_call_is_not_repeated() -> None:
    """After a 401 to a large body the program gets the 401, and the next call another token."""
    with passing(refuse_the_first) as place:
        answer = place.program.call("POST", "/api/attachments", content=b"x" * 65_537)
        assert (answer.status_code, answer.content) == (401, REFUSAL)
        assert len(place.upstream.calls) == 1
        assert place.program.call("POST", "/api/attachments", content=b"x" * 65_537).status_code == 200
    assert len(place.upstream.calls) == 2
    assert len(place.upstream.tokens) == 2


def test_a_second_refusal_is_the_answer() -> None:
    """Where the service refuses the other token as well, the program gets its 401, and no third call is made."""
    with passing(lambda call: call.answer(401, REFUSAL)) as place:
        answer = place.program.call()
        assert (answer.status_code, answer.content) == (401, REFUSAL)
    assert len(place.upstream.calls) == 2
    assert len(place.upstream.tokens) == 2


def test_a_revoked_key_looks_like_an_ended_token() -> None:
    """Where the service refuses the key, calls get 401 and logins `invalid_grant`, in the documented shapes."""
    with passing(refuse_the_first) as place:
        place.upstream.token = lambda call: call.answer(
            400, b'{"error": "invalid_grant"}', "Content-Type: application/json"
        )
        answer = place.program.call()
        assert (answer.status_code, answer.json()["errors"][0]["status"]) == (401, 401)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        for again in (place.program.refresh(), place.program.authz()):
            assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
