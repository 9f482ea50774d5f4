"""TLS to Redis: the files that a URL names are checked when the store is opened, and what fails later is told apart."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from procountor_auth import TokenSource
from procountor_auth.errors import ConfigurationError, Problem, StoreError, StoreUnavailable
from procountor_auth.stores import open_store, redis_connection
from procountor_auth.stores.outage import OUTAGES
from procountor_auth.stores.redis import RedisStore
from procountor_auth.stores.redis_tls import TLS_HINT, CertificateFiles
from tests.certificate import Certificate
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.conftest import RedisServer

pytestmark = [pytest.mark.process, pytest.mark.server]

KEY = "company-1"

FORK = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from procountor_auth.errors import ConfigurationError, StoreUnavailable
from procountor_auth.stores.redis import RedisStore

url = SecretStr(sys.argv[1])
store = RedisStore(url)
Path(sys.argv[2]).unlink()
child = os.fork()
if not child:
    try:
        RedisStore(url)
    except ConfigurationError as error:
        print(error.message)
    try:
        store.read("company-1")
    except StoreUnavailable as error:
        print(error.message, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@dataclass
class Files:
    """Files of a client, each under the name that tests use for it.

    Attributes:
        folder: Where they are: the string CANARY is in its path.
    """

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def query(self, text: str) -> str:
        """Put the paths into a query."""
        return text.replace("=@", f"={self.folder}/")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Certificates that are their own authorities, and what is none."""
    folder, another = tmp_path / "CANARY", tmp_path / "another"
    folder.mkdir()
    another.mkdir()
    Certificate(another)
    Certificate(folder)
    (another / "key.pem").rename(folder / "another-key.pem")
    key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    for name, layout in (
        ("pkcs8.pem", serialization.PrivateFormat.PKCS8),
        ("traditional.pem", serialization.PrivateFormat.TraditionalOpenSSL),
    ):
        cipher = serialization.BestAvailableEncryption(b"n0t4u")
        (folder / name).write_bytes(key.private_bytes(serialization.Encoding.PEM, layout, cipher))
    parts = [(folder / name).read_bytes() for name in ("certificate.pem", "key.pem")]
    (folder / "both.pem").write_bytes(b"".join(parts))
    (folder / "words").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (folder / "cut.pem").write_bytes(parts[0][:200])
    (folder / "empty").touch()
    (folder / "authorities").mkdir()
    (folder / "loop").symlink_to("loop")
    return Files(folder)


KINDS = pytest.mark.parametrize("url", ["rediss://host/0", "rediss+sentinel://host/service", "valkeys+cluster://host"])


@KINDS
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("ssl_ca_certs=@none", "has an ssl_ca_certs that does not exist"),
        ("ssl_ca_certs=@words", "has an ssl_ca_certs without a certificate in PEM"),
        ("ssl_ca_certs=@empty", "has an ssl_ca_certs without a certificate in PEM"),
        ("ssl_ca_certs=@cut.pem", "has an ssl_ca_certs without a certificate in PEM"),
        ("ssl_ca_certs=@key.pem", "has an ssl_ca_certs without a certificate in PEM"),
        ("ssl_ca_certs=@authorities", "has an ssl_ca_certs that is no regular file"),
        ("ssl_ca_certs=@loop", "has an ssl_ca_certs that can't be read (Too many levels of symbolic links)"),
        ("ssl_ca_certs=@a%00b", "has an ssl_ca_certs that can't exist"),
        ("ssl_ca_path=@none", "has an ssl_ca_path that does not exist"),
        ("ssl_ca_path=@authorities:@none", "has an ssl_ca_path that does not exist"),
        ("ssl_ca_path=@words", "has an ssl_ca_path that is no folder"),
        ("ssl_certfile=@none", "has an ssl_certfile that does not exist"),
        ("ssl_certfile=@words", "has an ssl_certfile without a certificate in PEM"),
        ("ssl_certfile=@key.pem", "has an ssl_certfile without a certificate in PEM"),
        ("ssl_certfile=@certificate.pem", "has an ssl_certfile without a private key in PEM that can be used"),
        ("ssl_keyfile=@key.pem", "has an ssl_keyfile without an ssl_certfile"),
        ("ssl_certfile=@certificate.pem&ssl_keyfile=@none", "has an ssl_keyfile that does not exist"),
        (
            "ssl_certfile=@certificate.pem&ssl_keyfile=@words",
            "has an ssl_keyfile without a private key in PEM that can be used",
        ),
        (
            "ssl_certfile=@certificate.pem&ssl_keyfile=@another-key.pem",
            "has an ssl_keyfile with a key that does not belong to the certificate",
        ),
        (
            "ssl_certfile=@certificate.pem&ssl_keyfile=@pkcs8.pem",
            "has an ssl_keyfile with a key that needs an ssl_password",
        ),
        *(
            (
                f"ssl_certfile=@certificate.pem&ssl_keyfile=@{name}&ssl_password={password}",
                "has an ssl_keyfile with a key that its ssl_password does not open",
            )
            for name in ("pkcs8.pem", "traditional.pem")
            for password in ("CANARY", 2000 * "n0t4u")
        ),
    ],
)
def test_files_that_can_not_be_used_are_a_wrong_configuration(url: str, query: str, said: str, files: Files) -> None:
    """No store is opened; the error names the parameter and what is wrong with it, and neither path nor password."""
    query = query.replace(":@", f":{files.folder}/")
    with pytest.raises(ConfigurationError) as caught:
        open_store(f"{url}?{files.query(query)}")
    assert caught.value.problems == (Problem("PROCOUNTOR_TOKEN_STORE", "invalid", f"PROCOUNTOR_TOKEN_STORE {said}"),)
    assert caught.value.hint == TLS_HINT
    assert "CANARY" not in str(caught.value) + caught.value.json()
    assert "n0t4u" not in str(caught.value) + caught.value.json()
    assert caught.value.__context__ is None


@KINDS
@pytest.mark.parametrize(
    "query",
    [
        "ssl_ca_certs=@certificate.pem",
        "ssl_ca_path=@authorities",
        "ssl_certfile=@both.pem",
        "ssl_certfile=@certificate.pem&ssl_keyfile=@key.pem&ssl_password=needless",
        "ssl_certfile=@certificate.pem&ssl_keyfile=@pkcs8.pem&ssl_password=n0t4u",
        "ssl_ca_certs=@certificate.pem&ssl_certfile=@certificate.pem&ssl_keyfile=@traditional.pem&ssl_password=n0t4u",
    ],
)
def test_files_that_load_are_accepted(url: str, query: str, files: Files) -> None:
    """A certificate and its key may be in one file or in two, and the key may have a password."""
    store = open_store(f"{url}?{files.query(query)}")
    assert "n0t4u" not in repr(store) + repr(vars(store))


def test_files_are_loaded_once_until_they_change(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of sources with one URL do not load the same files each; one that is replaced is loaded again."""
    checked = CertificateFiles({"ssl_ca_certs": str(files["certificate.pem"])})
    loaded = []
    load = ssl.SSLContext.load_verify_locations

    def count(self: ssl.SSLContext, *arguments: Any) -> None:  # noqa: ANN401 - those of the method
        loaded.append(True)
        load(self, *arguments)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", count)
    assert [checked.problem(), checked.problem()] == [None, None]
    assert len(loaded) == 1
    shutil.copy(files["words"], files["certificate.pem"])
    assert [checked.problem(), checked.problem()] == ["has an ssl_ca_certs without a certificate in PEM"] * 2
    shutil.copy(files["both.pem"], files["certificate.pem"])
    assert [checked.problem(), checked.problem()] == [None, None]
    assert len(loaded) == 4


def tls_server(start_redis: Callable[..., RedisServer], files: Files, *options: str) -> RedisServer:
    """Start a Redis with TLS, which has the client's own certificate."""
    named = {"cert": "certificate.pem", "key": "key.pem", "ca-cert": "certificate.pem"}
    kept = {name: shutil.copy(files[file], files[f"server-{name}.pem"]) for name, file in named.items()}
    tls = [each for name, file in kept.items() for each in (f"--tls-{name}-file", str(file))]
    return start_redis(*tls, *options)


@pytest.mark.parametrize(
    ("name", "instead", "said"),
    [
        ("certificate.pem", None, "has an ssl_ca_certs that does not exist"),
        ("certificate.pem", "cut.pem", "has an ssl_ca_certs without a certificate in PEM"),
        ("key.pem", None, "has an ssl_keyfile that does not exist"),
        ("key.pem", "another-key.pem", "has an ssl_keyfile with a key that does not belong to the certificate"),
    ],
)
def test_files_that_are_replaced_later_are_a_fault_that_passes(
    start_redis: Callable[..., RedisServer], files: Files, name: str, instead: str | None, said: str
) -> None:
    """A connection that there is goes on; a new one waits for the files, as a program that starts now does not."""
    port = tls_server(start_redis, files).port
    query = files.query("ssl_ca_certs=@certificate.pem&ssl_certfile=@certificate.pem&ssl_keyfile=@key.pem")
    url = f"rediss://127.0.0.1:{port}/0?{query}"
    store: Any = open_store(url)
    assert store.read(KEY) is None
    before = files[name].read_bytes()
    files[name].unlink()
    if instead is not None:
        shutil.copy(files[instead], files[name])
    assert store.read(KEY) is None
    store._pool.client.connection_pool.disconnect()
    with pytest.raises(StoreUnavailable) as caught:
        store.read(KEY)
    place = f"127.0.0.1:{port}/0"
    assert caught.value.message == f"Redis at {place} can't be reached: PROCOUNTOR_TOKEN_STORE {said}."
    assert caught.value.hint == TLS_HINT
    assert caught.value.__context__ is None
    with pytest.raises(StoreUnavailable, match=said), store.transaction(KEY, timeout=5):
        pytest.fail("there is a lock")
    with pytest.raises(ConfigurationError, match=said):
        open_store(url)
    files[name].write_bytes(before)
    OUTAGES.forget()  # on a machine that is slow enough, it was an outage to remember
    assert store.read(KEY) is None
    assert open_store(url).read(KEY) is None


def test_a_folder_that_disappears_is_a_fault_that_passes(start_redis: Callable[..., RedisServer], files: Files) -> None:
    """Without its folder of authorities OpenSSL trusts nobody, and says nothing of the folder: the store does."""
    port = tls_server(start_redis, files, "--tls-auth-clients", "no").port
    store = open_store(f"rediss://127.0.0.1:{port}/0?ssl_ca_path={files['authorities']}")
    with pytest.raises(StoreError, match="not trusted") as caught:
        store.read(KEY)
    assert not caught.value.retryable
    files["authorities"].rmdir()
    with pytest.raises(StoreUnavailable, match="ssl_ca_path that does not exist"):
        store.read(KEY)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_is_told_as_its_parent_is(files: Files) -> None:
    """After a fork, a store that is opened is refused, and one of the parent's is a fault that passes."""
    url = f"rediss://127.0.0.1:{free_port()}/0?{files.query('ssl_ca_certs=@certificate.pem')}"
    said = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, url, str(files["certificate.pem"])],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    first, second = said.stdout.splitlines()
    assert first == "PROCOUNTOR_TOKEN_STORE has an ssl_ca_certs that does not exist."
    assert second.endswith("can't be reached: PROCOUNTOR_TOKEN_STORE has an ssl_ca_certs that does not exist.")


def test_a_reload_checks_them_and_changes_nothing(
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    start_redis: Callable[..., RedisServer],
    files: Files,
) -> None:
    """Where the files are wrong, a source neither starts nor is reloaded, and one that runs goes on."""
    port = tls_server(start_redis, files, "--tls-auth-clients", "no").port
    url = f"rediss://127.0.0.1:{port}/0?{files.query('ssl_ca_certs=@certificate.pem')}"
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_TOKEN_STORE": url})
    source = TokenSource.from_env()
    token = source.token().access_token
    files["certificate.pem"].unlink()
    with pytest.raises(ConfigurationError, match="ssl_ca_certs that does not exist"):
        source.reload()
    with pytest.raises(ConfigurationError, match="ssl_ca_certs that does not exist"):
        TokenSource.from_env().token()
    assert source.token().access_token == token


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Listen on a port, and give everybody an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client = listener.accept()[0]
                    with client, suppress(OSError):
                        client.recv(65_536)
                        client.sendall(answer)
                        client.shutdown(socket.SHUT_WR)
                        client.recv(65_536)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "url", ["rediss://127.0.0.1:{}", "rediss+sentinel://127.0.0.1:{}/service", "rediss+cluster://127.0.0.1:{}"]
)
@pytest.mark.parametrize("answer", [b"-ERR unknown command\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_answers_without_tls_is_no_outage(url: str, answer: bytes) -> None:
    """Its answer shows that it has no TLS on this port: the configuration is wrong, and the error says how."""
    with answering(answer) as port, pytest.raises(StoreError, match=r"answers without TLS\.") as caught:
        RedisStore(SecretStr(url.format(port))).read(KEY)
    assert not caught.value.retryable
    assert caught.value.hint == "In PROCOUNTOR_TOKEN_STORE, name its port for TLS, or write redis:// for no TLS."


def test_a_server_that_says_nothing_may_have_no_tls(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis without TLS waits for a whole command, as one that hangs does: that passes, and the hint names both."""
    monkeypatch.setattr(redis_connection, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr(redis_connection, "READ_TIMEOUT", 0.1)
    with pytest.raises(StoreUnavailable, match="has not answered in time") as caught:
        RedisStore(SecretStr(f"rediss://127.0.0.1:{redis_server.port}/0")).read(KEY)
    assert "has TLS on this port" in caught.value.hint


@pytest.mark.parametrize("own", [False, True], ids=["none", "unknown"])
def test_a_server_that_refuses_the_certificate_is_no_outage(
    start_redis: Callable[..., RedisServer], files: Files, tmp_path: Path, *, own: bool
) -> None:
    """Where the server requires a certificate and gets none, or one that it does not trust, the error says so."""
    port = tls_server(start_redis, files, "--tls-protocols", "TLSv1.2").port
    query = files.query("ssl_ca_certs=@certificate.pem")
    if own:
        Certificate(tmp_path)
        query += f"&ssl_certfile={tmp_path / 'certificate.pem'}&ssl_keyfile={tmp_path / 'key.pem'}"
    with pytest.raises(StoreError, match="refused the certificate of this client, or requires one") as caught:
        RedisStore(SecretStr(f"rediss://127.0.0.1:{port}/0?{query}")).read(KEY)
    assert not caught.value.retryable


def test_a_sentinel_that_is_not_trusted_is_no_outage(start_redis: Callable[..., RedisServer], files: Files) -> None:
    """Its certificate is verified as the server's is, and one that is down says nothing of another that refuses."""
    port = tls_server(start_redis, files, "--tls-auth-clients", "no").port
    url = f"rediss+sentinel://127.0.0.1:{free_port()},127.0.0.1:{port}/service"
    with pytest.raises(StoreError, match="not trusted") as caught:
        RedisStore(SecretStr(url)).read(KEY)
    assert not caught.value.retryable
