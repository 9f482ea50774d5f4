"""The loopback listener: waits on this machine for the redirect of one login (RFC 8252, sections 7.3 and 8.3).

    with LoopbackListener(registered_redirect_uri) as listener:
        login = source.begin_login(listener.redirect_uri)
        webbrowser.open(login.url)
        token = listener.wait(login.complete, timeout=300)

It can be reached only from this machine, and is open only during the login. Other programs and web pages on this
machine can also send requests to it, so only the redirect with the right `state`, at the exact path, ends the login.
All other requests get a short error page, and the listener keeps waiting. If the right redirect is repeated while it is
being handled, as after a reload, the repeats get its page too.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from procountor_auth.errors import ConfigurationError, LoginTimedOut, ProcountorAuthError, RedirectError
from procountor_auth.login import pages
from procountor_auth.login.request_handler import ExpectedRequest
from procountor_auth.login.server import PATIENCE, LoopbackServer
from procountor_auth.login.sockets import listen
from procountor_auth.protocol.interruption import interruption
from procountor_auth.protocol.loopback_redirect import LoopbackRedirect
from procountor_auth.transport.background import raiser

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType

    from procountor_auth.login.pages import Page

T = TypeVar("T")

_TURN: Final = 0.5
"""Seconds of one wait: on Windows, Ctrl-C does not interrupt a wait without a time limit."""

_REPEAT: Final = 60.0
"""The longest wait of a repeated redirect for the page of the first one, in seconds: longer than most exchanges."""

_REPEATS: Final = 8
"""The most repeats that wait. One more releases the oldest, which the browser has probably abandoned."""


class LoopbackListener:
    """Listens for the redirect of one login, from the start of the `with` block until `wait` returns.

    It listens on the port of the redirect URI. If that has none, it listens on a free port, and `redirect_uri` contains
    this port: use it for the login. For `localhost`, it listens on IPv4 and IPv6.

    Args:
        redirect_uri: The registered redirect URI: `http://127.0.0.1`, `http://[::1]` or `http://localhost`, with or
            without a port and a path.
        patience: The time limit for a client to send its request, in seconds.
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
                "PROCOUNTOR_REDIRECT_URI does not lead to this machine, so its redirect can't be received here.",
                hint="Pass the address that the browser ends up at to `complete`, or register a redirect URI such as "
                "http://127.0.0.1:8765/callback for the client.",
            )
        self._loopback = loopback
        self._patience = patience
        self._monotonic = monotonic
        self._sockets: list[socket.socket] = []
        self._port = 0
        self._server: LoopbackServer | None = None

    @staticmethod
    def can_listen(redirect_uri: str) -> bool:
        """Whether a redirect URI leads to this machine, so that a listener can receive it."""
        return LoopbackRedirect.parse(redirect_uri) is not None

    @property
    def redirect_uri(self) -> str:
        """The redirect URI to send, with the port that the listener uses.

        Raises:
            RuntimeError: The listener is not open yet.
        """
        if not self._port:
            raise RuntimeError("the listener is not open yet: use it in a `with` statement")
        return self._loopback.at(self._port)

    def __enter__(self) -> Self:
        """Open the port. Connections before `wait` are queued.

        Raises:
            CannotListen: The port is in use, or this user may not listen on it.
        """
        self._sockets, self._port = listen(self._loopback)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def wait(self, complete: Callable[[str], T], timeout: float) -> T:
        """Wait for the redirect that ends the login, then close. The browser shows the result of the login.

        Args:
            complete: Completes the login with the address of the redirect, such as `login.complete`. The login stays
                open after a `RedirectError` without `ends_login`. Called on another thread.
            timeout: Seconds to wait for the user. A call of `complete` that has started by then is not interrupted.

        Returns:
            What `complete` returns.

        Raises:
            LoginTimedOut: The user did not complete the login in time.
            ProcountorAuthError: Any other error of `complete`.
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
        if not hasattr(self, "_port"):  # in a traceback with locals, of a redirect URI that is wrong
            return "<LoopbackListener>"
        return f"<LoopbackListener {self._loopback.at(self._port) if self._port else self._loopback.uri}>"


@dataclass(slots=True, eq=False)
class _Redirect:
    """A redirect that is being handled, or has ended the login.

    Attributes:
        page: The page for it, as soon as that is known.
        repeats: How often the same address has arrived again.
    """

    page: Page | None = None
    repeats: int = 0


class _LoginResult(Generic[T]):
    """The outcome of the login, set once: a result or an error."""

    def __init__(self, complete: Callable[[str], T], monotonic: Callable[[], float]) -> None:
        self._complete = complete
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._open = True
        self._under_way = 0
        self._repeats = 0  # that wait for a page, or to which it is being sent
        self._redirects: dict[bytes, _Redirect] = {}  # by the digest of the address, which contains the code
        self._unwrap: Callable[[], T] | None = None

    def on_redirect(self, address: str) -> tuple[Page, Callable[[], None]]:
        """Handle the address of a redirect. Return the page to send, and a function to call after sending it."""
        # Only the same address waits: who doesn't know the state can't wait for the right redirect, or learn of it.
        digest = hashlib.sha256(address.encode()).digest()
        with self._changed:
            first = self._redirects.get(digest)
            if first is not None:
                return self._repeat(first)
            if not self._open:
                return pages.OVER, _do_nothing
            redirect = self._redirects[digest] = _Redirect()
            self._under_way += 1
        page, unwrap = self._try(address)
        with self._changed:
            redirect.page = page
            self._under_way -= 1
            self._changed.notify_all()
            if unwrap is None:
                del self._redirects[digest]
                return page, _do_nothing
            self._open = False
            self._under_way += 1  # until the page is sent

        def on_sent() -> None:
            with self._changed:
                self._under_way -= 1
                self._unwrap = self._unwrap or unwrap
                self._changed.notify_all()

        return page, on_sent

    def _repeat(self, first: _Redirect) -> tuple[Page, Callable[[], None]]:
        """Return what `on_redirect` returns, for an address that has come before. The lock is held."""
        if first.page is not None:
            return first.page, _do_nothing
        self._repeats += 1
        page = self._page_of(first) or pages.UNDER_WAY

        def on_sent() -> None:
            with self._changed:
                self._repeats -= 1
                self._changed.notify_all()

        return page, on_sent

    def _page_of(self, first: _Redirect) -> Page | None:
        """Wait for the page of the first redirect, with the lock released; None if that takes too long."""
        first.repeats += 1
        number, deadline = first.repeats, self._monotonic() + _REPEAT
        self._changed.notify_all()
        while first.page is None and number > first.repeats - _REPEATS:
            left = deadline - self._monotonic()
            if left <= 0:
                break
            self._changed.wait(min(left, _TURN))
        return first.page

    def _try(self, address: str) -> tuple[Page, Callable[[], T] | None]:
        try:
            result = self._complete(address)
        except RedirectError as error:
            if error.ends_login:
                return pages.failure(error), raiser(error)
            return (pages.UNDER_WAY if error.is_repeated else pages.not_accepted(error)), None
        except ProcountorAuthError as error:
            return pages.failure(error), raiser(error)
        except BaseException as error:  # noqa: BLE001 - passed on to the waiter
            return pages.BROKEN, raiser(error)
        return pages.SUCCESS, lambda: result

    def result(self, timeout: float) -> T:
        """Wait for the outcome. Raises what `LoopbackListener.wait` raises."""
        try:
            unwrap = self._wait(self._monotonic() + timeout)
        except RuntimeError as error:
            # Ctrl-C may arrive when the wait has just released its lock: then `with` fails to release it.
            interrupted = interruption(error)
            if interrupted is None:
                raise
            raise interrupted from None
        if unwrap is None:
            raise LoginTimedOut(
                f"The login was not completed within {timeout:g} seconds.",
                hint="Start the login again, with a longer --timeout if necessary. If the browser can't reach this "
                "machine, use --no-browser and paste the address that the browser ends up at.",
            )
        return unwrap()

    def _wait(self, deadline: float) -> Callable[[], T] | None:
        with self._changed:
            while self._unwrap is None or self._repeats:
                left = deadline - self._monotonic()
                if left <= 0:
                    if not self._under_way and not self._repeats:
                        self._open = False
                        break
                    left = _TURN
                self._changed.wait(min(left, _TURN))
            return self._unwrap


def _do_nothing() -> None:
    pass
