"""A login with a browser from a terminal: the redirect comes to a listener, or its address is pasted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from procountor_auth.cli.exit_status import FAILED
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
        """Where the browser goes."""

    def complete(self, redirected_url: str) -> T_co:
        """Complete it with the address that the browser was redirected to."""


def log_in_with_browser(
    registered: str, begin: Callable[[str | None], BegunLogin[T]], *, browser: bool, timeout: float
) -> T:
    """Have the user log in with a browser, and return the result of the login.

    All messages go to stderr: standard output is for the result.

    Args:
        registered: The client's redirect URI.
        begin: Begins the login, with the redirect URI to send if that is not the registered one.
        browser: Whether to open one here.
        timeout: Seconds that the login may take.

    Raises:
        LoginTimedOut: It was not completed in time.
        ProcountorAuthError: Whatever else went wrong.
    """
    if browser and LoopbackListener.can_listen(registered):
        with LoopbackListener(registered) as listener:
            login = begin(listener.redirect_uri)
            _open(login.url)
            _say(f"Waiting for the login, for {timeout:g} seconds at most. Ctrl-C gives it up.")
            return listener.wait(login.complete, timeout)
    login = begin(None)
    if browser:
        _say("PROCOUNTOR_REDIRECT_URI does not lead to this machine, so the end of the login has to be pasted here.")
        _open(login.url)
    else:
        _say(f"Open this address in a browser:\n\n    {login.url}\n")
    return _complete_with_pasted_address(login, timeout)


def _open(url: str) -> None:
    _say(f"Your browser opens the login page. If it does not, open this address yourself:\n\n    {url}\n")
    open_browser(url, lambda: _say("No browser could be started here."))


def _complete_with_pasted_address(login: BegunLogin[T], timeout: float) -> T:
    """Read addresses from standard input until one completes the login."""
    deadline = time.monotonic() + timeout
    lines = StdinLines()
    _say("Log in there. The browser then goes to an address that may show an error page, or nothing at all.")
    while True:
        typer.echo("Paste that whole address here: ", nl=False, err=True)
        try:
            address = lines.next(deadline)
        except TimeoutError:
            _say("")
            break
        if address is None:
            _say("\nNothing was pasted; the login is not complete.")
            raise typer.Exit(FAILED)
        if not address:
            continue
        try:
            return login.complete(address)
        except RedirectError as error:
            if error.ends_login:
                raise
            _say(f"That is not it. {error.message}")
    raise LoginTimedOut(
        f"The address was not pasted within {timeout:g} seconds.",
        hint="Start the login again, with a longer --timeout if need be.",
    )


def _say(message: str) -> None:
    typer.echo(message, err=True)
