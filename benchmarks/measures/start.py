"""(e) How long a program waits before it can begin: imports, a first token, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.report import Claim, Report, duration
from benchmarks.rounds import Timing, shuffled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_FORM: Final = """data={
    "grant_type": "client_credentials", "client_id": %s, "client_secret": %s, "redirect_uri": %s, "api_key": %s,
}"""

_DONE: Final = "\nimport os\nos.write(1, b'.')\n"
"""The clock stops here, and not when the interpreter has taken everything down."""

_BARE: Final = (
    "import os\nimport httpx\nname = 'PROCOUNTOR_{}'.format\n"
    "answer = httpx.post(os.environ[name('BASE_URL')] + '/api/oauth/token', "
    + _FORM % tuple(f"os.environ[name('{each}')]" for each in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API_KEY"))
    + ")\ntoken = answer.json()['access_token']"
)

_WITH_SETTINGS: Final = (
    "import httpx\nfrom pydantic import SecretStr\nfrom pydantic_settings import BaseSettings\n"
    "class Settings(BaseSettings, env_prefix='PROCOUNTOR_', extra='ignore'):\n"
    "    base_url: str\n    client_id: str\n    client_secret: SecretStr\n    redirect_uri: str\n    api_key: "
    "SecretStr\n"
    "settings = Settings()\n"
    "answer = httpx.post(settings.base_url + '/api/oauth/token', "
    + _FORM
    % (
        "settings.client_id",
        "settings.client_secret.get_secret_value()",
        "settings.redirect_uri",
        "settings.api_key.get_secret_value()",
    )
    + ")\ntoken = answer.json()['access_token']"
)

_IMPORTS: Final = {
    "the bare interpreter": "pass",
    "`import procountor_auth`": "import procountor_auth",
    "`import httpx, pydantic_settings`": "import httpx, pydantic_settings",
    "`import procountor_auth.httpx`": "import procountor_auth.httpx",
}

_TOKENS: Final = {
    "a bare httpx script": _BARE,
    "the same with a pydantic-settings class": _WITH_SETTINGS,
    "`TokenSource.from_env().token()`": "from procountor_auth import TokenSource\nTokenSource.from_env().token()",
    "the same after `import httpx`": "import httpx\nfrom procountor_auth import "
    "TokenSource\nTokenSource.from_env().token()",
    "a bare httpx2 script": _BARE.replace("httpx", "httpx2"),
    '`TokenSource.from_env(library="httpx2").token()`': "from procountor_auth import TokenSource\n"
    'TokenSource.from_env(library="httpx2").token()',
}

_FLOOR: Final = "`import typer, pydantic_settings, filelock, platformdirs`"

_TYPER: Final = "`import typer`"


def measure(size: Size, server: TokenServer) -> Report:
    """Start each program in an interpreter of its own, in turns."""
    report = Report(
        "e",
        "Startup",
        "The time from the start of the process until the program reports that it is ready: after the import, or "
        "with the token. Commands are timed to their end, with a token in the file store; the help is printed to "
        "a pipe. Rich, Typer and all compared packages are installed, so `import httpx` also imports its command "
        "line, unlike `httpx2`.",
        ("", "minimum", "median", "spread"),
    )
    with TemporaryDirectory() as folder:
        variables = {"PROCOUNTOR_TOKEN_STORE": f"file:{Path(folder) / 'tokens'}"}
        command = str(Path(sys.executable).with_name("procountor-auth"))
        subprocess.run([command, "token"], check=True, stdout=subprocess.DEVNULL, env=os.environ | variables)
        programs = {name: [sys.executable, "-c", program + _DONE] for name, program in (_IMPORTS | _TOKENS).items()}
        commands = {
            _FLOOR: [sys.executable, "-c", _FLOOR.strip("`")],
            "`procountor-auth token`": [command, "token"],
            "`procountor-auth status`": [command, "status"],
            _TYPER: [sys.executable, "-c", _TYPER.strip("`")],
            "`procountor-auth --help`": [command, "--help"],
        }
        found: dict[str, list[float]] = {name: [] for name in (*programs, *commands)}
        for _ in range(size.starts):
            for name, arguments in shuffled(programs | commands):
                begun = _until_said if name in programs else _until_ended
                found[name].append(begun(arguments, os.environ | (variables if name in commands else {})))
        requests = server.count
    timings = {name: Timing(tuple(times)) for name, times in found.items()}
    for name, timing in timings.items():
        report.rows.append((name, duration(timing.minimum), duration(timing.median), f"{timing.spread:.0%}"))
    least = {name: timing.minimum for name, timing in timings.items()}
    bare = least["the bare interpreter"]
    report.claims = [
        Claim(
            "`import procountor_auth`, more than the interpreter",
            (least["`import procountor_auth`"] - bare) * 1000,
            15,
            unit=" ms",
        ),
        Claim(
            "`import procountor_auth.httpx`, relative to httpx and pydantic-settings",
            least["`import procountor_auth.httpx`"] / least["`import httpx, pydantic_settings`"],
            1.5,
        ),
        Claim(
            "a first token, relative to the bare httpx script",
            least["`TokenSource.from_env().token()`"] / least["a bare httpx script"],
            1.5,
        ),
        Claim(
            "a first token with httpx2 chosen, relative to the bare httpx script",
            least['`TokenSource.from_env(library="httpx2").token()`'] / least["a bare httpx script"],
            1.5,
        ),
        Claim(
            "`procountor-auth token`, relative to its imports", least["`procountor-auth token`"] / least[_FLOOR], 1.4
        ),
        Claim(
            "`procountor-auth --help`, relative to `import typer`",
            least["`procountor-auth --help`"] / least[_TYPER],
            1.6,
        ),
        Claim(
            "token requests: one for each program with a first token, and one for all commands",
            requests,
            len(_TOKENS) * size.starts + 1,
            unit="",
        ),
    ]
    return report


def _until_said(arguments: list[str], environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None  # noqa: S101 - for the types
        said = process.stdout.read(1)
        taken = time.perf_counter() - begun
    if said != b"." or process.returncode:
        raise RuntimeError(f"this program has failed: {arguments[-1]}")
    return taken


def _until_ended(arguments: list[str], environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begun
