"""What goes wrong around a bridge, as data, and what the old program has to be told."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import CredentialsRefused

from .acts import answer, close, close_after, first, location, message, page, reset, reset_after, say, stall_after
from .fault import Accepted
from .tables import TOKEN_ENDPOINT

if TYPE_CHECKING:
    from .acts import Act
    from .fault import Fault

BROKEN: Final = 0
"""Where a status stands: the answer breaks off, and the program sees that."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the old program is told.

    Attributes:
        status: The status; `BROKEN` for an answer that breaks off.
        error: The code of an OAuth endpoint's refusal; else it has the shape of the API's own errors.
        retry: Whether `Retry-After` says when to try again.
        theirs: Whether the answer is the service's own.
    """

    status: int
    error: str = ""
    retry: bool = False
    theirs: bool = False


@dataclass(frozen=True, slots=True)
class BridgeFault:
    """Something that goes wrong.

    Attributes:
        family: The table that it is in.
        name: Its name, unique in its table.
        told: What the program is told.
        act: What the service does with the call.
        sent: What the program sends, where that is what is wrong; `{port}` and `{token}` are filled in.
        calls: How many calls come to the service at most.
        method: The method of the call.
    """

    family: str
    name: str
    told: Told
    act: Act | None = field(default=None, repr=False)
    sent: bytes = field(default=b"", repr=False)
    calls: int = 1
    method: str = "GET"

    @property
    def id(self) -> str:
        """Its name among all."""
        return f"{self.family}-{self.name}"


TOKEN_FAULTS: Final = tuple(fault for fault in TOKEN_ENDPOINT if fault.where in {"plain", "nothing-listens"})
"""The faults of the token endpoint that a bridge can meet on this machine: each as seen by a login and by a call."""


def told_at_login(fault: Fault) -> Told:
    """Return what a program is told that logs in while the service's token endpoint has a fault."""
    if isinstance(fault.expected, Accepted):
        return Told(302)
    if issubclass(fault.expected.error, CredentialsRefused):
        return Told(400, "invalid_grant")
    if fault.expected.retryable:
        return Told(503, "temporarily_unavailable", retry=True)
    return Told(500, "server_error")


def told_at_call(fault: Fault) -> Told:
    """Return what a program is told that calls the API then, with a token of the bridge that is good."""
    if isinstance(fault.expected, Accepted):
        return Told(200, theirs=True)
    if issubclass(fault.expected.error, CredentialsRefused):
        return Told(401)
    return Told(503, retry=True) if fault.expected.retryable else Told(500)


_UNREACHED: Final = Told(502)
_BROKEN: Final = Told(BROKEN)
_OK: Final = b'{"companyId": 1}'
_HALF: Final = message(200, _OK)[:-5]
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _theirs(status: int) -> Told:
    return Told(status, theirs=True)


API: Final = (
    BridgeFault("api", "all-right", _theirs(200), answer(200, _OK)),
    BridgeFault("api", "hung-up", _UNREACHED, close, calls=2),
    BridgeFault("api", "hung-up-post", _UNREACHED, close, method="POST"),
    BridgeFault("api", "hung-up-once", _theirs(200), first(close, then=answer(200, _OK)), calls=2),
    BridgeFault("api", "reset", _UNREACHED, reset, calls=2),
    BridgeFault("api", "reset-post", _UNREACHED, reset, method="POST"),
    BridgeFault("api", "reset-in-the-headers", _UNREACHED, reset_after(b"HTTP/1.1 200 OK\r\nContent-"), calls=2),
    BridgeFault("api", "hung-up-in-the-body", _BROKEN, close_after(_HALF)),
    BridgeFault("api", "hung-up-in-a-chunk", _BROKEN, close_after(_CHUNKED + b"9\r\nabc")),
    BridgeFault("api", "hung-up-between-chunks", _BROKEN, close_after(_CHUNKED + b"3\r\nabc\r\n")),
    BridgeFault("api", "bad-chunk", _BROKEN, close_after(_CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n")),
    BridgeFault("api", "stall-before-the-answer", Told(504), stall_after(b"")),
    BridgeFault("api", "stall-in-the-headers", Told(504), stall_after(b"HTTP/1.1 200 OK\r\n")),
    BridgeFault("api", "stall-in-the-body", _BROKEN, stall_after(_HALF)),
    BridgeFault("api", "not-http", _UNREACHED, close_after(b"220 mail.example ESMTP\r\n"), calls=2),
    BridgeFault(
        "api", "endless-headers", _UNREACHED, close_after(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 300_000), calls=2
    ),
    BridgeFault(
        "api",
        "two-lengths",
        _UNREACHED,
        close_after(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        calls=2,
    ),
    BridgeFault(
        "api", "switching", _UNREACHED, close_after(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), method="POST"
    ),
    BridgeFault("api", "204", _theirs(204), say(b"HTTP/1.1 204 No Content\r\n\r\n")),
    BridgeFault("api", "304", _theirs(304), say(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    BridgeFault("api", "gzip-of-nothing", _theirs(200), answer(200, b"no gzip", "Content-Encoding: gzip")),
    BridgeFault("api", "gzip-bomb", _theirs(200), answer(200, gzip.compress(bytes(10**7)), "Content-Encoding: gzip")),
    BridgeFault("api", "redirect-elsewhere", _theirs(302), location("{trap}/api/users", 302)),
    BridgeFault("api", "redirect-to-nowhere", _theirs(302), location("http://[", 302)),
    BridgeFault("api", "redirect-crlf-encoded", _theirs(302), location("/a%0d%0aX-Evil:1", 302)),
    BridgeFault("api", "401-always", _theirs(401), answer(401, {"errors": []}), calls=2),
    *(
        BridgeFault("api", f"{status}-page", _theirs(status), page(status))
        for status in (400, 403, 404, 405, 409, 429, 500, 502, 503, 504)
    ),
)
"""The service's API has a fault, while the program's and the service's tokens are good."""


def _form(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close"]).encode("latin-1") + b"\r\n\r\n" + body


def _refused(status: int, error: str) -> Told:
    return Told(status, error)


_AUTHZ: Final = "/api/oauth/authz"
_TOKEN: Final = "/api/oauth/token"
_NAMES: Final = b"response_type=code&client_id=client-1&company=4711&redirect_uri=redirect-uri-placeholder"
_USER: Final = b"&username=a&password=b"
_TORN: Final = "Content-Type: multipart/form-data; boundary=x"
_BEARER: Final = "Authorization: Bearer {token}"
_INVALID: Final = _refused(400, "invalid_request")
_WRONG: Final = _refused(400, "invalid_grant")


def _program(name: str, told: Told, sent: bytes) -> BridgeFault:
    return BridgeFault("program", name, told, sent=sent, calls=0)


PROGRAMS: Final = (
    _program("nothing-sent", _INVALID, _form(_AUTHZ, b"")),
    _program("get-authz", _refused(405, "invalid_request"), _form(_AUTHZ, b"", method="GET")),
    _program("put-token", _refused(405, "invalid_request"), _form(_TOKEN, b"", method="PUT")),
    _program("json", _INVALID, _form(_AUTHZ, b'{"username": "x"}', "Content-Type: application/json")),
    _program("not-utf-8", _INVALID, _form(_AUTHZ, b"username=\xff\xfe&password=%ff")),
    _program("huge-form", _refused(413, "invalid_request"), _form(_AUTHZ, b"username=" + b"x" * 70_000)),
    _program("many-parameters", _INVALID, _form(_AUTHZ, b"&".join(b"a%d=1" % n for n in range(200)))),
    _program("twice", _INVALID, _form(_AUTHZ, _NAMES + b"&username=a&username=b&password=x")),
    _program("nul", _WRONG, _form(_AUTHZ, _NAMES + b"&username=a%00b&password=%00")),
    _program("line-ends", _WRONG, _form(_AUTHZ, _NAMES + b"&username=a%0d%0aSet-Cookie:x&password=x")),
    _program("surrogates", _WRONG, _form(_AUTHZ, _NAMES + b"&username=%ed%a0%80&password=x")),
    _program("long-password", _WRONG, _form(_AUTHZ, _NAMES + b"&username=a&password=" + b"x" * 60_000)),
    _program(
        "other-type",
        _refused(400, "unsupported_response_type"),
        _form(_AUTHZ, _NAMES.replace(b"=code", b"=x") + _USER),
    ),
    _program("no-grant", _INVALID, _form(_TOKEN, b"client_id=client-1")),
    _program("password-grant", _refused(400, "unsupported_grant_type"), _form(_TOKEN, b"grant_type=password")),
    _program(
        "client-credentials", _refused(400, "unsupported_grant_type"), _form(_TOKEN, b"grant_type=client_credentials")
    ),
    _program("no-client", _refused(401, "invalid_client"), _form(_TOKEN, b"grant_type=refresh_token&refresh_token=x")),
    _program(
        "torn-multipart",
        _INVALID,
        _form(_AUTHZ, b"--x\r\nContent-Disp", _TORN),
    ),
    _program("multipart-without-boundary", _INVALID, _form(_AUTHZ, b"--x\r\n", "Content-Type: multipart/form-data")),
    _program("no-token", Told(401), _form("/api/users", b"", method="GET")),
    _program("strange-token", Told(401), _form("/api/users", b"", "Authorization: Bearer a.b.c", method="GET")),
    _program("token-of-bytes", Told(401), _form("/api/users", b"", "Authorization: Bearer \xe4.\xff", method="GET")),
    _program("two-tokens", Told(401), _form("/api/users", b"", *[_BEARER] * 2, method="GET")),
    _program("a-browser", Told(403), _form("/api/users", b"", "Origin: null", _BEARER)),
    _program("up-and-out", Told(400), _form("/api/%2e%2e/login", b"", _BEARER)),
    _program("another-host", Told(400), _form("http://elsewhere.example/api", b"", _BEARER)),
    _program("key-of-the-service", Told(404), _form("/api/oauth/key", b"", _BEARER)),
    _program("loop", Told(508), _form("/api/users", b"", "Via: 1.1 procountor-auth-bridge", _BEARER)),
    _program("logout-of-nobody", Told(401), _form("/logout", b"")),
)
"""The program itself is what is wrong; the service hears nothing of it."""
