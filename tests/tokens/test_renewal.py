"""How a token is renewed: early and unseen, inside a store's transaction, and never against an invalidation."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from procountor_auth import InteractionRequired, Settings, Token, TokenSource
from procountor_auth.errors import InvalidGrant, ServiceUnavailable, StoreError
from procountor_auth.protocol.token import TokenState
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.sandbox.state.sessions import Session
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.stores.transaction import LockedTransaction
from procountor_auth.strategies import build
from procountor_auth.tokens.cache import COOLDOWN
from procountor_auth.tokens.entry_key import entry_key
from procountor_auth.transport.backend import backend
from procountor_auth.transport.transport import Transport
from tests.tokens import scripted
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    TokenRequests = Callable[[Sandbox], list[str]]


pytestmark = pytest.mark.both_error_shapes


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def settings(sandbox: Sandbox, strategy: str = "client_credentials", **changes: object) -> Settings:
    """Describe a sandbox to the library, with some values changed."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    return Settings(**arguments(variables) | {"legacy_policy": "allow"} | changes)


class Bench:
    """A source whose clocks and store are in the test's hands."""

    def __init__(self, sandbox: Sandbox, strategy: str = "client_credentials", **changes: object) -> None:
        self.clock = Clock()
        self.monotonic = Clock(0.0)
        self.store = MemoryStore()
        self.settings = settings(sandbox, strategy, **changes)
        self.source = self.another()

    def another(self) -> TokenSource:
        """Build another source on the same store, as another process has."""
        return TokenSource(
            build(self.settings, clock=self.clock),
            transport=Transport(sleep=lambda _: None),
            store=self.store,
            monotonic=self.monotonic,
            jitter=lambda: 0.0,
        )

    def settle(self) -> None:
        """Wait until no renewal is under way."""
        renewal = self.source._cache.renewal
        if renewal is not None:
            with suppress(ServiceUnavailable):
                renewal.result()


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_stale_token_is_served_at_once(sandbox: Sandbox, token_requests: TokenRequests, *, in_a_loop: bool) -> None:
    """A stale token is returned without waiting, and one renewal behind the callers brings the next."""
    bench = Bench(sandbox)
    first = bench.source.token()
    bench.clock.now = first.stale_from()
    sandbox.faults = Faults(latency=0.2)

    served = {asyncio.run(bench.source.atoken()) if in_a_loop else bench.source.token() for _ in range(20)}
    bench.settle()

    assert served == {first}
    assert first.state(bench.clock()) is TokenState.STALE
    assert bench.source.token() != first
    assert len(token_requests(sandbox)) == 2


@pytest.mark.parametrize("in_a_loop", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_renewals_are_finished_before_a_process_ends(
    sandbox: Sandbox, token_requests: TokenRequests, *, fails: bool, in_a_loop: bool
) -> None:
    """`finish_all` returns once the renewals of all sources are over, failed ones included, and raises nothing."""
    benches = [Bench(sandbox), Bench(sandbox)]
    first = [bench.source.token() for bench in benches]
    sandbox.faults = Faults(latency=0.2, status=400 if fails else None)
    for bench, token in zip(benches, first, strict=True):
        bench.clock.now = token.stale_from()
        assert bench.source.token() == token

    asyncio.run(TokenSource.afinish_all()) if in_a_loop else TokenSource.finish_all()

    assert [bench.source._cache.renewal for bench in benches] == [None, None]
    assert [bench.source.token() == token for bench, token in zip(benches, first, strict=True)] == [fails, fails]
    assert len(token_requests(sandbox)) == 4


def test_failed_early_renewal_keeps_the_token_and_cools_down(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """While the token is valid a failing server is asked once per cool-down, and nobody sees an error."""
    bench = Bench(sandbox)
    first = bench.source.token()
    bench.clock.now = first.stale_from()
    sandbox.faults = Faults(status=503)
    for _ in range(10):
        assert bench.source.token() is first
        bench.settle()
    assert len(token_requests(sandbox)) == 1 + 3  # one series of attempts

    bench.monotonic.now += COOLDOWN
    sandbox.faults = Faults()
    assert bench.source.token() is first
    bench.settle()

    assert bench.source.token() != first


def test_expired_token_is_never_served(sandbox: Sandbox) -> None:
    """Once a token has expired, a server that is down is an error for the caller."""
    bench = Bench(sandbox)
    bench.clock.now = bench.source.token().usable_until
    sandbox.faults = Faults(status=503)

    with pytest.raises(ServiceUnavailable):
        bench.source.token()


def test_another_process_finds_the_token(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """A second source on the same store takes the first one's token, and its renewal, without a request."""
    bench = Bench(sandbox)
    other = bench.another()
    first = bench.source.token()
    assert other.token() == first
    bench.clock.now = first.usable_until

    assert bench.source.token() == other.token() != first
    assert len(token_requests(sandbox)) == 2


def test_process_that_starts_late_is_served_at_once(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """A process that starts while the stored token is stale gets it without waiting, and renews it behind."""
    bench = Bench(sandbox)
    first = bench.source.token()
    bench.clock.now = first.stale_from()
    bench.source = bench.another()

    assert bench.source.token() == first
    assert len(token_requests(sandbox)) == 1
    assert bench.source.token() == first
    bench.settle()
    assert bench.source.token() != first


def test_rejected_token_is_replaced_for_all(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """After a 401 in one process, another that has the same token rejected finds the new one in the store."""
    bench = Bench(sandbox)
    other = bench.another()
    rejected = bench.source.token()
    assert other.token() == rejected

    assert bench.source.renew(rejected) == other.renew(rejected) != rejected
    assert len(token_requests(sandbox)) == 2


def test_refused_refresh_token_is_looked_up_once_more(sandbox: Sandbox) -> None:
    """When a rotated refresh token is refused, the one that somebody else has stored meanwhile is used."""
    sandbox.quirks = Quirks(refresh_token="rotate")
    bench = Bench(sandbox, "authorization_code")
    used_up = bench.source.token()
    bench.clock.now = used_up.usable_until
    flow = bench.source.strategy.renew(used_up)
    newer = Transport().run(flow)  # somebody without the lock
    key = entry_key(bench.source.strategy)
    ask = bench.source._cache.provider.drive

    def late(*arguments: object) -> object:
        # Between our reading and the server's refusal, the newer token arrives in the store.
        bench.source._cache.provider.drive = ask  # type: ignore[method-assign]
        bench.store._entries[key] = type(bench.store._entries[key])(7, newer)
        return ask(*arguments)  # type: ignore[arg-type]

    bench.source._cache.provider.drive = late  # type: ignore[method-assign,assignment]

    assert bench.source.token().refresh_token == newer.refresh_token


def test_token_that_could_not_be_stored_is_renewed_from(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If a rotated refresh token can't be written, this process serves its token, and renews with it later."""
    sandbox.quirks = Quirks(refresh_token="rotate")
    bench = Bench(sandbox, "authorization_code")
    bench.clock.now = bench.source.token().usable_until

    def full(*_: object, **__: object) -> None:
        raise StoreError("no space", hint="make some")

    with monkeypatch.context() as patch:
        patch.setattr(LockedTransaction, "write", full)
        unstored = bench.source.token()
    bench.clock.now = unstored.usable_until

    assert bench.source.token().refresh_token not in {None, unstored.refresh_token}
    assert "the new token is not stored: no space" in caplog.text


def test_refused_refresh_token_is_final_after_that(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """A refused refresh token that nobody has replaced ends in InteractionRequired, after one request."""
    bench = Bench(sandbox, "authorization_code")
    first = bench.source.token()
    assert first.refresh_token is not None
    sandbox.world.revoke_refresh_token(first.refresh_token)
    bench.clock.now = first.usable_until

    with pytest.raises(InteractionRequired):
        bench.source.token()
    assert token_requests(sandbox) == ["refresh_token"] * 2


def test_configured_refresh_token_goes_on_where_the_stored_one_ended(sandbox: Sandbox) -> None:
    """A new PROCOUNTOR_REFRESH_TOKEN is used when the stored one is refused."""
    bench = Bench(sandbox, "authorization_code")
    first = bench.source.token()
    assert first.refresh_token is not None
    sandbox.world.revoke_refresh_token(first.refresh_token)
    bench.clock.now = first.usable_until
    fresh = sandbox.environment("authorization_code", refresh_token=True)["PROCOUNTOR_REFRESH_TOKEN"]
    bench.settings = settings(sandbox, "authorization_code", refresh_token=fresh)

    assert bench.another().token().refresh_token == fresh


@pytest.mark.parametrize("strategy", ["authorization_code", "legacy_password"])
def test_ended_refresh_token_is_not_sent(sandbox: Sandbox, token_requests: TokenRequests, strategy: str) -> None:
    """After the refresh token's own end nothing is sent with it: a person must log in, or the password is used."""
    bench = Bench(sandbox, strategy)
    first = bench.source.token()
    ends = first.refresh_expires_at
    assert ends is not None
    bench.settings = bench.settings.model_copy(update={"refresh_token": None})
    bench.clock.now = ends
    asked = len(token_requests(sandbox))

    if strategy == "authorization_code":
        with pytest.raises(InteractionRequired):
            bench.another().token()
        assert len(token_requests(sandbox)) == asked
    else:
        assert bench.another().token() != first
        assert token_requests(sandbox)[asked:] == ["authorization_code"]


@pytest.mark.parametrize(("days", "warned"), [(31, False), (29, True)])
def test_end_of_the_refresh_token_is_announced(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, days: int, *, warned: bool
) -> None:
    """From 30 days before the end of the refresh token, a new token comes with a warning that says how many."""
    bench = Bench(sandbox, "authorization_code")
    ends = bench.source.token().refresh_expires_at
    assert ends is not None
    bench.clock.now = ends - days * 86_400
    caplog.clear()

    bench.source.token()

    found = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"ends in {days} days" in record.getMessage() for record in found] == ([True] if warned else [])


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_invalidate_forgets_everywhere(sandbox: Sandbox, token_requests: TokenRequests, *, in_a_loop: bool) -> None:
    """After `invalidate` neither this source nor another on the store serves the old token."""
    bench = Bench(sandbox)
    first = bench.source.token()
    if in_a_loop:
        asyncio.run(bench.source.ainvalidate())
    else:
        bench.source.invalidate()

    assert bench.source.token() != first
    assert bench.another().token() != first
    assert len(token_requests(sandbox)) == 2


def test_invalidate_wins_against_a_renewal(sandbox: Sandbox) -> None:
    """A renewal that is under way does not bring back a token after `invalidate` has returned."""
    bench = Bench(sandbox)
    sandbox.faults = Faults(latency=0.2)
    got: list[Token] = []
    caller = threading.Thread(target=lambda: got.append(bench.source.token()))
    caller.start()
    lock = bench.store._locks.setdefault(entry_key(bench.source.strategy), threading.Lock())
    while not lock.locked():
        pass
    bench.source.invalidate()
    caller.join()
    sandbox.faults = Faults()

    assert bench.source._cache.cached is None
    entry = bench.store.read(entry_key(bench.source.strategy))
    assert entry is None or entry.token is None
    assert bench.source.token() != got[0]


@pytest.mark.parametrize("in_a_loop", [False, True])
def test_logout_ends_the_token_at_the_server(sandbox: Sandbox, *, in_a_loop: bool) -> None:
    """After `logout` the server refuses the token, and this source has another one."""
    bench = Bench(sandbox, "legacy_password")
    first = bench.source.token()
    if in_a_loop:
        asyncio.run(bench.source.alogout())
    else:
        bench.source.logout()

    with backend.Client(headers={"Authorization": f"Bearer {first.access_token}"}) as client:
        assert client.get(f"{sandbox.base_url}/api/sessioninfo").status_code == 401
    assert bench.source.token() != first
    assert "/logout" in [entry["path"] for entry in sandbox.log()]


def test_logout_without_a_token_sends_nothing(sandbox: Sandbox) -> None:
    """Where there is no token, `logout` has nothing to do."""
    Bench(sandbox).source.logout()

    assert sandbox.log() == []


def test_switch_does_not_find_the_other_token(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """On one store, each strategy has its own token; switching back finds what it left."""
    store = MemoryStore()

    def ask(strategy: str) -> Token:
        return TokenSource(build(settings(sandbox, strategy)), store=store).token()

    legacy, successor, again = ask("legacy_password"), ask("client_credentials"), ask("legacy_password")

    assert (legacy.strategy, successor.strategy) == ("legacy_password", "client_credentials")
    assert again == legacy
    assert token_requests(sandbox) == ["authorization_code", "client_credentials"]


def test_logins_of_two_people_are_apart(
    sandbox: Sandbox, log_in: Callable[[str, Sandbox], str], tmp_path: Path
) -> None:
    """A source never finds the token of a login at another one: in memory by itself, in a store by its account."""
    chosen = settings(sandbox, "authorization_code").model_copy(update={"refresh_token": None})
    first = TokenSource.from_settings(chosen)
    login = first.begin_login()
    login.complete(log_in(login.url, sandbox))
    with pytest.raises(InteractionRequired):
        TokenSource.from_settings(chosen).token()

    stored = settings(sandbox, "authorization_code", token_store=f"file:{tmp_path}/tokens")
    stored = stored.model_copy(update={"refresh_token": None})
    login = TokenSource.from_settings(stored, account="anna").begin_login()
    token = login.complete(log_in(login.url, sandbox))
    assert TokenSource.from_settings(stored, account="anna").token() == token
    with pytest.raises(InteractionRequired):
        TokenSource.from_settings(stored, account="bertta").token()


def test_refresh_tokens_of_two_companies_are_apart(sandbox: Sandbox) -> None:
    """Sources that start from refresh tokens of different companies have keys of their own; a new token keeps it."""
    world, now = sandbox.world, 1_800_000_000

    def key(company: int) -> str:
        session = Session(sandbox.client_id, sandbox.user_id, company, now)
        refresh_token = world.sessions.start_session(session)[1]
        return entry_key(build(settings(sandbox, "authorization_code", refresh_token=refresh_token)))

    assert key(14159) == key(14159) != key(14160)


def test_key_has_nothing_readable_in_it(sandbox: Sandbox) -> None:
    """A key differs by strategy, host, client, user and company, and is nothing but hexadecimal digits."""
    keys = {
        entry_key(build(settings(sandbox, "client_credentials"))),
        entry_key(build(settings(sandbox, "client_credentials", api_key="another"))),
        entry_key(build(settings(sandbox, "client_credentials", client_id="another"))),
        entry_key(build(settings(sandbox, "client_credentials", base_url="http://127.0.0.1:1"))),
        entry_key(build(settings(sandbox, "legacy_password"))),
        entry_key(build(settings(sandbox, "legacy_password", company=1))),
        entry_key(build(settings(sandbox, "legacy_password", username="another"))),
        entry_key(build(settings(sandbox, "authorization_code"))),
    }

    assert len(keys) == 8
    assert all(len(key) == 40 and set(key) <= set("0123456789abcdef") for key in keys)


def test_wrong_key_is_asked_about_once_per_call(sandbox: Sandbox, token_requests: TokenRequests) -> None:
    """A definite refusal is not repeated."""
    bench = Bench(sandbox, api_key="wrong")
    with pytest.raises(InvalidGrant):
        bench.source.token()

    assert len(token_requests(sandbox)) == 1


def test_each_refusal_in_succession_is_counted() -> None:
    """A stored failure continues the one before it, so that the pause before the next request grows."""
    bench = scripted.Bench()
    provider = bench.provider(with_fallback=False)
    provider._credentials = "mine"
    with provider.store.transaction(provider.key, timeout=1) as transaction:
        transaction.write(scripted.token("old", "primary", lifetime=0.0))
    bench.primary.answers["refresh-old"] = scripted.refused
    refusals = []
    for _ in range(3):
        with pytest.raises(InvalidGrant):
            provider.renew(None, None)
        entry = provider.entry()
        assert entry is not None
        assert entry.failure is not None
        refusals.append(entry.failure.refusals)
        bench.primary.now += 3600
    assert refusals == [1, 2, 3]
