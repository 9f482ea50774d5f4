"""What a source goes back to, and what it tells of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings
from procountor_auth.errors import (
    ConfigurationError,
    CredentialsRefused,
    InteractionRequired,
    InvalidGrant,
    WrongCompany,
)
from procountor_auth.events import FellBack
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.fallback import MAX_FALLBACKS, Fallback
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport
from tests.tokens.scripted import ENDPOINTS, NOW, Other, Script, Scripted, token
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
    provider = _provider(sandbox, [], company="14160")
    with pytest.raises(WrongCompany):
        provider.renew(None, None)
    assert [entry["grant_type"] for entry in sandbox.log()].count("refresh_token") == 0


def _fall_back(fallback: Fallback, refusal: Refusal, profile: str | None = None) -> Token:
    """Return the token that a strategy falls back to after a refusal."""
    flow = fallback.acquire(Scripted(Script()), refusal, profile)
    with pytest.raises(StopIteration) as done:
        next(flow)
    found: Token = done.value.value
    return found


def _to_a_token(events: list[Event], limit: int = MAX_FALLBACKS) -> Fallback:
    """Return the fallback to a strategy that has a token."""
    script = Script(answers={"acquire": lambda: token("fallback", "other")})
    return Fallback(Other(script), limit=limit, emit=events.append)


def test_each_fallback_is_told_with_all_that_is_known_of_it() -> None:
    """The event has the time, both strategies, the host, the profile, the error, and how often it may happen."""
    events: list[Event] = []
    fallback = _to_a_token(events)
    for profile in (None, "acme"):
        assert _fall_back(fallback, InvalidGrant("No."), profile) == token("fallback", "other")
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
        _fall_back(fallback, refusal)
    with pytest.raises(kind) as caught:
        fallback.acquire(Scripted(Script()), refusal)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == (
        "The server says no. The limit of falling back to other is reached: 2.",
        "Check it.",
    )
    assert caught.value.definite is True
    assert getattr(caught.value, "error", None) == getattr(refusal, "error", None)
    assert len(events) == 2


def test_a_fallback_that_breaks_is_named() -> None:
    """What somebody else's strategy raises becomes an error that says which of the two it was."""

    def broken() -> Token:
        raise LookupError

    fallback = Fallback(Other(Script(answers={"acquire": broken})), emit=lambda _: None)
    with pytest.raises(ConfigurationError) as caught:
        next(fallback.acquire(Scripted(Script()), InvalidGrant("No.")))
    assert caught.value.message == "The strategy other failed (LookupError)."
