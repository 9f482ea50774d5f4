"""The tree of errors."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from typing import TYPE_CHECKING

import pytest

from procountor_auth import errors
from procountor_auth.errors import ConfigurationError, Problem, ProcountorAuthError, ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_ERRORS = {
    name: error
    for name, error in vars(errors).items()
    if inspect.isclass(error) and issubclass(error, ProcountorAuthError)
}

_COPIES: dict[str, Callable[[ProcountorAuthError], ProcountorAuthError]] = {
    "pickled": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own object
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
}


def _drawn() -> dict[str, str]:
    """Return the parent of every class in the docstring's drawing: four columns are one level."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^ {4}((?:[│ ] {3})*)([├└]── )?([A-Z]\w+) {2,}\S", line)
        if found:
            level = len(found[1]) // 4 + bool(found[2])
            del above[level:]
            parents[found[3]] = above[-1] if above else "Exception"
            above.append(found[3])
    return parents


def test_the_drawn_tree_is_the_real_one() -> None:
    """Every error class is in the docstring's drawing, below the class that it inherits from."""
    assert _drawn() == {name: error.__bases__[0].__name__ for name, error in _ERRORS.items()}


@pytest.mark.parametrize("error", _ERRORS.values())
def test_every_error_can_be_told_apart_by_a_program(error: type[ProcountorAuthError]) -> None:
    """Each class has a word of its own as its code, and says whether trying again may help."""
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert [name for name, other in _ERRORS.items() if other.code == error.code] == [error.__name__]
    assert isinstance(error("what happened").retryable, bool)


def test_only_what_passes_by_itself_is_retryable() -> None:
    """The service, the network and the store being away are the errors that may be gone later; no other is."""
    assert {name for name, error in _ERRORS.items() if error.retryable} == {
        "ServiceUnavailable",
        "ConnectionFailed",
        "StoreUnavailable",
        "StoreConflict",
    }


@pytest.mark.parametrize("error", _ERRORS.values())
def test_an_error_is_what_happened_and_what_to_do(error: type[ProcountorAuthError]) -> None:
    """The text is the message, and on a second line the hint if there is one."""
    assert str(error("It broke.", hint="Mend it.")) == "It broke.\nMend it."
    assert str(error("It broke.")) == "It broke."
    assert error("It broke.", hint="Mend it.").message == "It broke."


@pytest.mark.parametrize("copied", _COPIES.values(), ids=_COPIES)
@pytest.mark.parametrize("error", _ERRORS.values())
def test_a_copy_keeps_everything(
    error: type[ProcountorAuthError], copied: Callable[[ProcountorAuthError], ProcountorAuthError]
) -> None:
    """An error that crosses a process or is copied for each waiter keeps its class, text, hint and attributes."""
    original = error("It broke.", hint="Mend it.")
    original.retryable = not error.retryable
    twin = copied(original)
    assert type(twin) is error
    assert twin is not original
    assert str(twin) == "It broke.\nMend it."
    assert vars(twin) == vars(original)
    assert twin.retryable is not error.retryable


@pytest.mark.parametrize("copied", _COPIES.values(), ids=_COPIES)
def test_a_copy_keeps_what_only_some_errors_have(
    copied: Callable[[ProcountorAuthError], ProcountorAuthError],
) -> None:
    """The problems of a configuration and the seconds to wait survive as well."""
    problem = Problem("PROCOUNTOR_API_KEY", "missing", "PROCOUNTOR_API_KEY is missing", "client_credentials")
    configuration = copied(ConfigurationError("It is wrong.", problems=(problem,)))
    outage = ServiceUnavailable("It is down.")
    outage.retry_after = 7.0
    assert isinstance(configuration, ConfigurationError)
    assert configuration.problems == (problem,)
    assert vars(copied(outage)) == {"retry_after": 7.0}


def test_one_error_lists_every_problem() -> None:
    """What one strategy misses is one sentence, each other problem has its own, and the names are data too."""
    error = ConfigurationError.from_problems(
        (
            Problem("PROCOUNTOR_USERNAME", "missing", "PROCOUNTOR_USERNAME is missing", "legacy_password"),
            Problem("PROCOUNTOR_TIMEOUT", "invalid", "PROCOUNTOR_TIMEOUT should be a number"),
            Problem("PROCOUNTOR_COMPANY", "missing", "PROCOUNTOR_COMPANY is missing", "legacy_password"),
        ),
        hint="Set them.",
    )
    assert error.message == (
        "legacy_password needs PROCOUNTOR_USERNAME, PROCOUNTOR_COMPANY, which are missing; "
        "PROCOUNTOR_TIMEOUT should be a number."
    )
    assert json.loads(error.json()) == error.errors()
    assert [(each["variable"], each["kind"]) for each in error.errors()] == [
        ("PROCOUNTOR_USERNAME", "missing"),
        ("PROCOUNTOR_TIMEOUT", "invalid"),
        ("PROCOUNTOR_COMPANY", "missing"),
    ]


def test_a_text_from_outside_is_one_harmless_line() -> None:
    """Nothing in an error's message or hint, or in a problem, is obeyed by a terminal or reorders what is read."""
    outside = "of\x1b]0;title\x07 the\u202eserver\u2066\r\n\x9b2J\u2028\u200b!"
    error = ProcountorAuthError(outside, hint=outside)
    problem = Problem(outside, "unreadable", outside)
    for text in (error.message, error.hint, problem.variable, problem.message):
        assert text.isprintable()
        assert text.split() == ["of", "]0;title", "the", "server", "2J", "!"]
