"""`oauth/authz` misbehaves, for threads and event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import CALLS, Case, judge
from .tables import AUTHORIZATION_ENDPOINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fault import Fault


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("fault", AUTHORIZATION_ENDPOINT, ids=lambda fault: fault.id)
def test_the_authorization_endpoint(
    fault: Fault, how: str, prepare: Callable[[Fault, str], Case], capfd: pytest.CaptureFixture[str]
) -> None:
    """A fault has the outcome that its table says, and all six oracles agree."""
    judge(fault, lambda each: prepare(each, "legacy"), how, capfd)
