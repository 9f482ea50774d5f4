"""What a request is for, from its path: the legacy login, or a call of the API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

Kind: TypeAlias = Literal["authz", "token", "logout", "live", "ready", "api", "unknown", "refused"]

_VERSION: Final = re.compile(r"latest|supported|v[0-9]{4}")

_OWN: Final[dict[tuple[str, ...], Kind]] = {("_bridge", "live"): "live", ("_bridge", "ready"): "ready"}

_OAUTH: Final[dict[str, Kind]] = {"authz": "authz", "token": "token"}

_LOGOUT: Final[set[tuple[str, ...]]] = {("logout",), ("api", "logout")}
"""Below the host, and never passed on: the service would end the token that all programs of a login share."""

_MAX_ENCODINGS: Final = 4
"""A path that is still percent-encoded after so many times of decoding is refused."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names.

    Attributes:
        kind: The endpoint; `api` for what is passed on, `unknown` for what nobody has, and `refused` for a path that
            another server could read in another way.
        path: What is passed on: as it was sent, without the slashes that stand twice.
    """

    kind: Kind
    path: str

    @classmethod
    def of(cls, raw_path: bytes, query: bytes = b"") -> Target:
        """Read a path as it was sent, without the query.

        Programs call the endpoints with and without a version segment, with a slash at the end, and with `//`.

        Args:
            raw_path: The path.
            query: The query, of which only a fragment matters, and only where it is passed on.
        """
        # A fragment has no place in a request (RFC 9112, section 3.2): some servers cut it off, others do not.
        if not raw_path.startswith(b"/") or re.search(rb"[^\x21-\x7e]|#", raw_path):
            return cls("refused", "/")
        path = raw_path.decode("ascii")
        raw = [segment for segment in path.split("/") if segment]
        segments = [_name_of(segment) for segment in raw]
        if None in segments:
            return cls("refused", "/")
        names = tuple(name for name in segments if name is not None)
        if names in _OWN:
            return cls(_OWN[names], "/")
        below = names[1:] if names and _VERSION.fullmatch(names[0]) else names
        if below in _LOGOUT:
            return cls("logout", "/")
        if not below or below[0] != "api":
            return cls("unknown", "/")
        if len(below) > 1 and below[1].lower() == "oauth":
            return cls(_OAUTH.get("/".join(below[2:]), "unknown"), "/")
        if b"#" in query:
            return cls("refused", "/")
        slash = "/" if path.endswith("/") else ""
        return cls("api", f"/{'/'.join(raw)}{slash}")


def _name_of(segment: str) -> str | None:
    """Return what a segment means, or None if it could lead elsewhere: `..`, an encoded slash, a backslash."""
    for _ in range(_MAX_ENCODINGS):
        # Parameters of a segment (RFC 3986, section 3.3): some servers drop them, and see `..` in `..;x`.
        name = segment.partition(";")[0]
        if name in {".", ".."} or re.search(r"[\\\x00-\x1f\x7f]", segment) or (not name and ";" in segment):
            return None
        decoded = unquote(segment)
        if decoded == segment:
            return None if "/" in segment else name
        segment = decoded
    return None
