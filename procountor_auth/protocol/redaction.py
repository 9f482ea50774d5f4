"""Makes a server's text safe to repeat in an error."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from procountor_auth.errors import printable

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Request

MAX_LENGTH: Final = 200
"""The most characters of a server's text that are repeated."""

_NOT_SECRET: Final = frozenset({"grant_type", "response_type", "client_id", "redirect_uri"})


def safe_excerpt(text: object, request: Request) -> str:
    """Return a server's text as one shortened line, without secrets; "" if it is not text.

    A server, or a gateway that echoes requests, may return what it was sent, encoded or not. Text that repeats a secret
    is withheld completely, because even a part of a password helps an attacker.
    """
    if not isinstance(text, str):
        return ""
    squeezed = _squeezed(text)
    if any(_squeezed(form) in squeezed for secret in _secrets(request) for form in _forms(secret)):
        return "(the text is withheld because it repeats a secret)"
    line = " ".join(printable(text).split())
    return line if len(line) <= MAX_LENGTH else line[:MAX_LENGTH] + "…"


def _squeezed(text: str) -> str:
    """Return the text in a form for comparison: in lower case, without characters that could hide a secret.

    Percent and hexadecimal encodings occur in both cases, and a secret with a line end or NUL in it is still readable.
    """
    text = text.lower().replace(" ", "")
    # A fast path: nearly every text is printable, and a `sessioninfo` response is compared with many forms of a token.
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _secrets(request: Request) -> set[str]:
    parameters = parse_qsl(request.body) + parse_qsl(urlsplit(request.url).query)
    secrets = {value for name, value in parameters if name not in _NOT_SECRET and value.strip()}
    return secrets | {request.bearer} if request.bearer else secrets


def _forms(secret: str) -> set[str]:
    import html  # noqa: PLC0415 - only after a rejection

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
