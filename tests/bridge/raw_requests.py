"""Requests byte by byte, as programs in other languages put them on the wire."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORM: Final = "application/x-www-form-urlencoded"
BOUNDARY: Final = "------------------------d74496d66958873e"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status.
        headers: The headers, with names in lower case.
        body: The body.
        interim: The statuses that came before it, such as 100.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    interim: tuple[int, ...] = ()

    def json(self) -> Any:  # noqa: ANN401 - JSON
        """Return what the body says."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code in the redirect."""
        return parse_qs(self.headers["location"].partition("?")[2])["code"][0]


def form(fields: Mapping[str, str] | Iterable[tuple[str, str]], encoding: str = "utf-8") -> bytes:
    """Return a form as a program writes it whose texts have this encoding."""
    pairs = list(fields.items()) if hasattr(fields, "items") else list(fields)
    return urlencode(pairs, encoding=encoding).encode("ascii")


def query(fields: Mapping[str, str]) -> str:
    """Return a query with each blank as `%20`."""
    return urlencode(fields, quote_via=quote)


def multipart(fields: Mapping[str, str], encoding: str = "utf-8") -> bytes:
    """Return fields as PHP's curl writes an array."""
    lines = []
    for name, value in fields.items():
        lines += [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"', "", value]
    return "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode(encoding)


def send(
    url: str,
    target: str,
    body: bytes | None = b"",
    *,
    method: str = "POST",
    content_type: str | None = FORM,
    headers: Iterable[str] = (),
    waits: bool = False,
) -> Answer:
    """Send a request on a connection of its own; return the answer.

    Args:
        url: Where the bridge is.
        target: Path and query, as they are sent.
        body: The body; None for a request that says nothing of one.
        method: The method.
        content_type: Of the body; None leaves the header out.
        headers: Further lines.
        waits: Whether the body is only sent after a `100 Continue`.
    """
    address = url.removeprefix("http://")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {address}", *headers]
    if body is not None:
        lines += [f"Content-Type: {content_type}"] if content_type else []
        lines += [f"Content-Length: {len(body)}"]
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    host, _, port = address.partition(":")
    interim = []
    with socket.create_connection((host, int(port)), timeout=30) as connection, connection.makefile("rb") as answer:
        connection.sendall(head if waits else head + (body or b""))
        status, received = _head(answer)
        while status < 200:  # what comes before the answer
            interim.append(status)
            connection.sendall(body or b"" if waits else b"")
            status, received = _head(answer)
        return Answer(status, received, answer.read(), tuple(interim))


def _head(answer: Any) -> tuple[int, dict[str, str]]:  # noqa: ANN401 - a file
    status = int(answer.readline().split()[1])
    headers = {}
    while line := answer.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return status, headers
