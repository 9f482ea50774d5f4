"""The token endpoint misbehaves, for each of the three grants, for threads and event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import CALLS, GRANTS, Case, judge
from .tables import TOKEN_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fault import Fault


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", TOKEN_ENDPOINT, ids=lambda fault: fault.id)
def test_the_token_endpoint(
    fault: Fault, grant: str, how: str, prepare: Callable[[Fault, str], Case], capfd: pytest.CaptureFixture[str]
) -> None:
    """A fault has the outcome that its table says, and all six oracles agree."""
    judge(fault, lambda each: prepare(each, grant), how, capfd)
