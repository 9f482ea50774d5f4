"""Runs third-party clients against the sandbox.

Installs public Procountor clients from their registry, by name and version, each into a virtual environment of its own,
and runs them unchanged: each gets a token and reads `sessioninfo` from a sandbox. In addition, the flow of
the vendor's pages is run with curl. One line for each shows the result, and whether the sandbox saw a secret in
a URL, where older clients put all of them:

    python examples/foreign_clients.py [--cache FOLDER] [--client NAME] [--json]

The packages have Procountor's hosts baked in. `foreign_proxy.py` leads those to the sandbox, so that nothing of a
package is changed, and no request can reach the real service.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
#: `EX_UNAVAILABLE`: something that a client needs is not available on this machine.
UNAVAILABLE = 69
_INSTALL_SECONDS = 240
_RUN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and what is known about it.

    Attributes:
        name: The package's name in its registry, or the program.
        version: The package's version; empty for curl, which is the machine's own.
        language: What it is written in.
        flow: How it gets its token.
        secret_in_url: Whether it puts secrets into URLs.
    """

    name: str
    version: str
    language: str
    flow: str
    secret_in_url: bool

    @property
    def label(self) -> str:
        """The name that ``--client`` takes."""
        return f"{self.name}=={self.version}" if self.version else f"{self.name}:{self.flow}"


def _procountor(version: str, flow: str, *, secret_in_url: bool) -> Client:
    return Client("procountor", version, "Python", flow, secret_in_url)


#: The versions of `procountor` that a server can tell apart: 1.0.x send what 1.1.0 sends, and 2.3.3 what 2.4.0 does.
CLIENTS = (
    # api-test.procountor.com/api
    _procountor("0.1.0", "legacy", secret_in_url=True),
    _procountor("1.1.0", "legacy", secret_in_url=True),
    # api-test.procountor.com/supported/api
    _procountor("1.2.1", "legacy", secret_in_url=True),
    _procountor("2.2.3", "client-credentials", secret_in_url=True),
    # pts-procountor.pubdev.azure.procountor.com/supported/api
    _procountor("2.3.2", "client-credentials", secret_in_url=True),
    _procountor("2.4.0", "client-credentials", secret_in_url=False),
    Client("curl", "", "sh", "legacy", secret_in_url=False),
    Client("curl", "", "sh", "authorization-code", secret_in_url=False),
    Client("curl", "", "sh", "client-credentials", secret_in_url=False),
    Client("curl", "", "sh", "key", secret_in_url=False),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one client.

    Attributes:
        client: Its label.
        ok: Whether it read the right company, and treated secrets as expected.
        company: What `sessioninfo` told it, or nothing.
        secret_in_url: What the sandbox's log says.
        requests: What the sandbox was asked: method, path and status.
        grants: The grant types of the token requests.
        trouble: Why it is not OK.
    """

    client: str
    ok: bool
    company: str
    secret_in_url: bool
    requests: list[str]
    grants: list[str]
    trouble: str


class UnavailableError(Exception):
    """Something that a client needs is not available on this machine."""


class FailedError(Exception):
    """A client exited without the company."""


def main() -> int:
    """Run the clients; return 0 if all succeed, 1 if one fails, 69 if one is unavailable and the rest succeed."""
    parser = argparse.ArgumentParser(description="Run public Procountor clients against the sandbox, unchanged.")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep what is installed here, for the next time")
    parser.add_argument("--client", action="append", metavar="NAME", help="only this one, such as procountor==2.4.0")
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")
    given = parser.parse_args()
    labels = given.client or [client.label for client in CLIENTS]
    chosen = [client for client in CLIENTS if client.label in labels]
    if unknown := set(labels) - {client.label for client in chosen}:
        known = ", ".join(client.label for client in CLIENTS)
        parser.error(f"unknown --client {', '.join(sorted(unknown))}; the clients are {known}")
    failed = unavailable = 0
    with contextlib.ExitStack() as stack:
        cache = given.cache or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Each is a few processes that wait for each other.
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        for client, running in [(client, pool.submit(run, client, cache.absolute())) for client in chosen]:
            try:
                outcome = running.result()
            except UnavailableError as reason:
                print(f"{client.label}: {reason}", file=sys.stderr)
                unavailable += 1
                continue
            failed += not outcome.ok
            print(json.dumps(asdict(outcome)) if given.json else line(client, outcome), flush=True)
    if failed:
        return 1
    return UNAVAILABLE if unavailable else 0


def run(client: Client, cache: Path) -> Outcome:
    """Run one client against a sandbox of its own.

    Raises:
        UnavailableError: It cannot be installed, or curl is missing.
    """
    command = installed(client, cache)
    told: dict[str, Any] = {}
    trouble = ""
    with Sandbox() as sandbox:
        try:
            told = sessioninfo(client, command, credentials(client, sandbox))
        except FailedError as error:
            trouble = str(error)
        log = sandbox.log()
        right_company = str(told.get("companyId")) == sandbox.company
    secret_in_url = any(entry["secret_in_url"] for entry in log)
    if not trouble and not right_company:
        trouble = "sessioninfo did not tell the company of the login"
    if not trouble and secret_in_url is not client.secret_in_url:
        trouble = f"a secret in a URL: {_yes(secret_in_url)}, expected: {_yes(client.secret_in_url)}"
    return Outcome(
        client=client.label,
        ok=not trouble,
        company=f"{told['name']} ({told['companyId']})" if right_company else "",
        secret_in_url=secret_in_url,
        requests=[f"{entry['method']} {entry['path']} {entry['status']}" for entry in log],
        grants=[str(entry["grant_type"]) for entry in log if entry["grant_type"]],
        trouble=trouble,
    )


def installed(client: Client, cache: Path) -> list[str]:
    """Return the command that runs a client; install the client if necessary.

    Raises:
        UnavailableError: It cannot be installed, or curl is missing.
    """
    return _by_hand(client) if client.name == "curl" else _package(client, cache)


def sessioninfo(client: Client, command: list[str], variables: dict[str, str]) -> dict[str, Any]:
    """Run a client, and return its result of ``sessioninfo``.

    Args:
        client: The client.
        command: The command that runs it.
        variables: Its credentials and the service's address.

    Raises:
        FailedError: It exited without a result.
    """
    with contextlib.ExitStack() as stack:
        if client.name != "curl":
            variables = variables | stack.enter_context(proxy(variables["PROCOUNTOR_BASE_URL"]))
        return _sessioninfo(command, variables)


def line(client: Client, outcome: Outcome) -> str:
    """Return the outcome as text."""
    words = (
        f"{client.name} {client.version}".ljust(17),
        client.language.ljust(7),
        client.flow.ljust(19),
        "OK    " if outcome.ok else "FAILED",
        outcome.company.ljust(18),
        f"secret_in_url {_yes(outcome.secret_in_url)}",
    )
    return "  ".join((*words, outcome.trouble)).rstrip()


def credentials(client: Client, sandbox: Sandbox) -> dict[str, str]:
    """Return the variables that the flow needs, and no other credential."""
    if client.flow == "client-credentials":
        return sandbox.environment("client_credentials")
    # On the login pages a person types what the legacy flow sends.
    return sandbox.environment("legacy_password")


@contextlib.contextmanager
def proxy(url: str) -> Iterator[dict[str, str]]:
    """Redirect every HTTPS host to a URL; yield the variables that configure a program for it."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "certificate.pem"
        command = [sys.executable, str(_HERE / "foreign_proxy.py"), "--to", url]
        with subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--certificate", str(certificate)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            try:
                url = process.stdout.readline().strip()
                if not url:
                    raise FailedError("foreign_proxy.py did not start")
                # Which spelling counts differs from program to program.
                yield {"HTTPS_PROXY": url, "https_proxy": url, "REQUESTS_CA_BUNDLE": str(certificate)}
            finally:
                process.terminate()


def _package(client: Client, cache: Path) -> list[str]:
    # An environment for another Python may lack packages that this one needs.
    home = cache / f"{client.name}-{client.version}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    ready = home / "ready"
    cache.mkdir(parents=True, exist_ok=True)
    # Two runs may share the cache.
    with FileLock(f"{home}.lock"):
        if not ready.exists() or not python.exists():
            # uv keeps what the clients have in common, and does not compile modules that are never imported.
            uv = [sys.executable, "-m", "uv", "--quiet", "--no-progress"]
            _run_or_unavailable([*uv, "venv", "--clear", "--python", sys.executable, str(home)])
            _run_or_unavailable([*uv, "pip", "install", "--python", str(python), f"{client.name}=={client.version}"])
            ready.touch()
    # Isolated: nothing of this project's environment is on its path.
    return [str(python), "-I", str(_HERE / "foreign_client.py")]


def _by_hand(client: Client) -> list[str]:
    for program in ("sh", "curl"):
        if shutil.which(program) is None:
            raise UnavailableError(f"{program} is not installed")
    return ["sh", str(_HERE / "foreign_client.sh"), client.flow]


def _run_or_unavailable(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"installing took more than {_INSTALL_SECONDS} seconds") from None
    if done.returncode:
        raise UnavailableError(f"it cannot be installed: {_last_line(done.stderr)}")


def _sessioninfo(command: list[str], variables: dict[str, str]) -> dict[str, Any]:
    inherited = {name: value for name, value in os.environ.items() if not _is_in_the_way(name)}
    try:
        done = subprocess.run(  # noqa: S603 - the clients are what this is about
            command,
            env=inherited | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_RUN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"it did not exit within {_RUN_SECONDS} seconds") from None
    if done.returncode:
        said = _last_line(done.stderr)
        # Their errors quote whole URLs, which may contain passwords.
        for name, value in variables.items():
            if name.rpartition("_")[2] in {"KEY", "PASSWORD", "SECRET"}:
                said = said.replace(value, "…")
        raise FailedError(said or f"it exited with status {done.returncode}")
    try:
        return dict(json.loads(done.stdout))
    except (TypeError, ValueError):
        raise FailedError("what it printed is not a JSON object") from None


def _is_in_the_way(name: str) -> bool:
    # A proxy of the machine's own must not stand before the sandbox.
    return name.startswith("PROCOUNTOR_") or name.lower().endswith("_proxy")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _yes(value: bool) -> str:  # noqa: FBT001 - the value is all there is
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.exit(main())
