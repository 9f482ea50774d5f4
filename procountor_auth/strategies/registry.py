"""Finding strategies by name: our own three, and those that other packages register.

A package registers a strategy as an entry point, and its name is then a value for `PROCOUNTOR_STRATEGY`:

    [project.entry-points."procountor_auth.strategies"]
    vault = "my_package:VaultStrategy"
"""

from __future__ import annotations

import time
from functools import lru_cache
from importlib.metadata import entry_points
from inspect import isabstract
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import ConfigurationError
from procountor_auth.strategies.authorization_code import AuthorizationCodeStrategy
from procountor_auth.strategies.base import Strategy
from procountor_auth.strategies.client_credentials import ClientCredentialsStrategy
from procountor_auth.strategies.legacy_password import LegacyPasswordStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.strategies.base import StrategySettings

GROUP: Final = "procountor_auth.strategies"
"""The group of entry points."""

BUILT_IN: Final[dict[str, type[Strategy]]] = {
    strategy.name: strategy
    for strategy in (LegacyPasswordStrategy, AuthorizationCodeStrategy, ClientCredentialsStrategy)
}
"""Our own, by their names. Nobody else's takes the place of one of these."""


def find_strategy(name: str) -> type[Strategy] | None:
    """Return the strategy of this name, or None if there is none.

    Raises:
        ConfigurationError: A package registers it, and what it registers can't be imported or is no strategy; or two
            packages register it.
    """
    return BUILT_IN.get(name) or _registered(name)


def build(settings: StrategySettings, name: str | None = None, *, clock: Callable[[], float] = time.time) -> Strategy:
    """Build the strategy that settings choose. Nothing is sent, and a deprecated one does not warn yet.

    Args:
        settings: The settings.
        name: Another strategy than the one that they choose.
        clock: The wall clock, in Unix seconds.

    Raises:
        ConfigurationError: There is none of this name, it can't be used, or its API key is not in the keychain.
        StoreError: The keychain can't be used.
    """
    chosen = name or settings.strategy
    found = find_strategy(chosen)
    if found is None:
        raise ConfigurationError(f"There is no strategy {chosen}.", hint="PROCOUNTOR_STRATEGY names one that exists.")
    return found.from_settings(settings, clock=clock)


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies, our own first."""
    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - BUILT_IN.keys()))


@lru_cache(maxsize=32)
def _registered(name: str) -> type[Strategy] | None:
    found = {point.value: point for point in entry_points(group=GROUP) if point.name == name}
    if not found:
        return None
    packages = sorted({point.dist.name if point.dist else "an unknown package" for point in found.values()})
    package, value = " and ".join(packages), " and ".join(sorted(found))
    if len(found) > 1:
        # Which one would be first is an accident of sys.path.
        raise _unusable(name, package, value, "are two strategies of one name", f"Uninstall one of {package}")
    broken = ""
    try:
        strategy = found[value].load()
    except Exception as error:  # noqa: BLE001 - importing somebody's package can raise anything
        broken = f"can't be imported ({type(error).__name__})"
    else:
        if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
            broken = "is no subclass of procountor_auth.Strategy"
        elif getattr(strategy, "name", None) != name:
            broken = f"is a strategy whose `name` is not {name}"
        elif isabstract(strategy):
            broken = f"does not define {', '.join(sorted(strategy.__abstractmethods__))}"
        else:
            return strategy
    raise _unusable(name, package, value, broken, f"Upgrade or reinstall {package}")


def _unusable(name: str, package: str, value: str, broken: str, remedy: str) -> ConfigurationError:
    variables = "PROCOUNTOR_STRATEGY or PROCOUNTOR_FALLBACK_STRATEGY"
    return ConfigurationError(
        f"The strategy {name}, which {variables} names, is registered by {package} as {value}, which {broken}.",
        hint=f"{remedy}, or choose another strategy.",
    )
