"""The settings for getting an API key."""

from __future__ import annotations

from pydantic import Field

from procountor_auth.settings.settings import Settings
from procountor_auth.settings.validators import StrategyName  # noqa: TC001 - pydantic reads the annotations
from procountor_auth.strategies.base import Strategy


class KeyLoginSettings(Settings):
    """Settings for getting an API key: what `client_credentials` needs, less the key."""

    # The key is for client_credentials, whatever strategy is in use while it is made.
    strategy: StrategyName = Field(default="client_credentials", description="Not used for this.")

    @classmethod
    def _needed_by(cls, strategy: str) -> tuple[str, ...]:  # noqa: ARG003 - the same for all
        return Strategy.required_settings
