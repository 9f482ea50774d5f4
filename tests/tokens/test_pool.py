"""What the providers of many profiles share."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from procountor_auth import Profiles, Settings
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from pathlib import Path


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
