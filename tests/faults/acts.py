"""What a server can do with one request: the vocabulary of the tables."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from .server import Visit

    Act: TypeAlias = Callable[[Visit], None]

ACCESS: Final = "CanaryNewAccessToken-7f31"
REFRESH: Final = "CanaryNewRefreshToken-9c02"
CODE: Final = "CanaryCode-51ab"

GOOD: Final = {"access_token": ACCESS, "expires_in": 3600, "refresh_token": REFRESH}
"""What the vendor documents: no `token_type`."""

DRIP: Final = 0.02
"""Seconds between two bytes of a slow answer: the deadline of its case is as much shorter than usual."""

MISSING: Final = object()
"""The value of a field that is not there."""


def message(
    status: int, body: bytes, *headers: str, kind: str = "application/json", length: int | None = None
) -> bytes:
    """Return the bytes of an answer."""
    reason = HTTPStatus(status).phrase if status in {each.value for each in HTTPStatus} else "Strange"
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {kind}", f"Content-Length: {length or len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def say(data: bytes) -> Act:
    """Answer with these bytes."""
    return lambda visit: visit.send(data)


def answer(status: int, body: bytes | Mapping[str, Any] | list[Any] = b"", *headers: str, kind: str = "") -> Act:
    """Answer with a status and a body; a mapping is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return say(message(status, data, *headers, kind=kind or "application/json"))


def errors(status: int, text: str) -> Mapping[str, Any]:
    """Return a refusal in the shape of the API's own errors."""
    return {"errors": [{"status": status, "message": text}]}


def page(status: int) -> Act:
    """Answer with a web page, as a gateway does."""
    return answer(status, b"<!doctype html><title>Oops</title><p>Try again.", kind="text/html")


def token(**changes: Any) -> Act:  # noqa: ANN401 - fields of every type are the point
    """Answer with a token some fields of which are other than usual."""
    fields = {name: value for name, value in {**GOOD, **changes}.items() if value is not MISSING}
    return answer(200, fields)


def location(target: str | bytes, status: int = 302) -> Act:
    """Redirect. `{state}` in the target becomes the state that was sent, `{code}` the code."""

    def act(visit: Visit) -> None:
        raw = target if isinstance(target, bytes) else target.encode("latin-1")
        for name, value in (
            ("state", visit.asked.state),
            ("code", CODE),
            ("host", visit.server.url),
            ("trap", visit.server.trap),
        ):
            raw = raw.replace(b"{%s}" % name.encode(), value.encode())
        visit.send(b"HTTP/1.1 %d Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, raw))

    return act


def close(visit: Visit) -> None:
    """Hang up without an answer."""
    visit.socket.close()


def reset(visit: Visit) -> None:
    """Reset the connection without an answer."""
    visit.reset()


def reset_after(data: bytes) -> Act:
    """Send a part of an answer, then reset the connection."""

    def act(visit: Visit) -> None:
        visit.send(data)
        visit.reset()

    return act


def close_after(data: bytes) -> Act:
    """Send a part of an answer, then hang up."""

    def act(visit: Visit) -> None:
        visit.send(data)
        visit.socket.close()

    return act


def stall_after(data: bytes) -> Act:
    """Send a part of an answer, then nothing more."""

    def act(visit: Visit) -> None:
        visit.send(data)
        visit.wait(20)
        visit.socket.close()

    return act


def drip(data: bytes) -> Act:
    """Send one byte after the other, slowly: each read succeeds, and the whole takes for ever."""

    def act(visit: Visit) -> None:
        for position in range(len(data)):
            visit.send(data[position : position + 1])
            if visit.wait(DRIP):
                return

    return act


def slow_body(data: bytes) -> Act:
    """Send the headers at once, and the body slowly."""

    def act(visit: Visit) -> None:
        visit.send(message(200, b"", length=len(data)))
        drip(data)(visit)

    return act


def flood(head: bytes) -> Act:
    """Send bytes until nobody wants them any more."""

    def act(visit: Visit) -> None:
        visit.send(head)
        with suppress(OSError):
            for _ in range(512):
                visit.send(b"x" * 65_536)
        visit.socket.close()

    return act


def first(*acts: Act, then: Act) -> Act:
    """Do something else with each of the first requests."""
    return lambda visit: (acts[visit.number - 1] if visit.number <= len(acts) else then)(visit)
