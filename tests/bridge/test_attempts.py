"""A login can't be tried again and again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from procountor_auth.bridge.attempts import (
    FORGET_SECONDS,
    FREE_FAILURES,
    MAX_DELAY,
    MAX_OF_ADDRESS,
    MAX_PER_MINUTE,
    MAX_REMEMBERED,
    Attempts,
    TooManyAttempts,
    delay_after,
)

pytestmark = pytest.mark.once

HERE = "192.0.2.1"
LOGIN = ("client", "user", "14159")


class World:
    """Attempts, a clock that the test moves, and the seconds that were waited."""

    def __init__(self) -> None:
        self.now = 10_000.0
        self.waited: list[float] = []
        self.attempts = Attempts(monotonic=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def attempt(
        self, *, right: bool = False, address: str = HERE, login: tuple[str, ...] = LOGIN, most: int = MAX_PER_MINUTE
    ) -> None:
        """Try once."""
        async with self.attempts.one(address, most, *login) as attempt:
            if right:
                attempt.succeeded()
            else:
                attempt.failed()


def run(work: Any) -> None:  # noqa: ANN401 - a coroutine
    """Run a coroutine to its end."""
    asyncio.run(work)


def test_the_delay_doubles_up_to_its_end() -> None:
    """The first three failures cost nothing, then the delay doubles from half a second to eight."""
    assert [delay_after(failures) for failures in range(10)] == [0, 0, 0, 0.5, 1, 2, 4, 8, 8, 8]
    assert delay_after(10**9) == MAX_DELAY


def test_failures_make_the_next_attempt_wait() -> None:
    """Each attempt waits as the failures before it say; one that is right ends that."""

    async def work() -> None:
        world = World()
        for _ in range(FREE_FAILURES + 2):
            await world.attempt()
        assert world.waited == [0.5, 1]
        await world.attempt(right=True)
        assert world.waited == [0.5, 1, 2]
        await world.attempt(right=True)
        assert world.waited == [0.5, 1, 2]

    run(work())


def test_failures_are_forgotten() -> None:
    """After a quarter of an hour an attempt waits for nothing."""

    async def work() -> None:
        world = World()
        for _ in range(FREE_FAILURES):
            await world.attempt()
        world.now += FORGET_SECONDS - 1
        await world.attempt()
        assert world.waited == [0.5]
        world.now += FORGET_SECONDS
        await world.attempt()
        assert world.waited == [0.5]

    run(work())


@pytest.mark.parametrize(
    "other", [{"address": "192.0.2.2"}, {"login": ("client", "user", "14160")}, {"login": ("client", "other", "14159")}]
)
def test_others_do_not_wait(other: dict[str, Any]) -> None:
    """The failures of one login from one address delay neither another login nor the same one from elsewhere."""

    async def work() -> None:
        world = World()
        for _ in range(FREE_FAILURES + 1):
            await world.attempt()
        world.waited.clear()
        await world.attempt(**other)
        assert world.waited == []

    run(work())


def test_those_who_come_at_once_wait_one_after_the_other() -> None:
    """Ten attempts at the same time do not slip in before the first one's failure counts."""

    async def work() -> None:
        world = World()
        await asyncio.gather(*(world.attempt() for _ in range(10)))
        assert world.waited == [0.5, 1, 2, 4, 8, 8, 8]

    run(work())


def test_there_is_a_limit_within_a_minute() -> None:
    """The attempt beyond the limit is refused with the seconds to wait, even a right one; a minute later it is not."""

    async def work() -> None:
        world = World()
        for _ in range(MAX_PER_MINUTE):
            await world.attempt(right=True)
        world.now += 12
        with pytest.raises(TooManyAttempts) as refused:
            await world.attempt(right=True)
        assert refused.value.retry_after == 48
        world.now += 48
        await world.attempt(right=True)
        assert world.waited == []

    run(work())


def test_an_address_has_a_limit_of_its_own() -> None:
    """Whoever tries a new name each time is stopped by his address, and others are not."""

    async def work() -> None:
        world = World()
        for number in range(MAX_OF_ADDRESS):
            await world.attempt(login=("client", f"user {number}", "14159"))
        with pytest.raises(TooManyAttempts):
            await world.attempt(login=("client", "one more", "14159"))
        await world.attempt(address="192.0.2.2")

    run(work())


def test_what_is_right_counts_for_no_address() -> None:
    """Behind a load balancer all programs have one address: those that get in use up nothing of it."""

    async def work() -> None:
        world = World()
        for number in range(MAX_OF_ADDRESS + 1):
            await world.attempt(right=True, login=("client", f"user {number}", "14159"))

    run(work())


def test_what_is_beyond_the_limit_of_a_login_counts_for_no_address() -> None:
    """One program that tries again and again uses up its own limit, and not that of all programs at its address."""

    async def work() -> None:
        world = World()
        for _ in range(MAX_OF_ADDRESS + 1):
            with contextlib.suppress(TooManyAttempts):
                await world.attempt()
        await world.attempt(login=("client", "other", "14159"))

    run(work())


def test_what_strangers_send_takes_bounded_memory() -> None:
    """However many names and addresses there are, and however long, no more than so many are remembered."""

    async def work() -> None:
        world = World()
        for number in range(MAX_REMEMBERED):
            await world.attempt(address=f"2001:db8::{number:x}", login=("x" * 1000, str(number), "1"))
        assert len(world.attempts._tried) == MAX_REMEMBERED
        assert {len(name) for name in world.attempts._tried} == {64}

    run(work())


def test_names_do_not_run_into_each_other() -> None:
    """The parts of a login are kept apart: `ab` and `c` are not `a` and `bc`."""

    async def work() -> None:
        world = World()
        for _ in range(FREE_FAILURES):
            await world.attempt(login=("ab", "c", "1"))
        await world.attempt(login=("a", "bc", "1"))
        assert world.waited == []

    run(work())


def test_an_attempt_that_is_broken_off_leaves_the_way_free() -> None:
    """If whoever waits goes away, the next one gets its turn."""

    async def work() -> None:
        world = World()
        with pytest.raises(RuntimeError, match="gone"):
            async with world.attempts.one(HERE, MAX_PER_MINUTE, *LOGIN):
                raise RuntimeError("gone")
        await world.attempt(right=True)
        assert world.waited == []

    run(work())
