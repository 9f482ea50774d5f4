"""The end of the legacy strategy is felt: warned about, forbidden on request, and explained once it has come."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth import LegacyAuthWarning, TokenSource
from procountor_auth.errors import ConfigurationError, LegacyNotAllowed, LegacyRemoved
from procountor_auth.protocol.pages import MIGRATION
from procountor_auth.sandbox import Quirks
from procountor_auth.strategies import deprecation
from procountor_auth.strategies.deprecation import LEGACY
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox
    from tests.forkserver.forkserver import ForkServer

    Environment = Callable[[dict[str, str]], None]

pytestmark = pytest.mark.process

SUCCESSORS = (
    "PROCOUNTOR_STRATEGY=client_credentials and PROCOUNTOR_API_KEY",
    "PROCOUNTOR_STRATEGY=authorization_code and PROCOUNTOR_REFRESH_TOKEN",
    "https://procountor-auth.readthedocs.io/migration/",
)

ASK = "from procountor_auth import TokenSource\nprint(TokenSource.from_env().token().company_id)"
ASK_TWICE = "import somewhere\nsomewhere.ask()\nsomewhere.ask()"


def run(
    program: str, variables: dict[str, str], *options: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, with these variables and interpreter options."""
    return subprocess.run(
        [python, *options, "-c", program],
        env=inherited() | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_choosing_legacy_warns(sandbox: Sandbox, environment: Environment) -> None:
    """The warning names the removal, both successors with their variables, and the guide."""
    environment(sandbox.environment("legacy_password"))

    with pytest.warns(LegacyAuthWarning, match=r"API version 21\.04 in April 2021") as caught:
        TokenSource.from_env()

    assert all(words in str(caught[0].message) for words in SUCCESSORS)
    assert caught[0].filename == __file__


def test_nobody_is_sent_into_the_package(sandbox: Sandbox, environment: Environment) -> None:
    """The place that the warning names is none of this package's own."""
    environment(sandbox.environment("legacy_password"))

    with pytest.warns(LegacyAuthWarning) as caught:
        TokenSource.from_env()

    assert Path(deprecation.__file__).parents[1] not in Path(caught[0].filename).parents


_UNFILTERED: Final[list[dict[str, Any]]] = [
    {"action": "default", "category": DeprecationWarning, "module": "__main__"},
    {"action": "ignore", "category": DeprecationWarning},
]
"""What Python itself does with deprecation warnings."""


@pytest.mark.parametrize(
    ("options", "filters", "shown"),
    [
        ([], [], True),
        (["error::UserWarning", "default"], [], True),
        (["ignore::DeprecationWarning"], [], False),
        (["error::UserWarning", "i"], [], False),
        ([], [{"action": "ignore", "category": Warning}], False),
        ([], [{"action": "ignore", "category": LegacyAuthWarning}], False),
        ([], [{"action": "ignore", "category": UserWarning}], True),
        ([], [{"action": "ignore", "category": DeprecationWarning, "message": "another"}], True),
        ([], [{"action": "ignore", "category": DeprecationWarning, "module": "another"}], True),
        ([], [{"action": "ignore", "category": DeprecationWarning, "lineno": 7}], True),
        ([], [{"action": "default", "category": DeprecationWarning}], True),
        ([], [{"action": "once", "category": Warning}], True),
    ],
)
def test_only_what_python_does_by_itself_is_overruled(
    monkeypatch: pytest.MonkeyPatch, options: list[str], filters: list[dict[str, Any]], *, shown: bool
) -> None:
    """The warning is shown against Python's own default, and against no filter that somebody has set for it."""
    monkeypatch.setattr(sys, "warnoptions", options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        for each in [*filters, *_UNFILTERED]:
            warnings.filterwarnings(**each, append=True)
        before = list(warnings.filters)
        deprecation.show_by_default()
        added = [each for each in warnings.filters if each not in before]
        assert {each[2] for each in added} <= {LegacyAuthWarning}  # no other warning is shown for it
        warnings.warn_explicit("the end", LegacyAuthWarning, "somewhere.py", 3, module="somewhere")

    assert [str(each.message) for each in caught] == (["the end"] if shown else [])


def test_warning_comes_once_per_process(sandbox: Sandbox, environment: Environment) -> None:
    """However many sources are built, the warning is emitted once."""
    environment(sandbox.environment("legacy_password"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            TokenSource.from_env()

    assert [warning.category for warning in caught] == [LegacyAuthWarning]


@pytest.mark.server
def test_who_shows_the_warning_may_come_back(
    sandbox: Sandbox, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program whose own code shows warnings, and builds a source for that, waits for nothing and warns once."""
    environment(sandbox.environment("legacy_password"))
    shown: list[object] = []

    def show(message: Warning | str, *_: object, **__: object) -> None:
        shown.append(message)
        TokenSource.from_env()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        thread = threading.Thread(target=TokenSource.from_env, daemon=True)
        thread.start()
        thread.join(10)
    assert not thread.is_alive()
    assert len(shown) == 1


def test_warning_is_shown_by_default(sandbox: Sandbox, tmp_path: Path, fork_server: ForkServer) -> None:
    """Unlike other deprecation warnings it is seen without any option, also from a module that is not the program."""
    module = "from procountor_auth import TokenSource\ndef ask():\n    print(TokenSource.from_env().token().user_id)\n"
    (tmp_path / "somewhere.py").write_text(module, encoding="utf-8")

    variables = sandbox.environment("legacy_password") | {"PYTHONPATH": str(tmp_path)}
    done = run(ASK_TWICE, variables, python=fork_server.python)

    assert done.stdout.split() == [str(sandbox.user_id)] * 2
    assert done.stderr.count("LegacyAuthWarning") == 1
    assert "somewhere.py:3" in done.stderr


@pytest.mark.parametrize("options", [["-W", "ignore::DeprecationWarning"], ["-W", "ignore"]])
def test_filters_of_the_program_are_respected(sandbox: Sandbox, options: list[str]) -> None:
    """Whoever ignores deprecation warnings on the command line does not see it."""
    done = run(ASK, sandbox.environment("legacy_password"), *options)

    assert (done.stdout.strip(), done.stderr) == (sandbox.company, "")


def test_legacy_fails_where_deprecation_warnings_are_errors(sandbox: Sandbox) -> None:
    """Under `-W error::DeprecationWarning` legacy fails with LegacyAuthWarning before anything is sent."""
    done = run(ASK, sandbox.environment("legacy_password"), "-W", "error::DeprecationWarning")

    assert done.returncode == 1
    assert "procountor_auth.strategies.deprecation.LegacyAuthWarning: " in done.stderr
    assert sandbox.log() == []


@pytest.mark.parametrize("strategy", ["authorization_code", "client_credentials"])
def test_successors_run_clean_where_warnings_are_errors(sandbox: Sandbox, strategy: str) -> None:
    """Under `-W error` the two successors get their tokens and print nothing but the result."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")

    for options in (["-W", "error::DeprecationWarning"], ["-W", "error"]):
        done = run(ASK, variables, *options)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, sandbox.company, "")


def test_policy_error_refuses_before_any_network(sandbox: Sandbox, environment: Environment) -> None:
    """With PROCOUNTOR_LEGACY_POLICY=error the legacy strategy is refused, and nothing is sent."""
    environment(sandbox.environment("legacy_password") | {"PROCOUNTOR_LEGACY_POLICY": "error"})

    with pytest.raises(LegacyNotAllowed) as refused:
        TokenSource.from_env()

    assert isinstance(refused.value, ConfigurationError)
    assert all(words in str(refused.value) for words in ("PROCOUNTOR_LEGACY_POLICY=error", *SUCCESSORS))
    assert sandbox.log() == []


def test_a_legacy_fallback_is_named_by_its_own_variable(sandbox: Sandbox, environment: Environment) -> None:
    """Who has switched already is not told to: what is to be done is to take the fallback out."""
    variables = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    variables |= {"PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password"}
    advice = f"Remove PROCOUNTOR_FALLBACK_STRATEGY as soon as the chosen strategy works. {MIGRATION} explains how."
    environment(variables)
    with pytest.warns(LegacyAuthWarning) as caught:
        TokenSource.from_env()
    chosen = "PROCOUNTOR_FALLBACK_STRATEGY=legacy_password"
    assert str(caught[0].message) == f"{chosen} is deprecated: {LEGACY.removed}. {advice}"
    environment(variables | {"PROCOUNTOR_LEGACY_POLICY": "error"})
    with pytest.raises(LegacyNotAllowed) as refused:
        TokenSource.from_env()
    assert (refused.value.message, refused.value.hint) == (
        f"{chosen} is not allowed, because PROCOUNTOR_LEGACY_POLICY=error.",
        advice,
    )


def test_policy_allow_is_silent(sandbox: Sandbox, environment: Environment) -> None:
    """With PROCOUNTOR_LEGACY_POLICY=allow there is no warning."""
    environment(sandbox.environment("legacy_password") | {"PROCOUNTOR_LEGACY_POLICY": "allow"})

    assert TokenSource.from_env().token().company_id == int(sandbox.company)


@pytest.mark.parametrize("removal", ["404", "410", "html", "login_page"])
def test_removed_endpoint_says_what_to_set(sandbox: Sandbox, environment: Environment, removal: str) -> None:
    """However the server shows that the endpoint is gone, one error says exactly which variables to set instead."""
    environment(sandbox.environment("legacy_password") | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
    sandbox.quirks = Quirks(legacy_removed=removal)  # type: ignore[arg-type]  # each of its words

    with pytest.raises(LegacyRemoved) as gone:
        TokenSource.from_env().token()

    assert all(words in str(gone.value) for words in SUCCESSORS)
    assert not gone.value.retryable
    assert len(sandbox.log()) == 1
