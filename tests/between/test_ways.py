"""What lies between a program and the service misbehaves, for two grants, for threads and event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import CALLS, GRANTS
from .ways import WAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .case import Way

pytestmark = [pytest.mark.process, pytest.mark.server]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.id)
def test_a_way(way: Way, grant: str, how: str, travel: Callable[[Way, str, str], None]) -> None:
    """What lies between has the outcome that its table says, and all oracles agree."""
    travel(way, grant, how)
