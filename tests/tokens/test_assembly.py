"""How a source puts its providers together."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import ConfigurationError
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens import backends
from procountor_auth.tokens.assembly import Assembly
from procountor_auth.tokens.backends import Backends
from procountor_auth.tokens.telemetry import Telemetry
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = 1_800_000_000.0


def _settings(api_key: str, **values: str) -> Settings:
    return Settings(
        strategy="client_credentials",
        client_id="client-1",
        client_secret="cl13nt",
        redirect_uri="redirect-uri-placeholder",
        environment="production",
        api_key=api_key,
        **values,
    )


def test_a_cache_can_build_the_provider_of_other_secrets() -> None:
    """The cache gets what builds its provider again from other settings, on the same clock."""
    assembly = Assembly(Telemetry())
    first = assembly.provider(_settings("k3y"), lambda: NOW)
    cache = assembly.cache(first)
    assert cache._rebuild is not None
    again = cache._rebuild(_settings("n3w"))
    assert again.strategy.identity() == ("n3w",)
    assert again.clock() == NOW
    assert again.key != first.key


def test_a_provider_has_what_the_source_was_given() -> None:
    """The account, store, library, clocks and listeners of a source are those of each of its providers and caches."""
    telemetry, store = Telemetry(), MemoryStore()
    assembly = Assembly(telemetry, "anna", store, "httpx", monotonic=lambda: 5.0, jitter=lambda: 0.5)
    for each in (_settings("k3y", timeout="7"), _settings("k3y", timeout="7", fallback_strategy="authorization_code")):
        provider = assembly.provider(each, lambda: NOW)
        assert (provider.account, provider.clock(), provider.deadline()) == ("anna", NOW, 12.0)
        assert provider.backends.transport == Transport.from_settings(each, "httpx")
        with provider.store.transaction("key", timeout=1) as transaction:
            transaction.write(None)
        assert store.read("key") == provider.store.read("key")
        assert provider._on_response == telemetry.on_response
        assert (provider.fallback and provider.fallback._emit) == (each.fallback_strategy and telemetry.emit)
        cache = assembly.cache(provider)
        assert (cache.provider, cache._telemetry) == (provider, telemetry)
        assert (cache._monotonic(), cache._jitter()) == (5.0, 0.5)


class Opened(NamedTuple):
    """A store and what it was opened with."""

    place: str
    keys: tuple[str, ...]
    timeout: float | None
    remote: bool


@pytest.mark.parametrize(("place", "remote"), [("file:/somewhere", False), ("redis://127.0.0.1:1/0", True)])
def test_stores_are_opened_with_the_keys_and_a_part_of_the_time(
    monkeypatch: pytest.MonkeyPatch, place: str, *, remote: bool
) -> None:
    """A store gets half of the time, so that some is left; one that is remote has a file beside it, sealed alike."""

    def open_store(place: SecretStr | str, keys: Sequence[SecretStr], timeout: float | None = None) -> Opened:
        place = place if isinstance(place, str) else place.get_secret_value()
        return Opened(place, tuple(each.get_secret_value() for each in keys), timeout, remote)

    monkeypatch.setattr(backends, "open_store", open_store)
    key = base64.urlsafe_b64encode(b"k" * 32).decode()
    found = Backends(_settings("k3y", token_store=place, token_store_key=key, timeout="7"))
    store: object = found.store
    assert store == Opened(place, (key,), 3.5, remote)
    local: object = found.local
    assert local == (Opened("file", (key,), None, remote) if remote else None)
    assert not found.forgets
    assert found.spent is not None


def test_everything_is_opened_before_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """`prepare` opens the store, the local one and the transport, so that a child has nothing to open."""
    prepared: list[Transport] = []

    def prepare(transport: Transport) -> None:
        prepared.append(transport)

    monkeypatch.setattr(Transport, "prepare", prepare)
    found = Backends(_settings("k3y", token_store="memory"))
    found.prepare()
    assert {"store", "local", "transport"} <= vars(found).keys()
    assert prepared == [found.transport]


def test_without_settings_nothing_is_shared() -> None:
    """Tokens end with the process, the transport is the default one of the library, and nothing is remembered."""
    found = Backends(library="httpx")
    assert (found.forgets, found.spent, found.local) == (True, None, None)
    assert found.transport == Transport(library="httpx")
    assert isinstance(found.store, MemoryStore)
    assert found.store is found.store
    assert not Backends(store=MemoryStore()).forgets
    assert Backends(_settings("k3y", token_store="memory")).forgets
    assert Backends(_settings("k3y", token_store="memory")).spent is None


def test_a_reference_that_can_t_be_followed_names_the_profile(tmp_path: Path) -> None:
    """An error of a profile's secret says whose it is."""
    key = tmp_path / "key"
    key.write_text("k3y")
    (tmp_path / "profiles.toml").write_text(f'[profiles.acme]\napi_key = "file:{key}"\n')
    settings = _settings("k3y").model_copy(update={"profile": "acme", "api_key": SecretStr(f"file:{key}")})
    key.unlink()
    with pytest.raises(ConfigurationError) as caught:
        Assembly(Telemetry()).provider(settings, lambda: NOW)
    assert caught.value.profile == "acme"
