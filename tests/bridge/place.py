"""A program that has logged in at a bridge, before a service of bare bytes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bridge.raw_program import RawProgram
from tests.bridge.raw_upstream import RawUpstream
from tests.bridge.running import OldProgram, RunningBridge

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.bridge.raw_upstream import Act


class Place(NamedTuple):
    """All three.

    Attributes:
        upstream: The service.
        bridge: The bridge.
        program: The program, which has logged in.
    """

    upstream: RawUpstream
    bridge: RunningBridge
    program: OldProgram

    def raw(self) -> RawProgram:
        """Return a connection to the bridge whose calls have the program's token."""
        return RawProgram(self.bridge.port, self.program.access_token)


@contextmanager
def passing(
    act: Act | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    settings: dict[str, Any] | None = None,
    password: str | None = None,
    **options: Any,  # noqa: ANN401 - as `Bridge` takes them
) -> Iterator[Place]:
    """Have a place, with a program that has logged in.

    Args:
        act: What the service does with a call.
        tls: The certificate that the service shows.
        settings: Settings of the profile that differ.
        password: What the program logs in with, if that is not what is configured.
        options: Those of `Bridge`.
    """
    with RawUpstream(act, tls=tls) as upstream:
        login = upstream.login(**(settings or {}))
        with RunningBridge([login], **options) as bridge, OldProgram(bridge.url, login, password=password) as program:
            program.log_in()
            yield Place(upstream, bridge, program)
