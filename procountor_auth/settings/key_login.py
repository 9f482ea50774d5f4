"""The settings for getting an API key."""

from __future__ import annotations

from pydantic import Field

from procountor_auth.settings.settings import Settings
from procountor_auth.settings.validators import StrategyName  # noqa: TC001 - pydantic reads the annotations
from procountor_auth.strategies.base import Strategy


class KeyLoginSettings(Settings):
    """Settings for getting an API key: those of `client_credentials` except the key."""

    # The key is for client_credentials, whichever strategy is configured while it is created.
    strategy: StrategyName = Field(default="client_credentials", description="Not used to get an API key.")

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:  # noqa: ARG003 - the same for all
        return Strategy.required_settings

    @classmethod
    def _used_by(cls, strategy: str, fallback: str) -> set[str]:  # noqa: ARG003 - the same for all
        return set(Strategy.required_settings)
