"""The forms in which a secret may turn up: raw, and in eight encodings that really happen."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODINGS: Final = ("percent", "form", "double percent", "JSON", "base64", "hex", "HTML", "repr")
"""What is looked for beside `raw`."""

_BITS: Final = 6
"""That a character of base64 stands for."""


def forms(secret: str) -> Iterator[tuple[str, str]]:
    """Give each form of a secret with the name of its encoding; the same form may come twice.

    Base64 comes in both alphabets and in the three alignments that it has inside a longer text, without the
    characters that depend on what stands before and after.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    yield "raw", secret
    percent = quote(raw, safe="")
    for text in (percent, percent.lower(), quote(raw)):
        yield "percent", text
    yield "form", quote_plus(raw)
    yield "double percent", quote(percent, safe="")
    for ascii_only in (True, False):
        yield "JSON", json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    for before in range(3):
        first, last = -(-before * 8 // _BITS), (before + len(raw)) * 8 // _BITS
        text = base64.b64encode(b"\0" * before + raw).decode()[first:last]
        yield "base64", text
        yield "base64", text.replace("+", "-").replace("/", "_")
    yield "hex", raw.hex()
    yield "hex", raw.hex().upper()
    yield "HTML", html.escape(secret)
    yield "HTML", html.escape(secret).replace("&#x27;", "&#39;")
    yield "repr", repr(secret)[1:-1]
    yield "repr", repr(raw)[2:-1]
    yield "repr", ascii(secret)[1:-1]
