"""The switch by configuration alone, the way back, and falling back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth import ConfigurationError, InteractionRequired, Settings, TokenSource
from procountor_auth.errors import ConnectionFailed, InvalidGrant, ServiceUnavailable
from procountor_auth.events import (
    DeprecatedStrategyUsed,
    Event,
    FellBack,
    SunsetAnnounced,
    TokenAcquired,
    TokenFailed,
    TokenRenewed,
)
from procountor_auth.sandbox import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]
    Requests = Callable[[Sandbox], list[str]]


pytestmark = pytest.mark.both_error_shapes


def both(sandbox: Sandbox, strategy: str, **more: str) -> dict[str, str]:
    """Return an environment with the credentials of the old and of the new strategy."""
    variables = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    variables |= {"PROCOUNTOR_STRATEGY": strategy, "PROCOUNTOR_LEGACY_POLICY": "allow"}
    return variables | {f"PROCOUNTOR_{name.upper()}": value for name, value in more.items()}


def names(events: list[Event]) -> list[str]:
    """Return the events' names."""
    return [event.name for event in events]


def test_one_variable_switches_a_running_process(
    sandbox: Sandbox, environment: Environment, token_requests: Requests
) -> None:
    """After `reload` tokens come by the new strategy; switching back finds what the old one has stored."""
    environment(both(sandbox, "legacy_password"))
    source = TokenSource.from_env()
    old = source.token()
    environment(both(sandbox, "client_credentials"))
    assert source.token() is old
    assert source.reload()
    assert source.token().strategy == "client_credentials"
    environment(both(sandbox, "legacy_password"))
    assert source.reload()
    assert source.token().access_token == old.access_token
    assert token_requests(sandbox) == ["authorization_code", "client_credentials"]


def test_a_reload_that_changes_nothing_keeps_the_token(
    sandbox: Sandbox, environment: Environment, token_requests: Requests
) -> None:
    """Reading the same configuration again costs no request."""
    environment(both(sandbox, "client_credentials"))
    source = TokenSource.from_env()
    token = source.token()
    assert not source.reload()
    assert source.token() is token
    assert token_requests(sandbox) == ["client_credentials"]


def test_a_wrong_configuration_changes_nothing(sandbox: Sandbox, environment: Environment) -> None:
    """When the new configuration is wrong, the source goes on with the old one."""
    environment(both(sandbox, "client_credentials"))
    source = TokenSource.from_env()
    token = source.token()
    environment(both(sandbox, "client_credentialz"))
    with pytest.raises(ConfigurationError):
        source.reload()
    assert source.token() is token


def test_only_the_environment_s_source_is_reloaded(sandbox: Sandbox, environment: Environment) -> None:
    """A source of settings that were passed in has nothing to read again, and says so."""
    environment(both(sandbox, "client_credentials"))
    with pytest.raises(ConfigurationError, match="not made from the environment"):
        TokenSource.from_settings(Settings()).reload()


def test_a_refusal_falls_back_where_that_is_allowed(
    sandbox: Sandbox, environment: Environment, token_requests: Requests
) -> None:
    """The new strategy is tried first each time, and each time there is an event."""
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password"))
    sandbox.world.revoke_api_key(sandbox.api_key)
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    first = source.token()
    assert first.strategy == "legacy_password"
    source.renew(first)
    assert names(events) == [
        "fell_back", "token_acquired", "deprecated_strategy_used",
        "fell_back", "token_renewed", "deprecated_strategy_used",
    ]  # fmt: skip
    fell_back = [event for event in events if isinstance(event, FellBack)]
    assert [(event.strategy, event.fallback, event.error, event.count) for event in fell_back] == [
        ("client_credentials", "legacy_password", "invalid_grant", number) for number in (1, 2)
    ]
    assert token_requests(sandbox) == ["client_credentials", "authorization_code"] * 2


def test_when_the_new_strategy_works_again_it_is_used(sandbox: Sandbox, environment: Environment) -> None:
    """A token of the fallback is followed by one of the strategy that is chosen."""
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password"))
    sandbox.faults = Faults(revoked_keys=True)
    source = TokenSource.from_env()
    token = source.token()
    sandbox.faults = Faults()
    assert (token.strategy, source.renew(token).strategy) == ("legacy_password", "client_credentials")


def test_a_fault_is_no_refusal(sandbox: Sandbox, environment: Environment) -> None:
    """A busy server, or none, never leads to the old strategy."""
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password", timeout="5"))
    sandbox.faults = Faults(status=429, retry_after=3600)
    with pytest.raises(ServiceUnavailable):
        TokenSource.from_env().token()
    sandbox.stop()
    with pytest.raises(ConnectionFailed):
        TokenSource.from_env().token()
    sandbox.start()
    assert not any(entry["path"].endswith("authz") for entry in sandbox.log())


def test_without_the_setting_legacy_is_never_touched(sandbox: Sandbox, environment: Environment) -> None:
    """With both credentials in the environment a refusal is a refusal."""
    environment(both(sandbox, "client_credentials"))
    sandbox.world.revoke_api_key(sandbox.api_key)
    with pytest.raises(InvalidGrant):
        TokenSource.from_env().token()
    assert not any(entry["path"].endswith("authz") for entry in sandbox.log())


def test_falling_back_ends_at_its_limit(sandbox: Sandbox, environment: Environment) -> None:
    """After so many times the refusal stands, and says why."""
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password", fallback_limit="2"))
    sandbox.world.revoke_api_key(sandbox.api_key)
    source = TokenSource.from_env()
    source.renew(source.token())
    with pytest.raises(InvalidGrant, match="The limit of falling back to legacy_password is reached: 2"):
        source.renew(source.token())


def test_a_reload_that_changes_nothing_counts_on(sandbox: Sandbox, environment: Environment) -> None:
    """The limit is the source's: reading the same configuration again, or another limit, begins no new count."""
    variables = both(sandbox, "client_credentials", fallback_strategy="legacy_password", fallback_limit="1")
    environment(variables)
    sandbox.world.revoke_api_key(sandbox.api_key)
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    first = source.token()
    environment(variables | {"PROCOUNTOR_FALLBACK_LIMIT": "2"})
    assert not source.reload()
    second = source.renew(first)
    assert not source.reload()
    with pytest.raises(InvalidGrant, match="The limit of falling back to legacy_password is reached: 2"):
        source.renew(second)
    assert [event.count for event in events if isinstance(event, FellBack)] == [1, 2]


@pytest.mark.parametrize("changed", ["key", "fallback"])
def test_a_reload_with_something_new_to_try_counts_anew(
    sandbox: Sandbox, environment: Environment, changed: str
) -> None:
    """Other credentials, or another fallback, are a new try with the whole limit."""
    variables = both(sandbox, "client_credentials", fallback_strategy="legacy_password", fallback_limit="1")
    environment(variables)
    sandbox.faults = Faults(revoked_keys=True)
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    token = source.token()
    if changed == "key":
        environment(variables | {"PROCOUNTOR_API_KEY": f"{sandbox.api_key}x"})
    else:
        environment(variables | {"PROCOUNTOR_FALLBACK_STRATEGY": ""})
        source.reload()
        environment(variables)
    source.reload()
    source.renew(token)
    assert [event.count for event in events if isinstance(event, FellBack)] == [1, 1]


def test_the_old_strategy_s_token_is_not_served_without_the_setting(sandbox: Sandbox, environment: Environment) -> None:
    """A token that a fallback has stored is no token for a program that has no fallback."""
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password"))
    sandbox.faults = Faults(revoked_keys=True)
    TokenSource.from_env().token()
    sandbox.faults = Faults()
    environment(both(sandbox, "client_credentials"))
    assert TokenSource.from_env().token().strategy == "client_credentials"


def test_a_fallback_needs_its_own_credentials(sandbox: Sandbox, environment: Environment) -> None:
    """What the fallback misses is named before anything is sent."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password"})
    with pytest.raises(ConfigurationError, match=r"legacy_password needs PROCOUNTOR_USERNAME, .*PASSWORD, .*COMPANY"):
        Settings()


def test_a_fallback_to_the_chosen_strategy_is_none(sandbox: Sandbox, environment: Environment) -> None:
    """The fallback may be set before the switch and after the way back: then there is nothing to fall back to."""
    environment(both(sandbox, "legacy_password", fallback_strategy="legacy_password"))
    source = TokenSource.from_env()
    assert source._cache.provider.fallback is None
    assert source.token().strategy == "legacy_password"
    environment(both(sandbox, "client_credentials", fallback_strategy="legacy_password"))
    assert source.reload()
    assert source._cache.provider.fallback is not None


def test_a_person_can_log_in_although_there_is_a_fallback(sandbox: Sandbox, environment: Environment) -> None:
    """With `authorization_code` before the fallback the login is the strategy's own."""
    environment(both(sandbox, "authorization_code", fallback_strategy="legacy_password"))
    source = TokenSource.from_env()
    assert source._cache.provider.fallback is not None
    login = source.begin_login()
    assert login.complete(sandbox.log_in(login.url)).strategy == "authorization_code"


def test_every_event_is_told(sandbox: Sandbox, environment: Environment) -> None:
    """Acquired, renewed and failed, in order, with the host, the strategy and the profile, and no secret."""
    environment(both(sandbox, "client_credentials", profile="acme", profiles__acme__api_key=sandbox.api_key))
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    source.renew(source.token())
    sandbox.world.revoke_api_key(sandbox.api_key)
    with pytest.raises(InvalidGrant):
        source.renew(source.token())
    assert [type(event) for event in events] == [TokenAcquired, TokenRenewed, TokenFailed]
    for event in events:
        assert (event.host, event.strategy, event.profile) == (sandbox.base_url, "client_credentials", "acme")
        assert sandbox.api_key not in repr(event.as_dict())
    failed = events[-1]
    assert isinstance(failed, TokenFailed)
    assert (failed.error, failed.retryable) == ("invalid_grant", False)


def test_a_listener_that_fails_costs_nobody_the_token(
    sandbox: Sandbox, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """What a listener raises is a line in the log."""
    environment(both(sandbox, "client_credentials"))

    def broken(_event: Event) -> None:
        raise RuntimeError("s3cret")

    assert TokenSource.from_env(on_event=broken).token().access_token
    assert "the listener failed on token_acquired: RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_announced_end_is_told_once(sandbox: Sandbox, environment: Environment) -> None:
    """Deprecation and Sunset headers become one event, and stand on the token."""
    environment(both(sandbox, "client_credentials"))
    sandbox.faults = Faults(deprecation="2026-01-01", sunset="2027-01-31", sunset_link="https://example.com/end")
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    token = source.renew(source.token())
    told = [event for event in events if isinstance(event, SunsetAnnounced)]
    assert [(event.deprecated_at, event.sunset_at, event.link) for event in told] == [
        (1767225600.0, 1801353600.0, "https://example.com/end")
    ]
    assert (token.deprecated_at, token.sunset_at) == (1767225600.0, 1801353600.0)


def test_two_ends_are_told_once_each(sandbox: Sandbox, environment: Environment) -> None:
    """Resources that end at different times take turns: each end is told once, and not with every answer."""
    environment(both(sandbox, "client_credentials"))
    events: list[Event] = []
    source = TokenSource.from_env(on_event=events.append)
    early = {"sunset": "Sun, 17 Mar 2030 00:00:00 GMT"}.get
    late = {"sunset": "Mon, 17 Mar 2031 00:00:00 GMT"}.get
    for _ in range(3):
        source.observe(early, "/api/users")
        source.observe(late, "/api/invoices")
    assert names(events) == ["sunset_announced", "sunset_announced"]
    for number in range(200):
        source.observe({"deprecation": f"@{number}"}.get, "/api/users")
    assert len(events) == 100


def test_who_is_still_on_legacy_can_be_seen(sandbox: Sandbox, environment: Environment) -> None:
    """Each token of the deprecated strategy is an event of its own."""
    environment(both(sandbox, "legacy_password"))
    events: list[Event] = []
    TokenSource.from_env(on_event=events.append).token()
    assert [type(event) for event in events] == [TokenAcquired, DeprecatedStrategyUsed]


def test_nobody_logged_in_is_a_refusal(sandbox: Sandbox, environment: Environment) -> None:
    """Where only a person could help, the fallback helps meanwhile; without one it is the person."""
    environment(both(sandbox, "authorization_code"))
    with pytest.raises(InteractionRequired):
        TokenSource.from_env().token()
    environment(both(sandbox, "authorization_code", fallback_strategy="legacy_password"))
    assert TokenSource.from_env().token().strategy == "legacy_password"
