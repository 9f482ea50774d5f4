"""What comes to the loopback listener instead of the redirect, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GOOD: Final = b"GET /callback?code={code}&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Callback:
    """One visitor.

    Attributes:
        id: Its name.
        sent: What is sent; `{code}`, `{state}` and `{host}` are filled in.
        status: The status of the answer; None where the connection is just closed.
        stays_open: Whether the login goes on, and the right redirect is still taken afterwards.
    """

    id: str
    sent: bytes
    status: int | None
    stays_open: bool = True


def _get(target: str, *headers: str, method: str = "GET", host: str = "{host}") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


_RIGHT: Final = "/callback?code={code}&state={state}"

CALLBACKS: Final = (
    Callback("idle-preconnect", b"", None),
    Callback("favicon", _get("/favicon.ico"), 404),
    Callback("wrong-path", _get("/callback/x?code={code}&state={state}"), 404),
    Callback("doubled-slash", _get("//callback?code={code}&state={state}"), 404),
    Callback("absolute-target", _get("http://{host}/callback?code={code}&state={state}"), 404),
    Callback("post", _get(_RIGHT, "Content-Length: 0", method="POST"), 405),
    Callback("head", _get(_RIGHT, method="HEAD"), 405),
    Callback("options", _get(_RIGHT, method="OPTIONS"), 405),
    Callback("connect", b"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n", 404),
    Callback("wrong-host", _get(_RIGHT, host="evil.example"), 421),
    Callback("no-host", b"GET /callback?code={code}&state={state} HTTP/1.1\r\n\r\n", 421),
    Callback("two-hosts", _get(_RIGHT, "Host: evil.example"), 421),
    Callback("foreign-origin", _get(_RIGHT, "Origin: https://evil.example"), 403),
    Callback("script", _get(_RIGHT, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), 403),
    Callback("wrong-state", _get("/callback?code={code}&state=another"), 400),
    Callback("missing-state", _get("/callback?code={code}"), 400),
    Callback("error-without-state", _get("/callback?error=access_denied"), 400),
    Callback("error-with-state", _get("/callback?error=access_denied&state={state}"), 400, stays_open=False),
    Callback(
        "markup-in-the-description",
        _get("/callback?error=x&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"),
        400,
        stays_open=False,
    ),
    Callback("two-codes", _get("/callback?code={code}&code=b&state={state}"), 400),
    Callback("no-code", _get("/callback?state={state}"), 400, stays_open=False),
    Callback("long-line", _get("/callback?code={code}&state={state}&x=" + "x" * 9_000), 414),
    Callback("huge-headers", _get(_RIGHT, *[f"X-{n}: {'x' * 900}" for n in range(90)]), 431),
    Callback("not-http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    Callback("half-a-request", b"GET /callback?code={code}", None),
    Callback("nuls", b"\0\0\0\0\r\n\r\n", 400),
    Callback("http-0.9", b"GET /callback?code={code}&state={state}\r\n\r\n", 400),
    Callback("right", GOOD, 200, stays_open=False),
)
