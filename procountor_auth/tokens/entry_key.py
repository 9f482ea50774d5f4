"""Under which key a token is stored."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procountor_auth.strategies.base import Strategy


def entry_key(strategy: Strategy, account: str = "") -> str:
    """Return the key of a strategy's token: 40 hexadecimal digits that reveal nothing.

    Strategy, host, client, user or company, and the program's own name for the account are hashed together. So a
    switch of the strategy never finds the other strategy's token, and switching back finds what it left; test,
    production and sandbox are apart.
    """
    client = strategy.client
    parts = [strategy.name, client.endpoints.host, client.client_id, *strategy.identity(), account]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]
