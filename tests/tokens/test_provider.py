"""One configuration behind one door: what is tried, in which order, when the server refuses."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from pydantic import SecretStr

from procountor_auth import Settings, Token
from procountor_auth.errors import (
    CredentialsRefused,
    InteractionRequired,
    InvalidClient,
    ServiceUnavailable,
    StoreConflict,
    StoreError,
    StoreUnavailable,
    UnreadableEntry,
)
from procountor_auth.stores import Entry
from procountor_auth.stores.failure import Failure
from procountor_auth.stores.lineage import Lineage, refresh_digest
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.stores.spent_tokens import SpentTokens
from procountor_auth.stores.transaction import LockedTransaction
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.credentials import credentials_digest
from procountor_auth.tokens.known_problems import needs_login
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.tokens.stored import Acquired, Patience, store_late
from procountor_auth.transport.transport import Transport
from tests.tokens.scripted import NOW, Bench, Other, Script, refused, token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.stores.base import Transaction


@pytest.fixture
def bench() -> Bench:
    """A provider whose token has expired, in a store that others share."""
    bench = Bench()
    bench.other.answers["acquire"] = lambda: token("fallback", "other")
    provider = bench.provider()
    with provider.store.transaction(provider.key, timeout=1) as transaction:
        transaction.write(token("old", "primary", lifetime=0.0))
    return bench


@pytest.mark.parametrize("lifetime", [3600.0, 0.0], ids=["usable", "to be renewed"])
def test_after_a_refusal_the_store_is_read_before_the_fallback_is_tried(bench: Bench, lifetime: float) -> None:
    """Somebody else has renewed the refresh token meanwhile: his is used, and nobody falls back."""
    provider = bench.provider()

    def refuse_and_be_overtaken() -> Token:
        bench.put(provider.key, token("newer", "primary", lifetime=lifetime))
        return refused()

    bench.primary.answers |= {
        "refresh-old": refuse_and_be_overtaken,
        "refresh-newer": lambda: token("newest", "primary"),
    }
    acquired = provider.renew(None, None)
    assert acquired.token.access_token == ("access-newer" if lifetime else "access-newest")
    assert bench.primary.asked[:2] == ["refresh-old", *([] if lifetime else ["refresh-newer"])]
    assert (bench.other.asked, bench.events) == ([], [])


def test_what_is_stored_is_renewed_whatever_the_clocks_say(bench: Bench) -> None:
    """A host whose clock is ahead holds an old refresh token that looks newer than the stored one: it is not sent."""
    bench.primary.answers["refresh-old"] = lambda: token("newer", "primary")
    ahead = replace(token("ahead", "primary", lifetime=0.0), issued_at=NOW + 600)
    assert bench.provider().renew(ahead, None).token.access_token == "access-newer"
    assert bench.primary.asked == ["refresh-old"]


def test_a_token_that_could_not_be_stored_is_renewed_until_somebody_writes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full: the refresh token in memory is the one that works, unless another was stored after it."""
    provider = bench.provider()

    def full(*_: object, **__: object) -> None:
        raise StoreError("The disk is full.", hint="Make room.")

    bench.primary.answers |= {
        "refresh-old": lambda: token("unstored", "primary", lifetime=0.0),
        "refresh-unstored": lambda: token("next", "primary"),
        "refresh-theirs": lambda: token("next", "primary"),
    }
    with monkeypatch.context() as patched:
        patched.setattr("procountor_auth.stores.transaction.LockedTransaction.write", full)
        known, _, over = provider.renew(None, None)
        assert provider.renew(known, None, over).token.access_token == "access-next"
    bench.put(provider.key, token("theirs", "primary", lifetime=0.0))
    assert provider.renew(known, None, over).token.access_token == "access-next"
    assert bench.primary.asked == ["refresh-old", "refresh-unstored", "refresh-theirs"]


@pytest.mark.parametrize("meanwhile", ["a failure", "nothing left"])
def test_a_late_token_is_stored(bench: Bench, meanwhile: str) -> None:
    """The lock was lost, and somebody else failed with the spent refresh token, or the entry is gone: it is kept."""
    provider = bench.provider()
    held = bench.store._entries[provider.key]

    def overtaken() -> Token:
        if meanwhile == "a failure":
            failure = Failure("InvalidGrant", "No.", "Log in.", retryable=False)
            bench.store._entries[provider.key] = Entry(held.version + 1, held.token, failure)
        else:
            bench.store._entries.clear()
        return token("late", "primary")

    bench.primary.answers["refresh-old"] = overtaken
    if meanwhile == "nothing left":
        bench.store._entries[provider.key] = Entry(7, held.token)
    assert provider.renew(None, None).token.access_token == "access-late"
    entry = provider.entry()
    assert entry is not None
    assert (entry.token, entry.failure) == (token("late", "primary"), None)
    assert bench.primary.asked == ["refresh-old"]


@pytest.mark.parametrize("theirs", [token("theirs", "primary"), None], ids=["another login", "an invalidation"])
def test_a_late_token_overwrites_nothing_that_was_stored_meanwhile(bench: Bench, theirs: Token | None) -> None:
    """Another token that was stored meanwhile counts, and so does an invalidation."""
    provider = bench.provider(with_fallback=False)

    def overtaken() -> Token:
        held = bench.store._entries[provider.key]
        bench.store._entries[provider.key] = Entry(held.version + 1, theirs)
        return token("late", "primary")

    bench.primary.answers |= {"refresh-old": overtaken, "acquire": lambda: token("first", "primary")}
    got = provider.renew(None, None).token
    assert got == (theirs or token("first", "primary"))
    entry = provider.entry()
    assert entry is not None
    assert entry.token == got


@pytest.mark.parametrize(
    ("credentials", "retryable", "shared"),
    [("mine", False, True), (None, False, True), ("theirs", False, False), ("theirs", True, True)],
)
def test_a_refusal_of_other_credentials_is_somebody_else_s(
    bench: Bench, *, credentials: str | None, retryable: bool, shared: bool
) -> None:
    """A worker that still has an old client secret does not stop those that have the right one."""
    provider = bench.provider(with_fallback=False)
    provider._credentials = "mine"
    bench.primary.answers["refresh-old"] = lambda: token("renewed", "primary")
    read = bench.store.read

    def overtaken(key: str) -> Entry | None:
        # What is read before the lock; while it is waited for, another process fails.
        found = read(key)
        assert found is not None
        failure = Failure("InvalidClient", "No.", "Check it.", retryable, credentials=credentials)
        bench.store._entries[key] = Entry(found.version + 1, found.token, failure)
        return found

    bench.store.read = overtaken  # type: ignore[method-assign]
    with pytest.raises(InvalidClient) if shared else nullcontext():
        assert provider.renew(None, None).token.access_token == "access-renewed"
    assert bench.primary.asked == ([] if shared else ["refresh-old"])


@pytest.mark.parametrize("name", ["client_secret", "password", "username"])
def test_the_digest_of_credentials_changes_with_each(name: str) -> None:
    """Two processes with the same secrets have the same digest, which shows none of them."""
    given = {
        "strategy": "legacy_password",
        "client_id": "client-1",
        "client_secret": "a-client-secret",
        "redirect_uri": "https://a.example",
        "username": "somebody",
        "password": "a-password",
        "company": "1",
    }
    one, same, other = (Settings(**values) for values in (given, given, given | {name: "another"}))
    assert credentials_digest(one) == credentials_digest(same) != credentials_digest(other)
    assert credentials_digest(None) is None
    assert not any(value in str(credentials_digest(one)) for value in given.values() if len(value) > 1)


def test_where_the_store_has_nothing_newer_the_fallback_is_tried(bench: Bench) -> None:
    """A refusal that stands leads to the fallback, once, with one event."""
    bench.primary.answers["refresh-old"] = refused
    acquired = bench.provider().renew(None, None)
    assert (acquired.token.strategy, acquired.from_server) == ("other", True)
    assert (bench.primary.asked, bench.other.asked) == (["refresh-old"], ["acquire"])
    assert [event.name for event in bench.events] == ["fell_back"]


def test_what_is_no_definite_refusal_leads_to_no_fallback(bench: Bench) -> None:
    """After a gateway's page the user's password is not sent: nobody has decided about the new credentials."""

    def gateway() -> Token:
        raise CredentialsRefused("The server rejected the grant (status 401).", hint="Check it.")

    bench.primary.answers["refresh-old"] = gateway
    with pytest.raises(CredentialsRefused, match="status 401"):
        bench.provider().renew(None, None)
    assert (bench.other.asked, bench.events) == ([], [])


def test_without_a_fallback_the_refusal_stands(bench: Bench) -> None:
    """The error is the server's own, and the store keeps it for whoever waits."""
    bench.primary.answers["refresh-old"] = refused
    with pytest.raises(CredentialsRefused, match=r"No\."):
        bench.provider(with_fallback=False).renew(None, None)
    assert bench.other.asked == []


def test_a_token_goes_out_in_the_way_that_it_came(bench: Bench) -> None:
    """Whose token it is decides who owns it, and whether a user has to log in."""
    provider = bench.provider()
    assert provider.owns(token("a", "primary"))
    assert provider.owns(token("a", "other"))
    assert not provider.owns(token("a", "third"))
    assert not bench.provider(with_fallback=False).owns(token("a", "other"))
    assert not needs_login(provider, None, NOW)
    assert needs_login(bench.provider(with_fallback=False), None, NOW)
    assert not needs_login(bench.provider(with_fallback=False), token("a", "primary", lifetime=0.0), NOW)
    bench.primary.initial = "refresh-configured"
    assert not needs_login(bench.provider(with_fallback=False), None, NOW)


def test_a_login_is_needed_where_no_refresh_token_is_left(bench: Bench, tmp_path: Path) -> None:
    """A usable token, one that can be renewed, and a configured refresh token that is not spent need none."""
    provider = bench.provider(with_fallback=False)
    bare = Token("access-a", NOW, NOW + 3600, "primary")
    assert not needs_login(provider, bare, bare.usable_until - 1)
    assert needs_login(provider, bare, bare.usable_until)
    refresh_token = jwt.encode({"exp": int(NOW) + 7200}, "x" * 32, "HS256")
    renewable = replace(bare, refresh_token=refresh_token)
    assert not needs_login(provider, renewable, NOW + 7199)
    assert needs_login(provider, renewable, NOW + 7200)
    assert needs_login(provider, replace(renewable, strategy="third"), NOW + 7199)

    bench.primary.initial, bench.spent = "configured", SpentTokens(tmp_path / "spent")
    provider = bench.provider(with_fallback=False)
    assert not needs_login(provider, None, NOW)
    bench.spent.add(refresh_digest(SecretStr("configured")))
    assert needs_login(provider, None, NOW)
    bench.primary.initial = refresh_token
    assert not needs_login(provider, None, NOW + 7199)
    assert needs_login(provider, None, NOW + 7200)


def test_a_first_token_that_only_a_person_can_get_is_said(bench: Bench) -> None:
    """With nothing stored and no fallback the strategy's own error comes out."""

    def nobody() -> Token:
        raise InteractionRequired("Nobody has logged in.", hint="Log in.")

    bench.store._entries.clear()
    bench.primary.answers["acquire"] = nobody
    with pytest.raises(InteractionRequired):
        bench.provider(with_fallback=False).renew(None, None)


def test_a_provider_knows_its_credentials() -> None:
    """Who has another key has another digest, so that a refusal of the one is not taken for that of the other."""
    digests = {}
    for key in ("k3y", "n3w"):
        settings = Settings(
            strategy="client_credentials",
            environment="production",
            client_id="client-1",
            client_secret="cl13nt",
            redirect_uri="redirect-uri-placeholder",
            api_key=key,
        )
        digests[key] = TokenProvider.from_settings(settings)._credentials
        assert digests[key] == credentials_digest(settings)
    assert None not in digests.values()
    assert digests["k3y"] != digests["n3w"]


def test_a_store_that_always_changes_ends_in_a_conflict(bench: Bench) -> None:
    """A renewal that is overtaken each time gives up, and says so; trying again helps."""
    provider = bench.provider(with_fallback=False)

    def overtaken() -> Token:
        name = f"other-{len(bench.primary.asked)}"
        bench.put(provider.key, token(name, "primary", lifetime=0.0))
        bench.primary.answers[f"refresh-{name}"] = overtaken
        return refused()

    bench.primary.answers["refresh-old"] = overtaken
    with pytest.raises(StoreConflict) as caught:
        provider.renew(None, None)
    assert caught.value.message == "The token store keeps changing under the renewal."
    assert caught.value.hint == "Try again."
    assert bench.primary.asked == ["refresh-old", "refresh-other-1", "refresh-other-2"]


def test_who_waited_where_nothing_was_fails_like_the_first_one(bench: Bench) -> None:
    """The first process of all fails while the second one waits for the lock: one request, and the same error."""
    provider = bench.provider(with_fallback=False)
    bench.store._entries.clear()
    read = bench.store.read

    def overtaken(key: str) -> Entry | None:
        found = read(key)
        bench.store._entries[key] = Entry(1, None, Failure("ServiceUnavailable", "Down.", "Wait.", retryable=True))
        return found

    bench.store.read = overtaken  # type: ignore[method-assign]
    with pytest.raises(ServiceUnavailable) as caught:
        provider.renew(None, None)
    assert (caught.value.message, caught.value.hint, bench.primary.asked) == ("Down.", "Wait.", [])


def test_who_waits_for_the_lock_takes_what_is_stored_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is told what ends the wait: a usable token, and neither nothing nor what has expired or is known."""
    provider = bench.provider(with_fallback=False)
    known = token("known", "primary")
    entries = [
        None,
        Entry(1, None),
        Entry(2, token("expired", "primary", lifetime=0.0)),
        Entry(3, known),
        Entry(4, token("foreign", "third")),
        Entry(5, token("usable", "primary"), None, Lineage("theirs")),
    ]
    ended: list[bool] = []

    @contextmanager
    def waiting(
        key: str, unless: Callable[[Entry | None], bool], *, timeout: float
    ) -> Iterator[Transaction | Entry | None]:
        assert (key, timeout) == (provider.key, provider.timeout)
        ended.extend(unless(each) for each in entries)
        yield entries[-1]

    monkeypatch.setattr(bench.store, "transaction_unless", waiting)
    acquired = provider.renew(known, None)
    assert ended == [False] * 5 + [True]
    assert acquired == Acquired(token("usable", "primary"), from_server=False, lineage=Lineage("theirs"))
    assert bench.primary.asked == []


def test_what_expires_while_it_is_waited_for_is_renewed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that ended the wait and has expired a moment later is no token: the same store is asked again."""
    provider = bench.provider(with_fallback=False)
    bench.primary.answers["refresh-old"] = lambda: token("new", "primary")
    asked = bench.store.transaction_unless
    turns = iter([Entry(5, token("expired", "primary", lifetime=0.0))])

    @contextmanager
    def waiting(
        key: str, unless: Callable[[Entry | None], bool], *, timeout: float
    ) -> Iterator[Transaction | Entry | None]:
        for entry in turns:
            yield entry
            return
        with asked(key, unless, timeout=timeout) as turn:
            yield turn

    monkeypatch.setattr(bench.store, "transaction_unless", waiting)
    assert provider.renew(None, None).token == token("new", "primary")
    entry = provider.entry()
    assert entry is not None
    assert entry.token == token("new", "primary")


def test_what_is_found_has_its_lineage(bench: Bench) -> None:
    """A token that another process has stored is known with its place among those of its login."""
    provider = bench.provider()
    bench.put(provider.key, token("theirs", "primary"))
    acquired = provider.renew(None, None)
    entry = provider.entry()
    assert entry is not None
    assert (acquired.token, acquired.from_server, acquired.lineage) == (entry.token, False, entry.lineage)


def test_a_late_token_is_stored_at_the_second_attempt(bench: Bench) -> None:
    """A conflict while a late token is stored is no reason to lose it."""
    provider = bench.provider()
    acquired = Acquired(token("late", "primary"), from_server=True, lineage=Lineage.of(token("late", "primary")))
    conflicts = [StoreConflict("No."), StoreConflict("No.")]

    class Conflicting(MemoryStore):
        @contextmanager
        def transaction(self, key: str, *, timeout: float) -> Iterator[Transaction]:
            if conflicts:
                raise conflicts.pop()
            with super().transaction(key, timeout=timeout) as transaction:
                yield transaction

    store, patience = Conflicting(), Patience(lambda _: None, lambda: 1.0)
    assert store_late(store, provider.key, acquired, Lineage.of(None), patience).token == acquired.token
    entry = store.read(provider.key)
    assert entry is not None
    assert entry.token == acquired.token
    conflicts += [StoreConflict("No.")] * 3
    with pytest.raises(StoreConflict) as caught:
        store_late(store, provider.key, acquired, Lineage.of(None), patience)
    assert caught.value.message == "Somebody else has stored another token meanwhile."
    assert caught.value.hint == "Try again."


def _fail_to_write(monkeypatch: pytest.MonkeyPatch, errors: list[StoreError]) -> None:
    """Have the writes of the new token raise these errors, one after the other."""
    write = LockedTransaction.write

    def failing(transaction: LockedTransaction, token: Token | None, *rest: Any, **more: Any) -> None:  # noqa: ANN401
        if token is not None and token.access_token == "access-new" and errors:
            raise errors.pop(0)
        write(transaction, token, *rest, **more)

    monkeypatch.setattr(LockedTransaction, "write", failing)


def _get_new(bench: Bench, provider: TokenProvider, *, is_login: bool) -> Acquired:
    """Get the new token, with a renewal or at the end of a login."""
    bench.primary.answers |= dict.fromkeys(("refresh-old", "acquire"), lambda: token("new", "primary"))
    if is_login:
        return provider.store_result_of(provider.strategy.acquire(), SecretStr("code-1"))
    return provider.renew(None, None)


@pytest.mark.parametrize("is_login", [False, True], ids=["renewal", "login"])
@pytest.mark.parametrize("overtaken", [False, True], ids=["with the lock", "without the lock"])
def test_a_store_that_fails_over_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, is_login: bool, overtaken: bool
) -> None:
    """A new refresh token is written again a moment later, on the transport's clock, until the store has it."""
    provider = bench.provider(with_fallback=False)
    errors = [*[StoreConflict("Somebody was faster.")] * overtaken, *[StoreUnavailable("It fails over.")] * 2]
    _fail_to_write(monkeypatch, errors)
    acquired = _get_new(bench, provider, is_login=is_login)
    assert acquired.token == token("new", "primary")
    entry = provider.entry()
    assert entry is not None
    assert entry.token == acquired.token
    assert bench.primary.now == NOW + 0.25 + 0.5


@pytest.mark.parametrize("is_login", [False, True], ids=["renewal", "login"])
def test_a_late_token_that_can_t_be_stored_is_the_server_s(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, is_login: bool
) -> None:
    """Whoever waits for it gets it with its place, as one that the server has just given."""
    provider = bench.provider(with_fallback=False)
    errors = [StoreConflict("Somebody was faster."), StoreError("The disk is full.")]
    _fail_to_write(monkeypatch, errors)
    acquired = _get_new(bench, provider, is_login=is_login)
    assert (acquired.token, acquired.from_server, errors) == (token("new", "primary"), True, [])
    entry = provider.entry()
    assert entry is not None
    assert acquired.lineage.follows(entry.lineage)


class Down(MemoryStore):
    """A store that always fails in the same way."""

    def __init__(self, error: StoreError) -> None:
        super().__init__()
        self.error = error

    def read(self, key: str) -> Entry | None:
        """Fail."""
        del key
        raise self.error


UNREACHABLE = StoreUnavailable("The store is down.", hint="Start it.")
UNREADABLE = UnreadableEntry("It is sealed.", hint="Set the key.")


@pytest.mark.parametrize("error", [UNREACHABLE, UNREADABLE])
def test_without_the_shared_store_the_local_one_stands_in(caplog: pytest.LogCaptureFixture, error: StoreError) -> None:
    """A strategy that needs no person gets a token, which this host's processes share; the log says so and why."""
    script = Script(answers={"acquire": lambda: token("alone", "other", lifetime=3600)})
    local = MemoryStore()
    for _ in range(2):
        provider = TokenProvider(Other(script), Backends(store=Down(error), local=local), monotonic=lambda: NOW)
        assert provider.renew(None, None).token == token("alone", "other")
    assert script.asked == ["acquire"]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"{error.message} This host continues by itself, strategy other")
    ] * 2


FULL = StoreError("The disk is full.", hint="Free space.")


@pytest.mark.parametrize("error", [None, UNREADABLE, UNREACHABLE, FULL])
def test_without_any_store_each_process_is_by_itself(
    caplog: pytest.LogCaptureFixture, error: StoreError | None
) -> None:
    """Where nothing stands in for the shared store, the process keeps its own token; the log says what has failed."""
    local = None if error is None else Down(error)
    script = Script(answers={"acquire": lambda: token("alone", "other")})
    provider = TokenProvider(Other(script), Backends(store=Down(UNREACHABLE), local=local), monotonic=lambda: NOW)
    for _ in range(2):
        assert provider.renew(None, None).token == token("alone", "other")
    assert script.asked == ["acquire"]
    said = ["The store is down. This host continues by itself, strategy other"]
    said += [] if error is None else [f"{error.message} This process continues by itself, strategy other"]
    assert caplog.messages == said * 2


def test_a_stand_in_that_changes_is_a_conflict() -> None:
    """Whoever is refused there while another process stores a token is told to try again."""
    local = MemoryStore()
    script = Script()
    provider = TokenProvider(Other(script), Backends(store=Down(UNREACHABLE), local=local), monotonic=lambda: NOW)

    def overtaken() -> Token:
        local._entries[provider.key] = Entry(7, token("theirs", "other"), None, Lineage("theirs"))
        return refused()

    script.answers["acquire"] = overtaken
    with pytest.raises(StoreConflict) as caught:
        provider.renew(None, None)
    assert (caught.value.message, caught.value.hint) == (
        "Somebody else has stored another token meanwhile.",
        "Try again.",
    )
    assert provider.renew(None, None).token == token("theirs", "other")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UNREACHABLE, "The store is down. Without it, a refresh token that others share must not be used."),
        (UNREADABLE, "It is sealed."),
    ],
)
def test_a_login_does_not_go_on_without_the_shared_store(bench: Bench, error: StoreError, said: str) -> None:
    """A refresh token that others share is not used past them: the error says so, with the store's own hint."""
    bench.store = Down(error)
    with pytest.raises(type(error)) as caught:
        bench.provider().renew(None, None)
    assert (caught.value.message, caught.value.hint) == (said, error.hint)
    assert (bench.primary.asked, bench.other.asked) == ([], [])


def test_without_time_nobody_goes_on_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Where the store has taken all the time there is, its own error comes out, and nothing is sent or said."""
    script = Script(answers={"acquire": lambda: token("alone", "other")})
    backends = Backends(store=Down(UNREACHABLE), transport=Transport(timeout=0.0))
    provider = TokenProvider(Other(script), backends, monotonic=lambda: NOW)
    with pytest.raises(StoreUnavailable) as caught:
        provider.renew(None, None)
    assert (caught.value.message, caught.value.hint) == ("The store is down.", "Start it.")
    assert (script.asked, caplog.records) == ([], [])


def test_a_provider_that_was_put_together_has_no_settings(bench: Bench) -> None:
    """What needs them is told why there are none, and there is no profile, key or company."""
    provider = bench.provider()
    with pytest.raises(TypeError, match=r"^This provider was not made from settings\.$"):
        _ = provider.settings
    assert (provider.whose.name, provider.store_keys, provider.company.number) == (None, (), None)
    assert repr(provider) == f"<TokenProvider with {provider.strategy!r}>"
