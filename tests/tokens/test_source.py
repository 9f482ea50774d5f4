"""One valid token for everybody who asks."""

from __future__ import annotations

import asyncio
import base64
import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth import InteractionRequired, KeyLogin, Settings, TokenSource
from procountor_auth.errors import ConfigurationError, InvalidGrant, RedirectError, ServiceUnavailable, StateMismatch
from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.strategies.fixed_token import FixedTokenStrategy
from procountor_auth.tokens.fallback import MAX_FALLBACKS
from procountor_auth.transport.backend import backend, library
from procountor_auth.transport.transport import Transport
from tests.tokens.scripted import NOW, Other, Script, Scripted
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth import Token
    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]
    LogIn = Callable[[str, Sandbox], str]
    TokenRequests = Callable[[Sandbox], list[str]]

KEY, OTHER_KEY = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))

STRATEGIES = ["legacy_password", "authorization_code", "client_credentials"]


class Clock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.now


def settings(sandbox: Sandbox, strategy: str) -> Settings:
    """Describe a sandbox to the library."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    return Settings(**arguments(variables) | {"legacy_policy": "allow"})


def source(sandbox: Sandbox, strategy: str = "client_credentials", clock: Clock | None = None) -> TokenSource:
    """Build a source for a sandbox, with a clock of the test's own."""
    return TokenSource.from_settings(settings(sandbox, strategy), clock=clock or time.time)


@pytest.fixture
def _again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no time between attempts."""
    monkeypatch.setattr("procountor_auth.transport.retry.FIRST_WAIT", 0.0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_token_is_for_the_company(sandbox: Sandbox, strategy: str) -> None:
    """Each strategy gets a token for the sandbox's company and user, and says which strategy it was."""
    token = source(sandbox, strategy).token()

    assert (token.company_id, token.user_id, token.strategy) == (int(sandbox.company), sandbox.user_id, strategy)
    assert token.expires_at - token.issued_at == 3600


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_atoken_is_the_same_token(sandbox: Sandbox, strategy: str) -> None:
    """A token that a thread has got is the one that an event loop is given."""
    tokens = source(sandbox, strategy)

    assert asyncio.run(tokens.atoken()) is tokens.token()


def test_64_threads_make_one_request(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """64 threads that find no token make exactly one token request between them."""
    tokens = source(sandbox)
    together = threading.Barrier(64)

    def ask(_: int) -> Token:
        together.wait()
        return tokens.token()

    with ThreadPoolExecutor(64) as threads:
        got = list(threads.map(ask, range(64)))

    assert token_requests(sandbox) == ["client_credentials"]
    assert len({token.access_token for token in got}) == 1


def test_1000_coroutines_make_one_request(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """1,000 coroutines that find no token make exactly one token request between them."""
    tokens = source(sandbox)

    async def crowd() -> list[Token]:
        return await asyncio.gather(*(tokens.atoken() for _ in range(1000)))

    assert len({token.access_token for token in asyncio.run(crowd())}) == 1
    assert token_requests(sandbox) == ["client_credentials"]


def test_threads_and_event_loops_share_one_request(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """4 event loops and 32 threads on one source make one token request, and no loop complains."""
    tokens = source(sandbox)
    together = threading.Barrier(36)

    async def crowd() -> set[str]:
        return {token.access_token for token in await asyncio.gather(*(tokens.atoken() for _ in range(25)))}

    def in_a_loop() -> set[str]:
        together.wait()
        return asyncio.run(crowd(), debug=True)

    def in_a_thread() -> set[str]:
        together.wait()
        return {tokens.token().access_token}

    with ThreadPoolExecutor(36) as threads:
        asked = [threads.submit(in_a_loop) for _ in range(4)] + [threads.submit(in_a_thread) for _ in range(32)]
        got = set[str]().union(*(future.result() for future in asked))

    assert len(got) == 1
    assert token_requests(sandbox) == ["client_credentials"]


@pytest.mark.both_error_shapes
@pytest.mark.usefixtures("_again_at_once")
def test_waiters_share_a_failure(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """Callers that wait together get the same error from one series of attempts, each as an object of its own."""
    sandbox.faults = Faults(status=503, latency=0.1)
    tokens = source(sandbox)
    together = threading.Barrier(16)

    def ask(_: int) -> Exception | None:
        together.wait()
        try:
            tokens.token()
        except ServiceUnavailable as error:
            return error
        return None

    with ThreadPoolExecutor(16) as threads:
        errors = list(threads.map(ask, range(16)))

    assert {str(error) for error in errors} == {str(errors[0])}
    assert len({id(error) for error in errors}) == 16
    assert len(token_requests(sandbox)) == 3  # one series of attempts


@pytest.mark.usefixtures("_again_at_once")
def test_failure_is_not_kept(sandbox: Sandbox) -> None:
    """After a failure, the next call asks again."""
    tokens = source(sandbox)
    sandbox.faults = Faults(status=503)
    with pytest.raises(ServiceUnavailable):
        tokens.token()
    sandbox.faults = Faults()

    assert tokens.token().company_id == int(sandbox.company)


def test_cached_token_is_not_asked_for_again(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """As long as a token is valid, asking for it sends nothing."""
    clock = Clock()
    tokens = source(sandbox, clock=clock)
    first = tokens.token()
    clock.now = first.stale_from(1.0) - 0.001

    assert tokens.token() is first
    assert len(token_requests(sandbox)) == 1


@pytest.mark.parametrize(
    ("strategy", "grants"),
    [
        ("legacy_password", ["authorization_code", "refresh_token"]),
        ("authorization_code", ["refresh_token", "refresh_token"]),
        ("client_credentials", ["client_credentials", "client_credentials"]),
    ],
)
def test_renewal_after_expiry(
    sandbox: Sandbox, token_requests: TokenRequests, strategy: str, grants: list[str]
) -> None:
    """At the end of its time a token is renewed: with the refresh token where there is one, else by asking again."""
    clock = Clock()
    tokens = source(sandbox, strategy, clock)
    first = tokens.token()
    clock.now = first.usable_until

    second = tokens.token()

    assert second.access_token != first.access_token
    assert second.refresh_token == first.refresh_token
    assert token_requests(sandbox) == grants


@pytest.mark.both_error_shapes
def test_rotated_refresh_tokens_are_followed(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """With a server that replaces the refresh token at every use, each one is used exactly once."""
    sandbox.quirks = Quirks(refresh_token="rotate")
    clock = Clock()
    tokens = source(sandbox, "authorization_code", clock)
    seen = set()
    for _ in range(5):
        token = tokens.token()
        seen.add(token.refresh_token)
        clock.now = token.expires_at

    assert len(seen) == 5
    assert token_requests(sandbox) == ["refresh_token"] * 5


@pytest.mark.both_error_shapes
def test_legacy_logs_in_again_when_its_refresh_token_is_refused(sandbox: Sandbox) -> None:
    """The legacy strategy falls back to its own password when the refresh token no longer works."""
    clock = Clock()
    tokens = source(sandbox, "legacy_password", clock)
    first = tokens.token()
    with_bearer = {"Authorization": f"Bearer {first.access_token}"}
    with backend.Client(verify=False) as client:
        client.post(f"{sandbox.base_url}/logout", headers=with_bearer)

    second = tokens.renew(first)

    assert second.company_id == int(sandbox.company)
    assert second.access_token != first.access_token


def test_rejected_token_is_never_served_again(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """After a 401 one renewal replaces the token, however many callers report the same one."""
    tokens = source(sandbox)
    rejected = tokens.token()

    with ThreadPoolExecutor(8) as threads:
        renewed = list(threads.map(lambda _: tokens.renew(rejected), range(8)))

    assert {token.access_token for token in renewed} == {tokens.token().access_token}
    assert rejected.access_token != tokens.token().access_token
    assert len(token_requests(sandbox)) == 2


def test_cancelled_caller_takes_nothing_away(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """When the caller that started a renewal is cancelled, and its event loop ends, the others get the token."""
    sandbox.faults = Faults(latency=0.1)
    tokens = source(sandbox)

    async def give_up() -> None:
        leader = asyncio.create_task(tokens.atoken())
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader

    asyncio.run(give_up())

    assert tokens.token().company_id == int(sandbox.company)
    assert token_requests(sandbox) == ["client_credentials"]


def test_login_in_a_browser(sandbox: Sandbox, log_in: LogIn, token_requests: TokenRequests) -> None:
    """The redirect of a login brings a token, which the source keeps."""
    tokens = TokenSource.from_settings(
        settings(sandbox, "authorization_code").model_copy(update={"refresh_token": None})
    )
    with pytest.raises(InteractionRequired, match=r"PROCOUNTOR_REFRESH_TOKEN[\s\S]*begin_login"):
        tokens.token()
    login = tokens.begin_login()

    token = login.complete(log_in(login.url, sandbox))

    assert token.company_id == int(sandbox.company)
    assert tokens.token() is token
    assert token_requests(sandbox) == ["authorization_code"]


@pytest.mark.parametrize("pkce", [False, True])
def test_login_completes_in_an_event_loop(sandbox: Sandbox, log_in: LogIn, *, pkce: bool) -> None:
    """`acomplete` does what `complete` does, with PKCE and without."""
    tokens = TokenSource.from_settings(settings(sandbox, "authorization_code").model_copy(update={"pkce": pkce}))
    login = tokens.begin_login()
    assert ("code_challenge_method=S256" in login.url) is pkce

    token = asyncio.run(login.acomplete(log_in(login.url, sandbox)))

    assert asyncio.run(tokens.atoken()) is token


@pytest.mark.both_error_shapes
def test_login_survives_a_wrong_redirect(sandbox: Sandbox, log_in: LogIn) -> None:
    """A redirect with a wrong state is refused, and the right one is still accepted after it; but only once."""
    login = source(sandbox, "authorization_code").begin_login()
    right = log_in(login.url, sandbox)
    with pytest.raises(StateMismatch):
        login.complete(right.replace("state=", "state=x"))
    with pytest.raises(StateMismatch):
        login.complete(right.replace("code=", "error=access_denied&nothing=").replace("state=", "state=x"))
    with pytest.raises(RedirectError, match="does not lead to the client"):
        login.complete("https://elsewhere.example/" + right)

    assert login.complete(right).company_id == int(sandbox.company)
    with pytest.raises(RedirectError, match="completed already"):
        login.complete(right)


def test_login_is_for_the_authorization_code_strategy(sandbox: Sandbox) -> None:
    """Other strategies have no login page, and say so."""
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_STRATEGY=authorization_code"):
        source(sandbox).begin_login()


def test_api_key_through_a_browser(sandbox: Sandbox, log_in: LogIn) -> None:
    """A key login answers an API key that the client credentials strategy then gets a token with."""
    login = KeyLogin.from_settings(settings(sandbox, "client_credentials"))

    key = login.complete(log_in(login.url, sandbox))

    chosen = settings(sandbox, "client_credentials").model_copy(update={"api_key": key})
    assert key.get_secret_value() != sandbox.api_key
    assert TokenSource.from_settings(chosen).token().company_id == int(sandbox.company)


def test_api_key_from_the_environment_without_one(
    sandbox: Sandbox, log_in: LogIn, environment: Callable[[dict[str, str]], None]
) -> None:
    """Getting the first API key needs the client's variables alone."""
    variables = sandbox.environment("client_credentials")
    del variables["PROCOUNTOR_API_KEY"], variables["PROCOUNTOR_STRATEGY"]
    environment(variables)
    login = KeyLogin.from_env()

    assert asyncio.run(login.acomplete(log_in(login.url, sandbox))).get_secret_value().count(".") == 2


@pytest.mark.both_error_shapes
def test_ended_refresh_token_asks_for_a_person(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """A refused refresh token ends in InteractionRequired, which names both ways on."""
    chosen = settings(sandbox, "authorization_code")
    with pytest.raises(InteractionRequired, match=r"PROCOUNTOR_REFRESH_TOKEN[\s\S]*begin_login") as refused:
        TokenSource.from_settings(chosen.model_copy(update={"refresh_token": chosen.client_secret})).token()

    assert not refused.value.retryable
    assert token_requests(sandbox) == ["refresh_token"]


@pytest.mark.both_error_shapes
def test_wrong_password_is_refused_once(sandbox: Sandbox) -> None:
    """A wrong password gives one typed error that names the variables to check, after one request."""
    chosen = settings(sandbox, "legacy_password")
    with pytest.raises(InvalidGrant, match=r"PROCOUNTOR_USERNAME, PROCOUNTOR_PASSWORD and PROCOUNTOR_COMPANY"):
        TokenSource.from_settings(chosen.model_copy(update={"password": chosen.username})).token()

    assert len(sandbox.log()) == 1


def test_source_is_not_pickled(sandbox: Sandbox) -> None:
    """Neither a source nor its strategy nor a token goes into a pickle."""
    tokens = source(sandbox)
    for secret in (tokens, tokens.strategy, tokens.token()):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


DESCRIBED = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "http://127.0.0.1:8080/callback",
    "PROCOUNTOR_API_KEY": "k3y",
    "PROCOUNTOR_BASE_URL": "https://api.example",
    "PROCOUNTOR_TOKEN_STORE": "memory",
}


def test_a_reload_to_other_tokens_is_told(environment: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """One line names the host and the strategy, and the profile if there is one; the same tokens are no news."""
    common = {name: value for name, value in DESCRIBED.items() if name != "PROCOUNTOR_API_KEY"}
    acme = {"PROCOUNTOR_PROFILES__ACME__API_KEY": "k3y"}
    changed = {"PROCOUNTOR_STRATEGY": "authorization_code", "PROCOUNTOR_BASE_URL": "https://new.example"}
    for profile, variables in ((None, DESCRIBED), ("acme", common | acme)):
        environment(variables)
        tokens = TokenSource.from_env(profile=profile)
        with caplog.at_level(logging.INFO, "procountor_auth"):
            caplog.clear()
            assert not tokens.reload()
            environment(variables | changed)
            assert tokens.reload()
            assert not tokens.reload()
        prefix = "" if profile is None else "profile acme: "
        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (logging.INFO, f"{prefix}tokens come from https://new.example now, strategy authorization_code")
        ]
        assert (tokens.profile, tokens.strategy.name) == (profile, "authorization_code")


def test_what_was_not_made_from_the_environment_is_not_reloaded() -> None:
    """The error says so, and how to make one that can be."""
    with pytest.raises(ConfigurationError) as caught:
        TokenSource.fixed("acc3ss").reload()
    assert (caught.value.message, caught.value.hint) == (
        "This source was not made from the environment, so there is nothing to read again.",
        "Make it with `TokenSource.from_env()`.",
    )


@pytest.mark.parametrize(
    ("token", "host", "problem"),
    [
        ("acc3ss two", "https://api.example", "contains white space or control characters"),
        ("", "https://api.example", "is empty"),
        ("acc3ss", "http://api.example", "must start with https:// (http:// is for this machine only)"),
    ],
)
def test_a_fixed_token_that_can_t_be_one_says_what_to_give(token: str, host: str, problem: str) -> None:
    """The error has what is wrong with either, and what both have to be; the token is not in it."""
    with pytest.raises(ConfigurationError) as caught:
        TokenSource.fixed(token, base_url=host)
    assert (caught.value.message, caught.value.hint) == (
        f"The fixed token or its host can't be used: it {problem}.",
        "Give the bare access token, and a base URL.",
    )


def test_a_fixed_token_is_for_its_host() -> None:
    """It is for production, or for the host that is named."""
    assert TokenSource.fixed("acc3ss").endpoints.host == "https://api.procountor.com"
    tokens = TokenSource.fixed("acc3ss", base_url="https://api.example")
    assert isinstance(tokens.strategy, FixedTokenStrategy)
    assert tokens.endpoints.host == "https://api.example"
    for url, api in (
        ("https://API.example/api/", "https://api.example/api"),
        ("https://api.example/v2302/api", "https://api.example/v2302/api"),
    ):
        assert TokenSource.fixed("acc3ss", base_url=url).endpoints.api == api


def test_a_strategy_without_a_login_page_says_what_to_do(environment: Environment) -> None:
    """The error names the strategy and the one to choose, in the words of the profile if there is one."""
    environment(DESCRIBED)
    for saved in (None, "saved"):
        with pytest.raises(ConfigurationError) as caught:
            TokenSource.from_env().begin_login() if saved is None else TokenSource.from_env().resume_login(saved)
        assert (caught.value.message, caught.value.hint) == (
            "The client_credentials strategy has no login page.",
            "Set PROCOUNTOR_STRATEGY=authorization_code to log in with a browser, or just call `token()`.",
        )
    environment(DESCRIBED | {"PROCOUNTOR_PROFILES__ACME__API_KEY": "k3y"})
    with pytest.raises(ConfigurationError) as caught:
        TokenSource.from_env(profile="acme").begin_login()
    assert caught.value.profile == "acme"


def test_a_login_goes_on_in_another_process(sandbox: Sandbox, log_in: LogIn, token_requests: TokenRequests) -> None:
    """What one source has saved another one completes; a text that is none of theirs is refused."""
    chosen = settings(sandbox, "authorization_code").model_copy(update={"refresh_token": None})
    begun = TokenSource.from_settings(chosen).begin_login()
    tokens = TokenSource.from_settings(chosen)
    login = tokens.resume_login(begun.save())
    assert login.complete(log_in(begun.url, sandbox)) is tokens.token()
    assert token_requests(sandbox) == ["authorization_code"]
    with pytest.raises(RedirectError):
        tokens.resume_login("something else")


def _login_settings(**changes: object) -> Settings:
    """Describe logins at a host that nobody asks."""
    chosen = {"strategy": "authorization_code", "api_key": None, "redirect_uri": "http://127.0.0.1/callback"}
    return Settings(**{name: value for name, value in (arguments(DESCRIBED) | chosen | changes).items() if value})


@pytest.mark.parametrize(("key", "secret"), [(KEY, "an0ther"), (None, "cl13nt")], ids=["its key", "the client secret"])
def test_a_saved_login_is_for_whoever_has_the_key(key: str | None, secret: str) -> None:
    """The store's key opens it, or without one the client secret; it is for one entry, and for an hour."""
    clock = Clock()
    first = TokenSource.from_settings(_login_settings(token_store_key=key), account="anna", clock=clock)
    login = first.begin_login("http://127.0.0.1:9090/callback")
    saved = login.save()

    def resumed(account: str = "anna", **changes: object) -> str:
        source = TokenSource.from_settings(_login_settings(**changes), account=account, clock=clock)
        return source.resume_login(saved).url

    same: dict[str, Any] = {"token_store_key": key, "client_secret": secret}
    assert resumed(**same) == login.url
    assert "127.0.0.1%3A9090" in login.url
    with pytest.raises(RedirectError):
        resumed("bertta", **same)
    with pytest.raises(RedirectError):
        resumed(token_store_key=OTHER_KEY, client_secret="an0ther")
    clock.now += 3599
    assert resumed(**same) == login.url
    clock.now += 2
    with pytest.raises(RedirectError):
        resumed(**same)


def test_a_login_is_its_profile_s(environment: Environment) -> None:
    """What goes wrong with a login says whose it is, whether it was begun here or resumed."""
    variables = {name: value for name, value in DESCRIBED.items() if name != "PROCOUNTOR_API_KEY"}
    strategy = {"PROCOUNTOR_PROFILES__ACME__STRATEGY": "authorization_code"}
    environment(variables | strategy)
    tokens = TokenSource.from_env(profile="acme")
    begun = tokens.begin_login()
    for login in (begun, tokens.resume_login(begun.save())):
        with pytest.raises(RedirectError) as caught:
            login.complete("http://127.0.0.1:8080/callback?code=c&state=wrong")
        assert (login.whose.name, caught.value.profile) == ("acme", "acme")


def test_a_source_has_what_it_is_given() -> None:
    """Each argument of the constructor comes to where it is used, and the defaults are those that are documented."""
    store, local, transport = MemoryStore(), MemoryStore(), Transport(timeout=7.0)
    heard: list[object] = []
    tokens = TokenSource(
        Scripted(Script()),
        fallback=Other(Script()),
        fallback_limit=3,
        transport=transport,
        store=store,
        local=local,
        account="anna",
        on_event=heard.append,
        monotonic=lambda: 5.0,
        jitter=lambda: 0.5,
    )
    cache = tokens.bind()
    provider = cache.provider
    assert provider.fallback is not None
    assert (provider.fallback.strategy.name, provider.fallback.limit) == ("other", 3)
    assert (provider.account, provider.deadline(), provider.timeout) == ("anna", 12.0, 7.0)
    assert provider.backends.transport is transport
    for key, stored in ((provider.key, provider.store), ("local", provider.backends.local)):
        assert stored is not None
        with stored.transaction(key, timeout=1) as transaction:
            transaction.write(None)
    assert (list(store._entries), list(local._entries)) == ([provider.key], ["local"])
    assert (cache._monotonic(), cache._jitter(), cache.clock()) == (5.0, 0.5, NOW)
    assert cache._telemetry.listener == heard.append
    assert provider.fallback._emit == cache._telemetry.emit
    assert provider._on_response == cache._telemetry.on_response

    plain = TokenSource(Scripted(Script()), fallback=Other(Script())).bind().provider
    assert plain.fallback is not None
    assert (plain.fallback.limit, plain.account, plain.timeout) == (MAX_FALLBACKS, "", 30.0)
    assert TokenSource(Scripted(Script())).bind().provider.fallback is None


@pytest.mark.parametrize("make", ["from_env", "from_settings"])
def test_a_described_source_has_what_it_is_given(environment: Environment, make: str) -> None:
    """The account, the store, the library and the listener are those that were named, also after a reload."""
    environment(DESCRIBED | {"PROCOUNTOR_FALLBACK_STRATEGY": "authorization_code"})
    store = MemoryStore()
    heard: list[object] = []
    given = {"account": "anna", "store": store, "library": library().__name__, "on_event": heard.append}
    if make == "from_env":
        tokens = TokenSource.from_env(**given)
    else:
        tokens = TokenSource.from_settings(Settings(), **given, clock=lambda: NOW)
        assert tokens.bind().clock() == NOW
    for _ in range(2):
        provider = tokens.bind().provider
        with provider.store.transaction(provider.key, timeout=1) as transaction:
            transaction.write(None)
        assert list(store._entries) == [provider.key]
        assert (provider.account, provider.backends.transport.library) == ("anna", library().__name__)
        telemetry = tokens.bind()._telemetry
        assert telemetry.listener == heard.append
        assert provider._on_response == telemetry.on_response
        assert provider.fallback is not None
        assert provider.fallback._emit == telemetry.emit
        if make == "from_env":
            tokens.reload()
