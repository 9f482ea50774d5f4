"""How a source puts its providers together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import ConfigurationError
from procountor_auth.tokens.assembly import Assembly
from procountor_auth.tokens.telemetry import Telemetry

if TYPE_CHECKING:
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
