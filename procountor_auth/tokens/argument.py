"""What a program gives a token source."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from procountor_auth.protocol.argument import check_argument, wrong_kind
from procountor_auth.stores.base import Store
from procountor_auth.strategies.base import Strategy

if TYPE_CHECKING:
    from procountor_auth.events import Listener


def check_strategy(name: str, strategy: object) -> None:
    """Check a strategy.

    Args:
        name: The argument's name.
        strategy: What was passed.

    Raises:
        TypeError: It is something else, such as a strategy's name.
    """
    meant = "write TokenSource.from_env() for the one that the environment chooses"
    check_argument(name, strategy, Strategy, "a Strategy", meant)


def check_settings(settings: object) -> None:
    """Check settings.

    Args:
        settings: What was passed.

    Raises:
        TypeError: They are something else.
    """
    # Who has settings has imported them; they bring pydantic-settings.
    module = sys.modules.get("procountor_auth.settings.settings")
    kind: type | None = getattr(module, "Settings", None)
    if kind is None or not isinstance(settings, kind):
        raise wrong_kind("settings", settings, "Settings", "write Settings(…), or from_env() for the environment's")


def check_options(account: object, store: object, on_event: Listener | object) -> None:
    """Check what goes with every source.

    Args:
        account: Whose tokens they are. A number is refused: as text, which a command line has, it would be another
            account, and 0 or None would be taken for nobody in particular, whose tokens everybody gets.
        store: A store of the program's own, or None.
        on_event: The listener, or None.

    Raises:
        TypeError: One of them is something else.
    """
    check_argument("account", account, str, "text", "write account=str(user.id); without it, all share one login")
    if store is not None:
        check_argument(
            "store", store, Store, "a Store", 'write store=open_store("file"), or set PROCOUNTOR_TOKEN_STORE'
        )
    if on_event is not None and not callable(on_event):
        raise wrong_kind("on_event", on_event, "a function", "it is called with each event")
