"""What comes of each command on each host, as data."""

from __future__ import annotations

from typing import Final

from .hosts import HOSTS, MOMENTS, Host
from .runner import COMMANDS

USUAL: Final = {
    "from_env": "ready",
    "token": "token",
    "renew": "token",
    "status": "done",
    "doctor": "done",
    "rehearse": "done",
    "login": "done",
}
"""The outcomes where nothing is in the way. `done`, `fails`, `configuration` are the exit statuses 0, 1 and 2."""

_COMMANDS: Final = ("doctor", "rehearse", "login")
_NO_HOME: Final = {
    **dict.fromkeys(("from_env", "token", "renew"), "ConfigurationError"),
    "status": "fails",
    "doctor": "fails",
    "rehearse": "configuration",
    "login": "configuration",
}
_NO_PLACE: Final = {
    **dict.fromkeys(("token", "renew"), "StoreError"),
    **dict.fromkeys(("status", *_COMMANDS), "fails"),
}
_NO_LOCK: Final = dict.fromkeys(("token", "renew"), "StoreError") | dict.fromkeys(_COMMANDS, "fails")
_NO_FILE: Final = {"renew": "StoreUnavailable", **dict.fromkeys(_COMMANDS, "fails")}
_AT_ONCE: Final = dict.fromkeys(("token", "renew"), "token or ConnectionFailed") | dict.fromkeys(
    _COMMANDS, "done or fails"
)
_INTERRUPTED: Final = dict.fromkeys(("token", "renew"), "KeyboardInterrupt") | dict.fromkeys(_COMMANDS, "interrupted")
_ENDED: Final = dict.fromkeys(("token", "renew", *_COMMANDS), "ended")

_OTHERWISE: Final[dict[str, dict[str, str]]] = {
    "no HOME": _NO_PLACE,
    "no HOME and no passwd entry": _NO_HOME,
    "HOME: empty": _NO_HOME,
    "HOME: relative": _NO_HOME,
    "HOME: /dev/null": _NO_PLACE,
    "HOME: missing": _NO_PLACE,
    # The login that the store has is in a folder that may be written.
    "HOME: unwritable": _NO_PLACE | {"renew": "token"},
    "HOME: full": {"rehearse": "fails", "login": "fails"},
    "file system: read-only": _NO_PLACE,
    "threads: none": {
        **dict.fromkeys(("token", "renew"), "ConnectionFailed"),
        **dict.fromkeys(_COMMANDS, "fails"),
    },
    "file descriptors: 0 left": _NO_FILE | {"token": "ConnectionFailed", "status": "fails"},
    "file descriptors: 1 left": _NO_FILE,
    "file descriptors: 1 left at the start": _NO_FILE,
    **{f"flock: {name}": _NO_LOCK for name in ("EPERM", "ENOSYS", "EOPNOTSUPP")},
    # It may pass by itself: a token that needs no store is got without.
    "flock: ENOLCK": {"renew": "StoreUnavailable", "doctor": "fails", "login": "fails"},
    # By this clock its refresh token has expired.
    **{f"clock: {name}": {"renew": "InteractionRequired"} for name in ("a year ahead", "of 2050", "jumps ahead")},
    **{f"frozen: {moment}": _AT_ONCE for moment in MOMENTS},
    **{f"SIGINT: {moment}": _INTERRUPTED for moment in MOMENTS},
    **{f"SIGTERM: {moment}": _ENDED for moment in MOMENTS},
    "SIGINT: import": {"from_env": "KeyboardInterrupt", "status": "interrupted", **_INTERRUPTED},
    "SIGTERM: import": {"from_env": "ended", "status": "ended", **_ENDED},
}

MAY_LOSE: Final = frozenset({"HOME: full", "SIGTERM: sent", "SIGTERM: answered", "SIGTERM: write"})
"""Hosts where a rotated refresh token can be lost: its answer has nowhere to be kept, or no process to keep it."""

MOST_REQUESTS: Final = {
    "from_env": 0,
    "token": 3,
    "renew": 1,
    "status": 0,
    "doctor": 3,
    "rehearse": 6,
    "login": 1,
}
"""Requests to the token endpoint: a code or refresh token is sent once, others up to three times for each strategy."""

RETRYABLE: Final = {
    "ConfigurationError": False,
    "StoreError": False,
    "InteractionRequired": False,
    "StoreUnavailable": True,
    "ConnectionFailed": True,
}

_BY_ID: Final = {host.id: host for host in HOSTS}

MATRIX: Final = tuple((host, command) for host in HOSTS for command in COMMANDS)

SPREAD: Final = tuple(
    (_BY_ID[host], command)
    for host, command in (
        ("usual", "login"),
        ("usual", "renew"),
        ("no HOME", "status"),
        ("no HOME and no passwd entry", "from_env"),
        ("no passwd entry", "rehearse"),
        ("HOME: full", "login"),
        ("HOME: unwritable", "token"),
        ("HOME: relative", "doctor"),
        ("file system: read-only", "renew"),
        ("file system: read-only", "doctor"),
        ("working directory: removed", "login"),
        ("working directory: closed", "from_env"),
        ("variables: another host", "from_env"),
        ("locale: ascii", "doctor"),
        ("threads: none", "status"),
        ("threads: none", "rehearse"),
        ("file descriptors: 0 left", "token"),
        ("file descriptors: 2 left at the start", "renew"),
        ("flock: ENOSYS", "renew"),
        ("flock: ENOLCK", "token"),
        ("clock: a year ahead", "token"),
        ("fork from C", "renew"),
        ("frozen: answered", "renew"),
        ("SIGINT: sent", "rehearse"),
        ("SIGTERM: write", "renew"),
        ("HOME: empty", "status"),
    )
)
"""What `make check` runs: each kind of host, each command three times at least."""


def expected(host: Host, command: str) -> tuple[str, ...]:
    """Return the outcomes that a command may have on a host, the one of a machine at rest first."""
    return tuple(_OTHERWISE.get(host.id, {}).get(command, USUAL[command]).split(" or "))
