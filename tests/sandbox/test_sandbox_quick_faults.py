"""Quick faults: one click or one word, and what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.sandbox.behaviour.active_faults import active_faults
from procountor_auth.sandbox.behaviour.faults import FaultState
from procountor_auth.sandbox.behaviour.quick_faults import QUICK_FAULTS, find_quick_fault, parse_changes
from procountor_auth.sandbox.behaviour.switchboard import Switchboard
from procountor_auth.transport.backend import backend as httpx
from tests.sandbox.conftest import claims

if TYPE_CHECKING:
    from tests.sandbox.conftest import Caller


def click(caller: Caller, **form: str) -> httpx.Response:
    """Send the form of a quick fault."""
    return caller.http.post("/_sandbox/dashboard/faults", data=form)


def active(board: Switchboard) -> list[str]:
    """Return what the bar says."""
    return active_faults(board.settings())


@pytest.fixture
def board() -> Switchboard:
    """The switches of a sandbox without faults."""
    return Switchboard(FaultState(Faults()), Quirks())


def test_every_quick_fault_can_be_set_and_ended() -> None:
    """Each one changes something, says so, is known as active, and leaves nothing when it is ended."""
    for quick in QUICK_FAULTS:
        board = Switchboard(FaultState(Faults()), Quirks())
        board.change(quick.changes)
        assert len(active(board)) == 1
        assert quick.is_active(board.values())
        board.change(quick.end)
        assert active(board) == []
        assert (board.faults, board.quirks) == (Faults(), Quirks())


def test_429_once(caller: Caller) -> None:
    """The next token request gets 429 with Retry-After, others do not, and then it is over."""
    answer = click(caller, set="429-once")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/_sandbox/?done=fault#faults")
    assert caller.http.get("/api/sessioninfo").status_code == 401
    busy = caller.machine()
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "2")
    assert caller.machine().status_code == 200
    assert caller.sandbox.faults == Faults()


def test_503_three_times(caller: Caller) -> None:
    """The next three token requests get 503, and the fourth a token."""
    click(caller, set="503-three-times")
    assert [caller.machine().status_code for _ in range(4)] == [503, 503, 503, 200]


def test_connection_reset(caller: Caller) -> None:
    """The next request gets no answer, and the one after it does."""
    click(caller, set="connection-reset")
    with pytest.raises(httpx.TransportError):
        caller.http.get("/api/sessioninfo")
    assert caller.http.get("/api/sessioninfo").status_code == 401


def test_conditions(caller: Caller) -> None:
    """Keys are refused, the legacy login is gone, and tokens are short-lived, all at once; Clear ends all of it."""
    click(caller, set="token-ends-in-10s")
    token = claims(caller.machine().json()["access_token"])
    assert token["exp"] - token["iat"] == 10
    click(caller, set="key-revoked")
    click(caller, set="legacy-removed")
    assert caller.machine().status_code == 400
    assert caller.authz().status_code == 404
    assert click(caller, clear="all").headers["Location"] == "/_sandbox/?done=no-faults#faults"
    assert (caller.sandbox.faults, caller.sandbox.quirks) == (Faults(), Quirks())


def test_one_ends_and_the_others_stay(caller: Caller) -> None:
    """A condition is ended alone, and so is what happens to requests."""
    for name in ("slow-5s", "key-revoked", "legacy-removed"):
        click(caller, set=name)
    click(caller, end="key-revoked")
    assert caller.sandbox.faults == Faults(where="all", latency=5)
    click(caller, end="slow-5s")
    assert caller.sandbox.faults == Faults()
    assert caller.sandbox.quirks.legacy_removed == "404"


def test_what_happens_to_requests_is_replaced(board: Switchboard) -> None:
    """Of two quick faults of requests the later one counts, without remains of the other; conditions stay."""
    board.change(find_quick_fault("key-revoked").changes)
    board.change(find_quick_fault("429-once").changes)
    board.change(find_quick_fault("connection-reset").changes)
    assert board.faults == Faults(where="all", times=1, reset="before", revoked_keys=True)
    assert active(board) == ["reset for the next request", "key revoked"]


@pytest.mark.parametrize("word", ["429once", "429-one", "key-revokd"])
def test_a_misspelt_quick_fault(word: str) -> None:
    """A word without `=` is a quick fault: the message repeats it, and names the one that was probably meant."""
    with pytest.raises(ValueError, match=f"'{word}' is neither NAME=VALUE nor a quick fault: did you mean ") as caught:
        parse_changes([word])
    assert str(caught.value).endswith("The quick faults are " + ", ".join(each.name for each in QUICK_FAULTS))


def test_an_unknown_quick_fault(caller: Caller) -> None:
    """A name that is none changes nothing, and is not repeated on the page."""
    answer = click(caller, set="<b>teapot")
    assert answer.status_code == 400
    assert "429-once" in answer.text
    assert "teapot" not in answer.text
    assert click(caller).status_code == 400
    assert caller.sandbox.faults == Faults()


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(), []),
        (Faults(where="token", times=7, retry_after="1"), []),
        (Faults(status=503, where="token", times=2), ["503 for 2 more token requests"]),
        (Faults(status=429, where="api", times=1), ["429 for the next API request"]),
        (Faults(latency=0.5), ["slow 0.5 s for every OAuth request"]),
        (
            Faults(latency=1, reset="middle", status=503),
            ["slow 1 s and reset in the middle of the response and 503 for every OAuth request"],
        ),
        (Faults(reset="before", status=503, where="all", times=1), ["reset for the next request"]),
        (Faults(body="html"), ["HTML instead of JSON for every OAuth request"]),
        (
            Faults(clock_skew=-2.5, body="malformed", where="token"),
            ["malformed JSON for every token request", "clock_skew = -2.5"],
        ),
    ],
)
def test_what_is_left_of_faults(faults: Faults, said: list[str]) -> None:
    """What happens, to which requests, and how many of them are left; what has no effect is not named."""
    assert active(Switchboard(FaultState(faults), Quirks())) == said


def test_a_hit_is_counted_off(board: Switchboard) -> None:
    """With every request that is hit there is one less to come."""
    faults = FaultState(Faults())
    board = Switchboard(faults, Quirks(subject="string"))
    board.change(find_quick_fault("503-three-times").changes)
    seen = []
    for _ in range(4):
        seen.append(active(board)[0])
        faults.take("token")
    assert seen == [
        "503 for 3 more token requests",
        "503 for 2 more token requests",
        "503 for the next token request",
        "subject = string",
    ]


def test_words_of_the_command_line() -> None:
    """A later word counts, be it a quick fault or a switch; what is neither is refused as a switch would be."""
    assert parse_changes(["status=500", "429-once", "times=2"])["times"] == 2
    assert parse_changes(["status=500", "429-once"])["status"] == 429
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_changes(["430-once"])
