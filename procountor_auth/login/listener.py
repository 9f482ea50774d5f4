"""The loopback listener: waits on this machine for the redirect of one login (RFC 8252, sections 7.3 and 8.3).

    with LoopbackListener(registered_redirect_uri) as listener:
        login = source.begin_login(listener.redirect_uri)
        webbrowser.open(login.url)
        token = listener.wait(login.complete, timeout=300)

It can be reached from this machine only, and is open only during the login. Other programs and web pages on this
machine can talk to it as well, so nothing but the redirect with the right `state`, at the exact path, ends the login.
Everything else gets a short error page, and the listener keeps waiting.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from procountor_auth.errors import ConfigurationError, LoginTimedOut, ProcountorAuthError, RedirectError
from procountor_auth.login import pages
from procountor_auth.login.request_handler import ExpectedRequest
from procountor_auth.login.server import PATIENCE, LoopbackServer
from procountor_auth.login.sockets import listen
from procountor_auth.protocol.loopback_redirect import LoopbackRedirect
from procountor_auth.transport.background import raiser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType

    from procountor_auth.login.pages import Page

T = TypeVar("T")

_TURN: Final = 0.5
"""Seconds of one wait: on Windows, a wait without an end does not hear Ctrl-C."""


class LoopbackListener:
    """Listens for the redirect of one login. Open from `with` until `wait` is done.

    A redirect URI with a port is listened for at that port; one without at a free port, which `redirect_uri` then
    has in it: send that one in the login. `localhost` is listened for on IPv4 and IPv6.

    Args:
        redirect_uri: The registered one: `http://127.0.0.1`, `http://[::1]` or `http://localhost`, with or without a
            port and a path.
        patience: Seconds that a client may take for its request.
        monotonic: The clock for deadlines, in seconds.

    Raises:
        ConfigurationError: The redirect URI does not lead to this machine over HTTP.
    """

    def __init__(
        self,
        redirect_uri: str,
        *,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        loopback = LoopbackRedirect.parse(redirect_uri)
        if loopback is None:
            raise ConfigurationError(
                "PROCOUNTOR_REDIRECT_URI does not lead to this machine: there is nothing to listen for.",
                hint="Give the address that the browser ends at to `complete`, or have a redirect URI such as "
                "http://127.0.0.1:8765/callback registered for the client.",
            )
        self._loopback = loopback
        self._patience = patience
        self._monotonic = monotonic
        self._sockets: list[socket.socket] = []
        self._port = 0
        self._server: LoopbackServer | None = None

    @staticmethod
    def can_listen(redirect_uri: str) -> bool:
        """Whether a redirect URI leads to this machine, so that a listener can be made for it."""
        return LoopbackRedirect.parse(redirect_uri) is not None

    @property
    def redirect_uri(self) -> str:
        """The redirect URI to send, with the port that is listened at.

        Raises:
            RuntimeError: Nothing is listened at yet.
        """
        if not self._port:
            raise RuntimeError("the listener is not open yet: use it in a `with` statement")
        return self._loopback.at(self._port)

    def __enter__(self) -> Self:
        """Take the port. Browsers that come before `wait` are kept in line.

        Raises:
            CannotListen: The port is taken, or this user may not have it.
        """
        self._sockets, self._port = listen(self._loopback)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def wait(self, complete: Callable[[str], T], timeout: float) -> T:
        """Wait for the redirect that ends the login, then close. The browser learns how the login has ended.

        Args:
            complete: Finishes the login with the address that the browser came back to, such as `login.complete`.
                A `RedirectError` of it that does not say `ends_login` changes nothing. Called on another thread.
            timeout: Seconds to wait for the user. What `complete` has begun by then is still waited for.

        Returns:
            What `complete` returns.

        Raises:
            LoginTimedOut: Nobody came back in time.
            ProcountorAuthError: What `complete` raises otherwise.
            RuntimeError: The listener is not open.
        """
        if not self._sockets:
            raise RuntimeError("the listener is not open: use it in a `with` statement, and wait once")
        login: _LoginResult[T] = _LoginResult(complete, self._monotonic)
        expected = ExpectedRequest(self._loopback, self._port, login.on_redirect)
        self._server = LoopbackServer(self._sockets, expected, self._patience, self._monotonic)
        try:
            self._server.open()
            return login.result(timeout)
        finally:
            self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._sockets:
            each.close()
        self._sockets = []

    def __repr__(self) -> str:
        return f"<LoopbackListener {self._loopback.at(self._port) if self._port else self._loopback.uri}>"


class _LoginResult(Generic[T]):
    """How the login ends: once, with a result or an error."""

    def __init__(self, complete: Callable[[str], T], monotonic: Callable[[], float]) -> None:
        self._complete = complete
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._open = True
        self._under_way = 0
        self._unwrap: Callable[[], T] | None = None

    def on_redirect(self, address: str) -> tuple[Page, Callable[[], None]]:
        """Take the address that a browser came to. Return its page, and what to call once it has been sent."""
        with self._changed:
            if not self._open:
                return pages.OVER, _do_nothing
            self._under_way += 1
        page, unwrap = self._try(address)
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()
            if unwrap is None:
                return page, _do_nothing
            self._open = False
            self._under_way += 1  # until the page is sent

        def on_sent() -> None:
            with self._changed:
                self._under_way -= 1
                self._unwrap = self._unwrap or unwrap
                self._changed.notify_all()

        return page, on_sent

    def _try(self, address: str) -> tuple[Page, Callable[[], T] | None]:
        try:
            result = self._complete(address)
        except RedirectError as error:
            return (pages.failure(error), raiser(error)) if error.ends_login else (pages.not_accepted(error), None)
        except ProcountorAuthError as error:
            return pages.failure(error), raiser(error)
        except BaseException as error:  # noqa: BLE001 - it is handed to the one who waits
            return pages.BROKEN, raiser(error)
        return pages.SUCCESS, lambda: result

    def result(self, timeout: float) -> T:
        """Wait for the end. Raises what `LoopbackListener.wait` raises."""
        deadline = self._monotonic() + timeout
        with self._changed:
            while self._unwrap is None:
                left = deadline - self._monotonic()
                if left <= 0:
                    if not self._under_way:
                        self._open = False
                        break
                    left = _TURN
                self._changed.wait(min(left, _TURN))
            unwrap = self._unwrap
        if unwrap is None:
            raise LoginTimedOut(
                f"Nobody came back from the login page within {timeout:g} seconds.",
                hint="Start the login again, with a longer --timeout if need be. If the browser can't reach this "
                "machine, use --no-browser and paste the address that it ends at.",
            )
        return unwrap()


def _do_nothing() -> None:
    pass
