"""What ``procountor-auth bridge`` prints as text."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.text import Text

from procountor_auth.cli.screen import MAX_KINDS, WARNING, console, indented, names_text, print_next

if TYPE_CHECKING:
    from rich.console import Console

    from procountor_auth.bridge.login import LeftOut, Logins
    from procountor_auth.stores.base import Store


def show_start(url: str, logins: Logins, store: Store, *, read_only: bool, public_url: str | None = None) -> None:
    """Print the address of the bridge, and the profiles that it serves.

    Args:
        url: The address that it listens on.
        logins: The logins that it accepts.
        store: The store that has its tokens.
        read_only: Whether it forwards only GET and HEAD.
        public_url: The URL that programs use, if it is another one.
    """
    screen = console()
    screen.print(f"The bridge listens on {url}")
    names = [login.profile for login in logins if login.profile]
    if names:
        screen.print(names_text(names, screen.width, prefix=f"for {len(names)} {_noun(names)}: "))
    _show_left_out(screen, logins)
    if read_only:
        screen.print("It forwards only GET and HEAD requests.")
    if store.name == "memory":
        screen.print(
            Text(
                "Its tokens are in memory: after a restart, every program has to log in again. "
                "PROCOUNTOR_TOKEN_STORE=file keeps them.",
                style=WARNING,
            )
        )
    print_next(screen, f"in the program, change only the host, to {_for_programs(url, public_url)}")
    screen.print("Press Ctrl-C to stop.")


def _show_left_out(screen: Console, logins: Logins) -> None:
    """Print which profiles are not served, those with the same reason together, and what to do about it."""
    alike: dict[str, list[LeftOut]] = {}
    for each in logins.left_out:
        alike.setdefault(each.reason, []).append(each)
    for message, group in list(alike.items())[:MAX_KINDS]:
        names = [each.profile for each in group]
        screen.print(Text(names_text(names, screen.width, prefix="Left out: "), style=WARNING))
        screen.print(indented(message, 2))
        screen.print(indented(group[0].error.hint, 4))
    more = sum(len(group) for group in list(alike.values())[MAX_KINDS:])
    if more:
        screen.print(Text(f"{more} more are left out, for other reasons: the log names them", style=WARNING))


def _for_programs(url: str, public_url: str | None) -> str:
    """Return the URL for programs. They can't connect to an address that means all of this machine's addresses."""
    if public_url is None and ip_address(urlsplit(url).hostname or "").is_unspecified:
        return f"a name that the certificate is for, with port {urlsplit(url).port}"
    return public_url or url


def _noun(names: list[str]) -> str:
    return "profile" if len(names) == 1 else "profiles"
