"""Decodes files and output: UTF-8, with or without a byte order mark."""

from __future__ import annotations

import codecs
from typing import Final

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class WrongEncoding(Exception):
    """Bytes are not UTF-8 text. The message continues `the file …`, and shows none of the bytes."""


def decoded(content: bytes) -> str:
    """Decode UTF-8, without the byte order mark.

    Raises:
        WrongEncoding: The bytes are not UTF-8, or contain NUL.
    """
    if content.startswith(_UTF_16) or b"\0" in content:
        raise WrongEncoding("is UTF-16 or not text")
    invalid = False
    text = ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        invalid = True
    if invalid:
        # Almost any bytes are valid Windows-1252: only five values are undefined.
        raise WrongEncoding("is not UTF-8 (it may be Windows-1252, also called ANSI)")
    return text
