"""What a source goes back to, and what it tells of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import (
    ConfigurationError,
    CredentialsRefused,
    InteractionRequired,
    InvalidGrant,
    StoreUnavailable,
    WrongCompany,
)
from procountor_auth.events import FellBack
from procountor_auth.stores.lineage import refresh_digest
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.fallback import MAX_FALLBACKS, Fallback
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport
from tests.tokens.scripted import ENDPOINTS, NOW, Bench, Other, Script, Scripted, ended, refused, token
from tests.variables import arguments

if TYPE_CHECKING:
    from procountor_auth import Token
    from procountor_auth.events import Event
    from procountor_auth.sandbox import Sandbox
    from procountor_auth.tokens.fallback import Refusal

pytestmark = pytest.mark.server


def _provider(sandbox: Sandbox, events: list[Event], **values: object) -> TokenProvider:
    """Return a provider whose key was revoked, and which may go back to a refresh token."""
    variables = sandbox.environment("client_credentials") | sandbox.environment(
        "authorization_code", refresh_token=True
    )
    settings = Settings(
        **arguments(variables)
        | {"strategy": "client_credentials", "fallback_strategy": "authorization_code"}
        | {"api_key": sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, int(sandbox.company))}
        | values
    )
    api_key = settings.required("api_key").get_secret_value()
    sandbox.world.revoke_api_key(api_key)
    backends = Backends(settings, store=MemoryStore(), transport=Transport(sleep=lambda _: None))
    return TokenProvider.from_settings(settings, backends=backends, on_fallback=events.append)


def test_the_event_names_the_profile(sandbox: Sandbox) -> None:
    """Who hears of a fallback hears which profile's it is."""
    events: list[Event] = []
    provider = _provider(sandbox, events)
    provider._settings = provider.settings.model_copy(update={"profile": "acme"})
    assert provider.renew(None, None).token.strategy == "authorization_code"
    (event,) = events
    assert isinstance(event, FellBack)
    assert (event.profile, event.count, event.error) == ("acme", 1, InvalidGrant.code)


def test_a_refresh_token_of_another_company_is_not_gone_back_to(sandbox: Sandbox) -> None:
    """What would bring another company's token is refused before it is sent."""
    events: list[Event] = []
    provider = _provider(sandbox, events, company="14160")
    with pytest.raises(WrongCompany):
        provider.renew(None, None)
    assert events == []  # it has not fallen back
    assert [entry["grant_type"] for entry in sandbox.log()].count("refresh_token") == 0


def _to_a_token(events: list[Event], limit: int = MAX_FALLBACKS) -> Fallback:
    """Return the fallback to a strategy that has a token."""
    script = Script(answers={"acquire": lambda: token("fallback", "other")})
    return Fallback(Other(script), limit=limit, emit=events.append)


def test_each_fallback_is_told_with_all_that_is_known_of_it() -> None:
    """The event has the time, both strategies, the host, the profile, the error, and how often it may happen."""
    events: list[Event] = []
    fallback = _to_a_token(events)
    for profile in (None, "acme"):
        fallback.begin(Scripted(Script()), InvalidGrant("No."), profile)
    common = {"at": NOW, "strategy": "primary", "host": ENDPOINTS.host, "fallback": "other", "error": "invalid_grant"}
    assert MAX_FALLBACKS == 24
    assert [event.as_dict() for event in events] == [
        {"event": "fell_back", "profile": profile, "count": count, "limit": MAX_FALLBACKS, **common}
        for count, profile in enumerate((None, "acme"), 1)
    ]


@pytest.mark.parametrize("kind", [CredentialsRefused, InvalidGrant, InteractionRequired])
def test_after_the_limit_the_refusal_stands(kind: type[Refusal]) -> None:
    """It is the server's refusal, as definite as that, and says that the limit is reached; there is no event more."""
    events: list[Event] = []
    fallback = _to_a_token(events, limit=2)
    refusal = kind("The server says no.", hint="Check it.")
    refusal.definite = True
    if isinstance(refusal, CredentialsRefused):
        refusal.error = "invalid_scope"
    for _ in range(2):
        fallback.begin(Scripted(Script()), refusal)
    with pytest.raises(kind) as caught:
        fallback.begin(Scripted(Script()), refusal)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == (
        "The server says no. The limit of falling back to other is reached: 2.",
        "Check it.",
    )
    assert caught.value.definite is True
    assert getattr(caught.value, "error", None) == getattr(refusal, "error", None)
    assert len(events) == 2


def test_a_fallback_that_breaks_is_named(bench: Bench) -> None:
    """What somebody else's strategy raises becomes an error that says which of the two it was."""

    def broken() -> Token:
        raise LookupError

    bench.primary.answers["acquire"] = refused
    bench.other.answers["r0"] = broken
    with pytest.raises(ConfigurationError) as caught:
        bench.provider().renew(None, None)
    assert caught.value.message == "The strategy other failed (LookupError)."


# -- to a strategy that needs a person ---------------------------------------------------------------


class Attended(Other):
    """What is fallen back to, with refresh tokens that work once."""

    unattended: ClassVar[bool] = False


@pytest.fixture
def bench() -> Bench:
    """A provider whose own strategy is refused."""
    return Bench(Script({"acquire": refused}), Script(initial="r0"))


def _attended(bench: Bench, *, local: MemoryStore | None = None) -> TokenProvider:
    fallback = Fallback(Attended(bench.other), emit=bench.events.append)
    backends = Backends(store=bench.store, local=local, transport=Transport(sleep=bench.sleep))
    primary = type("Primary", (Scripted,), {"unattended": True})(bench.primary)
    return TokenProvider(primary, backends, fallback=fallback, monotonic=lambda: NOW)


def test_a_fallback_goes_on_with_its_last_refresh_token(bench: Bench) -> None:
    """Each refresh token is sent once, also by another process; the configured one begins, and is never sent again."""
    bench.other.answers = {
        "r0": lambda: token("1", "other", lifetime=0.0),
        "refresh-1": lambda: token("2", "other", lifetime=0.0),
        "refresh-2": ended,
    }
    for number in ("1", "2"):
        assert _attended(bench).renew(None, None).token.access_token == f"access-{number}"
    with pytest.raises(InteractionRequired) as caught:
        _attended(bench).renew(None, None)
    assert bench.other.asked == ["r0", "refresh-1", "refresh-2"]
    assert caught.value.definite


def test_a_refresh_token_is_marked_while_a_fallback_sends_it(bench: Bench) -> None:
    """Others see that it is in use, as they do with a strategy that is chosen."""
    provider = _attended(bench)
    marks = []

    def first() -> Token:
        entry = bench.store.read(provider.key)
        marks.append(entry and entry.use and entry.use.refresh_token)
        return token("1", "other")

    bench.other.answers["r0"] = first
    provider.renew(None, None)
    assert marks == [refresh_digest(SecretStr("r0"))]


def test_who_falls_back_to_a_login_that_has_ended_is_told_both(bench: Bench) -> None:
    """No login helps while another strategy is chosen: the hint names that strategy, and the variable to change."""
    bench.other.answers["r0"] = ended
    with pytest.raises(InteractionRequired) as caught:
        _attended(bench).renew(None, None)
    assert caught.value.message == "The login has ended."
    assert caught.value.hint == (
        "The chosen strategy, primary, is refused as well: correct its credentials. Or set PROCOUNTOR_STRATEGY=other, "
        "and log in."
    )
    assert caught.value.definite


def test_a_new_refresh_token_follows_on_one_that_has_ended(bench: Bench) -> None:
    """What is configured anew is tried where the stored one is refused."""
    bench.other.answers = {"r0": lambda: token("1", "other", lifetime=0.0), "refresh-1": ended}
    _attended(bench).renew(None, None)
    bench.other.initial = "new"
    bench.other.answers["new"] = lambda: token("2", "other")
    assert _attended(bench).renew(None, None).token == token("2", "other")
    assert bench.other.asked == ["r0", "refresh-1", "new"]


def test_nobody_falls_back_to_a_login_without_the_shared_store(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be using its refresh token: the refusal stands, and nothing more is sent."""
    down = StoreUnavailable("The store is down.")

    def fails(*_: object, **__: object) -> NoReturn:
        raise down

    monkeypatch.setattr(bench.store, "transaction", fails)
    with pytest.raises(InvalidGrant):
        _attended(bench, local=MemoryStore()).renew(None, None)
    assert (bench.primary.asked, bench.other.asked, bench.events) == (["acquire"], [], [])
