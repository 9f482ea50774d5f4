"""The token endpoint misbehaves under a login that was begun elsewhere, saved, and resumed."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import RedirectError

from .acts import CODE, token
from .conftest import CALLS, CLIENT_SECRET, SECRETS, Case, judge
from .fault import Accepted
from .resumed import IN_ANOTHER_PROCESS
from .server import FaultServer
from .tables import TOKEN_ENDPOINT
from .witness import hidden_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer

    from .fault import Fault

_RESUME = """
import json, sys
from procountor_auth import TokenSource
from procountor_auth.errors import ProcountorAuthError
saved, address = json.load(sys.stdin)
try:
    TokenSource.from_env(account="user-1").resume_login(saved).complete(address)
except ProcountorAuthError as error:
    print(type(error).__name__, error.retryable)
else:
    print("token")
"""
"""Another worker: it has the same variables, and is given what stands in the person's session."""


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("fault", TOKEN_ENDPOINT, ids=lambda fault: fault.id)
def test_another_source(
    fault: Fault, how: str, prepare: Callable[[Fault, str], Case], capfd: pytest.CaptureFixture[str]
) -> None:
    """A fault has the outcome of the login that was begun there, all six oracles agree, and a token ends the login."""
    cases: list[Case] = []

    def build(each: Fault) -> Case:
        cases.append(prepare(each, "resumed"))
        return cases[-1]

    judge(fault, build, how, capfd)
    case = cases[-1]
    if isinstance(fault.once or fault.expected, Accepted):
        sent = case.server.count("")
        with pytest.raises(RedirectError, match="completed already"):
            case.source.resume_login(case.saved).complete(case.redirected)
        assert case.server.count("") == sent


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server whose faults are chosen later."""
    running = FaultServer({"oauth/token": token()})
    yield running
    running.close()


@pytest.mark.once
@pytest.mark.parametrize("fault", IN_ANOTHER_PROCESS, ids=lambda fault: fault.id)
def test_another_process(
    fault: Fault,
    server: FaultServer,
    environment: Callable[[dict[str, str]], None],
    tmp_path: Path,
    fork_server: ForkServer,
) -> None:
    """What another process is told, and sends, is what a fault's table says; it prints no secret."""
    if fault.act is not None:
        server.script["oauth/token"] = fault.act
    environment(
        {
            "PROCOUNTOR_STRATEGY": "authorization_code",
            "PROCOUNTOR_BASE_URL": server.url,
            "PROCOUNTOR_CLIENT_ID": "client-1",
            "PROCOUNTOR_CLIENT_SECRET": CLIENT_SECRET,
            "PROCOUNTOR_REDIRECT_URI": "https://app.example/callback",
            "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
        }
    )
    login = TokenSource.from_env(account="user-1").begin_login()
    state = dict(parse_qsl(urlsplit(login.url).query))["state"]
    address = f"https://app.example/callback?{urlencode({'code': CODE, 'state': state})}"
    done = subprocess.run(
        [fork_server.python, "-c", _RESUME],
        input=json.dumps([login.save(), address]),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = fault.once or fault.expected
    outcome = "token" if isinstance(expected, Accepted) else f"{expected.error.__name__} {expected.retryable}"
    assert done.stdout.strip() == outcome
    assert server.count("oauth/token") == expected.once
    assert not hidden_in(done.stdout + done.stderr, [*SECRETS, state])
