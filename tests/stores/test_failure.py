"""A failure as plain values, and the error again that it was."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import pytest

from procountor_auth import errors
from procountor_auth.stores.failure import MAX_PAUSE, Failure, read_failure

_AT: Final = 1_000.0

_REFUSED: Final = Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c", at=_AT, refusals=1)


def _refused(refusals: int) -> Failure:
    return Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c", at=_AT, refusals=refusals)


def test_an_error_is_described() -> None:
    """Each field is the error's, and a refusal that is definite is counted while the credentials are the same."""
    busy = errors.ServiceUnavailable("Busy.", hint="Wait.")
    busy.retry_after = 7.0
    assert Failure.of(busy) == Failure("ServiceUnavailable", "Busy.", "Wait.", retryable=True, retry_after=7.0)
    refused = errors.InvalidGrant("No.", hint="Ask.")
    first = Failure.of(refused, "c", at=_AT)
    assert first == _REFUSED
    assert Failure.of(refused, "c", at=_AT, last=first) == _refused(2)
    assert Failure.of(refused, "other", last=first).refusals == 1
    assert Failure.of(busy, "c", last=first).refusals == 0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (errors.InvalidGrant, {"definite": True}),
        (errors.WrongCompany, {"definite": True}),
        (errors.InteractionRequired, {"definite": True}),
        (errors.ConnectionFailed, {}),
    ],
)
def test_an_error_comes_back(kind: type[errors.ProcountorAuthError], fields: dict[str, object]) -> None:
    """It has the class, the texts and what is known of it; one that was not definite is not so afterwards."""
    refused = Failure(kind.__name__, "No.", "Ask.", retryable=kind.retryable, refusals=1).error()
    assert type(refused) is kind
    assert (refused.message, refused.hint, refused.retryable) == ("No.", "Ask.", kind.retryable)
    assert {name: getattr(refused, name) for name in fields} == fields
    doubtful = Failure(kind.__name__, "No.", "Ask.", retryable=True).error()
    assert doubtful.retryable
    if fields:
        assert getattr(doubtful, "definite") is (None if kind is errors.InteractionRequired else False)  # noqa: B009


@pytest.mark.parametrize("kind", ["Unknown", "Problem", "printable", "Any", ""])
def test_an_error_of_another_version_is_the_general_one(kind: str) -> None:
    """What is no class of an error here is told with its texts."""
    error = Failure(kind, "No.", "Ask.", retryable=True).error()
    assert (type(error), error.message, error.hint) == (errors.ProcountorAuthError, "No.", "Ask.")
    assert error.retryable


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        (errors.InvalidGrant, "error", (None, "invalid_grant")),
        (errors.CredentialsRefused, "error", (None, "invalid_scope")),
        (errors.WrongCompany, "variable", (None, "PROCOUNTOR_API_KEY")),
        (errors.ConnectionFailed, "sent", (True, False)),
    ],
)
def test_what_a_program_decides_by_comes_back(
    kind: type[errors.ProcountorAuthError], name: str, values: tuple[object, object]
) -> None:
    """Who gets the error from the store can do with it what the first one can who got it."""
    for value in values:
        error = kind("No.", hint="Ask.")
        setattr(error, name, value)
        again = read_failure(asdict(Failure.of(error)))
        assert again is not None
        assert getattr(again.error(), name) == value


def test_the_time_to_wait_comes_back() -> None:
    """What the server demanded is known to the next one as well."""
    error = Failure("ServiceUnavailable", "Busy.", "Wait.", retryable=True, retry_after=7.0).error()
    assert isinstance(error, errors.ServiceUnavailable)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("pause", "said"),
    [
        (0.0, "No."),
        (0.1, "No. Nothing was sent now: what was refused is sent again in 1 second."),
        (1.0, "No. Nothing was sent now: what was refused is sent again in 1 second."),
        (1.5, "No. Nothing was sent now: what was refused is sent again in 2 seconds."),
    ],
)
def test_a_pause_is_told(pause: float, said: str) -> None:
    """Whoever is not let through learns when somebody is."""
    assert _REFUSED.error(pause).message == said


@pytest.mark.parametrize(
    ("refusals", "credentials", "passed", "left"),
    [
        (1, "c", 0.0, 1.0),
        (1, "c", 0.75, 0.25),
        (1, "c", 1.0, 0.0),
        (1, "c", 1.5, 0.0),
        (1, "c", -0.5, 0.0),
        (3, "c", 1.0, 3.0),
        (5, "c", 0.0, 16.0),
        (60, "c", 0.0, MAX_PAUSE),
        (0, "c", 0.0, 0.0),
        (1, "other", 0.0, 0.0),
        (1, None, 0.0, 0.0),
    ],
)
def test_a_pause_doubles_and_ends(refusals: int, credentials: str | None, passed: float, left: float) -> None:
    """Each refusal doubles it, up to five minutes; other credentials, and a clock that was set back, do not wait."""
    assert _refused(refusals).pause(credentials, _AT + passed) == left


def test_a_failure_without_credentials_has_no_pause() -> None:
    """What is not known to be refused is sent."""
    assert Failure("InvalidGrant", "No.", "Ask.", retryable=False, at=_AT, refusals=1).pause(None, _AT) == 0.0


@pytest.mark.parametrize(
    ("retryable", "known", "asked", "concerned"),
    [
        (True, "c", "other", True),
        (False, None, "other", True),
        (False, "c", "c", True),
        (False, "c", "other", False),
        (False, "c", None, False),
    ],
)
def test_whom_a_failure_concerns(known: str | None, asked: str | None, *, retryable: bool, concerned: bool) -> None:
    """An outage is everybody's; a refusal is that of its credentials."""
    failure = Failure("InvalidGrant", "No.", "Ask.", retryable=retryable, credentials=known)
    assert failure.concerns(asked) is concerned


def test_stored_fields_come_back() -> None:
    """Each field is read under its own name."""
    failure = Failure(
        "InvalidGrant",
        "No.",
        "Ask.",
        retryable=True,
        retry_after=7.0,
        credentials="c",
        at=9.0,
        refusals=3,
        code="invalid_grant",
        variable="PROCOUNTOR_API_KEY",
        unsent=True,
    )
    assert read_failure(asdict(failure)) == failure


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        ({"kind": 7}, None),
        ({"message": None}, None),
        ({"message": "x" * 4_001}, None),
        ({"message": "x" * 4_000}, Failure("InvalidGrant", "x" * 4_000, "Ask.", retryable=False, credentials="c")),
        ({"hint": "a\nb"}, None),
        ({"credentials": 7}, None),
        ({"credentials": None}, Failure("InvalidGrant", "No.", "Ask.", retryable=False)),
        ({"retryable": "yes"}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"retry_after": "7"}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"retry_after": 1e9}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"code": "a\nb"}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"variable": 7}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"unsent": 1}, Failure("InvalidGrant", "No.", "Ask.", retryable=False, credentials="c")),
        ({"at": 9, "refusals": 10**6}, Failure("InvalidGrant", "No.", "Ask.", False, None, "c", 9.0, 1_000)),  # noqa: FBT003
    ],
    ids=str,
)
def test_what_others_have_written_is_checked(changed: dict[str, object], read: Failure | None) -> None:
    """A text that can't be shown makes it no failure; of the rest, what can't be is left out."""
    fields = {"kind": "InvalidGrant", "message": "No.", "hint": "Ask.", "credentials": "c"}
    assert read_failure(fields | changed) == read
    assert read_failure([fields]) is None
