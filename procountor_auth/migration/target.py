"""The strategy that a profile is to switch to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.strategies.registry import find_strategy

if TYPE_CHECKING:
    from procountor_auth.settings.profiles import Profiles

DEFAULT_TARGET: Final = "client_credentials"
"""The strategy to switch to, unless another one is chosen."""


def target_of(profiles: Profiles, profile: str | None, chosen: str | None) -> str:
    """Return the strategy that a profile is to switch to.

    Without a choice, a profile whose strategy is not deprecated has switched already: its target is that strategy.

    Args:
        profiles: The profiles, with their variables from all places.
        profile: The profile, or None if there are no profiles.
        chosen: The strategy that was chosen, if any.
    """
    if chosen is not None:
        return chosen
    strategy = strategy_of(profiles, profile)
    if strategy is not None:
        kind = find_strategy(strategy)
        if kind is not None and kind.lifecycle is None:
            return strategy
    return DEFAULT_TARGET


def strategy_of(profiles: Profiles, profile: str | None) -> str | None:
    """Return the configured strategy, even if it does not exist."""
    try:
        value = profiles.values_of(profile).get("strategy")
    except ProcountorAuthError:
        return None
    return None if value is None else str(getattr(value, "get_secret_value", lambda: value)())
