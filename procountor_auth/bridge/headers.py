"""Which headers are forwarded, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

RawHeaders = list[tuple[bytes, bytes]]

VIA: Final = b"procountor-auth-bridge"
"""The name of a bridge in `Via` (RFC 9110, section 7.6.3)."""

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Hop-by-hop headers (RFC 9110, section 7.6.1)."""

_NOT_SENT: Final = frozenset({b"host", b"authorization", b"cookie", b"expect", b"forwarded", b"via", b"x-real-ip"})
"""Headers that the service does not get: the bridge's own token, and details of the network behind it."""

_NOT_RETURNED: Final = frozenset({b"set-cookie", b"via", b"alt-svc", b"strict-transport-security"})
"""Headers that the program does not get: a session of the real user, and what concerns another host."""

_LOCATIONS: Final = frozenset({b"location", b"content-location"})


def to_send(received: RawHeaders, version: str) -> RawHeaders:
    """Return the headers for the service.

    Args:
        received: The program's headers, with names in lower case.
        version: The version of HTTP that the program speaks.
    """
    dropped = _HOP_BY_HOP | _NOT_SENT | _of_this_connection(received)
    sent = [(name, value) for name, value in received if name not in dropped and not name.startswith(b"x-forwarded-")]
    way = [value for name, value in received if name == b"via"]
    sent.append((b"via", b", ".join([*way, version.encode("ascii", "replace") + b" " + VIA])))
    return sent


def is_loop(received: RawHeaders) -> bool:
    """Whether a request has already passed through a bridge, which is then configured to call itself."""
    return any(name == b"via" and VIA in value for name, value in received)


def to_return(received: Iterable[tuple[bytes, bytes]], upstream: str, public: str) -> RawHeaders:
    """Return the headers for the program.

    Args:
        received: The service's headers.
        upstream: Scheme and host of the service.
        public: Scheme and host of the bridge, as the program knows it: addresses there lead through it.
    """
    lowered = [(name.lower(), value) for name, value in received]
    dropped = _HOP_BY_HOP | _NOT_RETURNED | _of_this_connection(lowered)
    return [
        (name, _led_here(value, upstream, public) if name in _LOCATIONS else value)
        for name, value in lowered
        if name not in dropped and not name.startswith(b"access-control-")
    ]


def _led_here(location: bytes, upstream: str, public: str) -> bytes:
    host = upstream.encode("ascii", "replace")
    rest = location[len(host) :]
    if location[: len(host)].lower() == host.lower() and rest[:1] in {b"", b"/", b"?", b"#"}:
        return public.encode("latin-1", "replace") + rest
    return location


def _of_this_connection(received: RawHeaders) -> frozenset[bytes]:
    """Return the names that `Connection` declares to be about this connection. What the message needs is not.

    A length beside a transfer coding counts for nothing, and must not be passed on (RFC 9112, section 6.3).
    """
    in_chunks = any(name == b"transfer-encoding" for name, _ in received)
    no_length: set[bytes] = {b"content-length"} if in_chunks else set()
    named = {part.strip().lower() for name, value in received if name == b"connection" for part in value.split(b",")}
    return frozenset(named - {b"content-length", b"content-type"} | no_length)
