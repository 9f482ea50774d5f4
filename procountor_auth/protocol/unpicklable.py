"""The base of classes with secrets, which can't be pickled."""

from __future__ import annotations

from typing import NoReturn


class Unpicklable:
    """Raises when it is pickled or copied, so that secrets don't end up in a queue or on disk."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not pickled or copied: build it in each process.")
