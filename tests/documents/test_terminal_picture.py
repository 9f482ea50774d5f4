"""docs/images/migrate-status.svg: the picture shows what the command prints today."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

DOCS: Final = Path(__file__).parents[2] / "docs"
PICTURE: Final = DOCS / "images" / "migrate-status.svg"


def lines_of(picture: Path) -> list[str]:
    """Return the lines of text in a picture, without the spaces that only pad them."""
    lines: dict[str, list[str]] = {}
    for line, text in re.findall(r'<text[^>]* y="([^"]+)"[^>]*>([^<]*)</text>', picture.read_text("utf-8")):
        lines.setdefault(line, []).append(html.unescape(text).replace("\xa0", " "))
    return ["".join(parts).strip() for parts in lines.values()]


def test_the_picture_is_of_today(tmp_path: Path) -> None:
    """A picture that is made now says what the one in the documentation says."""
    now = tmp_path / "now.svg"
    subprocess.run([sys.executable, DOCS / "terminal_picture.py", now], check=True, env=os.environ | {"NO_COLOR": "1"})
    assert lines_of(now) == lines_of(PICTURE), "run make screenshots"
    assert any("2 of 5 done" in line for line in lines_of(PICTURE))


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    """It is well-formed, brings its own background, says in words what it shows, and loads no font or image."""
    text = PICTURE.read_text("utf-8")
    root = ET.fromstring(text)  # noqa: S314 - our own file
    namespace = {"svg": "http://www.w3.org/2000/svg"}
    assert root.findtext("svg:title", namespaces=namespace)
    assert root.find("svg:rect[@fill='#ffffff']", namespace) is not None
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    assert "url(" not in text.replace("url(#", "")
