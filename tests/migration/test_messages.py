"""What a migration says of what is in the way, word by word."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jwt
import pytest

from procountor_auth.errors import ConfigurationError, Problem, StoreError, WrongCompany
from procountor_auth.migration.check import check
from procountor_auth.migration.finish import finish
from procountor_auth.migration.readiness import Reason, reasons_of
from procountor_auth.migration.rehearsal import Rehearsal, _compared, _lost_rights
from procountor_auth.settings.profiles import Profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.migration.conftest import Companies

    Environment = Callable[[dict[str, str]], None]

KEY = "client_credentials"
LOGIN = "authorization_code"
LEGACY = "legacy_password"

ENDED = jwt.encode({"exp": 1_600_000_000}, "c" * 32)
OF_77 = jwt.encode({"cid": 77}, "c" * 32)

ANOTHER_CLIENT = Reason(
    code="other_client",
    message="PROCOUNTOR_API_KEY says that it is for another client than PROCOUNTOR_CLIENT_ID",
    hint="Make a key with this client (`procountor-auth key create --profile acme`), or name the key's client.",
    variable="PROCOUNTOR_API_KEY",
)
HAS_ENDED = Reason(
    code="expired",
    message="PROCOUNTOR_API_KEY says that it has ended on 2020-09-13",
    hint="Make another key: `procountor-auth key create --profile acme`. If the date is wrong, check this machine's "
    "clock.",
    variable="PROCOUNTOR_API_KEY",
)
NO_LOGIN_YET = Reason(
    code="interaction_required",
    message="authorization_code needs a user's login: no user has logged in yet",
    hint="Run PROCOUNTOR_PROFILES__ACME__STRATEGY=authorization_code procountor-auth login --profile acme",
)
NO_LOGIN = Reason(
    code="interaction_required", message="a user has to log in", hint="Run `procountor-auth login --profile acme`."
)
FORGOTTEN = Reason(
    code="token_store",
    message="PROCOUNTOR_TOKEN_STORE is memory, which loses a login when the process exits",
    hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://…, then run `procountor-auth login --profile acme`.",
    variable="PROCOUNTOR_TOKEN_STORE",
)
ANOTHER_COMPANY = Reason(
    code="wrong_company",
    message="PROCOUNTOR_REFRESH_TOKEN is for company 77; PROCOUNTOR_COMPANY is 5.",
    hint="Set [profiles.acme] refresh_token to one of this company, or take it out, run `procountor-auth login "
    "--profile acme`, and choose the company. Or correct [profiles.acme] company.",
    variable="PROCOUNTOR_REFRESH_TOKEN",
)
NO_FOLDER = Reason(
    code="store", message="{place} is not a folder.", hint="Name a folder in PROCOUNTOR_TOKEN_STORE=file:PATH."
)
RISKED = Reason(
    code="token_store",
    message="authorization_code is not tried with PROCOUNTOR_TOKEN_STORE=memory: a refresh token that the server "
    "replaces would be lost",
    hint="Set PROCOUNTOR_TOKEN_STORE=file, keyring or redis://….",
    variable="PROCOUNTOR_TOKEN_STORE",
)
REFUSED = Reason(
    code="legacy_not_allowed",
    message="PROCOUNTOR_LEGACY_POLICY=error refuses legacy_password",
    hint="Set PROCOUNTOR_LEGACY_POLICY=warn for the rehearsal, or rehearse with --target-only.",
    variable="PROCOUNTOR_LEGACY_POLICY",
)

REFUSED_FALLBACK = Reason(
    code="legacy_not_allowed",
    message="PROCOUNTOR_FALLBACK_STRATEGY=legacy_password is not allowed, because PROCOUNTOR_LEGACY_POLICY=error.",
    hint="Remove PROCOUNTOR_FALLBACK_STRATEGY as soon as the chosen strategy works. "
    "https://procountor-auth.readthedocs.io/migration/ explains how.",
)


def in_place(reason: Reason, place: Path) -> Reason:
    """Return a reason that names the file that is no folder."""
    return replace(reason, message=reason.message.format(place=place))


@pytest.mark.parametrize(
    ("target", "values", "said"),
    [
        (KEY, {"client_id": "another"}, [ANOTHER_CLIENT]),
        (KEY, {"api_key": ENDED}, [HAS_ENDED]),
        (KEY, {"company": "5", "api_key": ENDED, "fallback_strategy": LOGIN, "refresh_token": OF_77},
         [HAS_ENDED, ANOTHER_COMPANY]),
        (KEY, {"token_store": "file:{place}"}, []),
        (LOGIN, {}, [NO_LOGIN_YET]),
        (LOGIN, {"token_store": "file:{place}"}, [NO_FOLDER]),
        (LOGIN, {"token_store": "memory"}, [FORGOTTEN]),
        (LOGIN, {"token_store": "memory", "refresh_token": "opaque"}, []),
        (LOGIN, {"company": "5", "refresh_token": OF_77}, [ANOTHER_COMPANY]),
        (LOGIN, {"strategy": LOGIN}, [NO_LOGIN]),
        (LOGIN, {"strategy": LOGIN, "token_store": "file:{place}"}, [NO_FOLDER]),
        (LOGIN, {"strategy": LOGIN, "company": "5", "refresh_token": OF_77}, [ANOTHER_COMPANY]),
        (LOGIN, {"strategy": LOGIN, "fallback_strategy": LEGACY}, []),
    ],
)  # fmt: skip
def test_a_check_says_what_is_in_the_way(
    companies: Companies, tmp_path: Path, target: str, values: dict[str, str], said: list[Reason]
) -> None:
    """Each reason has its code, what is wrong, what to do for this profile, and the variable."""
    place = tmp_path / "no-folder"
    place.write_text("")
    companies.add("acme", **{name: value.format(place=place) for name, value in values.items()})
    found = check(companies.write(), "acme", target)
    assert found.reasons == tuple(in_place(reason, place) for reason in said)
    assert (found.profile, found.strategy, found.target) == ("acme", values.get("strategy", LEGACY), target)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("target", "values", "said"),
    [
        (KEY, {"legacy_policy": "error"}, [REFUSED]),
        (KEY, {"legacy_policy": "error", "fallback_strategy": LEGACY}, [REFUSED_FALLBACK, REFUSED]),
        (LOGIN, {"token_store": "memory", "refresh_token": "opaque"}, [RISKED]),
        (KEY, {"company": "5", "fallback_strategy": LOGIN, "refresh_token": OF_77}, [ANOTHER_COMPANY]),
        (LOGIN, {"legacy_policy": "error", "token_store": "memory", "refresh_token": "opaque"}, [RISKED, REFUSED]),
    ],
)
def test_a_rehearsal_says_why_nothing_is_tried(
    companies: Companies,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    values: dict[str, str],
    said: list[Reason],
) -> None:
    """Each reason not to try a profile has its code, what to do and the variable, and is given once."""
    monkeypatch.delenv("PROCOUNTOR_LEGACY_POLICY")
    companies.add("acme", **values)
    (found,) = Rehearsal(companies.write(), target).run(["acme"])
    assert found.reasons == tuple(said)
    assert (found.strategy, found.target, found.notes, found.found) == (LEGACY, target, (), {})
    assert companies.sandbox.log() == []


def test_a_profile_that_has_not_switched_is_not_finished(companies: Companies) -> None:
    """Who still has the old strategy is told what shows why, and that it is another one that it lacks."""
    companies.add("acme")
    found = finish(companies.write(), "acme", LEGACY)
    assert found.as_dict() == {
        "profile": "acme",
        "ready": False,
        "reasons": ["it has not switched: PROCOUNTOR_STRATEGY is still legacy_password"],
        "problems": [
            {
                "code": "not_switched",
                "message": "it has not switched: PROCOUNTOR_STRATEGY is still legacy_password",
                "hint": "`procountor-auth migrate status --profile acme` shows what blocks it.",
                "variable": None,
            }
        ],
        "strategy": LEGACY,
        "target": "another strategy",
        "notes": [],
        "removed": False,
        "delete": [],
    }


def test_a_company_that_is_reached_is_compared() -> None:
    """Another company than today's, or one that nothing can be compared with, is named with what to do."""
    reached = SimpleNamespace(
        token=SimpleNamespace(strategy="client_credentials"), session=SimpleNamespace(company_id=7)
    )
    assert _compared(7, reached) == []  # type: ignore[arg-type]  # what is looked at
    (unknown,), (other,) = _compared(None, reached), _compared(8, reached)  # type: ignore[arg-type]
    assert (unknown.code, unknown.variable) == ("company_unknown", "PROCOUNTOR_COMPANY")
    assert unknown.message == (
        "client_credentials reaches company 7; without PROCOUNTOR_COMPANY, it is unknown whether that is the right one"
    )
    assert unknown.hint == "Set PROCOUNTOR_COMPANY, or rehearse without --target-only."
    assert (other.code, other.message, other.hint) == (
        "other_company",
        "client_credentials reaches company 7, but the current strategy reaches company 8",
        "Use a key of the right company, or log in to it.",
    )


def test_a_right_that_is_lost_is_named() -> None:
    """A resource that today's user can read, or that nobody knows of, is a reason with both users, or with one."""

    def reached(user_id: int | None, **allowed: bool) -> SimpleNamespace:
        return SimpleNamespace(session=SimpleNamespace(user_id=user_id), allowed=allowed)

    hint = "Grant the user the right in Procountor, or create the key as another user."
    new = reached(7, users=False, invoices=False, payments=True)
    both = _lost_rights(reached(8, users=True, invoices=False, payments=False), new, KEY)  # type: ignore[arg-type]
    assert both == [
        Reason(
            code="no_rights",
            message="user 7 can't read users with client_credentials, but user 8 can today",
            hint=hint,
        )
    ]
    alone = _lost_rights(None, reached(None, users=False, invoices=True), KEY)  # type: ignore[arg-type]
    assert alone == [
        Reason(code="no_rights", message="an unknown user can't read users with client_credentials", hint=hint)
    ]


def test_an_error_becomes_a_reason_for_each_problem() -> None:
    """Each problem of a configuration is one, with what was tried before it; an error without any is one itself."""
    problems = (Problem("PROCOUNTOR_A", "missing", "A is missing"), Problem("PROCOUNTOR_B", "invalid", "B is wrong"))
    error = ConfigurationError.from_problems(problems, hint="Set them.")
    assert reasons_of(error, "today: ") == (
        Reason(code="missing", message="today: A is missing", hint="Set them.", variable="PROCOUNTOR_A"),
        Reason(code="invalid", message="today: B is wrong", hint="Set them.", variable="PROCOUNTOR_B"),
    )
    assert reasons_of(StoreError("It is full.", hint="Delete something."), "today: ") == (
        Reason(code="store", message="today: It is full.", hint="Delete something."),
    )
    wrong = WrongCompany("It is another's.", hint="Take yours.")
    wrong.variable = "PROCOUNTOR_API_KEY"
    assert reasons_of(wrong) == (
        Reason(code="wrong_company", message="It is another's.", hint="Take yours.", variable="PROCOUNTOR_API_KEY"),
    )
    assert reasons_of(ConfigurationError("It is wrong.")) == (
        Reason(code="configuration", message="It is wrong.", hint=ConfigurationError("It is wrong.").hint),
    )


def test_a_refresh_token_that_has_ended_is_no_login(sandbox: Sandbox, environment: Environment, tmp_path: Path) -> None:
    """A configured refresh token that says it has ended is in the way, and one that has not is not."""
    now = time.time()
    for seconds, said in (
        (1, []),
        (0, ["authorization_code needs a user's login: PROCOUNTOR_REFRESH_TOKEN has expired"]),
    ):
        token = jwt.encode({"exp": int(now) + seconds}, "k" * 32)
        environment(
            sandbox.environment("authorization_code")
            | sandbox.environment("legacy_password")
            | {"PROCOUNTOR_REFRESH_TOKEN": token, "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
        )
        found = check(Profiles.search(), None, "authorization_code", clock=lambda: float(int(now)))
        assert [reason.message for reason in found.reasons] == said
