"""One operation, one configuration: what a `reload` in between must not mix."""

from __future__ import annotations

import asyncio
import random
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import InteractionRequired, ProcountorAuthError
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.sandbox import Quirks, Sandbox
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.token import Token

    Environment = Callable[[dict[str, str]], None]

pytestmark = [pytest.mark.server, pytest.mark.long]

REQUESTS = size(600, 100_000)
FLIPS = size(20, 200)
MOST = 1_000_000


def issuer(token: str) -> str:
    """Return the host that has given a token."""
    return str(unverified_claims(token)["iss"])


@pytest.fixture
def hosts() -> Iterator[tuple[Sandbox, Sandbox]]:
    """Two hosts, an old one and a new one."""
    with Sandbox() as old, Sandbox() as new:
        yield old, new


def at(sandbox: Sandbox, strategy: str = "client_credentials") -> dict[str, str]:
    """Describe a host, with nothing stored outside of the process."""
    return sandbox.environment(strategy) | {"PROCOUNTOR_TOKEN_STORE": "memory"}


def in_httpx(library: str, auth: Any, url: str) -> int:  # noqa: ANN401 - each library's own
    """Send a request with one of the two."""
    with import_module(library).Client(auth=auth, verify=False) as client:
        return int(client.get(url).status_code)


def in_async_httpx(library: str, auth: Any, url: str) -> int:  # noqa: ANN401
    """Send a request in an event loop."""

    async def send() -> int:
        async with import_module(library).AsyncClient(auth=auth, verify=False) as client:
            return int((await client.get(url)).status_code)

    return asyncio.run(send())


def in_requests(library: str, auth: Any, url: str) -> int:  # noqa: ANN401
    """Send a request with requests."""
    return int(import_module(library).get(url, auth=auth, timeout=10).status_code)


CLIENTS = {
    "httpx": ("httpx", in_httpx),
    "httpx async": ("httpx", in_async_httpx),
    "httpx2": ("httpx2", in_httpx),
    "httpx2 async": ("httpx2", in_async_httpx),
    "requests": ("requests", in_requests),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_401_after_a_reload_brings_no_token_of_the_new_host(
    hosts: tuple[Sandbox, Sandbox], environment: Environment, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """The old host rejects a request while the program moves on: it is not sent again, with a new token or an old."""
    library, send = CLIENTS[client]
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    old, new = hosts
    environment(at(old))
    auth = import_module(f"procountor_auth.{library}").ProcountorAuth()
    bind = auth.source.bind

    def and_then_move() -> object:
        bound = bind()
        old.world.sessions.log_out(unverified_claims(bound.token().access_token))
        environment(at(new))
        monkeypatch.setattr(auth.source, "bind", bind)
        assert auth.source.reload()
        return bound

    monkeypatch.setattr(auth.source, "bind", and_then_move)
    assert send(library, auth, f"{old.base_url}/api/users") == 401
    assert [entry["status"] for entry in old.log() if entry["path"].endswith("users")] == [401]
    assert new.log() == []


def test_a_login_ends_where_it_has_begun(
    hosts: tuple[Sandbox, Sandbox], environment: Environment, log_in: Callable[[str, Sandbox], str]
) -> None:
    """A person logs in at one host while the program moves to another: the token stays the first one's."""
    old, new = hosts
    environment(at(old, "authorization_code"))
    source = TokenSource.from_env(account="anna")
    login = source.begin_login()
    redirected = log_in(login.url, old)
    environment(at(new, "authorization_code"))
    assert source.reload()
    state = dict(parse_qsl(urlsplit(redirected).query))["state"]
    assert urlencode({"state": state}) in login.url
    token = login.complete(redirected)
    with pytest.raises(InteractionRequired):
        source.token()
    assert new.log() == []
    environment(at(old, "authorization_code"))
    assert source.reload()
    assert source.token().access_token == token.access_token


def test_a_renewal_that_ends_after_a_reload_is_nobody_elses(
    hosts: tuple[Sandbox, Sandbox], environment: Environment
) -> None:
    """Its callers get the old host's token; whoever asks afterwards gets the new host's."""
    old, new = hosts
    environment(at(old))
    source = TokenSource.from_env()
    drive, asked, go_on = source.bind().provider.drive, threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:  # noqa: ANN401 - as the method itself
        asked.set()
        assert go_on.wait(10)
        return drive(*arguments)

    source.bind().provider.drive = slowly  # type: ignore[method-assign,assignment]
    got: list[str] = []
    caller = threading.Thread(target=lambda: got.append(source.token().access_token))
    caller.start()
    assert asked.wait(10)
    environment(at(new))
    assert source.reload()
    go_on.set()
    caller.join(10)
    now = source.token().access_token
    assert [*map(issuer, got), issuer(now)] == [old.base_url, new.base_url]


def test_a_logout_is_for_the_configuration_that_it_began_with(
    hosts: tuple[Sandbox, Sandbox], environment: Environment
) -> None:
    """No token of one host is ever sent to the other one's logout."""
    old, new = hosts
    environment(at(old))
    source = TokenSource.from_env()
    bound = source.bind()
    source.token()
    environment(at(new))
    assert source.reload()
    bound.log_out()
    assert [entry["path"] for entry in old.log()][-1] == "/logout"
    assert new.log() == []


def test_a_reload_to_the_same_tokens_keeps_them(sandbox: Sandbox, environment: Environment) -> None:
    """Another timeout is another provider, and no reason for a token request."""
    environment(at(sandbox))
    source = TokenSource.from_env()
    token = source.token()
    environment(at(sandbox) | {"PROCOUNTOR_TIMEOUT": "7"})
    assert not source.reload()
    assert source.token() is token
    assert source.bind().provider.timeout == 7
    assert len(sandbox.log()) == 1


@pytest.mark.parametrize("end", ["invalidate", "logout"])
def test_a_reload_meanwhile_brings_no_ended_token_back(sandbox: Sandbox, environment: Environment, end: str) -> None:
    """What is read from the store after a reload, while a logout waits for it, ends with the logout too."""
    environment(at(sandbox))
    source = TokenSource.from_env()
    ended = source.token()
    provider = source.bind().provider
    forget = provider.forget

    def after_a_reload(timeout: float | None = None) -> Any:  # noqa: ANN401 - as the method itself
        assert not source.reload()
        assert source.token().access_token == ended.access_token
        return forget(timeout)

    provider.forget = after_a_reload  # type: ignore[method-assign]
    getattr(source, end)()
    assert source.bind().cached is None
    assert source.token().access_token != ended.access_token


class Person:
    """Somebody who logs in, where nothing is stored outside of the process and the server replaces refresh tokens."""

    def __init__(self, sandbox: Sandbox, environment: Environment) -> None:
        self.sandbox, self.environment = sandbox, environment
        sandbox.quirks = Quirks(refresh_token="rotate")
        environment(at(sandbox, "authorization_code"))
        self.source = TokenSource.from_env()

    def logs_in(self, *, meanwhile: Callable[[], object] = lambda: None) -> Token:
        """Log in, and do something else while the person is at it."""
        login = self.source.begin_login()
        meanwhile()
        return login.complete(self.sandbox.log_in(login.url))


@pytest.fixture
def person(sandbox: Sandbox, environment: Environment) -> Person:
    """Somebody who logs in."""
    return Person(sandbox, environment)


def test_a_login_outlives_a_reload_that_comes_before_its_end(person: Person) -> None:
    """Whoever completes a login after a reload that changes nothing is logged in."""
    token = person.logs_in(meanwhile=person.source.reload)
    assert person.source.token().access_token == token.access_token
    assert person.source.renew(token).access_token != token.access_token


def test_a_login_outlives_a_reload_during_its_renewal(person: Person) -> None:
    """The refresh token that a renewal brings after a reload is the one that is used next, not the one of before."""
    token = person.logs_in()
    drive = person.source.bind().provider.drive

    def after_a_reload(*arguments: Any) -> Any:  # noqa: ANN401 - as the method itself
        assert not person.source.reload()
        return drive(*arguments)

    person.source.bind().provider.drive = after_a_reload  # type: ignore[method-assign,assignment]
    renewed = person.source.renew(token)
    assert person.source.token().access_token == renewed.access_token
    assert person.source.renew(renewed).access_token != renewed.access_token


def test_a_login_is_there_on_the_way_back(person: Person) -> None:
    """A switch to another strategy by reload, and the way back, need no new login."""
    token = person.logs_in()
    person.environment(at(person.sandbox))
    assert person.source.reload()
    assert person.source.token().strategy == "client_credentials"
    person.environment(at(person.sandbox, "authorization_code"))
    assert person.source.reload()
    assert person.source.token().access_token == token.access_token


def test_two_sources_have_a_login_each(person: Person) -> None:
    """Whoever logs in at one source is not logged in at another one of the same process, nor after a reload of it."""
    person.logs_in()
    other = TokenSource.from_env()
    for _ in range(2):
        with pytest.raises(InteractionRequired):
            other.token()
        other.reload()


def test_no_request_has_a_foreign_token_under_reloads(hosts: tuple[Sandbox, Sandbox], environment: Environment) -> None:
    """Threads send requests while the source flips between two hosts: no token goes to the other one."""
    old, new = hosts
    library = "httpx2" if find_spec("httpx2") else "httpx"
    environment(at(old))
    auth = import_module(f"procountor_auth.{library}").ProcountorAuth()
    urls = [f"{host.base_url}/api/users" for host in hosts]
    sent_to: list[tuple[str, str]] = []
    failed: list[ProcountorAuthError] = []
    rng = random.Random(20261126)  # noqa: S311 - no secret depends on it
    ended = threading.Event()
    flips = 0

    def flip() -> None:
        nonlocal flips
        while not ended.is_set():
            flips += 1
            environment(at(hosts[flips % 2]))
            try:
                auth.source.reload()
                if rng.random() < 0.1:
                    auth.source.invalidate()
            except ProcountorAuthError as error:
                failed.append(error)

    def send(count: int) -> None:
        with import_module(library).Client(verify=False) as client:
            # A sender may be through before the first flip has been seen, so it goes on until both hosts had a token.
            while count > 0 or flips < FLIPS or (len({host for _, host in sent_to.copy()}) < 2 and count > -MOST):
                count -= 1
                url = rng.choice(urls)
                request = client.build_request("GET", url)
                flow = auth.sync_auth_flow(request)
                sent = next(flow)
                header = sent.headers.get("Authorization")
                if header is not None:
                    sent_to.append((issuer(header.removeprefix("Bearer ")), url.removesuffix("/api/users")))
                flow.close()

    flipping = threading.Thread(target=flip)
    flipping.start()
    senders = [threading.Thread(target=send, args=(REQUESTS // 4,)) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    ended.set()
    flipping.join()
    assert failed == []
    assert {host for _, host in sent_to} == {old.base_url, new.base_url}
    assert [pair for pair in sent_to if pair[0] != pair[1]] == []
