"""What starts an example, for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import subprocess


class Run(Protocol):
    """Runs Python to its end."""

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Return what it has printed, and its status.

        Args:
            arguments: What stands behind `python`.
            variables: Variables beside those of the test's environment.
        """
        ...


class Serve(Protocol):
    """Starts Python that ends with the test."""

    def __call__(self, *arguments: str, **variables: str) -> int:
        """Return the port that its socket listens on.

        Args:
            arguments: What stands behind `python`; `{fd}` is the number of the socket.
            variables: Variables beside those of the test's environment.
        """
        ...
