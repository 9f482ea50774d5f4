"""Variables, and a file, that configure other programs' connections, and that token requests ignore."""

from __future__ import annotations

import netrc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from procountor_auth.settings.hosts import is_loopback
from procountor_auth.transport.http_error import is_about_certificate

if TYPE_CHECKING:
    from procountor_auth.settings.settings import Settings

    from .check import Findings

_PROXIES: Final = frozenset({"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"})
"""Lower-case names mean the same."""

_AUTHORITIES: Final = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"})

_SET_PROXY: Final = "If the host can only be reached through a proxy, set PROCOUNTOR_PROXY to its URL."
_SET_CA_BUNDLE: Final = "If a private authority issued the host's certificate, set PROCOUNTOR_CA_BUNDLE to its file."


class UnreadVariables(NamedTuple):
    """The variables that are set and could matter for the host: names only, as their values are often secrets."""

    proxies: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()

    def hint(self, failure: str = "") -> str:
        """Return what to do if one of them was meant to be used; empty if none is set.

        Args:
            failure: The message of the failed connection.
        """
        about_certificate = is_about_certificate(failure)
        names = self.authorities if about_certificate else self.proxies
        return f"{_not_read(names)}. {_SET_CA_BUNDLE if about_certificate else _SET_PROXY}" if names else ""


def check_unread_variables(findings: Findings, settings: Settings) -> UnreadVariables:
    """Warn about variables that are set but not read, and return them. Plain HTTP, on this machine, needs none.

    Args:
        findings: Where the results go.
        settings: The settings, which may set the equivalent of such a variable.
    """
    parts = urlsplit(settings.endpoints.host)
    host = parts.hostname or ""
    if parts.scheme == "http" or is_loopback(host):
        return UnreadVariables()
    excepted = bool(proxy_bypass(parts.netloc))
    unread = UnreadVariables(
        () if settings.proxy or excepted else _set(_PROXIES),
        () if settings.ca_bundle else tuple(name for name in _set(_AUTHORITIES) if name.isupper()),
    )
    if unread.proxies:
        findings.add("variables", "warning", _not_read(unread.proxies), _SET_PROXY)
    if settings.proxy and excepted:
        message = f"{' and '.join(_set({'NO_PROXY'}))} would exclude the host, but PROCOUNTOR_PROXY is used"
        findings.add(
            "variables", "warning", message, "If the host is reached without a proxy, remove PROCOUNTOR_PROXY."
        )
    if unread.authorities:
        findings.add("variables", "warning", _not_read(unread.authorities), _SET_CA_BUNDLE)
    _check_netrc(findings, host)
    return unread


def _check_netrc(findings: Findings, host: str) -> None:
    named = os.environ.get("NETRC")
    entries = _netrc_entries(Path(named or "~/.netrc"))
    hint = "Credentials for Procountor are read only from PROCOUNTOR_* variables."
    if named and (entries is None or entries & {host, "default"}):
        findings.add("variables", "warning", _not_read(("NETRC",)), hint)
    elif not named and entries and host in entries:
        findings.add("variables", "warning", f"~/.netrc has a line for {host}, which is not read for tokens", hint)


def _netrc_entries(path: Path) -> set[str] | None:
    """Return the hosts that have a line in a netrc file, or None if it can't be read."""
    try:
        path = path.expanduser()
        return set(netrc.netrc(str(path)).hosts) if path.is_file() else None
    except (OSError, RuntimeError, ValueError, netrc.NetrcParseError):
        return None


def _set(names: frozenset[str] | set[str]) -> tuple[str, ...]:
    """Return the variables that are set and not empty, as they are spelt."""
    return tuple(sorted(name for name, value in os.environ.items() if name.upper() in names and value))


def _not_read(names: tuple[str, ...]) -> str:
    listed = ", ".join(names[:-1]) + " and " + names[-1] if names[1:] else names[0]
    return f"{listed} {'are' if names[1:] else 'is'} set, but not read for tokens"
