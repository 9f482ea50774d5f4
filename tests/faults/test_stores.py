"""The file store fails under a renewal, for an API key and for a refresh token, for threads and event loops."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .conftest import CALLS, OLD
from .outcome import KEY
from .store_judge import GRANTS, StoreJudge
from .stores import FILE, Disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forkserver.forkserver import ForkServer

    from .outcome import StoreFault
    from .witness import Pulse


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("fault", FILE, ids=lambda fault: fault.id)
def test_the_store(
    fault: StoreFault[Disk],
    grant: str,
    how: str,
    tmp_path: Path,
    pulse: Pulse,
    fork_server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A fault of the store has the outcome that its table says, and all six oracles agree."""
    monkeypatch.setattr("procountor_auth.tokens.provider.entry_key", lambda *_: KEY)
    with ExitStack() as stack:
        disk = Disk(tmp_path / "tokens", pytest.MonkeyPatch(), stack, OLD, fork_server.python)
        StoreJudge(pulse, capfd).judge(fault, grant, how, disk)
    assert not list(disk.folder.glob("*.tmp"))
