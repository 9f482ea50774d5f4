"""The mark of a refresh token that is being used."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.stores import use
from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW: Final = 1_000.0

_UNSHARE: Final = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")

_READ: Final = """
import json, sys
from procountor_auth.stores.use import Use
print(Use(**json.loads(sys.argv[1])).is_pending(float(sys.argv[2])))
"""


def _can_unshare() -> bool:
    """Whether this machine lets anybody make a PID namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def test_a_mark_is_that_of_this_process() -> None:
    """It names the host, the process and its namespace, and ends when the time is over: never before it began."""
    here = Use("digest", _NOW, _NOW + 5.0, platform.node(), os.getpid(), use._namespace())
    assert Use.here("digest", _NOW, 5.0) == here
    assert Use.here("digest", _NOW, -5.0).until == _NOW


def test_a_use_that_has_ended_waits_no_longer() -> None:
    """The rest of it stays as it was, and the end is not put off."""
    mark = Use("digest", _NOW, _NOW + 5.0, "host", 7, "boot-1 pid:[7]")
    assert mark.ended(_NOW + 2.0) == Use("digest", _NOW, _NOW + 2.0, "host", 7, "boot-1 pid:[7]")
    assert mark.ended(_NOW + 9.0) == mark


def test_a_use_says_whose_it_is() -> None:
    """For people: the process, the host and the time."""
    assert str(Use("digest", _NOW, _NOW + 5.0, "host", 7)) == "process 7 on host since 1970-01-01 00:16:40 UTC"


@pytest.mark.parametrize(
    ("now", "pending"),
    [(_NOW - 10.5, False), (_NOW - 10.0, True), (_NOW, True), (_NOW + 4.5, True), (_NOW + 5.0, False)],
)
def test_another_host_is_waited_for(now: float, *, pending: bool) -> None:
    """Until its time is over; a clock may be ten seconds behind the other one."""
    assert Use("digest", _NOW, _NOW + 5.0, "elsewhere", os.getpid()).is_pending(now) is pending


def test_a_use_of_this_process_is_pending_while_it_is_under_way() -> None:
    """Whatever happens within, it is over afterwards."""
    mark = Use.here("digest", _NOW, 5.0)
    assert not mark.is_pending(_NOW)
    within: list[bool] = []

    def work() -> None:
        with mark.under_way():
            within.append(mark.is_pending(_NOW))
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        work()
    assert within == [True]
    assert not mark.is_pending(_NOW)


def _raise(error: OSError) -> Callable[[int, int], None]:
    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (4_242, 0)
        raise error

    return kill


@pytest.mark.skipif(os.name != "posix", reason="elsewhere, no process is looked for")
@pytest.mark.parametrize(
    ("kill", "pending"),
    [(lambda *_: None, True), (_raise(ProcessLookupError()), False), (_raise(PermissionError()), True)],
    ids=["there", "gone", "another user's"],
)
def test_a_process_of_this_host_that_is_gone_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, kill: Callable[[int, int], None], *, pending: bool
) -> None:
    """One that is there, or another user's, is waited for."""
    monkeypatch.setattr(os, "kill", kill)
    mark = Use("digest", _NOW, _NOW + 5.0, platform.node(), 4_242, use._namespace())
    assert mark.is_pending(_NOW) is pending


_LINUX: Final = pytest.mark.skipif(not Path("/proc/self/ns/pid").is_symlink(), reason="needs PID namespaces")


@_LINUX
@pytest.mark.parametrize("namespace", ["", "boot-1 pid:[4026531836]"], ids=["not written", "another"])
@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["the same number", "no such number"])
def test_a_container_of_the_same_name_is_waited_for(namespace: str, pid: int) -> None:
    """What its numbers are says nothing here; a mark that does not tell its namespace may be such a container's."""
    mark = Use("digest", _NOW, _NOW + 5.0, platform.node(), pid, namespace)
    assert mark.is_pending(_NOW)
    assert not mark.is_pending(_NOW + 5.0)


@_LINUX
def test_a_namespace_is_one_of_this_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another machine has other processes, though its first namespace has the same number."""
    here = use._namespace()
    assert str(Path("/proc/self/ns/pid").readlink()) in here
    assert here == use._namespace()
    mark = Use("digest", _NOW, _NOW + 5.0, platform.node(), os.getpid(), here)
    assert not mark.is_pending(_NOW)
    boot = tmp_path / "boot_id"
    boot.write_text("another-boot\n")
    monkeypatch.setattr(use, "_BOOT", boot)
    assert mark.is_pending(_NOW)


def test_a_system_that_tells_no_namespace_has_one_for_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There, the host's name and the process's number decide, as nothing else can."""
    monkeypatch.setattr(use, "_BOOT", tmp_path / "missing")
    mark = Use.here("digest", _NOW, 5.0)
    assert mark.namespace == ""
    assert not mark.is_pending(_NOW)


@_LINUX
@pytest.mark.process
@pytest.mark.skipif(not _can_unshare(), reason="needs a PID namespace of its own")
def test_another_namespace_reads_a_process_here_as_alive() -> None:
    """A process that has the same host name, and its own numbers, waits for a mark from here while it is valid."""
    mark = Use.here("digest", _NOW, 5.0)
    pending = subprocess.run(
        [*_UNSHARE, sys.executable, "-c", _READ, json.dumps(asdict(mark)), str(_NOW)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (pending.stdout, pending.stderr) == ("True\n", "")
