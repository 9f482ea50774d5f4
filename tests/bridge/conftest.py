"""A bridge at which a user with letters beyond ASCII logs in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from procountor_auth.sandbox import Quirks
from tests.bridge.documented import PASSWORD, USER
from tests.bridge.request_lines import LOGGER
from tests.bridge.running import RunningBridge, login_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.sandbox import Sandbox


@pytest.fixture
def login(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> BridgeLogin:
    """A login with letters beyond ASCII at a service without the legacy login; the bridge's log is kept."""
    sandbox.quirks = Quirks(legacy_removed="404")
    caplog.set_level(logging.INFO, LOGGER)
    return login_of(sandbox, bridge_username=USER, bridge_password=PASSWORD)


@pytest.fixture
def bridge(login: BridgeLogin) -> Iterator[RunningBridge]:
    """A bridge with that login."""
    with RunningBridge([login]) as running:
        yield running
