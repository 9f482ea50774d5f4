"""(h) The rehearsal of a migration, beside a loop that does nothing but its requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.report import Claim, Report, duration
from benchmarks.rounds import Timing
from procountor_auth import Profiles
from procountor_auth.migration.rehearsal import AT_ONCE, Rehearsal
from procountor_auth.transport.backend import backend as http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_ROUNDS: Final = 3


def measure(size: Size, server: TokenServer) -> Report:
    """Rehearse so many profiles, and do their requests by hand, in turns."""
    found: dict[str, list[float]] = {"a bare loop": [], "the rehearsal": []}
    for name in server.variables:
        del os.environ[name]  # they would win over what is common to all profiles
    with TemporaryDirectory() as folder, _sandbox(size.rehearsed, Path(folder) / "profiles.toml") as file:
        profiles = Profiles.read(str(file))
        names = list(profiles)
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            _by_hand(profiles, names)
            found["a bare loop"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            results = list(Rehearsal(profiles, "client_credentials").run(names))
            found["the rehearsal"].append(time.perf_counter() - begun)
            if not all(result.ready for result in results):
                raise RuntimeError("some profile is not ready, so nothing was measured")
    os.environ |= server.variables
    timings = {name: Timing(tuple(times)) for name, times in found.items()}
    report = Report(
        "h",
        f"The rehearsal of {size.rehearsed} profiles",
        "Five requests for each profile (two for the legacy login, one with the API key, `sessioninfo` with both "
        f"tokens), for {AT_ONCE} profiles at a time, to a sandbox on the same machine. The bare loop sends the "
        "same requests with one httpx client, and ignores the answers.",
        ("", "minimum", "median", "spread", "profiles a second"),
    )
    for name, timing in timings.items():
        rate = f"{size.rehearsed / timing.minimum:.0f}"
        report.rows.append((name, duration(timing.minimum), duration(timing.median), f"{timing.spread:.0%}", rate))
    share = 100 * timings["a bare loop"].minimum / timings["the rehearsal"].minimum
    report.claims.append(Claim("share of the bare loop's rate", share, 90, least=True, unit=" %"))
    return report


def _by_hand(profiles: Profiles, names: list[str]) -> None:
    with http.Client(trust_env=False, limits=http.Limits(max_connections=AT_ONCE)) as client:

        def one(name: str) -> None:
            values = {key: str(_plain(value)) for key, value in profiles.values_of(name).items()}
            api = f"{values['base_url']}/api"
            shared = {key: values[key] for key in ("client_id", "client_secret", "redirect_uri")}
            query = {"response_type": "code", "client_id": values["client_id"], "state": "s" * 43}
            form = {key: values[key] for key in ("username", "password", "company", "redirect_uri")}
            redirect = client.post(f"{api}/oauth/authz", params=query, data=form | {"response_type": "code"})
            code = parse_qs(urlsplit(redirect.headers["Location"]).query)["code"][0]
            grants = (
                {"grant_type": "authorization_code", "code": code},
                {"grant_type": "client_credentials", "api_key": values["api_key"]},
            )
            for grant in grants:
                token = client.post(f"{api}/oauth/token", data=shared | grant).json()["access_token"]
                client.get(f"{api}/sessioninfo", headers={"Authorization": f"Bearer {token}"}).raise_for_status()

        with ThreadPoolExecutor(AT_ONCE) as workers:
            list(workers.map(one, names))


def _plain(value: object) -> object:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


@contextmanager
def _sandbox(companies: int, file: Path) -> Iterator[Path]:
    command = Path(sys.executable).with_name("procountor-auth")
    options = ["--port", "0", "--json", "--companies", str(companies), "--profiles-file", str(file)]
    with subprocess.Popen([command, "sandbox", *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for the types
            json.loads(process.stdout.readline())  # it serves now
            yield file
        finally:
            process.terminate()
