"""Timing things side by side: in turns, so that the noise of the machine reaches all of them alike."""

from __future__ import annotations

import gc
import random
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping


T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """How long one thing has taken, in seconds for each time.

    Attributes:
        times: One for each round.
    """

    times: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The least, which is what the thing costs: noise only adds."""
        return min(self.times)

    @property
    def median(self) -> float:
        """The middle one, which is what one mostly sees."""
        return statistics.median(self.times)

    def over(self, base: Timing) -> float:
        """How much more this takes than something else in the same rounds: the median of the differences."""
        return statistics.median(ours - theirs for ours, theirs in zip(self.times, base.times, strict=True))

    @property
    def spread(self) -> float:
        """How far apart the rounds are: from the first to the third quartile, as a share of the median."""
        first, _, third = statistics.quantiles(self.times, n=4)
        return (third - first) / self.median


_order = random.Random(0)  # noqa: S311 - so that who comes after whom is not always the same


def shuffled(subjects: Mapping[str, T]) -> list[tuple[str, T]]:
    """Return the subjects in another order."""
    return _order.sample(list(subjects.items()), len(subjects))


def in_turns(subjects: Mapping[str, Callable[[], object]], *, rounds: int, times: int = 1) -> dict[str, Timing]:
    """Call each of the subjects `times` times, then each of them again in another order, and so on, for some rounds."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in shuffled(subjects):
            with _timed(found[name], times):
                for _ in range(times):
                    subject()
    return {name: Timing(tuple(each)) for name, each in found.items()}


async def in_turns_async(subjects: Mapping[str, Callable[[], Awaitable[object]]], *, rounds: int) -> dict[str, Timing]:
    """Do the same with coroutines, once each in a round."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in shuffled(subjects):
            with _timed(found[name], 1):
                await subject()
    return {name: Timing(tuple(each)) for name, each in found.items()}


@contextmanager
def _timed(found: list[float], times: int) -> Iterator[None]:
    """Add the seconds for each of `times` times.

    The garbage collector runs before, and not meanwhile: what it costs depends on the rest of the program.
    """
    gc.collect(0)
    gc.disable()
    begun = time.perf_counter()
    yield
    taken = time.perf_counter() - begun
    gc.enable()
    found.append(taken / times)
