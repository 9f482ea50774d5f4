"""What the providers of many profiles share."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from procountor_auth import Profiles, Settings
from procountor_auth.errors import StoreUnavailable
from procountor_auth.stores.guarded import guarded
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.tokens.pool import ProviderPool
from procountor_auth.transport.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.stores import Entry

NOW = 1_800_000_000.0


@pytest.fixture
def pool(environment: Callable[[dict[str, str]], None], tmp_path: Path) -> ProviderPool:
    """The providers of two profiles that share everything but the key."""
    environment(
        {
            "PROCOUNTOR_STRATEGY": "client_credentials",
            "PROCOUNTOR_CLIENT_ID": "client-1",
            "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
            "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
            "PROCOUNTOR_ENVIRONMENT": "production",
            "PROCOUNTOR_FALLBACK_STRATEGY": "authorization_code",
            "PROCOUNTOR_TOKEN_STORE": f"file:{tmp_path / 'tokens'}",
            "PROCOUNTOR_PROFILES__ACME__API_KEY": "k3y",
            "PROCOUNTOR_PROFILES__BETA__API_KEY": "n3w",
        }
    )
    return ProviderPool(Profiles.search(), clock=lambda: NOW)


def test_a_store_is_shared_by_those_who_seal_alike(tmp_path: Path) -> None:
    """Profiles with the same store and the same key have one store; another key, or none, has its own."""
    first, second = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))

    def settings(place: str, key: str | None) -> Settings:
        return Settings(
            strategy="client_credentials",
            client_id="client-1",
            client_secret="cl13nt",
            redirect_uri="redirect-uri-placeholder",
            environment="production",
            api_key="k3y",
            token_store=f"file:{tmp_path / place}",
            token_store_key=key,
        )

    pool = ProviderPool(Profiles.search())
    store = pool.store_of(settings("a", first))
    assert pool.store_of(settings("a", first)) is store
    others = [
        pool.store_of(settings("a", second)),
        pool.store_of(settings("a", None)),
        pool.store_of(settings("b", first)),
    ]
    assert len({id(each) for each in (store, *others)}) == 4


def test_a_provider_has_what_it_is_given(pool: ProviderPool) -> None:
    """The profile, strategy, account, clock and listener are those that were named; there is no fallback."""
    listener = lambda *_: None  # noqa: E731 - it is only looked at
    provider = pool.provider("acme", account="anna", on_response=listener)
    assert (provider.whose.name, provider.account, provider.clock(), provider.fallback) == ("acme", "anna", NOW, None)
    assert provider.strategy.identity() == ("k3y",)
    assert provider._on_response is listener
    assert pool.provider("acme").account == "acme"
    assert pool.provider("acme").key != provider.key
    assert pool.provider("acme", "authorization_code").strategy.name == "authorization_code"
    assert pool.provider("beta").strategy.identity() == ("n3w",)


def test_profiles_share_their_store_and_connections(pool: ProviderPool) -> None:
    """Two profiles with the same ways have the same store, and the same connection with its settings."""
    acme, beta = pool.provider("acme"), pool.provider("beta")
    assert acme.store is beta.store
    assert acme.store.name == "file"
    assert acme.backends.transport.http is beta.backends.transport.http
    assert acme.backends.transport.http is not None
    assert acme.backends.transport.timeout == acme.settings.timeout
    pool.close()


class Connection:
    """A connection that is only closed.

    Attributes:
        closed: How often.
    """

    closed = 0

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def test_each_way_to_a_host_has_one_connection(pool: ProviderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA bundle and the proxy make the way; `close` ends all, each once, and the next one is another."""
    opened: list[Any] = []

    def connect(_: Transport) -> Any:  # noqa: ANN401 - in place of a transport
        opened.append(Connection())
        return opened[-1]

    monkeypatch.setattr(Transport, "open", connect)
    settings = pool.provider("acme").settings
    for bundle, proxy in itertools.product((None, "a.pem", "b.pem"), (None, "http://a.example", "http://b.example")):
        for seconds in (5.0, 7.0):
            changed = Settings.model_validate(settings.model_dump() | {"timeout": seconds, "proxy": proxy})
            transport = pool.transport_of(changed.model_copy(update={"ca_bundle": bundle}))
            assert transport.http is opened[-1]
            assert (transport.timeout, transport.ca_bundle) == (seconds, bundle)
            assert (transport.proxy and transport.proxy.get_secret_value()) == proxy
    assert len(opened) == 9
    pool.close()
    pool.close()
    assert [each.closed for each in opened] == [1] * 9
    assert pool.transport_of(settings).http is opened[-1]
    assert len(opened) == 10


class Down(MemoryStore):
    """A store that is out of reach.

    Attributes:
        asked: The keys that were asked for.
    """

    entries_fail_alone: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def read(self, key: str) -> Entry | None:
        """Fail."""
        self.asked.append(key)
        raise StoreUnavailable("The store is down.", hint="Start it.")


class Sealed(Down):
    """A store one of whose entries may be out of reach."""

    entries_fail_alone: ClassVar[bool] = True


@pytest.mark.parametrize(("kind", "asked"), [(Down, 1), (Sealed, 3)])
def test_a_store_that_is_down_is_waited_for_once(pool: ProviderPool, kind: type[Down], asked: int) -> None:
    """Whoever asks after that is told the same at once, each by the profile's name; unless entries fail alone."""
    store, other = kind(), kind()
    shared = guarded(store)
    for name in ("acme", "beta", "beta"):
        provider = pool.provider(name)
        provider.backends.store = shared
        with pytest.raises(StoreUnavailable) as caught:
            pool.entry(provider)
        told = caught.value
        assert (told.message, told.hint, told.profile) == ("The store is down.", "Start it.", name)
    assert len(store.asked) == asked
    provider = pool.provider("acme")
    provider.backends.store = guarded(other)
    with pytest.raises(StoreUnavailable):
        pool.entry(provider)
    assert other.asked == [provider.key]


def test_an_entry_is_looked_up_where_the_token_is(pool: ProviderPool) -> None:
    """By default the provider's own entry is read, or else the one that is named."""
    provider = pool.provider("acme")
    provider.backends.store = MemoryStore()
    for key in (provider.key, "another"):
        with provider.store.transaction(key, timeout=1) as transaction:
            transaction.write(None)
    assert pool.entry(provider) is provider.store.read(provider.key)
    assert pool.entry(provider, "another") is provider.store.read("another")
    assert pool.entry(provider, "nothing") is None
