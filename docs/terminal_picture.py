# ruff: noqa: INP001 - a script
"""Draws docs/images/migrate-status.svg: what `procountor-auth migrate status` prints on a terminal.

    python docs/terminal_picture.py [FILE]

The command is run for some companies of a sandbox, two of which have switched. Rich makes an SVG of the output. The
picture brings its own light background, so it can be read on a dark page, and it loads no font.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

PICTURE: Final = Path(__file__).with_name("images") / "migrate-status.svg"
COMMAND: Final = "procountor-auth migrate status"
COLUMNS: Final = 88

COMPANIES: Final = ("alder", "birch", "cedar", "elm", "fir")
SWITCHED: Final = ("alder", "birch")
WITHOUT_KEY: Final = "elm"

INK: Final = (31, 35, 40)
PAPER: Final = (255, 255, 255)
NORMAL: Final = [INK, (207, 34, 46), (17, 99, 41), (149, 56, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131), INK]
THEME: Final = TerminalTheme(PAPER, INK, NORMAL)

#: Rich's own format loads a font from another host, and draws the buttons of a window.
FORMAT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}" role="img">
<title>procountor-auth migrate status: two of five companies have switched</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; white-space: pre;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect width="100%" height="100%" rx="8" fill="#ffffff" stroke="#d0d7de" stroke-width="2" />
<g transform="translate(12, 24)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    target.write_text(drawn(printed()), "utf-8")


def printed() -> str:
    """Return what the command prints, with its colours as escape sequences."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        profiles = Path(folder) / "profiles.toml"
        for name in COMPANIES:
            values = dict(sandbox.add_profile(name))
            values["strategy"] = "client_credentials" if name in SWITCHED else "legacy_password"
            if name == WITHOUT_KEY:
                del values["api_key"]
            lines = [f"[profiles.{name}]", *(f'{key} = "{value}"' for key, value in values.items()), ""]
            with profiles.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines))
        profiles.chmod(0o600)
        variables = {
            "PROCOUNTOR_BASE_URL": sandbox.base_url,
            "PROCOUNTOR_CLIENT_ID": sandbox.client_id,
            "PROCOUNTOR_CLIENT_SECRET": sandbox.client_secret,
            "PROCOUNTOR_REDIRECT_URI": sandbox.redirect_uri,
            "PROCOUNTOR_PROFILES_FILE": str(profiles),
            "PROCOUNTOR_TOKEN_STORE": "file",
            "HOME": folder,
        }
        for name in SWITCHED:
            run(["token", "--profile", name], folder, variables)
        return run(["migrate", "status"], folder, variables)


def run(arguments: list[str], folder: str, variables: Mapping[str, str]) -> str:
    """Run a command as on a terminal of 88 columns; return what it prints on stdout."""
    look = {"FORCE_COLOR": "1", "COLORTERM": "", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PROCOUNTOR_", "XDG_"))}
    inherited.pop("NO_COLOR", None)
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "procountor_auth", *arguments],
        cwd=folder,
        env=inherited | look | variables,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return done.stdout


def drawn(output: str) -> str:
    """Return the output below its command, as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="256")
    console.print(Text(f"$ {COMMAND}", style="bold"))
    console.print(Text.from_ansi(output.rstrip("\n")))
    return console.export_svg(title="", theme=THEME, code_format=FORMAT, unique_id="terminal")


if __name__ == "__main__":
    main()
