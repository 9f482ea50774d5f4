"""A login with a browser from a terminal: a listener receives the redirect, or the user pastes its address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from procountor_auth.cli.exit_status import CommandError
from procountor_auth.cli.message import say
from procountor_auth.errors import LoginTimedOut, RedirectError
from procountor_auth.login.listener import LoopbackListener

from .browser import open_browser
from .stdin_lines import StdinLines

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class BegunLogin(Protocol[T_co]):
    """A login that has begun: `Login` or `KeyLogin`."""

    @property
    def url(self) -> str:
        """The address of the login page."""
        ...

    def complete(self, redirected_url: str) -> T_co:
        """Complete the login with the address that the browser was redirected to."""
        ...


def log_in_with_browser(
    registered: str, begin: Callable[[str | None], BegunLogin[T]], *, browser: bool, timeout: float
) -> T:
    """Have the user log in with a browser, and return the result of the login.

    Messages are written to stderr: standard output is for the result.

    Args:
        registered: The client's redirect URI.
        begin: Begins the login; its argument is the redirect URI to send, if not the registered one.
        browser: Whether to open a browser on this machine.
        timeout: How long to wait for the login, in seconds.

    Raises:
        LoginTimedOut: The login was not completed in time.
        ProcountorAuthError: The login failed.
    """
    if browser and LoopbackListener.can_listen(registered):
        with LoopbackListener(registered) as listener:
            login = begin(listener.redirect_uri)
            _open(login.url)
            say(f"Waiting up to {timeout:g} seconds for the login. Press Ctrl-C to cancel.")
            return listener.wait(login.complete, timeout)
    login = begin(None)
    if browser:
        say("PROCOUNTOR_REDIRECT_URI does not lead to this machine, so you have to paste the final address here.")
        _open(login.url)
    else:
        say(f"Open this address in a browser:\n\n    {login.url}\n")
    return _complete_with_pasted_address(login, timeout)


def _open(url: str) -> None:
    say(f"Your browser opens the login page. If it does not, open this address yourself:\n\n    {url}\n")
    open_browser(url, lambda: say("No browser could be started here."))


def _complete_with_pasted_address(login: BegunLogin[T], timeout: float) -> T:
    """Read addresses from standard input until one of them completes the login."""
    deadline = time.monotonic() + timeout
    lines = StdinLines()
    say("Log in there. The browser then opens an address that may show an error page or nothing.")
    while True:
        typer.echo("Paste that whole address here: ", nl=False, err=True)
        try:
            address = lines.next(deadline)
        except TimeoutError:
            say("")
            break
        if address is None:
            say("")
            raise CommandError("Nothing was pasted; the login is not complete.", code="login_incomplete")
        if not address:
            continue
        try:
            return login.complete(address)
        except RedirectError as error:
            if error.ends_login:
                raise
            say(f"This address does not complete the login. {error.message}")
    raise LoginTimedOut(
        f"The address was not pasted within {timeout:g} seconds.",
        hint="Start the login again, with a longer --timeout if necessary.",
    )
