"""Many callers that get a 401 for the same token at once: one renewal, and one outcome for all of them."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from procountor_auth import Token, TokenSource
from procountor_auth.errors import InvalidGrant, ProcountorAuthError, ServiceUnavailable
from procountor_auth.protocol.token import TokenState
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.tokens.renewing_cache import RenewingCache
from procountor_auth.tokens.telemetry import Telemetry
from procountor_auth.transport.background import SharedFuture
from tests.tokens.scripted import Bench, Script, refused, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.tokens.provider import TokenProvider

_CALLERS: Final = 20


class Herd:
    """A cache whose renewals end when all callers wait, and what was asked for.

    Args:
        provider: Where the tokens come from.
        monkeypatch: Undoes what is replaced.
    """

    def __init__(self, provider: TokenProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        self.renewals = 0
        self._waiting = 0
        self._all_wait, self._lock = threading.Event(), threading.Lock()
        renew, result, aresult = provider.renew, SharedFuture.result, SharedFuture.aresult

        def late(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the method itself
            with self._lock:
                self.renewals += 1
            assert self._all_wait.wait(20)
            return renew(*arguments, **options)

        def wait(future: SharedFuture[Token]) -> Token:
            self._one_more()
            return result(future)

        async def await_it(future: SharedFuture[Token]) -> Token:
            self._one_more()
            return await aresult(future)

        monkeypatch.setattr(provider, "renew", late)
        monkeypatch.setattr(SharedFuture, "result", wait)
        monkeypatch.setattr(SharedFuture, "aresult", await_it)

    def _one_more(self) -> None:
        with self._lock:
            self._waiting += 1
            if self._waiting == _CALLERS:
                self._all_wait.set()


def _second() -> Token:
    return token("second", "primary")


def _bench(renewed: Callable[[], Token] = _second) -> Bench:
    first = {"acquire": lambda: token("first", "primary"), "refresh-first": renewed}
    return Bench(Script(answers={**first, "refresh-second": lambda: token("third", "primary")}))


def _cache_of(bench: Bench) -> RenewingCache:
    provider = bench.provider(with_fallback=False)
    return RenewingCache(provider, Telemetry(None), monotonic=lambda: 0.0, jitter=lambda: 0.0)


def _herd(
    monkeypatch: pytest.MonkeyPatch, renewed: Callable[[], Token] = _second
) -> tuple[Bench, RenewingCache, Token, Herd]:
    """Return a server, a cache, the token that it has got there, and the herd that is about to reject that."""
    bench = _bench(renewed)
    cache = _cache_of(bench)
    first = cache.token()
    return bench, cache, first, Herd(cache.provider, monkeypatch)


def _renew_in_threads(cache: RenewingCache, rejected: Token) -> list[object]:
    outcomes: list[object] = []
    together = threading.Barrier(_CALLERS)

    def call() -> None:
        together.wait(10)
        try:
            outcomes.append(cache.renew(rejected))
        except ProcountorAuthError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=call) for _ in range(_CALLERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    return outcomes


def _renew_in_a_loop(cache: RenewingCache, rejected: Token) -> list[object]:
    async def call() -> list[object]:
        return [*await asyncio.gather(*(cache.arenew(rejected) for _ in range(_CALLERS)), return_exceptions=True)]

    return asyncio.run(call())


_in_both = pytest.mark.parametrize("renew", [_renew_in_threads, _renew_in_a_loop], ids=["threads", "coroutines"])


@_in_both
def test_all_get_the_token_of_one_renewal(
    monkeypatch: pytest.MonkeyPatch, renew: Callable[[RenewingCache, Token], list[object]]
) -> None:
    """Callers that reject the same token at once get the same new one, for one request."""
    bench, cache, first, herd = _herd(monkeypatch)
    assert renew(cache, first) == [token("second", "primary")] * _CALLERS
    assert (herd.renewals, bench.primary.asked) == (1, ["acquire", "refresh-first"])


@_in_both
def test_all_get_the_error_of_one_renewal_and_a_later_401_starts_another(
    monkeypatch: pytest.MonkeyPatch, renew: Callable[[RenewingCache, Token], list[object]]
) -> None:
    """A renewal that fails does so for all who wait, each with an error of its own; then it may be tried again."""
    bench, cache, first, herd = _herd(monkeypatch, refused)
    errors = renew(cache, first)
    assert {type(each) for each in errors} == {InvalidGrant}
    assert len({id(each) for each in errors}) == _CALLERS
    assert (herd.renewals, bench.primary.asked) == (1, ["acquire", "refresh-first"])

    bench.primary.now += 10  # the pause after a refusal
    bench.primary.answers["refresh-first"] = lambda: token("second", "primary")
    assert cache.renew(first) == token("second", "primary")
    assert herd.renewals == 2


@_in_both
def test_an_early_renewal_is_joined(
    monkeypatch: pytest.MonkeyPatch, renew: Callable[[RenewingCache, Token], list[object]]
) -> None:
    """Where a stale token is being renewed already, those who reject it wait for that renewal."""
    bench, cache, first, herd = _herd(monkeypatch)
    bench.primary.now = first.stale_from()
    assert cache.token() is first
    assert renew(cache, first) == [token("second", "primary")] * _CALLERS
    assert (herd.renewals, bench.primary.asked) == (1, ["acquire", "refresh-first"])


class _Interrupted:
    """A token in whose comparison something else happens, as on another thread."""

    def __init__(self, rejected: Token, meanwhile: Callable[[], object]) -> None:
        self._rejected, self._meanwhile = rejected, meanwhile

    @property
    def access_token(self) -> str:
        """The access token, after something else has happened."""
        self._meanwhile()
        return self._rejected.access_token


def _reject_during(cache: RenewingCache, rejected: Token, meanwhile: Callable[[], object]) -> None:
    cache.reject(cast("Token", _Interrupted(rejected, meanwhile)))


def test_two_first_rejections_have_one_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejection that is overtaken by another one joins the renewal which that one has started."""
    _, cache, first, herd = _herd(monkeypatch)
    started: list[object] = []

    def other() -> None:
        cache.reject(first)
        started.append(cache.token_or_renewal(cache.cached))

    _reject_during(cache, first, other)
    assert [cache.token_or_renewal(cache.cached)] == started
    for _ in range(_CALLERS - 1):
        herd._one_more()
    assert cache.token() == token("second", "primary")


def test_a_rejection_that_comes_late_costs_no_newer_token() -> None:
    """A token that comes between a rejection's look and its step is served, and nothing more is sent."""
    bench = _bench()
    cache = _cache_of(bench)
    first = cache.token()
    _reject_during(cache, first, lambda: cache.renew(first))
    assert cache.token() == token("second", "primary")
    cache.reject(first)
    assert cache.token() == token("second", "primary")
    assert bench.primary.asked == ["acquire", "refresh-first"]


def test_a_rejection_brings_no_forgotten_token_back() -> None:
    """An invalidation between a rejection's look and its step leaves nothing, not even the refresh token."""
    cache = _cache_of(_bench())
    first = cache.token()
    _reject_during(cache, first, cache.forget)
    assert cache.cached is None


def test_a_rejected_token_is_expired() -> None:
    """Whatever its time, it is not handed out; its token is kept for the refresh token."""
    bench = _bench()
    cache = _cache_of(bench)
    first = cache.token()
    cached = cache.cached
    assert cached is not None
    cache.reject(first)
    assert cache.cached is cached
    assert (cached.token, cached.state(bench.primary.now)) == (first, TokenState.EXPIRED)


@pytest.mark.server
@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("down", [False, True], ids=["well", "down"])
def test_requests_of_one_client_share_a_renewal(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, library: str, *, down: bool
) -> None:
    """Requests of one AsyncClient that all get a 401 cost one series of token requests, and end alike."""
    http = pytest.importorskip(library)
    for name, value in sandbox.environment("client_credentials").items():
        monkeypatch.setenv(name, value)
    source = TokenSource.from_env()
    auth: Any = importlib.import_module(f"procountor_auth.{library}").ProcountorAuth(source)
    asked = 1 + (3 if down else 1)

    async def call() -> list[Any]:
        async with http.AsyncClient(auth=auth, trust_env=False, timeout=30) as client:
            assert (await client.post(f"{sandbox.base_url}/logout")).is_success
            herd = Herd(source.bind().provider, monkeypatch)
            sandbox.faults = Faults(status=500, where="token") if down else Faults()
            url = f"{sandbox.base_url}/api/sessioninfo"
            answers = await asyncio.gather(*(client.get(url) for _ in range(_CALLERS)), return_exceptions=True)
            assert herd.renewals == 1
            return [*answers]

    answers = Counter(getattr(each, "status_code", type(each)) for each in asyncio.run(call()))
    assert answers == {ServiceUnavailable if down else 200: _CALLERS}
    assert len([each for each in sandbox.log() if each["path"].endswith("oauth/token")]) == asked
