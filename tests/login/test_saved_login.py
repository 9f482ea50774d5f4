"""A login that is begun in one process and completed in another: what is handed over, to whom, and how often."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.fernet import Fernet

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError, ProcountorAuthError, RedirectError
from procountor_auth.sandbox import Sandbox
from procountor_auth.settings.settings import Settings
from tests.variables import inherited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Environment = Callable[[dict[str, str]], None]
    LogIn = Callable[[str, Sandbox], str]

pytestmark = [pytest.mark.server, pytest.mark.process]

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=[False, True], ids=["without a key", "with a key"])
def shared(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path, environment: Environment
) -> dict[str, str]:
    """What all workers have: the variables of a client, and a store."""
    variables = sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}"}
    if request.param:
        variables["PROCOUNTOR_TOKEN_STORE_KEY"] = Fernet.generate_key().decode()
    environment(variables)
    return variables


@pytest.mark.usefixtures("shared")
def test_another_worker_completes_a_login(sandbox: Sandbox, log_in: LogIn) -> None:
    """What `save` gives is all that another source needs, and its token is everybody's."""
    first, second = TokenSource.from_env(account="user-1"), TokenSource.from_env(account="user-1")
    login = first.begin_login()
    saved = login.save()
    address = log_in(login.url, sandbox)
    resumed = second.resume_login(saved)
    assert (resumed.url, resumed.redirect_uri) == (login.url, login.redirect_uri)
    token = resumed.complete(address)
    assert first.token().access_token == second.token().access_token == token.access_token


def test_a_key_that_no_store_has_refused_is_told(sandbox: Sandbox, environment: Environment) -> None:
    """The memory store needs no key; whoever saves or resumes a login is told what is wrong with it."""
    variables = sandbox.environment("authorization_code") | {"PROCOUNTOR_TOKEN_STORE": "memory"}
    environment(variables)
    saved = TokenSource.from_env(account="user-1").begin_login().save()
    environment(variables | {"PROCOUNTOR_TOKEN_STORE_KEY": "CANARY"})
    source = TokenSource.from_env(account="user-1")
    for use in (source.begin_login().save, lambda: source.resume_login(saved)):
        with pytest.raises(ConfigurationError, match="PROCOUNTOR_TOKEN_STORE_KEY: the key is not 32 bytes") as caught:
            use()
        assert "CANARY" not in str(caught.value)


@pytest.mark.usefixtures("shared")
def test_pkce_survives(sandbox: Sandbox, environment: Environment, shared: dict[str, str], log_in: LogIn) -> None:
    """The verifier is handed over with the rest."""
    environment(shared | {"PROCOUNTOR_PKCE": "true"})
    login = TokenSource.from_env(account="user-1").begin_login()
    assert "code_challenge=" in login.url
    address = log_in(login.url, sandbox)
    assert TokenSource.from_env(account="user-1").resume_login(login.save()).complete(address).strategy


@pytest.mark.usefixtures("shared")
def test_what_is_saved_shows_nothing(sandbox: Sandbox) -> None:
    """Neither state nor verifier nor address can be read in it, and it fits into a cookie."""
    login = TokenSource.from_env(account="user-1").begin_login()
    saved = login.save()
    state = login.url.partition("state=")[2].partition("&")[0]
    assert state
    assert state not in saved
    assert sandbox.client_id not in saved
    assert len(saved) < 3000
    assert saved != login.save()


@pytest.mark.usefixtures("shared")
def test_a_login_is_completed_once(sandbox: Sandbox, log_in: LogIn, token_requests: Callable[..., list[str]]) -> None:
    """Of all workers that are sent the same redirect, one exchanges the code, also when they do it at one moment."""
    login = TokenSource.from_env(account="user-1").begin_login()
    address, saved = log_in(login.url, sandbox), login.save()
    sources = [TokenSource.from_env(account="user-1") for _ in range(4)]
    together = threading.Barrier(len(sources))

    def complete(source: TokenSource) -> str:
        together.wait()
        try:
            return source.resume_login(saved).complete(address).access_token
        except RedirectError as error:
            return f"{error.message} {error.ends_login}"

    with ThreadPoolExecutor(len(sources)) as pool:
        outcomes = list(pool.map(complete, sources))
    assert outcomes.count("This login has been completed already. True") == len(sources) - 1
    assert token_requests(sandbox) == ["authorization_code"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda saved: saved[:-4] + "AAA=", "not a saved login of this program"),
        (lambda saved: saved[4:], "not a saved login of this program"),
        (lambda _: "", "not a saved login of this program"),
        (lambda _: "ä" * 30, "not a saved login of this program"),
        (lambda _: "x" * 1_000_000, "not a saved login of this program"),
        (lambda saved: f'{{"entry": "{saved}"}}', "not a saved login of this program"),
    ],
)
@pytest.mark.usefixtures("shared")
def test_what_was_not_saved_here_is_refused(change: Callable[[str], str], said: str) -> None:
    """A text that somebody has changed, or made up, ends that login with a reason."""
    source = TokenSource.from_env(account="user-1")
    with pytest.raises(RedirectError, match=said) as caught:
        source.resume_login(change(source.begin_login().save()))
    assert caught.value.ends_login
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("shared")
def test_a_login_is_nobody_else_s() -> None:
    """The login of one account, or one client, is not completed as another's."""
    saved = TokenSource.from_env(account="user-1").begin_login().save()
    with pytest.raises(RedirectError, match="to another client, profile or account"):
        TokenSource.from_env(account="user-2").resume_login(saved)


@pytest.mark.usefixtures("shared")
def test_another_client_s_secret_opens_nothing(environment: Environment, shared: dict[str, str]) -> None:
    """Without a store key, the client's secret seals."""
    saved = TokenSource.from_env(account="user-1").begin_login().save()
    environment({**shared, "PROCOUNTOR_CLIENT_SECRET": "another", "PROCOUNTOR_TOKEN_STORE_KEY": ""})
    with pytest.raises(RedirectError, match="not a saved login of this program"):
        TokenSource.from_env(account="user-1").resume_login(saved)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("later", [3601.0, -1.0])
def test_a_saved_login_ends(later: float) -> None:
    """An hour later it is over, and so it is for a clock that was set back behind its begin."""
    now = [1_800_000_000.0]
    source = TokenSource.from_settings(Settings(), account="user-1", clock=lambda: now[0])
    saved = source.begin_login().save()
    now[0] += later
    with pytest.raises(RedirectError, match="valid for 60 minutes"):
        source.resume_login(saved)


def test_other_strategies_have_no_login(sandbox: Sandbox, environment: Environment) -> None:
    """Whoever has switched to another strategy meanwhile is told so."""
    environment(sandbox.environment("client_credentials"))
    with pytest.raises(ConfigurationError, match="client_credentials strategy has no login page"):
        TokenSource.from_env().resume_login("anything")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("https://", "http://"), "Behind a proxy that terminates TLS"),
        (("https://app.example", "http://10.0.0.5:8000"), "Behind a proxy that terminates TLS"),
        (("/callback", "/other"), "^PROCOUNTOR_REDIRECT_URI must be exactly"),
    ],
)
def test_an_inner_address_behind_a_proxy_is_told_as_such(
    environment: Environment, log_in: LogIn, change: tuple[str, str], said: str
) -> None:
    """Where only scheme, host or port differ, the hint says what a proxy does, and how a framework is told."""
    with Sandbox(redirect_uri="https://app.example/callback") as sandbox:
        environment(sandbox.environment("authorization_code"))
        login = TokenSource.from_env(account="x").begin_login()
        address = log_in(login.url, sandbox).replace(*change)
        with pytest.raises(RedirectError) as caught:
            login.complete(address)
    assert re.search(said, caught.value.hint)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Callable[..., list[int]]]:
    """Start worker processes of the example, each on a port of its own; return the ports."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(count: int, variables: Callable[[int], dict[str, str]]) -> list[int]:
        listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [int(each.getsockname()[1]) for each in listening]
        for each in listening:
            command = [
                sys.executable,
                "-m",
                "uvicorn",
                "web_login:app",
                "--fd",
                str(each.fileno()),
                "--log-level",
                "error",
            ]
            processes.append(
                subprocess.Popen(
                    command,
                    cwd=EXAMPLES,
                    env=inherited() | variables(ports[0]) | {"HOME": str(tmp_path)},
                    pass_fds=[each.fileno()],
                )
            )
            each.close()
        return ports

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(20)


@pytest.mark.skipif(os.name == "nt", reason="a socket is handed over by its number")
def test_the_web_example_completes_in_one_worker_what_another_began(
    workers: Callable[..., list[int]], tmp_path: Path, log_in: LogIn
) -> None:
    """A person begins at one worker, comes back to another, and asks Procountor through both."""
    httpx: Any = pytest.importorskip("httpx")
    with Sandbox() as sandbox:
        world = sandbox.world

        def variables(port: int) -> dict[str, str]:
            client = world.add_client(f"http://127.0.0.1:{port}/procountor/callback")
            return sandbox.environment("authorization_code") | {
                "PROCOUNTOR_CLIENT_ID": made.setdefault("id", client.client_id),
                "PROCOUNTOR_CLIENT_SECRET": made.setdefault("secret", client.client_secret),
                "PROCOUNTOR_REDIRECT_URI": f"http://127.0.0.1:{port}/procountor/callback",
                "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
                "SESSION_SECRET": made.setdefault("session", secrets.token_hex(16)),
            }

        made: dict[str, str] = {}
        first, second = workers(2, variables)
        with httpx.Client(trust_env=False, timeout=30) as person:
            assert person.get(f"http://127.0.0.1:{first}/session").status_code == 401
            begun = person.get(f"http://127.0.0.1:{first}/procountor/login")
            address = log_in(begun.headers["Location"], sandbox)
            elsewhere = address.replace(f":{first}/", f":{second}/")
            headers = {"Host": f"127.0.0.1:{first}"}
            done = person.get(elsewhere, headers=headers)
            assert done.status_code == 200, done.text
            assert done.json()["company"] == int(sandbox.company)
            assert person.get(elsewhere, headers=headers).status_code == 400
            sessions = [person.get(f"http://127.0.0.1:{port}/session") for port in (first, second)]
        assert [answer.status_code for answer in sessions] == [200, 200]
        assert len({answer.json()["worker"] for answer in sessions}) == 2


def test_errors_of_a_resumed_login_are_ours() -> None:
    """They are all in the tree of errors."""
    assert issubclass(RedirectError, ProcountorAuthError)
