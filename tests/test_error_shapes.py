"""The mark that runs a test with both shapes of a refusal does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from procountor_auth.protocol.endpoints import Endpoints
from procountor_auth.sandbox import Quirks
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox


@pytest.mark.both_error_shapes
def test_the_sandbox_refuses_in_the_shape(sandbox: Sandbox, error_shape: str) -> None:
    """Each run has a shape of its own, which the test's quirks don't change."""
    sandbox.quirks = Quirks(subject="string")
    with backend.Client(verify=False) as client:
        refused = client.post(Endpoints(sandbox.base_url).token, data={"grant_type": "refresh_token"})
    assert refused.status_code in {400, 401}
    assert set(refused.json()) == ({"errors"} if error_shape == "errors" else {"error", "error_description"})
