"""What a source goes back to, and what it tells of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings
from procountor_auth.errors import InvalidGrant, WrongCompany
from procountor_auth.events import FellBack
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.transport import Transport
from tests.variables import arguments

if TYPE_CHECKING:
    from procountor_auth.events import Event
    from procountor_auth.sandbox import Sandbox

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
