"""The service: the state that all endpoints of one sandbox share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from procountor_auth.sandbox.behaviour.faults import FaultState
from procountor_auth.sandbox.behaviour.switchboard import Switchboard

from .request_log import RequestLog
from .routes import Routes
from .token_issuer import TokenIssuer
from .world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from http import HTTPStatus

    from procountor_auth.sandbox.behaviour.faults import Faults
    from procountor_auth.sandbox.behaviour.quirks import Quirks

    from .admin_access import AdminAccess

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_MAX_PATH: Final = 2_000


class Service:
    """The state behind one sandbox's endpoints, which sandboxes do not share.

    Args:
        base_url: The URL of the sandbox's host, without a path.
        clock: Returns the Unix time in seconds.
        quirks: The quirks to start with.
        faults: The faults to start with.
        admin_access: Decides who may administer the sandbox.

    Attributes:
        base_url: As given.
        admin_access: As given.
        fault_state: The faults, and how many more requests they affect.
        switches: The quirks and the faults as switches; `quirks` and `faults` are the same, as objects.
        log: The request log.
        token_issuer: Signs and reads tokens.
        world: Everything that exists in the sandbox.
        routes: The resources that a test has added.
        stopping: Set when the server stops.
    """

    def __init__(
        self,
        base_url: str,
        clock: Callable[[], float],
        quirks: Quirks,
        faults: Faults,
        admin_access: AdminAccess,
    ) -> None:
        self.base_url = base_url
        self.admin_access = admin_access
        self._clock = clock
        self.fault_state: FaultState = FaultState(faults)
        self.switches: Switchboard = Switchboard(self.fault_state, quirks)
        self.log: RequestLog = RequestLog()
        self.token_issuer: TokenIssuer = TokenIssuer(base_url, self.clock, self.current_quirks)
        self.world: World = World(self.token_issuer, self.clock, self.current_quirks, self.current_faults)
        self.routes: Routes = Routes()
        self.stopping: threading.Event = threading.Event()

    @property
    def quirks(self) -> Quirks:
        """The current quirks; replace them at any time."""
        return self.switches.quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self.switches.quirks = quirks

    @property
    def faults(self) -> Faults:
        """The current faults; replace them at any time."""
        return self.fault_state.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.switches.faults = faults

    def clock(self) -> float:
        """Return the service's Unix time in seconds, which a fault may skew."""
        return self._clock() + self.fault_state.faults.clock_skew

    def true_time(self) -> float:
        """Return the Unix time in seconds."""
        return self._clock()

    def current_quirks(self) -> Quirks:
        """Return the current quirks."""
        return self.switches.quirks

    def current_faults(self) -> Faults:
        """Return the current faults."""
        return self.fault_state.faults

    def log_refusal(self, method: str, path: str, status: HTTPStatus) -> None:
        """Log a request that was rejected before it was parsed."""
        path, _, query = path.partition("?")
        # The method may be any text: only known words are kept, as in a path.
        known = method if method in _METHODS else "?"
        names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
        self.log.add(
            method=known,
            path=path[:_MAX_PATH],
            status=status,
            grant_type=None,
            at=self.true_time(),
            query_names=names,
            error=f"{status.phrase}.",
        )
