"""The commented `.env` file of each strategy, from `strategies/`; the wheel contains them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

STRATEGIES: Final = ("client_credentials", "authorization_code", "legacy_password")
"""The strategies that have one, the most common first."""

_IN_WHEEL: Final = Path(__file__).with_name("env_templates")

_IN_CHECKOUT: Final = Path(__file__).parents[2] / "strategies"


def env_template(strategy: str) -> str:
    """Return the text of a strategy's file.

    Raises:
        FileNotFoundError: The installation lacks it.
    """
    folder = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    return (folder / f"{strategy}.env").read_text(encoding="utf-8")


def is_untouched(text: str) -> bool:
    """Whether a text is one of these files, unchanged."""
    return text in {env_template(strategy) for strategy in STRATEGIES}
