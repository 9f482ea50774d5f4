"""What a holder of secrets is: nothing that is copied into a pickle."""

from __future__ import annotations

from typing import NoReturn


class Unpicklable:
    """Refuses to be pickled, or copied by pickle's rules, so that no secret ends up in a queue or on a disk."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled or copied: build it in each process.")
