"""The server's own words, made safe to repeat in an error."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from procountor_auth.errors import printable

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request

MAX_LENGTH: Final = 200
"""More characters than this of a server's text are cut."""

_NOT_SECRET: Final = frozenset({"grant_type", "response_type", "client_id", "redirect_uri"})


def safe_excerpt(text: object, request: Request) -> str:
    """Return what the server said, on one line and cut, or "" if it is no text or repeats something secret.

    A server, or a gateway that echoes requests, may send back what it was sent, encoded or not. Such a text is
    withheld whole: half a password is still half a password.
    """
    if not isinstance(text, str):
        return ""
    squeezed = _squeezed(text)
    if any(_squeezed(form) in squeezed for secret in _secrets(request) for form in _forms(secret)):
        return "(its text is withheld: it repeats a secret)"
    line = " ".join(printable(text).split())
    return line if len(line) <= MAX_LENGTH else line[:MAX_LENGTH] + "…"


def _squeezed(text: str) -> str:
    """Return what a human would still read.

    Percent and hexadecimal encodings come in both cases, and a line end or a NUL within a secret hides little of it.
    """
    return "".join(character for character in text.lower() if character.isprintable() and character != " ")


def _secrets(request: Request) -> set[str]:
    parameters = parse_qsl(request.body) + parse_qsl(urlsplit(request.url).query)
    secrets = {value for name, value in parameters if name not in _NOT_SECRET and value.strip()}
    return secrets | {request.bearer} if request.bearer else secrets


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    encoded = base64.b64encode(raw).decode()
    return {
        secret,
        secret[::-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        html.escape(secret),
        raw.hex(),
        raw.hex().upper(),
        encoded,
        encoded.rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        repr(raw)[2:-1],
    }
