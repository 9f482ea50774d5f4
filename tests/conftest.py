"""The starting point of every test: no `PROCOUNTOR_*` in the environment, an empty working directory."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import keyring
import pytest
import redis

from procountor_auth.sandbox import Sandbox
from procountor_auth.stores.memory import MemoryStore
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.strategies import deprecation as lifecycle
from procountor_auth.transport.backend import backend

from .error_shapes import ErrorShapes
from .faults.acts import token
from .faults.server import FaultServer
from .faults.witness import Pulse
from .forkserver.forkserver import ForkServer
from .leaks.plugin import LeakScanner
from .postgres import Cluster, PostgresServer, find_programs
from .proxy import ProxyServer
from .resources import Resources
from .rows import Rows
from .schedule import Schedule
from .slow import Slow

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from keyring.backend import KeyringBackend

    from tests.certificate import Certificate


def pytest_configure(config: pytest.Config) -> None:
    """Check each test's output for secrets, its use of processes and sockets, and its duration."""
    config.pluginmanager.register(LeakScanner(), "leaks")
    config.pluginmanager.register(Resources(), "resources")
    config.pluginmanager.register(ErrorShapes(), "error_shapes")
    config.pluginmanager.register(Rows(), "rows")
    config.pluginmanager.register(Schedule(), "schedule")
    config.pluginmanager.register(Slow(), "slow")
    _be_patient()
    _leave_out_keychains_of_tests()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep the garbage collector from going through the thousands of tests, now and while a worker runs them."""
    gc.disable()
    try:
        return (yield)
    finally:
        if hasattr(session.config, "workerinput"):
            gc.freeze()
        gc.enable()


def _be_patient() -> None:
    """Give tests' own requests a minute: the five seconds of httpx and httpx2 are not enough on a busy machine."""
    for name in ("httpx", "httpx2"):
        with suppress(ModuleNotFoundError):
            default = importlib.import_module(f"{name}._config").DEFAULT_TIMEOUT_CONFIG
            default.connect = default.read = default.write = default.pool = 60.0


def _leave_out_keychains_of_tests() -> None:
    """Keep keyring from choosing a class that a test has made: it knows every subclass, and one of them hangs."""
    find_all = keyring.backend.KeyringBackend.get_viable_backends

    def found() -> filter[type[KeyringBackend]]:
        return filter(lambda each: each.__module__.startswith("keyring."), find_all())

    keyring.backend.KeyringBackend.get_viable_backends = found  # type: ignore[method-assign]


class RedisServer:
    """A Redis for tests, which writes nothing to the disk.

    Attributes:
        url: Where it is.
        port: Its port on 127.0.0.1.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._choose_port()
        self._started = False  # from then on its port is known to others
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and return when it accepts connections; another program may have taken its port meanwhile."""
        for _ in range(5):
            said = self._try_to_start()
            if said is None:
                return
            self.stop()
            if "Address already in use" not in said or self._started:
                break
            self._choose_port()
        pytest.fail(f"redis-server did not start:\n{said}")

    def _choose_port(self) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def _try_to_start(self) -> str | None:
        """Start it; return None when it accepts connections, or else what it has said."""
        port = "--tls-port" if "--tls-cert-file" in self._options else "--port"
        # The last one of an option counts.
        options = ("--port", "0", port, str(self.port), *self._options)
        self._process = subprocess.Popen(
            [
                str(shutil.which("redis-server")),
                "--save",
                "",
                "--appendonly",
                "no",
                "--bind",
                "127.0.0.1",
                "--dir",
                self._folder,
                *options,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "ready to accept connections" in line.lower():  # another sentence where there is a socket alone
                self._started = True
                return None
        return "".join(said)

    def stop(self) -> None:
        """Kill it; its data is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.communicate()
            self._process = None

    def pause(self) -> None:
        """Suspend it; its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


_numbers = itertools.count(1)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test's own: numbered here, as pytest before 9 lists all others to find the next number."""
    name = re.sub(r"\W", "_", request.node.name)[:24]
    return tmp_path_factory.mktemp(f"{name}-{next(_numbers)}", numbered=False)


@pytest.fixture(autouse=True)
def _a_clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep the machine's own configuration out of the tests."""
    for variable in [name for name in os.environ if name.upper().startswith("PROCOUNTOR_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    # Docker's default directory may exist on the machine that runs the tests.
    monkeypatch.setattr("procountor_auth.settings.secrets_directory.DEFAULT_SECRETS_DIR", str(tmp_path / "no-secrets"))
    lifecycle.forget_warning()
    OUTAGES.forget()
    # Nor is this user's own profiles file, should there be one.
    monkeypatch.setattr("procountor_auth.settings.profiles.existing_default_file", lambda _skipped: None)
    if "keyring.core" in sys.modules:  # it looks for its keychain once in a process
        monkeypatch.setattr(sys.modules["keyring.core"], "_keyring_backend", None)
    # A sandbox may get the port that another test's had, and its tokens with it.
    with MemoryStore.another_instance():
        yield


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A local Procountor of the test's own."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Replace the `PROCOUNTOR_*` part of the environment."""

    def replace(variables: dict[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith("PROCOUNTOR_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return replace


@pytest.fixture
def log_in() -> Callable[[str, Sandbox], str]:
    """Log in at a login URL as a user; return the address that the browser is redirected to."""

    def visit(url: str, sandbox: Sandbox) -> str:
        page, _, asked = url.partition("?")
        person = {"username": sandbox.username, "password": sandbox.password, "company": sandbox.company}
        with backend.Client(verify=False) as browser:
            answer = browser.post(page, data=dict(parse_qsl(asked)) | person)
        return answer.headers["Location"]

    return visit


@pytest.fixture
def token_requests() -> Callable[[Sandbox], list[str]]:
    """The grant types of the token requests that a sandbox has served, in order."""

    def served(sandbox: Sandbox) -> list[str]:
        return [
            str(entry["grant_type"]) for entry in sandbox.log() if entry["path"].rstrip("/").endswith("oauth/token")
        ]

    return served


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Runs programs in processes of their own, without an interpreter's start."""
    with ForkServer() as running:
        yield running


@pytest.fixture(scope="session")
def redis_program() -> str:
    """The path of redis-server; where it is not installed, tests are skipped, but not in CI."""
    program = shutil.which("redis-server")
    if program is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("redis-server is not installed, and CI must not skip its tests")
        pytest.skip("redis-server is not installed")
    return program


@pytest.fixture(scope="session")
def running_redis(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests that do it no harm."""
    server = RedisServer(tmp_path_factory.mktemp(Path(redis_program).name))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(running_redis: RedisServer) -> RedisServer:
    """The Redis for all tests, empty."""
    with redis.Redis.from_url(running_redis.url) as client:
        client.flushall()
    return running_redis


@pytest.fixture
def start_redis(redis_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    """Start a Redis of a test's own, with options of its own."""
    servers = []

    def start(*options: str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp(Path(redis_program).name), *options)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the Redis for all tests, empty."""
    return redis_server.url


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., ProxyServer]]:
    """Start a proxy, which ends with the test."""
    proxies = []

    def start(*arguments: Any, **options: Any) -> ProxyServer:  # noqa: ANN401 - those of the class
        proxies.append(ProxyServer(*arguments, **options))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """An empty PostgreSQL; where it is not installed, tests are skipped, but not in CI."""
    programs = find_programs()
    if programs is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("PostgreSQL is not installed, and CI must not skip its tests")
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    cluster = Cluster(programs)
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def running_postgres(postgres_cluster: Cluster) -> Iterator[PostgresServer]:
    """A PostgreSQL for all tests that do it no harm."""
    server = PostgresServer(postgres_cluster)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_server(running_postgres: PostgresServer) -> PostgresServer:
    """The PostgreSQL for all tests, with no table."""
    with running_postgres.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS procountor_auth_tokens")
    return running_postgres


@pytest.fixture
def start_postgres(postgres_cluster: Cluster) -> Iterator[Callable[..., PostgresServer]]:
    """Start a PostgreSQL of a test's own, with a certificate and options of its own."""
    servers = []

    def start(certificate: Certificate | None = None, **options: str) -> PostgresServer:
        server = PostgresServer(postgres_cluster, certificate, **options)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KeyringBackend:
    """An encrypted keychain of the test's own, which the keyring package uses here and in other processes."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home" / variable.lower()))
    monkeypatch.syspath_prepend(str(Path(__file__).with_name("stores")))
    backend: KeyringBackend = importlib.import_module("keychain").Keychain()
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    return backend


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def pulse() -> Iterator[Pulse]:
    """Measures how long the machine was suspended."""
    with Pulse() as beating:
        yield beating


@pytest.fixture(scope="session")
def trap() -> Iterator[FaultServer]:
    """A server that only redirects lead to; it would respond with a token."""
    server = FaultServer({"": token()})
    yield server
    server.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Let packages have the modules again that `sys.modules` has, after a test that has imported some of them anew.

    `monkeypatch` puts back an entry of `sys.modules`, but importing has also replaced the package's attribute: what a
    later test changes by its dotted name would be the other module's.
    """
    result = yield
    for name in _our_modules(len(sys.modules)):
        parent, _, child = name.rpartition(".")
        package, module = sys.modules.get(parent), sys.modules.get(name)
        found = getattr(package, child, module)
        if found is not module and isinstance(found, ModuleType) and module is not None:
            setattr(package, child, module)
    return result


@lru_cache(maxsize=1)
def _our_modules(_number: int) -> list[str]:
    """Return the names of this package's modules, anew when there are more or fewer modules than before."""
    return [name for name in sys.modules if name.startswith("procountor_auth.")]
