"""Each command on each host: the outcome of the table, and nothing that should not be."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.witness import hidden_in
from tests.sizes import size

from .hosts import HOSTS
from .runner import COMMANDS
from .table import MATRIX, MAY_LOSE, MOST_REQUESTS, RETRYABLE, SPREAD, expected

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

    from .hosts import Host
    from .runner import Runner

_CASES = size(SPREAD, MATRIX)


@pytest.mark.skipif(shutil.which("true") is None, reason="these hosts are POSIX systems")
@pytest.mark.parametrize(("host", "command"), _CASES, ids=[f"{host.id}-{command}" for host, command in _CASES])
def test_a_command_on_a_host(runner: Runner, service: Sandbox, host: Host, command: str) -> None:
    """The command has the outcome of the table, asks nobody else, loses nothing, and tells no secret."""
    result = runner.run(host, command)
    assert result.outcome in expected(host, command), result
    assert "Traceback" not in result.out + result.err, result
    assert not hidden_in(result.out + result.err, result.secrets)
    if "hint" in result.said:
        assert result.said["hint"], result
        assert result.said["message"], result
        assert result.said["retryable"] is RETRYABLE[result.outcome], result
    if result.outcome == "fails":
        assert result.out + result.err
    assert result.places <= {service.base_url.removeprefix("http://")}
    assert result.requests <= MOST_REQUESTS[command]
    assert not result.broken
    killed = result.outcome in {"ended", "interrupted"}  # what a killed writer leaves goes with the next one
    assert {name.rpartition(".")[2] for name in result.files} <= {"json", "lock"} | ({"tmp"} if killed else set())
    assert not result.lost or host.id in MAY_LOSE, result


def test_the_spread_has_every_kind() -> None:
    """What `make check` runs has each kind of host, and each command at least three times."""
    assert {host.kind for host, _ in SPREAD} == {host.kind for host in HOSTS}
    counts = Counter(command for _, command in SPREAD)
    assert all(counts[command] >= 3 for command in COMMANDS)


def test_names_are_unique() -> None:
    """No host hides another one."""
    assert len({host.id for host in HOSTS}) == len(HOSTS)
