# ruff: noqa: INP001 - a script
"""Builds the site: puts its pages together in build/site-source, and has Zensical make site/ of them.

    python docs/site.py

The pages are those of docs/, and MIGRATION.md and its like from the top of the project. Links between them are made
to fit. What leads into the source code becomes text, as that is not on the site. A warning is an error: so is a link,
or an anchor, that leads nowhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
SOURCE: Final = ROOT / "build" / "site-source"
SITE: Final = ROOT / "site"

FROM_THE_TOP: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "MIGRATION.md", "SECURITY.md")
"""Pages of the site that stand at the top of the project."""

_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")
_DRAWS: Final = re.compile(r'<script src="[^"]*mermaid\.min\.js"></script>')
_FENCE: Final = re.compile(r"^ *(```|~~~)", re.MULTILINE)


def main() -> int:
    """Build the site. Return 0 if it was built without a warning."""
    assemble(SOURCE)
    # Its cache would hide what was warned of before.
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr.partition("Traceback")[0])
        return 1
    spare(SITE)
    return 0


def spare(site: Path) -> None:
    """Take the program that draws diagrams, three megabytes, off the pages that have none."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        if 'class="mermaid"' not in text:
            page.write_text(_DRAWS.sub("", text), "utf-8")


def assemble(folder: Path) -> None:
    """Write all pages, and what they show, into a folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for page in sorted(DOCS.glob("*.md")):
        (folder / page.name).write_text(linked(page), "utf-8")
    for name in FROM_THE_TOP:
        (folder / name.lower()).write_text(linked(ROOT / name), "utf-8")
    shutil.copytree(DOCS / "images", folder / "images")
    shutil.copy(DOCS / "json-schema.json", folder)
    mermaid = Path(sys.prefix) / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    if not mermaid.exists():
        sys.exit("The diagrams need mermaid, which `make` installs where npm is: install npm, and run make clean docs")
    shutil.copytree(DOCS / "assets", folder / "assets")
    shutil.copy(mermaid, folder / "assets")


def linked(page: Path) -> str:
    """Return the text of a page with links as the site has them."""
    text = page.read_text("utf-8")
    parts = re.split(r"(^ *(?:```|~~~).*?^ *(?:```|~~~) *$)", text, flags=re.MULTILINE | re.DOTALL)
    # Every second part is a block of code.
    return "".join(
        part if number % 2 else _LINK.sub(lambda match: _link(page, *match.groups()), part)
        for number, part in enumerate(parts)
    )


def _link(page: Path, image: str, text: str, target: str) -> str:
    path, sharp, anchor = target.partition("#")
    found = (page.parent / path).resolve()
    if not found.exists():
        sys.exit(f"{page.relative_to(ROOT)} has a link to {target}, which is not there")
    if found.parent == ROOT and found.name in FROM_THE_TOP:
        return f"{image}[{text}]({found.name.lower()}{sharp}{anchor})"
    if found == ROOT / "README.md":
        return f"{image}[{text}](index.md{sharp}{anchor})"
    if DOCS in found.parents and found.suffix != ".py":
        return f"{image}[{text}]({found.relative_to(DOCS).as_posix()}{sharp}{anchor})"
    return text  # the source code is not on the site


if __name__ == "__main__":
    sys.exit(main())
