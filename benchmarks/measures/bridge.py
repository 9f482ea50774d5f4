"""(j) What the bridge adds to a call: a program of eight connections, with the bridge between it and a fast service."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import uvicorn

from benchmarks.report import Claim, Report, duration
from benchmarks.rounds import shuffled
from procountor_auth.bridge.server import listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from starlette.types import Receive, Scope, Send

    from benchmarks.server import TokenServer
    from benchmarks.size import Size

_CONNECTIONS = 8
_CALLS_IN_A_ROUND = 25
_ANSWER = json.dumps({"companyId": 4711, "name": "x" * 200}).encode()
_LOGIN = {"username": "user", "password": "password", "company": "4711", "redirect_uri": "redirect-uri-placeholder"}
_CLIENT = {"client_id": "client", "client_secret": "client-secret"}

_DIRECT, _BRIDGE = "direct", "through the bridge"


class _Way(NamedTuple):
    """Where calls go, and with which token."""

    port: int
    token: str


def measure(size: Size, _server: TokenServer) -> Report:
    """Call a service directly, and through the bridge, in turns."""
    with _service() as service, _bridge(service) as port:
        ways = {_DIRECT: _Way(service, "t"), _BRIDGE: _Way(port, _log_in(port))}
        times = _alone(ways, rounds=max(4, size.rounds // 4))
        rates = _together(ways, rounds=max(2, size.starts // 4), calls=max(20, size.rounds))
    medians = {name: statistics.median(each) for name, each in times.items()}
    per_second = {name: statistics.median(each) for name, each in rates.items()}
    report = Report(
        "j",
        "What the bridge adds to a call",
        f"`GET /api/sessioninfo` on a kept connection, against a service that responds at once (uvicorn in a separate "
        f"process), directly and with `procountor-auth bridge` in between: the median of one connection, and the calls "
        f"per second of {_CONNECTIONS} connections at once. All three processes share the machine's cores.",
        ("", "a call", "adds", "calls per second", "relative to the direct call"),
    )
    for name in ways:
        more = "" if name == _DIRECT else duration(medians[name] - medians[_DIRECT])
        ratio = f"{medians[name] / medians[_DIRECT]:.2f} times as long"
        report.rows.append((name, duration(medians[name]), more, f"{per_second[name]:,.0f}", ratio))
    added = 1000 * (medians[_BRIDGE] - medians[_DIRECT])
    report.claims.append(Claim("Added to a call, median", added, 3.0, unit=" ms"))
    report.claims.append(
        Claim(f"Calls with {_CONNECTIONS} connections", per_second[_BRIDGE], 200, least=True, unit=" a second")
    )
    return report


def _alone(ways: dict[str, _Way], *, rounds: int) -> dict[str, list[float]]:
    """Return how long calls take, one after the other on one connection each."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    with ExitStack() as stack:
        connections = {name: stack.enter_context(closing(_connect(way))) for name, way in ways.items()}
        for _ in range(rounds):
            for name, way in shuffled(ways):
                for _ in range(_CALLS_IN_A_ROUND):
                    begun = time.perf_counter()
                    _call(connections[name], way)
                    found[name].append(time.perf_counter() - begun)
    return found


def _together(ways: dict[str, _Way], *, rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the calls per second of many connections at once, each round of the ways in turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in shuffled(ways):
            ready = threading.Barrier(_CONNECTIONS + 1)
            threads = [threading.Thread(target=_caller, args=(way, calls, ready)) for _ in range(_CONNECTIONS)]
            for thread in threads:
                thread.start()
            ready.wait()
            begun = time.perf_counter()
            for thread in threads:
                thread.join()
            found[name].append(_CONNECTIONS * calls / (time.perf_counter() - begun))
    return found


def _caller(way: _Way, calls: int, ready: threading.Barrier) -> None:
    with closing(_connect(way)) as connection:
        _call(connection, way)
        ready.wait()
        for _ in range(calls):
            _call(connection, way)


def _connect(way: _Way) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", way.port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _call(connection: HTTPConnection, way: _Way) -> None:
    connection.request("GET", "/api/sessioninfo", headers={"Authorization": f"Bearer {way.token}"})
    answer = connection.getresponse()
    if answer.status != 200 or answer.read() != _ANSWER:  # noqa: PLR2004 - HTTP's
        raise RuntimeError(f"the call was answered with {answer.status}")


def _log_in(port: int) -> str:
    """Log in as an old program does, and return the bridge's access token."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        form = urlencode({"response_type": "code", "client_id": _CLIENT["client_id"], **_LOGIN})
        connection.request("POST", "/api/oauth/authz", form, headers)
        answer = connection.getresponse()
        answer.read()
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": _LOGIN["redirect_uri"], **_CLIENT}
        connection.request("POST", "/api/oauth/token", urlencode(grant), headers)
        return str(json.load(connection.getresponse())["access_token"])


@contextmanager
def _bridge(service: int) -> Iterator[int]:
    """Run `procountor-auth bridge` before the service; return its port."""
    names = {"strategy": "client_credentials", "base_url": f"http://127.0.0.1:{service}", "api_key": "key"}
    values = names | _LOGIN | _CLIENT
    environment = os.environ | {f"PROCOUNTOR_{name.upper()}": value for name, value in values.items()}
    command = [str(Path(sys.executable).with_name("procountor-auth")), "bridge", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield _port_in(process.stdout.readline() if process.stdout is not None else "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def _port_in(line: str) -> int:
    return int(json.loads(line)["base_url"].rpartition(":")[2])


@contextmanager
def _service() -> Iterator[int]:
    """Run the service in a process of its own; return its port."""
    context = multiprocessing.get_context("spawn")
    hears, says = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(says,), daemon=True)
    process.start()
    try:
        yield int(hears.recv())
    finally:
        process.terminate()
        process.join()


def _serve(says: Connection) -> None:
    listening = listen("127.0.0.1", 0)
    says.send(listening.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(_answer, log_config=None, access_log=False, lifespan="off"))
    anyio.run(server.serve, [listening])


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Give a token to whoever posts, and else the same answer to everybody (ASGI)."""
    while (await receive()).get("more_body"):
        pass
    body = _ANSWER
    if scope["type"] == "http" and scope["method"] == "POST":
        body = json.dumps({"access_token": "t" * 300, "expires_in": 3600}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
