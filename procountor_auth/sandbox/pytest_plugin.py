"""Fixtures for testing an integration against the sandbox. pytest loads them automatically (entry point `pytest11`).

    def test_invoices_are_read(procountor_environment):
        procountor_environment("client_credentials")
        assert my_integration.company_name() == "Sandbox Oy"

Needs the extra `[sandbox]`, but for `procountor_memory_store`.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox

_MARK = "procountor_sandbox"
_OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception)
_STATE_FOLDER = "WIN_PD_OVERRIDE_LOCAL_APPDATA" if os.name == "nt" else "XDG_STATE_HOME"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(**options): how to start the fixture procountor_sandbox (procountor_auth.sandbox.Sandbox)",
    )


@pytest.fixture
def procountor_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running sandbox for one test, on a free port, with its own secrets.

    `@pytest.mark.procountor_sandbox(redirect_uri=…, quirks=…, faults=…)` starts it with these options; the closest
    mark takes effect.
    """
    mark = request.node.get_closest_marker(_MARK)
    if mark is not None and mark.args:
        pytest.fail(
            f"the mark {_MARK} takes options by name, such as quirks=… or faults=…, and was given a value without one",
            pytrace=False,
        )
    try:
        from procountor_auth.sandbox import Sandbox  # noqa: PLC0415 - imports Flask, only needed with these fixtures
    except ModuleNotFoundError as error:
        missing = error.name
    else:
        options: dict[str, Any] = dict(mark.kwargs) if mark else {}
        _check_options(options, inspect.signature(Sandbox).parameters)
        try:
            with Sandbox(**options) as sandbox:
                yield sandbox
        except BaseException as error:
            if isinstance(error, (Exception, KeyboardInterrupt, GeneratorExit, *_OUTCOMES)):
                raise
            # A route's SystemExit: pytest could not finish the test's teardown with it, and the next test would fail.
            said = f"a route of the test raised {type(error).__name__}: {error}"
        else:
            return
        pytest.fail(said, pytrace=False)
    pytest.fail(
        f"procountor_sandbox needs the package {missing}: pip install 'procountor-auth[sandbox]'", pytrace=False
    )


def _check_options(options: Collection[str], known: Collection[str]) -> None:
    from procountor_auth.sandbox.behaviour.switch import nearest  # noqa: PLC0415 - imports Pydantic

    for name in options:
        if name not in known:
            meant = nearest(name, known)
            near = f", did you mean {meant}" if meant else ""
            pytest.fail(
                f"the mark {_MARK} has no option {name!r}{near}; the options are {', '.join(known)}", pytrace=False
            )


class ProcountorEnvironment:
    """Sets the `PROCOUNTOR_*` variables of this process to those of a sandbox, until the test ends.

    The machine's configuration is ignored: other `PROCOUNTOR_*` variables, a `.env` file in the
    working directory, and a secrets directory. So is this user's state folder, where the token store `file` keeps
    tokens: there is an empty one for the test.
    """

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, empty: dict[str, str], state: Path) -> None:
        self._sandbox = sandbox
        self._monkeypatch = monkeypatch
        # As platformdirs, which the stores use, lets the folder be chosen.
        self._empty = empty | {_STATE_FOLDER: str(state)}
        self._tokens = state / "procountor-auth" / "tokens"

    def __call__(self, strategy: str, *, refresh_token: bool = False, **variables: str) -> dict[str, str]:
        """Switch to `strategy`.

        Args:
            strategy: `legacy_password`, `authorization_code` or `client_credentials`.
            refresh_token: For `authorization_code`: add a refresh token, as if a user had logged in before.
            **variables: Further or different settings, by their names in lower case: `legacy_policy="allow"`.

        Returns:
            The variables that are set, for a child process or a container.

        Raises:
            ValueError: The strategy is unknown, or has no refresh token.
        """
        wanted = self._empty | self._sandbox.environment(strategy, refresh_token=refresh_token)
        wanted |= {f"PROCOUNTOR_{name.upper()}": value for name, value in variables.items()}
        if wanted.get("PROCOUNTOR_TOKEN_STORE") == "file":
            # By its path, as older versions of platformdirs ignore the variable on Windows and macOS.
            wanted["PROCOUNTOR_TOKEN_STORE"] = f"file:{self._tokens}"
        for name in [name for name in os.environ if name.upper().startswith("PROCOUNTOR_")]:
            self._monkeypatch.delenv(name)
        for name, value in wanted.items():
            self._monkeypatch.setenv(name, value)
        return wanted


@pytest.fixture
def procountor_memory_store() -> Iterator[None]:
    """Begin the test with an empty memory store: no token of another test is in it, and this test's don't stay.

    It is for tests without a sandbox, whose credentials are often the same; `procountor_environment` includes it. A
    source that was made before the test keeps its tokens.
    """
    from procountor_auth.stores.memory import MemoryStore  # noqa: PLC0415 - imports Pydantic, as above

    with MemoryStore.another_instance():
        yield


@pytest.fixture
def procountor_environment(
    procountor_sandbox: Sandbox,
    procountor_memory_store: None,  # noqa: ARG001 - for its effect
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> ProcountorEnvironment:
    """Configure this process for the test's sandbox: `procountor_environment("client_credentials")`."""
    nowhere = tmp_path_factory.mktemp("procountor")
    no_file = nowhere / "env"
    no_file.touch()
    no_secrets = nowhere / "secrets"
    no_secrets.mkdir()
    empty = {
        "PROCOUNTOR_ENV_FILE": str(no_file),
        "PROCOUNTOR_SECRETS_DIR": str(no_secrets),
        "PROCOUNTOR_PROFILES_FILE": str(no_file),
    }
    return ProcountorEnvironment(procountor_sandbox, monkeypatch, empty, nowhere / "state")


@pytest.fixture
def procountor_route(procountor_sandbox: Sandbox) -> Callable[..., Any]:
    """Add resources to the sandbox, behind the token check: `@procountor_route("invoices")`."""
    return procountor_sandbox.route


@pytest.fixture
def procountor_profiles(
    procountor_sandbox: Sandbox, procountor_environment: ProcountorEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Create companies, each a profile with its own API key: `procountor_profiles("acme", "beta")`.

    It sets `PROCOUNTOR_PROFILES_FILE`, and returns the file's path. `strategy="…"` chooses a strategy. Another call
    adds companies to those of the first one.
    """
    from procountor_auth.sandbox.seed import ProfilesFile  # noqa: PLC0415 - as above

    file = ProfilesFile(tmp_path_factory.mktemp("procountor") / "profiles.toml")
    common: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = {}

    def make(*names: str, strategy: str = "client_credentials") -> Path:
        variables = procountor_environment(strategy, profiles_file=str(file.path))
        if not common:
            common.update(procountor_sandbox.common_settings(), strategy=strategy)
        # Only where it differs: a profile's own strategy comes before the test's PROCOUNTOR_STRATEGY.
        own = {} if strategy == common["strategy"] else {"strategy": strategy}
        for name in names:
            tables[name] = own | procountor_sandbox.add_profile(name)
        file.write(common, tables)
        kept = {"PROCOUNTOR_ENV_FILE", "PROCOUNTOR_SECRETS_DIR", "PROCOUNTOR_PROFILES_FILE"}
        for name in set(variables) - kept:
            if name.startswith("PROCOUNTOR_"):  # the file has the common values
                del os.environ[name]
        return file.path

    return make
