"""A refresh token that nobody can replace is not lost, nor sent twice, whatever happens around its renewal."""

from __future__ import annotations

import logging
import os
import platform
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from procountor_auth.errors import ConnectionFailed, InteractionRequired, InvalidGrant, StoreError, StoreUnavailable
from procountor_auth.stores import Entry
from procountor_auth.stores.failure import FIRST_PAUSE, MAX_PAUSE, Failure
from procountor_auth.stores.lineage import MAX_SPENT, NO_LINEAGE, Lineage, refresh_digest
from procountor_auth.stores.spent_tokens import SpentTokens
from procountor_auth.stores.transaction import LockedTransaction
from procountor_auth.stores.use import Use
from procountor_auth.tokens import interaction
from tests.tokens.scripted import NOW, Bench, ended, refused, token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from procountor_auth import Token
    from procountor_auth.stores import Transaction
    from procountor_auth.tokens.provider import TokenProvider

ELSEWHERE = "another-host"

_HERE = {"host": platform.node(), "pid": os.getpid(), "namespace": Use.here("", 0.0, 0.0).namespace}


def digest(refresh_token: str) -> str:
    """Return what a refresh token is remembered by."""
    return refresh_digest(SecretStr(refresh_token))


@pytest.fixture
def bench() -> Bench:
    """A login whose access token has expired, in a store that others share."""
    bench = Bench()
    provider = bench.provider()
    with provider.store.transaction(provider.key, timeout=1) as transaction:
        transaction.write(token("old", "primary", lifetime=0.0))
    return bench


@pytest.fixture
def provider(bench: Bench) -> TokenProvider:
    """A host that renews it, with no fallback."""
    return bench.provider(with_fallback=False)


def entry(provider: TokenProvider) -> Entry:
    """Return what is stored."""
    found = provider.entry()
    assert found is not None
    return found


# -- what is newer -----------------------------------------------------------------------------------


def test_only_an_answer_or_an_invalidation_moves_the_lineage(bench: Bench, provider: TokenProvider) -> None:
    """Failures and marks are versions, but no links; a renewal is the next link; an invalidation begins anew."""
    first = entry(provider).lineage
    bench.primary.answers["refresh-old"] = _unreachable
    with pytest.raises(ConnectionFailed):
        provider.renew(None, None)
    assert entry(provider).lineage == first

    bench.primary.answers["refresh-old"] = lambda: token("new", "primary")
    acquired = provider.renew(None, None)
    assert entry(provider).lineage == acquired.lineage == Lineage(first.origin, 1)
    assert entry(provider).lineage.spent == (digest("refresh-old"),)

    provider.forget()
    assert entry(provider).lineage not in {first, acquired.lineage, NO_LINEAGE}


@pytest.mark.parametrize(
    ("there", "stored"),
    [
        (None, True),
        (Lineage("a", 4), True),
        (Lineage("a", 5), True),
        (Lineage("a", 6), False),
        (Lineage("a", 7), False),
        (Lineage("b", 1), False),
    ],
    ids=["nothing", "an earlier link", "the same link", "as late", "a later link", "another login"],
)
def test_a_late_answer_is_stored_unless_something_newer_is_there(
    bench: Bench, provider: TokenProvider, caplog: pytest.LogCaptureFixture, there: Lineage | None, *, stored: bool
) -> None:
    """The lock was lost during the request: what the server gave is kept, unless a later link or a login came first."""
    old, theirs = token("old", "primary", lifetime=0.0), token("theirs", "primary")
    bench.store._entries[provider.key] = Entry(3, old, None, Lineage("a", 5))

    def overtaken() -> Token:
        if there is None:
            bench.store._entries.clear()
        else:
            bench.store._entries[provider.key] = Entry(9, theirs, None, there)
        return token("late", "primary")

    bench.primary.answers["refresh-old"] = overtaken
    caplog.set_level(logging.WARNING)
    got = provider.renew(None, None).token
    assert entry(provider).token == got == (token("late", "primary") if stored else theirs)
    assert ("superseded" in caplog.text) is not stored
    assert bench.primary.asked == ["refresh-old"]


def test_a_store_that_lost_its_last_write_is_not_believed(bench: Bench, provider: TokenProvider) -> None:
    """A failover brings back the token before the last one: whoever knows the last one renews that, and stores it."""
    bench.primary.answers |= {
        "refresh-old": lambda: token("new", "primary"),
        "refresh-new": lambda: token("newest", "primary"),
    }
    before = entry(provider)
    known, _, lineage = provider.renew(None, None)
    fresh = replace(token("old", "primary"), refresh_token="refresh-old")
    bench.store._entries[provider.key] = replace(before, token=fresh, lineage=before.lineage)
    assert provider.renew(known, known, lineage).token == token("newest", "primary")
    assert bench.primary.asked == ["refresh-old", "refresh-new"]
    assert entry(provider).lineage.link == 2


def test_a_refusal_after_a_lost_write_is_final(bench: Bench, provider: TokenProvider) -> None:
    """The older token in the store is not another one that somebody has stored meanwhile: nothing is tried again."""
    bench.primary.answers |= {"refresh-old": lambda: token("new", "primary"), "refresh-new": ended}
    before = entry(provider)
    known, _, lineage = provider.renew(None, None)
    bench.store._entries[provider.key] = before
    with pytest.raises(InteractionRequired):
        provider.renew(known, known, lineage)
    assert bench.primary.asked == ["refresh-old", "refresh-new"]


def test_whoever_has_the_live_token_goes_on_after_the_store_was_emptied(
    bench: Bench, provider: TokenProvider, tmp_path: Path
) -> None:
    """Somebody else, who found nothing and failed, has left a failure there: that is no newer token."""
    bench.spent = SpentTokens(tmp_path / "spent")
    bench.primary.initial = "refresh-old"
    bench.primary.answers |= {"refresh-old": ended, "refresh-live": lambda: token("new", "primary")}
    live = token("live", "primary", lifetime=0.0)
    bench.store._entries.clear()
    with pytest.raises(InteractionRequired):
        bench.provider(with_fallback=False).renew(None, None)
    assert provider.renew(live, None, Lineage("a", 3)).token == token("new", "primary")
    assert entry(provider).lineage == Lineage("a", 4)


def test_a_failure_is_written_beside_the_live_token(bench: Bench, provider: TokenProvider) -> None:
    """A host with a token that could not be stored fails: the store then has that token, not an older one."""
    before = entry(provider).lineage
    unstored = token("unstored", "primary", lifetime=0.0)
    bench.primary.answers["refresh-unstored"] = _unreachable
    with pytest.raises(ConnectionFailed):
        provider.renew(unstored, None, Lineage(before.origin, 1))
    found = entry(provider)
    assert (found.token, found.lineage.link) == (unstored, 1)
    assert found.failure is not None


def test_a_login_wins_against_whatever_was_written_during_it(bench: Bench, provider: TokenProvider) -> None:
    """A person has just logged in, and the lock was lost: that login counts, not what a renewal wrote meanwhile."""
    bench.primary.answers["login"] = lambda: token("login", "primary")

    def logging_in() -> Token:
        held = entry(provider)
        bench.store._entries[provider.key] = Entry(held.version + 5, token("theirs", "primary"))
        return token("login", "primary")

    bench.primary.answers["acquire"] = logging_in
    acquired = provider.store_result_of(provider.strategy.acquire(), SecretStr("state-1"))
    assert entry(provider).token == acquired.token == token("login", "primary")


def test_a_login_that_could_not_be_stored_is_renewed(bench: Bench, provider: TokenProvider) -> None:
    """The store still has the login before it, renewed by somebody meanwhile: whoever logged in goes on with theirs."""
    before = entry(provider).lineage
    bench.primary.answers |= {"refresh-login": lambda: token("next", "primary")}
    login = token("login", "primary", lifetime=0.0)
    theirs = Entry(9, token("theirs", "primary"), None, Lineage(before.origin, 5))
    bench.store._entries[provider.key] = theirs
    assert provider.renew(login, None, Lineage.of(login, before)).token == token("next", "primary")
    assert entry(provider).token == token("next", "primary")


# -- what is in use ----------------------------------------------------------------------------------


def test_a_refresh_token_is_marked_before_it_is_sent(bench: Bench, provider: TokenProvider) -> None:
    """While the server has it, the store says whose it is and until when; the answer takes the mark away."""
    seen: list[Use | None] = []

    def look() -> Token:
        seen.append(entry(provider).use)
        return token("new", "primary")

    bench.primary.answers["refresh-old"] = look
    provider.renew(None, None)
    until = NOW + provider.timeout
    assert seen == [replace(Use.here(digest("refresh-old"), NOW, 0.0), until=until)]
    assert entry(provider).use is None


def test_without_a_mark_it_is_sent_all_the_same(
    bench: Bench, provider: TokenProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk keeps nobody from renewing; the log has it for whoever looks closely."""

    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.", hint="Make room.")

    bench.primary.answers["refresh-old"] = lambda: token("new", "primary")
    monkeypatch.setattr(LockedTransaction, "write", full)
    with caplog.at_level(logging.DEBUG, "procountor_auth"):
        assert provider.renew(None, None).token == token("new", "primary")
    records = [record for record in caplog.records if record.thread == threading.get_ident()]
    assert [(record.levelno, record.getMessage()) for record in records] == [
        (logging.DEBUG, "the use of the refresh token is not marked: The disk is full."),
        (logging.ERROR, "the new token is not stored: The disk is full."),
    ]


def test_who_lost_the_lock_before_the_mark_sends_nothing(bench: Bench, provider: TokenProvider) -> None:
    """The mark is the last look at the entry: somebody else's token that is there counts."""
    transaction = bench.store.transaction

    def overtaken(key: str, *, timeout: float) -> Iterator[Transaction]:
        bench.store.transaction = transaction  # type: ignore[method-assign]
        with transaction(key, timeout=timeout) as found:
            bench.put(key, token("theirs", "primary"))
            yield found

    bench.store.transaction = contextmanager(overtaken)  # type: ignore[method-assign]
    assert provider.renew(None, None).token == token("theirs", "primary")
    assert bench.primary.asked == []


def in_use(provider: TokenProvider, **changes: object) -> None:
    """Have another host use the refresh token, for 20 seconds more, without the lock."""
    held = entry(provider)
    use = replace(Use(digest("refresh-old"), NOW - 10, NOW + 20, ELSEWHERE, 1), **changes)  # type: ignore[arg-type]
    provider.store._entries[provider.key] = replace(held, version=held.version + 1, use=use)  # type: ignore[attr-defined]


def test_whoever_finds_it_in_use_waits_for_the_answer(bench: Bench, provider: TokenProvider) -> None:
    """Its holder has lost the lock but is at it: the refresh token is not sent a second time."""
    in_use(provider)

    def answered() -> None:
        if bench.primary.now >= NOW + 5:
            bench.put(provider.key, token("theirs", "primary"))

    bench.on_sleep = answered
    assert provider.renew(None, None).token == token("theirs", "primary")
    assert bench.primary.asked == []
    assert bench.primary.now == NOW + 5


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({}, 20.0),
        (_HERE, 0.0),
        (_HERE | {"pid": os.getppid()}, 20.0),
        (_HERE | {"pid": 2**22 + 1}, 0.0),
        (_HERE | {"namespace": "boot-1 pid:[7]"}, 20.0),
        ({"until": NOW}, 0.0),
        ({"since": NOW + 60, "until": NOW + 90}, 0.0),
    ],
    ids=[
        "another host",
        "this process before",
        "another process",
        "a process that has died",
        "a container of the same name",
        "ended",
        "a clock that is far ahead",
    ],
)
def test_it_is_sent_when_no_answer_can_come_any_more(
    bench: Bench, provider: TokenProvider, changes: dict[str, object], waits: float
) -> None:
    """It may be spent, but it is the only one that there is: after the holder's time it is tried."""
    in_use(provider, **changes)
    bench.primary.answers["refresh-old"] = lambda: token("new", "primary")
    assert provider.renew(None, None).token == token("new", "primary")
    assert bench.primary.now == NOW + waits


def test_no_time_to_wait_is_an_error_that_may_pass(bench: Bench, provider: TokenProvider) -> None:
    """The mark outlasts this renewal's own time: the error says whose it is, and is retryable."""
    in_use(provider, until=NOW + 1000)
    with pytest.raises(StoreUnavailable) as caught:
        provider.renew(None, None)
    use = entry(provider).use
    assert (caught.value.message, caught.value.hint, caught.value.retryable) == (
        f"The refresh token is in use: by {use}.",
        "Nothing needs to be changed here; try again later.",
        True,
    )
    assert str(use).startswith(f"process 1 on {ELSEWHERE} since 20")
    assert bench.primary.asked == []


def _unreachable() -> Token:
    raise ConnectionFailed("No answer came.", hint="Try again.")


def test_a_lost_answer_explains_a_later_refusal(bench: Bench, provider: TokenProvider) -> None:
    """The server may have replaced the refresh token when no answer came: the refusal says when that was, and who."""
    bench.primary.answers["refresh-old"] = _unreachable
    with pytest.raises(ConnectionFailed):
        provider.renew(None, None)
    use = entry(provider).use
    assert use is not None
    assert not use.is_pending(NOW)

    bench.primary.answers["refresh-old"] = ended
    with pytest.raises(InteractionRequired) as caught:
        provider.renew(None, None)
    assert (caught.value.message, caught.value.hint, caught.value.definite) == (
        f"The login has ended. It was in use by {use}, who stored no answer: the server may have replaced it then.",
        "Log in.",
        True,
    )
    assert entry(provider).use is None


def test_what_can_be_replaced_is_not_marked(bench: Bench) -> None:
    """A strategy that gets another token without a person spares itself the write."""
    provider = bench.provider()
    before = entry(provider).version
    bench.primary.answers["refresh-old"] = refused
    bench.other.answers["acquire"] = lambda: token("fallback", "other")
    provider.strategy.__class__.unattended = True
    try:
        provider.renew(None, None)
    finally:
        provider.strategy.__class__.unattended = False
    assert entry(provider).version == before + 1


# -- what is spent -----------------------------------------------------------------------------------


def test_a_spent_configured_refresh_token_is_not_sent_again(bench: Bench, provider: TokenProvider) -> None:
    """The server has replaced it: when its successor is refused, sending it could end the login of somebody else."""
    bench.store._entries.clear()
    bench.primary.initial = "configured"
    bench.primary.answers |= {"configured": lambda: token("first", "primary", lifetime=0.0), "refresh-first": ended}
    first = provider.renew(None, None)
    with pytest.raises(InteractionRequired, match="The login has ended"):
        provider.renew(*first[:1], None, first.lineage)
    assert bench.primary.asked == ["configured", "refresh-first"]


def test_another_configured_refresh_token_is_tried_after_a_refusal(bench: Bench, provider: TokenProvider) -> None:
    """Somebody has set a new one: it goes on, and the old ones stay known as spent."""
    bench.primary.initial = "configured"
    bench.primary.answers |= {"refresh-old": ended, "configured": lambda: token("first", "primary")}
    assert provider.renew(None, None).token == token("first", "primary")
    assert entry(provider).lineage.spent == (digest("configured"),)


def test_an_emptied_store_does_not_make_it_unspent(bench: Bench, tmp_path: Path) -> None:
    """A new process after a Redis that restarted empty: the variable's token is known here to be spent."""
    bench.store._entries.clear()
    bench.spent = SpentTokens(tmp_path / "spent")
    bench.primary.initial = "configured"
    bench.primary.answers["configured"] = lambda: token("first", "primary")
    bench.provider(with_fallback=False).renew(None, None)
    bench.store._entries.clear()

    with pytest.raises(InteractionRequired) as caught:
        bench.provider(with_fallback=False).renew(None, None)
    file = bench.spent.path(digest("configured"))
    log_in = "Log in with `procountor-auth login`, or set PROCOUNTOR_REFRESH_TOKEN to a new one."
    assert caught.value.message == (
        "The server has replaced PROCOUNTOR_REFRESH_TOKEN by another refresh token, which is refused, or not in the "
        "token store any more. It is not sent: a server that sees a replaced one again may end the whole login."
    )
    assert caught.value.hint == f"{log_in} If this one still works, delete {file}: then it is sent again."
    assert caught.value.definite is None
    assert interaction.spent(None).message == caught.value.message
    assert interaction.spent(None).hint == log_in
    assert bench.primary.asked == ["configured"]

    file.unlink()
    assert bench.provider(with_fallback=False).renew(None, None).token == token("first", "primary")


def test_what_is_spent_before_it_is_sent_is_not_sent(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is lost, and somebody else is faster: their use is found although the store was emptied since."""
    bench.store._entries.clear()
    bench.spent = SpentTokens(tmp_path / "spent")
    bench.primary.initial = "configured"
    marked = Use.here

    def overtaken(*arguments: Any) -> Use:  # noqa: ANN401 - as the method itself
        assert bench.spent is not None
        bench.spent.add(digest("configured"))
        return marked(*arguments)

    monkeypatch.setattr(Use, "here", overtaken)
    provider = bench.provider(with_fallback=False)
    with pytest.raises(InteractionRequired, match="has replaced PROCOUNTOR_REFRESH_TOKEN"):
        provider.renew(None, None)
    assert bench.primary.asked == []
    assert entry(provider).use is None


def test_a_refresh_token_that_the_server_keeps_is_never_spent(bench: Bench, tmp_path: Path) -> None:
    """Most servers answer without a new one: then the variable works for ever, from any host."""
    bench.store._entries.clear()
    bench.spent = SpentTokens(tmp_path / "spent")
    bench.primary.initial = "refresh-same"
    bench.primary.answers["refresh-same"] = lambda: token("same", "primary")
    for _ in range(2):
        bench.provider(with_fallback=False).renew(None, None)
        bench.store._entries.clear()
    assert not (tmp_path / "spent").exists()


def test_where_nothing_can_be_remembered_everything_goes_on(tmp_path: Path) -> None:
    """A folder that can't be made is no reason to stop."""
    (tmp_path / "file").touch()
    spent = SpentTokens(tmp_path / "file" / "spent")
    spent.add("a")
    assert not spent.has("a")


def test_the_first_and_the_last_spent_ones_are_remembered() -> None:
    """An entry does not grow for ever, and the one that is configured somewhere is not pushed out."""
    lineage = NO_LINEAGE
    for number in range(50):
        lineage = lineage.next(SecretStr(f"refresh-{number}"), token(f"{number + 1}", "primary"), begins=False)
    kept = [0, *range(50 - MAX_SPENT + 1, 50)]
    assert lineage.spent == tuple(digest(f"refresh-{number}") for number in kept)


# -- pauses ------------------------------------------------------------------------------------------


def test_refused_credentials_pause_longer_each_time(bench: Bench, provider: TokenProvider) -> None:
    """Fifty calls in a row are one request; then the pause doubles up to its cap, and the error says how long it is."""
    provider._credentials = "mine"
    bench.primary.answers["refresh-old"] = refused
    for _ in range(50):
        with pytest.raises(InvalidGrant):
            provider.renew(None, None)
    assert bench.primary.asked == ["refresh-old"]
    with pytest.raises(InvalidGrant, match="sent again in 1 second\\."):
        provider.renew(None, None)

    pauses = []
    for _ in range(12):
        failure = entry(provider).failure
        assert failure is not None
        pauses.append(failure.pause("mine", bench.primary.now))
        bench.primary.now += pauses[-1]
        with pytest.raises(InvalidGrant):
            provider.renew(None, None)
    assert pauses == [min(MAX_PAUSE, FIRST_PAUSE * 2**number) for number in range(12)]
    assert len(bench.primary.asked) == 13


@pytest.mark.parametrize("what", ["other credentials", "an invalidation", "a clock that was set back", "no digest"])
def test_a_pause_ends_when_something_changes(bench: Bench, provider: TokenProvider, what: str) -> None:
    """Whoever corrects a password is not made to wait."""
    provider._credentials = "mine" if what != "no digest" else None
    bench.primary.answers |= {"refresh-old": refused, "acquire": refused}
    with pytest.raises(InvalidGrant):
        provider.renew(None, None)
    if what == "other credentials":
        provider._credentials = "others"
    elif what == "an invalidation":
        provider.forget()
    elif what == "a clock that was set back":
        held = entry(provider)
        assert held.failure is not None
        ahead = replace(held.failure, at=NOW + 3600)
        bench.store._entries[provider.key] = replace(held, failure=ahead)
    with pytest.raises(InvalidGrant):
        provider.renew(None, None)
    assert len(bench.primary.asked) == 2


def test_whoever_wants_to_know_how_it_is_now_does_not_wait(bench: Bench, provider: TokenProvider) -> None:
    """A rehearsal asks each time."""
    provider._credentials = "mine"
    bench.primary.answers["refresh-old"] = refused
    for _ in range(3):
        with pytest.raises(InvalidGrant):
            provider.renew(None, None, pauses=False)
    assert len(bench.primary.asked) == 3


def test_what_may_pass_does_not_pause(bench: Bench, provider: TokenProvider) -> None:
    """A server that can't be reached is asked again by the next call."""
    provider._credentials = "mine"
    bench.primary.answers["refresh-old"] = _unreachable
    for _ in range(3):
        with pytest.raises(ConnectionFailed):
            provider.renew(None, None)
    assert len(bench.primary.asked) == 3


def test_a_pause_is_the_same_error_again(bench: Bench, provider: TokenProvider) -> None:
    """Its kind, hint and definiteness are those of the refusal, so that a program decides alike."""
    provider._credentials = "mine"
    bench.primary.answers["refresh-old"] = ended
    seen = []
    for _ in range(2):
        with pytest.raises(InteractionRequired) as caught:
            provider.renew(None, None)
        seen.append(caught.value)
    assert seen[1].message.startswith(seen[0].message)
    assert [(each.hint, each.definite, each.retryable) for each in seen] == [("Log in.", True, False)] * 2
    assert Failure.of(seen[1], "mine").refusals == 1


# -- a lock that is not released ---------------------------------------------------------------------


def test_who_can_go_on_alone_does_not_wait_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A frozen process holds the lock: a strategy that needs no person waits three quarters of its time."""
    provider = bench.provider(with_fallback=False)
    waited = []

    def locked(key: str, *, timeout: float) -> object:
        del key
        waited.append(timeout)
        bench.primary.now += timeout
        raise StoreUnavailable("Another process has kept it locked.", hint="Try later.")

    monkeypatch.setattr(type(provider.strategy), "unattended", True)
    monkeypatch.setattr(bench.store, "transaction", locked)
    bench.primary.answers["acquire"] = lambda: token("alone", "primary")
    known = entry(provider).token
    assert provider.renew(known, None).token == token("alone", "primary")
    assert waited == [0.75 * provider.timeout]
    assert bench.primary.asked == ["acquire"]  # the refresh token is left to whoever has the lock
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "Another process has kept it locked. This host continues by itself, strategy primary")
    ]
