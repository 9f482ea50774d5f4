"""What others wrote (handlers, listeners, filters, signal handlers) can neither wedge a source nor hold it up."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from pydantic import SecretStr

from procountor_auth import Settings, Token, TokenSource
from procountor_auth.errors import ConnectionFailed, InvalidGrant, StoreUnavailable
from procountor_auth.sandbox import Faults, Sandbox
from procountor_auth.tokens.cache import CachedToken
from procountor_auth.tokens.renewing_cache import RenewingCache
from procountor_auth.tokens.stored import Acquired
from procountor_auth.tokens.telemetry import Telemetry
from procountor_auth.transport import background
from procountor_auth.transport.background import SharedFuture
from procountor_auth.transport.transport import Transport
from tests.leaks.watch import MOST_ERRORS
from tests.sizes import size
from tests.tokens.scripted import ENDPOINTS, NOW, Bench, Script, refused, token
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.events import Event
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.tokens.provider import TokenProvider

pytestmark = pytest.mark.server

SIGNALS = size(100, 1000)

ABANDONED = size(100, 1000)


class SoftTimeLimitExceeded(Exception):
    """What a signal handler of a task queue raises."""


class Clock:
    """A wall clock that a test moves."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time in Unix seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's source."""
    return Clock()


@pytest.fixture
def make(sandbox: Sandbox, clock: Clock) -> Callable[..., TokenSource]:
    """Make sources with some settings changed, that share nothing."""
    made = 0

    def source(on_event: Callable[[Event], None] | None = None, **changes: str) -> TokenSource:
        nonlocal made
        made += 1
        variables = sandbox.environment("client_credentials")
        settings = Settings(**arguments(variables) | changes)
        return TokenSource.from_settings(settings, account=f"account-{made}", on_event=on_event, clock=clock)

    return source


@pytest.fixture
def handler() -> Iterator[Callable[[Callable[[logging.LogRecord], object]], None]]:
    """Have a function called with each record of the package's logger."""
    logger = logging.getLogger("procountor_auth")
    added: list[logging.Handler] = []

    def add(call: Callable[[logging.LogRecord], object]) -> None:
        class Calling(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                call(record)

        added.append(Calling())
        logger.addHandler(added[-1])

    yield add
    for each in added:
        logger.removeHandler(each)


def stale(source: TokenSource, clock: Clock) -> None:
    """Move the clock on until the source's token is stale."""
    cached = source.bind().cached
    assert cached is not None
    clock.now = cached.stale_from + 1


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_signal_that_raises_before_the_renewal_runs_wedges_nobody(
    make: Callable[..., TokenSource], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The caller gets the signal's exception, before the thread runs or after, and the next one a token, at once."""
    source = make()
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        if where == "after":
            start(thread)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(SoftTimeLimitExceeded):
        source.token()
    started = time.monotonic()
    assert source.token().access_token
    assert time.monotonic() - started < 10  # not the thirty seconds of a renewal that nobody runs


SIGNALLED = """
import signal, sys, threading
from procountor_auth import Settings, TokenSource

class SoftTimeLimitExceeded(Exception):
    pass

def raises(*_):
    raise SoftTimeLimitExceeded

threading.excepthook = sys.unraisablehook = lambda _: None
signal.signal(signal.SIGALRM, raises)
settings = Settings()
wedged = []
for number in range(int(sys.argv[1])):
    source = TokenSource.from_settings(settings, account=f"account-{number}")
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + number % 40 * 1e-5)
        source.token()
    except (SoftTimeLimitExceeded, KeyError, RuntimeError):
        pass  # the others are how Python's own threads and locks end where a signal raises in them
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    renewal = source.bind().renewal
    if renewal is not None:
        renewal.wait(10)
        if source.bind().renewal is not None:
            wedged.append(number)
print(wedged)
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_signals_at_random_moments_wedge_nobody(sandbox: Sandbox) -> None:
    """After an exception at any moment of a renewal, no renewal is waited for that nobody runs."""
    # In a process of its own: an exception in the middle of `logging` would leave its lock taken for all other tests.
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, str(SIGNALS)],
        env=os.environ | sandbox.environment("client_credentials"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stderr, done.stdout, done.returncode) == ("", "[]\n", 0)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals")
def test_a_signal_handler_gets_a_token_while_its_program_waits_for_one(
    make: Callable[..., TokenSource], sandbox: Sandbox
) -> None:
    """The handler runs on the thread that waits, and waits for the same renewal."""
    source = make()
    sandbox.faults = Faults(latency=0.2)
    got = []
    before = signal.signal(signal.SIGUSR1, lambda *_: got.append(source.token()))
    try:
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGUSR1)).start()
        got.append(source.token())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [source.token()] * 2
    assert len(sandbox.log()) == 1


def test_a_log_handler_that_is_slow_holds_nobody_up(
    make: Callable[..., TokenSource],
    sandbox: Sandbox,
    clock: Clock,
    handler: Callable[..., None],
) -> None:
    """A stale token is served at once, in a loop too, while a handler still writes that its renewal has failed."""
    source = make()
    token = source.token()
    go_on, reached = threading.Event(), threading.Event()

    def slow(record: logging.LogRecord) -> None:
        if "early renewal" in record.getMessage():
            reached.set()
            go_on.wait(10)

    handler(slow)
    sandbox.faults = Faults(status=400)
    stale(source, clock)
    assert source.token() is token
    assert reached.wait(10)
    started = time.monotonic()
    assert asyncio.run(source.atoken()) is source.token() is token
    assert time.monotonic() - started < 5  # the handler waits for ten
    go_on.set()


@pytest.mark.parametrize("what", ["handler", "listener"])
def test_who_hears_of_a_token_may_ask_for_one(
    make: Callable[..., TokenSource], handler: Callable[..., None], what: str
) -> None:
    """A log handler or listener that itself needs a token gets the one that it is told of."""
    got: list[str] = []

    def ask(said: object) -> None:
        text = said.getMessage() if isinstance(said, logging.LogRecord) else str(said)
        if text.startswith("new token"):
            got.append(source.token().access_token)

    source = make(on_event=ask if what == "listener" else None)
    if what == "handler":
        logging.getLogger("procountor_auth").setLevel(logging.INFO)
        handler(ask)
    try:
        assert [source.token().access_token] == got
    finally:
        logging.getLogger("procountor_auth").setLevel(logging.NOTSET)


def test_abandoned_renewals_leave_nothing_behind(
    make: Callable[..., TokenSource], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are stuck and abandoned: when they end, their threads, descriptors and memory are free again."""
    monkeypatch.setattr(background, "GRACE", 0.001)
    source = make(timeout="0.001")
    provider, end = source.bind().provider, threading.Event()
    renew = provider.renew
    stuck: list[threading.Thread] = []

    def wait_and_renew(*arguments: Any) -> Any:  # noqa: ANN401 - as the method itself
        stuck.append(threading.current_thread())
        end.wait()
        return renew(*arguments)

    def left() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def is_back() -> bool:
        return all(now <= then for now, then in zip(left(), before, strict=True))

    def futures() -> int:
        gc.collect()
        return sum(type(each) is background.SharedFuture for each in gc.get_objects())

    make().token()  # all that is opened once is open
    before, before_futures = left(), futures()
    provider.renew = wait_and_renew  # type: ignore[method-assign,assignment]
    for _ in range(ABANDONED):
        with pytest.raises(ConnectionFailed, match=r"within 0\.001 seconds"):
            source.token()
    assert len(stuck) == ABANDONED
    assert threading.active_count() >= ABANDONED

    provider.renew = renew  # type: ignore[method-assign]
    provider.backends.transport = Transport(timeout=30.0)
    end.set()
    for thread in stuck:
        thread.join()
    stuck.clear()
    token = source.token()
    assert source.token() is token
    # The leak watch keeps the first errors of a test, and their tracebacks what was in their frames.
    assert futures() - before_futures <= MOST_ERRORS
    until = time.monotonic() + 10  # the sandbox, in this process, closes its side of a connection in its own time
    while not is_back() and time.monotonic() < until:
        gc.collect()
    assert is_back(), (left(), before)
    assert len(sandbox.log()) < ABANDONED


def test_a_renewal_that_never_ends_is_abandoned(make: Callable[..., TokenSource], sandbox: Sandbox) -> None:
    """After its deadline its callers have an error, and the next caller starts another one."""
    source = make(timeout="0.5")
    provider, never = source.bind().provider, threading.Event()
    drive = provider.drive

    def stuck(*arguments: Any) -> Any:  # noqa: ANN401 - as the method itself
        provider.drive = drive  # type: ignore[method-assign]
        never.wait()
        return drive(*arguments)

    provider.drive = stuck  # type: ignore[method-assign,assignment]
    with pytest.raises(ConnectionFailed, match=r"within 0\.5 seconds"):
        source.token()
    abandoned = source.bind().renewal
    assert abandoned is not None
    never.set()
    abandoned.wait(10)
    token = source.token()
    assert token.access_token
    assert source.token() is token
    assert sandbox.log()


def cache_of(provider: TokenProvider, events: list[Event] | None = None) -> RenewingCache:
    """Return the cache of a provider, whose pauses never end."""
    listener = events.append if events is not None else None
    return RenewingCache(provider, Telemetry(listener), monotonic=lambda: 0.0, jitter=lambda: 0.0)


def settled(cache: RenewingCache) -> SharedFuture[Token] | None:
    """Return the renewal that the next caller waits for, when everybody has been told of it."""
    found = cache.token_or_renewal(cache.cached)
    renewal = found if isinstance(found, SharedFuture) else cache.renewal
    for each in (renewal, *background._under_way):
        if each is not None:
            each.wait(10)
    return renewal


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return what the log says, without the events."""
    return [(each.levelno, each.getMessage()) for each in caplog.records if not hasattr(each, "procountor_event")]


def test_each_token_and_failure_is_told() -> None:
    """A login's token, the one that replaces it, and a failure are events of their own, with all their fields."""
    events: list[Event] = []
    answers = {
        "acquire": lambda: token("first", "primary"),
        "refresh-first": lambda: token("second", "primary", lifetime=60),
    }
    bench = Bench(Script(answers={**answers, "refresh-second": refused}))
    cache = cache_of(bench.provider(with_fallback=False), events)
    flow = cache.provider.strategy.acquire()
    login = cache.keep_result_of(flow, SecretStr("code-1"))
    login.wait(10)
    assert cache.token() is login.result()
    cache.reject(cache.token())
    settled(cache)
    cache.reject(cache.token())
    failed = settled(cache)
    assert failed is not None
    with pytest.raises(InvalidGrant):
        failed.result()
    common = {"strategy": "primary", "host": ENDPOINTS.host, "profile": None, "at": NOW}
    assert [event.as_dict() for event in events] == [
        {"event": "token_acquired", "expires_at": NOW + 3600, **common},
        {"event": "token_renewed", "expires_at": NOW + 60, **common},
        {"event": "token_failed", "error": "invalid_grant", "retryable": False, **common},
    ]


@pytest.mark.parametrize("late", [True, False], ids=["after a newer one", "before another one"])
def test_what_an_abandoned_renewal_brings_wins_over_nothing_only(
    monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """Where there is no token yet, the late one is served; but it never takes the place of a newer one."""
    monkeypatch.setattr(background, "GRACE", 0.001)
    provider = Bench().provider(with_fallback=False)
    provider.backends.transport = Transport(timeout=0.001)
    begun: list[threading.Event] = []
    got = [Token(name, NOW + second, NOW + 3600, "primary") for second, name in enumerate(("older", "newer"))]

    def renew(*_: object) -> Acquired:
        begun.append(threading.Event())
        number = len(begun) - 1
        begun[number].wait(10)
        return Acquired(got[number], from_server=False)

    provider.renew = renew  # type: ignore[method-assign,assignment]
    cache = cache_of(provider)
    renewals = []
    for _ in got:
        with pytest.raises(ConnectionFailed):
            cache.token()
        renewals.append(cache.renewal)
    served = []
    for number in (1, 0) if late else (0, 1):
        begun[number].set()
        renewal = renewals[number]
        assert renewal is not None
        renewal.wait(10)
        assert cache.cached is not None
        served.append(cache.cached.token.access_token)
    assert served == (["newer", "newer"] if late else ["older", "newer"])
    assert cache.token() is got[1]


def test_a_clock_that_was_set_back_keeps_no_token_away() -> None:
    """What a renewal brings that nobody has abandoned is kept, though it looks older than the one before."""
    answers = {"acquire": lambda: token("first", "primary", lifetime=600)}
    bench = Bench(Script(answers={**answers, "refresh-first": lambda: Token("second", NOW - 60, NOW + 600, "primary")}))
    cache = cache_of(bench.provider(with_fallback=False))
    cache.reject(cache.token())
    second = cache.token()
    assert second.access_token == "second"
    assert cache.cached is not None
    assert cache.cached.token is second


@pytest.mark.parametrize(("name", "prefix"), [(None, ""), ("acme", "profile acme: ")])
def test_an_early_renewal_that_fails_is_told(caplog: pytest.LogCaptureFixture, name: str | None, prefix: str) -> None:
    """One line says that the token is served until it expires; where it has expired there is no such line."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary"), "refresh-first": refused}))
    provider = bench.provider(with_fallback=False)
    if name is not None:
        provider._settings = Settings.model_construct(profile=name)
    cache = cache_of(provider)
    first = cache.token()
    bench.primary.now = first.stale_from()
    settled(cache)
    assert cache.token() is first
    line = (logging.WARNING, f"{prefix}an early renewal has failed; the token is served until it expires")
    assert said(caplog) == [line]
    bench.primary.now = first.usable_until
    with pytest.raises(InvalidGrant):
        cache.token()
    assert said(caplog) == [line]


def test_a_reload_to_the_same_entry_takes_everything_along() -> None:
    """The token, what the API has rejected and said, and the clocks go on; another entry begins with nothing."""
    events: list[Event] = []
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    cache = RenewingCache(
        bench.provider(with_fallback=False),
        Telemetry(events.append),
        monotonic=lambda: 1.0,
        jitter=lambda: 0.5,
        rebuild=lambda _: bench.provider(),
    )
    first = cache.token()
    cached = cache.cached
    again = cache.successor(bench.provider(with_fallback=False))
    assert (again.cached, again.rejections, again._acquired) == (cached, cache.rejections, cache._acquired)
    for name in ("_telemetry", "_monotonic", "_jitter", "_rebuild"):
        assert getattr(again, name) is getattr(cache, name)
    cache.reject(first)
    assert cache.successor(bench.provider())._rejected is first

    bench.primary.answers["acquire"] = lambda: token("other", "primary")
    other = bench.provider(with_fallback=False)
    other.key = "another"
    elsewhere = cache.successor(other)
    assert (elsewhere.cached, elsewhere._rejected, elsewhere._acquired) == (None, None, None)
    assert elsewhere.rejections is not cache.rejections


def test_a_reload_to_another_company_keeps_the_token_for_its_refresh_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the new configuration does not own is never served there, and not forgotten either."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    cache = cache_of(bench.provider(with_fallback=False))
    first = cache.token()
    provider = bench.provider(with_fallback=False)
    monkeypatch.setattr(provider, "owns", lambda _: False)
    other = cache.successor(provider)
    assert isinstance(other.cached, CachedToken)
    assert other.cached.token is first
    assert (other.cached.stale_from, other.cached.usable_until) == (float("-inf"), float("-inf"))
    assert cache.token() is first


def test_a_store_that_is_down_does_not_keep_a_logout_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server invalidates the token all the same, and the caller is told what could not be forgotten."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    cache = cache_of(bench.provider(with_fallback=False))
    first = cache.token()
    ended: list[Token] = []

    def log_out(token: Token) -> Flow[None]:
        yield from ()
        ended.append(token)

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailable("The store is down.", hint="Start it.")

    monkeypatch.setattr(cache.provider.strategy, "logout", log_out)
    monkeypatch.setattr(bench.store, "transaction", down)
    with pytest.raises(StoreUnavailable) as caught:
        cache.log_out()
    assert (caught.value.message, caught.value.hint) == ("The store is down.", "Start it.")
    assert ended == [first]
    assert cache.cached is None
    with pytest.raises(StoreUnavailable):
        cache.log_out()
    assert ended == [first]


def test_a_logout_leaves_time_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's lock may be held for long: a quarter of the time is the server's; an error of both is the store's."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    cache = cache_of(bench.provider(with_fallback=False))
    cache.token()
    waited, left = [], []

    def locked(_key: str, *, timeout: float) -> NoReturn:
        waited.append(timeout)
        bench.primary.now += timeout
        raise StoreUnavailable("It is locked.")

    def drive(_flow: object, deadline: float) -> NoReturn:
        left.append(deadline - bench.primary.now)
        raise ConnectionFailed("The server does not respond.")

    monkeypatch.setattr(bench.store, "transaction", locked)
    monkeypatch.setattr(cache.provider, "drive", drive)
    with pytest.raises(StoreUnavailable):
        cache.log_out()
    timeout = cache.provider.timeout
    assert (waited, left) == ([0.75 * timeout], [0.25 * timeout])


def test_a_logout_that_the_server_does_not_hear_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the server fails, its error comes out, and the token is forgotten."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    cache = cache_of(bench.provider(with_fallback=False))
    cache.token()

    def drive(_flow: object, _deadline: float) -> NoReturn:
        raise ConnectionFailed("The server does not respond.")

    monkeypatch.setattr(cache.provider, "drive", drive)
    with pytest.raises(ConnectionFailed):
        cache.log_out()
    assert cache.cached is None


def test_what_no_thread_is_left_for_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A process at its limit of threads serves the old token, and says so."""
    bench = Bench(Script(answers={"acquire": lambda: token("first", "primary")}))
    events: list[Event] = []
    cache = cache_of(bench.provider(with_fallback=False), events)
    first = cache.token()

    def refuse(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    events.clear()
    bench.primary.now = NOW + 3_500
    assert cache.token() is first
    assert [(each.name, each.as_dict()["error"], each.as_dict()["retryable"]) for each in events] == [
        ("token_failed", "connection_failed", True)
    ]
    assert "an early renewal has failed; the token is served until it expires" in caplog.text
    bench.primary.now = NOW + 3_600
    events.clear()
    with pytest.raises(ConnectionFailed, match="can't start another thread"):
        cache.token()
    assert [each.name for each in events] == ["token_failed"]


def test_each_invalidation_discards_what_began_before_it() -> None:
    """A renewal that began after one invalidation, and ends after the next, brings nothing back."""
    provider, go_on = Bench().provider(with_fallback=False), threading.Event()

    def renew(*_: object) -> Acquired:
        go_on.wait(10)
        return Acquired(token("late", "primary"), from_server=False)

    provider.renew = renew  # type: ignore[method-assign,assignment]
    cache = cache_of(provider)
    cache.drop()
    renewal = cache.token_or_renewal(None)
    assert isinstance(renewal, SharedFuture)
    cache.drop()
    go_on.set()
    assert renewal.result().access_token == "access-late"
    assert cache.cached is None
