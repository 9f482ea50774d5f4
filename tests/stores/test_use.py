"""The mark of a refresh token that is being used."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.stores.use import Use

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW: Final = 1_000.0


def test_a_mark_is_that_of_this_process() -> None:
    """It names the host and the process, and ends when the time is over, which is never before it began."""
    assert Use.here("digest", _NOW, 5.0) == Use("digest", _NOW, _NOW + 5.0, platform.node(), os.getpid())
    assert Use.here("digest", _NOW, -5.0).until == _NOW


def test_a_use_that_has_ended_waits_no_longer() -> None:
    """The rest of it stays as it was, and the end is not put off."""
    use = Use("digest", _NOW, _NOW + 5.0, "host", 7)
    assert use.ended(_NOW + 2.0) == Use("digest", _NOW, _NOW + 2.0, "host", 7)
    assert use.ended(_NOW + 9.0) == use


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
    use = Use.here("digest", _NOW, 5.0)
    assert not use.is_pending(_NOW)
    within: list[bool] = []

    def work() -> None:
        with use.under_way():
            within.append(use.is_pending(_NOW))
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        work()
    assert within == [True]
    assert not use.is_pending(_NOW)


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
    assert Use("digest", _NOW, _NOW + 5.0, platform.node(), 4_242).is_pending(_NOW) is pending
