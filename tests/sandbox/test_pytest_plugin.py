"""The pytest plugin, as an integrator's test suite uses it: in a pytest run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Final

import pytest

from tests.sizes import size
from tests.supply.plugins import NO_OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Suite = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.process

_ASK: Final = """
        from procountor_auth import TokenSource
        from procountor_auth.transport.backend import backend

        def ask(procountor_environment, procountor_route, handler):
            procountor_environment("client_credentials")
            procountor_route("invoices")(handler)
            source = TokenSource.from_env()
            headers = {"Authorization": source.token().authorization}
            assert backend.get(f"{source.endpoints.api}/invoices", headers=headers).status_code == 500
"""
"""A suite's function that asks for a resource with a handler of its own, which fails."""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Run a suite with these lines in it; return the status and what pytest printed."""

    def run(lines: str, *, before: str = "import sys; ", **variables: str) -> tuple[int, str]:
        (tmp_path / "test_integration.py").write_text(textwrap.dedent(lines), "utf-8")
        done = subprocess.run(
            [sys.executable, "-c", f"{before}import pytest; sys.exit(pytest.main())", "-q", *NO_OTHERS],
            cwd=tmp_path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_every_strategy_gets_a_token(suite: Suite) -> None:
    """The fixtures need no configuration, and each strategy reaches the test's own sandbox."""
    status, said = suite(
        """
        import warnings
        import pytest
        from procountor_auth import TokenSource

        @pytest.mark.parametrize("strategy", ["legacy_password", "client_credentials", "authorization_code"])
        def test_token(procountor_environment, procountor_sandbox, strategy):
            procountor_environment(
                strategy, refresh_token=strategy == "authorization_code", legacy_policy="allow"
            )
            token = TokenSource.from_env().token()
            assert (token.strategy, token.company_id) == (strategy, 14159)
            assert len(procountor_sandbox.log()) == (2 if strategy == "legacy_password" else 1)
        """
    )
    assert (status, "3 passed" in said) == (0, True), said


def test_the_machines_own_configuration_is_out_of_the_way(suite: Suite, tmp_path: Path) -> None:
    """Variables of the environment and of a .env file do not reach the test, and are back after it."""
    (tmp_path / ".env").write_text("PROCOUNTOR_COMPANY=1\nPROCOUNTOR_TIMEOUT=no number\n", "utf-8")
    status, said = suite(
        """
        import os
        from procountor_auth import Settings

        def test_during(procountor_environment):
            procountor_environment("client_credentials")
            assert "PROCOUNTOR_PASSWORD" not in os.environ
            assert Settings().company is None

        def test_after():
            assert os.environ["PROCOUNTOR_PASSWORD"] == "the machine's"
            assert "PROCOUNTOR_API_KEY" not in os.environ
        """,
        before="import os, sys; os.environ['PROCOUNTOR_PASSWORD'] = \"the machine's\"; ",
    )
    assert (status, "2 passed" in said) == (0, True), said


def test_tests_know_nothing_of_each_other(suite: Suite) -> None:
    """Each test has a sandbox with secrets of its own, so that no token of another test is served."""
    number = size(5, 20)
    status, said = suite(
        f"""
        import pytest
        from procountor_auth import TokenSource

        seen = set()

        @pytest.mark.parametrize("number", range({number}))
        def test_token(procountor_environment, procountor_sandbox, number):
            procountor_environment("client_credentials")
            seen.add(TokenSource.from_env().token().access_token)
            assert len(seen) == number + 1
            assert len(procountor_sandbox.log()) == 1
        """
    )
    assert (status, f"{number} passed" in said) == (0, True), said


def test_the_mark_passes_options_on(suite: Suite) -> None:
    """The mark starts the sandbox with other options, and needs no registration of its own."""
    status, said = suite(
        """
        import pytest
        from procountor_auth import TokenSource
        from procountor_auth.errors import LegacyRemoved
        from procountor_auth.sandbox import Quirks

        pytestmark = pytest.mark.filterwarnings("error")

        @pytest.mark.procountor_sandbox(quirks=Quirks(legacy_removed="410"), password="pass word")
        def test_removed(procountor_environment, procountor_sandbox):
            procountor_environment("legacy_password", legacy_policy="allow")
            assert procountor_sandbox.password == "pass word"
            with pytest.raises(LegacyRemoved):
                TokenSource.from_env().token()
        """
    )
    assert (status, "1 passed" in said) == (0, True), said


def test_the_mark_refuses_an_option_without_a_name(suite: Suite) -> None:
    """A value that no option is named for fails the test, which would otherwise test the defaults."""
    status, said = suite(
        """
        import pytest
        from procountor_auth.sandbox import Quirks

        @pytest.mark.procountor_sandbox(Quirks(refresh_token="rotate"))
        def test_rotated(procountor_sandbox):
            pass
        """
    )
    assert (status, "1 error" in said) == (1, True), said
    assert "procountor_sandbox takes options by name, such as quirks=… or faults=…" in said


def test_the_mark_names_the_option_that_was_meant(suite: Suite) -> None:
    """A misspelt option fails the test with the mark, the option and the right one."""
    status, said = suite(
        """
        import pytest

        @pytest.mark.procountor_sandbox(quirk=None)
        def test_rotated(procountor_sandbox):
            pass
        """
    )
    assert (status, "1 error" in said) == (1, True), said
    assert "the mark procountor_sandbox has no option 'quirk', did you mean quirks; the options are port, host" in said


def test_an_outcome_in_a_route_is_the_tests(suite: Suite) -> None:
    """`pytest.fail()` and the like in a route fail the test, although the program may handle the 500."""
    status, said = suite(
        _ASK
        + """
        import sys
        import pytest

        @pytest.mark.parametrize("outcome", [pytest.fail, sys.exit, pytest.skip])
        def test_route(procountor_environment, procountor_route, outcome):
            ask(procountor_environment, procountor_route, lambda _: outcome("an invoice without a number"))
        """
    )
    assert (status, "2 errors" in said, "1 skipped" in said) == (1, True, True), said
    assert "Failed: an invoice without a number" in said


def test_an_exit_in_a_route_leaves_the_next_test_alone(suite: Suite) -> None:
    """`sys.exit()` in a route is an error of its own test only, wherever the next one stands."""
    status, said = suite(
        _ASK
        + """
        import asyncio
        import sys

        def cancel(*_):
            raise asyncio.CancelledError("stopped")

        class TestExit:
            def test_exit(self, procountor_environment, procountor_route):
                ask(procountor_environment, procountor_route, lambda _: sys.exit("stopped"))

        class TestCancel:
            def test_cancel(self, procountor_environment, procountor_route):
                ask(procountor_environment, procountor_route, cancel)

        def test_after():
            pass
        """
    )
    assert (status, "3 passed, 2 errors" in said) == (1, True), said
    assert "a route of the test raised SystemExit: stopped" in said
    assert "a route of the test raised CancelledError: stopped" in said


def test_a_wrong_strategy_is_named(suite: Suite) -> None:
    """A misspelt strategy is an error where it stands, and leaves the environment as it was."""
    status, said = suite(
        """
        import os
        import pytest

        def test_wrong(procountor_environment):
            with pytest.raises(ValueError, match="client_credential"):
                procountor_environment("client_credential")
            assert not [name for name in os.environ if name.startswith("PROCOUNTOR_")]
        """
    )
    assert (status, "1 passed" in said) == (0, True), said


def test_without_the_extra_the_fixture_says_what_to_install(suite: Suite) -> None:
    """Without Flask a test that asks for the sandbox fails with one line, and other tests run."""
    status, said = suite(
        """
        def test_with(procountor_sandbox):
            assert False, "not reached"

        def test_without():
            pass
        """,
        before="import sys; sys.modules['flask'] = None; ",
    )
    assert status == 1
    assert "procountor_sandbox needs the package flask: pip install 'procountor-auth[sandbox]'" in said
    assert "1 passed, 1 error" in said


def test_a_run_without_the_fixtures_loads_nothing(suite: Suite) -> None:
    """Being installed costs other test runs nothing: neither Flask nor an HTTP library is imported."""
    status, said = suite(
        """
        import sys

        def test_nothing():
            assert not {"flask", "httpx", "httpx2", "authlib", "pydantic"} & sys.modules.keys()
        """
    )
    assert (status, "1 passed" in said) == (0, True), said


def test_the_file_store_is_the_tests_own(suite: Suite, tmp_path: Path) -> None:
    """With `token_store="file"`, neither the test nor a child process writes to this user's own store."""
    home = tmp_path / "home"
    home.mkdir()
    status, said = suite(
        """
        import os
        import subprocess
        import sys
        import pytest
        from procountor_auth import TokenSource

        LINES = "from procountor_auth import TokenSource; print(TokenSource.from_env().token().company_id)"

        def test_here_and_in_a_child(procountor_environment, procountor_sandbox):
            variables = procountor_environment("client_credentials", token_store="file")
            TokenSource.from_env().token()
            child = [sys.executable, "-c", LINES]
            own = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in os.environ}
            assert subprocess.check_output(child, env=own | variables, text=True).strip() == "14159"
            assert len(procountor_sandbox.log()) == 1

        def test_another_begins_without_tokens(procountor_environment, procountor_sandbox):
            procountor_environment("client_credentials", token_store="file")
            TokenSource.from_env().token()
            assert len(procountor_sandbox.log()) == 1

        def test_with_profiles(procountor_profiles, monkeypatch):
            procountor_profiles("acme")
            monkeypatch.setenv("PROCOUNTOR_TOKEN_STORE", "file")
            TokenSource.from_env(profile="acme").token()
        """,
        HOME=str(home),
        XDG_STATE_HOME=str(home / "state"),
    )
    assert (status, "3 passed" in said) == (0, True), said
    assert list(home.iterdir()) == []


def test_a_test_begins_with_an_empty_memory_store(suite: Suite) -> None:
    """A token is not found by the next test, with a fixture that needs no sandbox, and the store before is back."""
    status, said = suite(
        """
        import pytest
        from procountor_auth.stores.memory import MemoryStore
        from procountor_auth.protocol.token import Token

        OUTER = MemoryStore.shared_instance()

        @pytest.mark.parametrize("number", [1, 2])
        @pytest.mark.usefixtures("procountor_memory_store")
        def test_inside(number):
            store = MemoryStore.shared_instance()
            assert store is not OUTER and not store.list_entries()
            with store.transaction("key", timeout=1) as transaction:
                transaction.write(Token("a token", 0.0, 1.0, "x"))

        def test_with_the_environment(procountor_environment):
            assert MemoryStore.shared_instance() is not OUTER

        def test_outside():
            assert MemoryStore.shared_instance() is OUTER
        """
    )
    assert (status, "4 passed" in said) == (0, True), said
