"""Finds strategies by name: the three built-in ones, and those that other packages register.

A package registers a strategy as an entry point, whose name is then a value for `PROCOUNTOR_STRATEGY`:

    [project.entry-points."procountor_auth.strategies"]
    vault = "my_package:VaultStrategy"
"""

from __future__ import annotations

import time
from functools import lru_cache
from inspect import isabstract
from typing import TYPE_CHECKING, Final

from procountor_auth import strategies
from procountor_auth.errors import ConfigurationError
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.strategies.base import StrategySettings

GROUP: Final = "procountor_auth.strategies"
"""The group of entry points."""

BUILT_IN: Final = {
    "legacy_password": "LegacyPasswordStrategy",
    "authorization_code": "AuthorizationCodeStrategy",
    "client_credentials": "ClientCredentialsStrategy",
}
"""The built-in strategies by name. Other packages can't replace them."""


def find_strategy(name: str) -> type[Strategy] | None:
    """Return the strategy of this name, or None if there is none.

    Raises:
        ConfigurationError: What a package registers under this name can't be imported or is not a strategy, or two
            packages register the name.
    """
    if name in BUILT_IN:
        chosen: type[Strategy] = getattr(strategies, BUILT_IN[name])  # the others are not imported
        return chosen
    return _registered(name) if name else None


def build(settings: StrategySettings, name: str | None = None, *, clock: Callable[[], float] = time.time) -> Strategy:
    """Build the strategy that settings choose, without sending anything or warning of a deprecated one.

    Args:
        settings: The settings.
        name: The strategy to build instead of the chosen one.
        clock: The wall clock, in Unix seconds.

    Raises:
        ConfigurationError: The strategy does not exist or can't be used, or its API key is not in the keychain.
        StoreError: The keychain can't be used.
    """
    chosen = name or settings.strategy
    found = find_strategy(chosen)
    if found is None:
        raise ConfigurationError(f"There is no strategy {chosen}.", hint="Correct PROCOUNTOR_STRATEGY.")
    return found.from_settings(settings, clock=clock)


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies, the built-in ones first."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - as above

    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - BUILT_IN.keys()))


@lru_cache(maxsize=32)
def _registered(name: str) -> type[Strategy] | None:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only for strategies of other packages

    found = {point.value: point for point in entry_points(group=GROUP) if point.name == name}
    if not found:
        return None
    packages = sorted({point.dist.name if point.dist else "an unknown package" for point in found.values()})
    package, value = " and ".join(packages), " and ".join(sorted(found))
    if len(found) > 1:
        # The first one would depend on the order of sys.path.
        raise _unusable(name, package, value, "are two strategies with the same name", f"Uninstall one of {package}")
    broken = ""
    try:
        strategy = found[value].load()
    except Exception as error:  # noqa: BLE001 - importing another package can raise anything
        broken = f"can't be imported ({type(error).__name__})"
    else:
        if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
            broken = "is not a subclass of procountor_auth.Strategy"
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
