"""`make demo`: one program, three strategies; only the environment changes.

Starts the sandbox (a local stand-in for Procountor), fills the profiles of `strategies/` with its credentials, and
runs `examples/program.py` with each of them.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
from dotenv import dotenv_values

from procountor_auth import Settings, TokenSource
from procountor_auth.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "examples" / "program.py"


def main() -> int:
    """Run the demonstration; return 0 if every strategy reached the company."""
    print("The program, examples/program.py:\n")
    print(textwrap.indent(PROGRAM.read_text(encoding="utf-8").partition('"""\n\n')[2], "    "))
    failures = 0
    with Sandbox() as sandbox:
        print(f"A sandbox runs at {sandbox.base_url}. It is not Procountor.\n")
        for strategy in ("legacy_password", "authorization_code", "client_credentials"):
            failures += run(strategy, sandbox)
    print("The whole migration is the difference between two profiles of strategies/:\n")
    print(textwrap.indent(difference("legacy_password", "client_credentials"), "    "))
    print("\nMIGRATION.md leads from one to the other, step by step.")
    return 1 if failures else 0


def run(strategy: str, sandbox: Sandbox) -> int:
    """Run the program with one profile, and show its output."""
    print(f"PROCOUNTOR_STRATEGY={strategy}")
    profile = filled(strategy, sandbox)
    if strategy == "authorization_code":
        profile["PROCOUNTOR_REFRESH_TOKEN"] = log_in(profile, sandbox)
        print("    a user has logged in with the browser once; the program starts from the refresh token")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROCOUNTOR_")}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(PROGRAM)], env=inherited | profile, capture_output=True, text=True, check=False
    )
    for line in (done.stdout + done.stderr).splitlines():
        print(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="      "))
    print()
    return done.returncode


def filled(strategy: str, sandbox: Sandbox) -> dict[str, str]:
    """Return a profile with the sandbox's credentials in it."""
    credentials = {f"PROCOUNTOR_{name.upper()}": str(value) for name, value in sandbox.description().items()}
    profile = dotenv_values(ROOT / "strategies" / f"{strategy}.env", interpolate=False)
    values = {name: credentials.get(name, value or "") for name, value in profile.items()}
    return values | {"PROCOUNTOR_BASE_URL": sandbox.base_url, "PROCOUNTOR_STRATEGY": strategy}


def log_in(profile: dict[str, str], sandbox: Sandbox) -> str:
    """Log in as a user does with a browser; return the refresh token."""
    names = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in profile.items() if value}
    login = TokenSource.from_settings(Settings(**names)).begin_login()
    # The login page's form: the parameters of the URL, and the user's input.
    page, _, asked = login.url.partition("?")
    person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company}
    answer = httpx.post(page, data=dict(parse_qsl(asked)) | person)
    return login.complete(answer.headers["Location"]).refresh_token or ""


def difference(old: str, new: str) -> str:
    """Return the diff of two profiles, without their comments."""

    def variables(strategy: str) -> list[str]:
        lines = (ROOT / "strategies" / f"{strategy}.env").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    files = (f"strategies/{old}.env", f"strategies/{new}.env")
    diff = difflib.unified_diff(variables(old), variables(new), *files, n=0, lineterm="")
    return "\n".join(line for line in diff if not line.startswith("@@"))


if __name__ == "__main__":
    sys.exit(main())
