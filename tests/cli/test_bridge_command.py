"""The command `procountor-auth bridge`: how it starts, what it refuses, and what it writes."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization

from procountor_auth.cli.bridge.command import _public_url
from procountor_auth.cli.documents.bridge import BridgeDocument
from procountor_auth.transport.backend import backend as httpx
from tests.certificate import Certificate
from tests.cli.bridge import OTHER, Serving, common, configured, table
from tests.sandbox.test_sandbox_command import HIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command, Run, Terminal

    Start = Callable[..., Command]
    Environment = Callable[[dict[str, str]], None]


def test_an_old_program_reaches_its_company(start: Start, sandbox: Sandbox) -> None:
    """Its first line says where it is, an old program works there, and its log is a line of JSON for each request."""
    serving = Serving(start, environment=configured(sandbox))
    assert BridgeDocument.model_validate(serving.described, strict=True).model_dump() == {
        "base_url": serving.url,
        "profiles": [],
        "left_out": [],
        "store": "memory",
        "read_only": False,
    }
    with serving.program(sandbox) as program:
        program.log_in()
        assert program.company() == int(sandbox.company)
        answer = program.call()
    assert "Sunset" not in answer.headers
    status, out, log = serving.stops()
    assert (status, out) == (0, "")
    requests = [(each["method"], each["path"], each["status"]) for each in log if each.get("event") == "bridge_request"]
    assert requests == [
        ("POST", "/api/oauth/authz", 302),
        ("POST", "/api/oauth/token", 200),
        ("GET", "/api/sessioninfo", 200),
        ("GET", "/api/sessioninfo", 200),
    ]
    (login,) = [each for each in log if each.get("event") == "bridge_login"]
    assert (login["user_agent"], login["grant_type"]) == ("OldProgram/1.0", "authorization_code")


def test_the_log_as_text(start: Start, sandbox: Sandbox) -> None:
    """With --log text a request is one line for people, with its time, and a login is not told twice."""
    serving = Serving(start, "--log", "text", environment=configured(sandbox))
    with serving.program(sandbox) as program:
        program.log_in()
        program.authz(password="wrong")
    serving.command.process.terminate()
    status, _, err = serving.command.ends()
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in err.splitlines() if "oauth" in line]
    assert status == 0
    assert lines == [
        "POST /api/oauth/authz 302",
        "POST /api/oauth/token 200",
        "POST /api/oauth/authz 400, the password is wrong",
    ]
    assert "bridge" not in err


def test_no_log(start: Start, sandbox: Sandbox) -> None:
    """With --log none nothing is written."""
    serving = Serving(start, "--log", "none", environment=configured(sandbox))
    with serving.program(sandbox) as program:
        program.authz(password="wrong")
    assert serving.stops() == (0, "", [])


def test_the_start_on_a_terminal(start: Start, sandbox: Sandbox, make_terminal: Callable[[], Terminal]) -> None:
    """A person reads where it is, for whom and for whom not, and what to do next; then the log of each request."""
    profiles = {f"PROCOUNTOR_PROFILES__ACME__{name}".upper(): value for name, value in table(sandbox).items()}
    profiles |= {f"PROCOUNTOR_PROFILES__{name}__PASSWORD": "an-old-password" for name in ("BETA", "GAMMA")}
    terminal = make_terminal()
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), terminal.side)
    command = start(
        "bridge",
        "--port",
        "0",
        "--read-only",
        "--public-url",
        "https://bridge.example/",
        environment=common(sandbox) | profiles | {"COLUMNS": "80"},
        pipes=pipes,
    )
    url = terminal.shows(r"The bridge listens on (http://127\.0\.0\.1:\d+)\n")[1]
    shown = terminal.shows(r"(?s)for 1 profile: acme\n.*Press Ctrl-C to stop\.\n")[0]
    assert "Left out: beta, gamma\n  PROCOUNTOR_API_KEY is missing (client_credentials needs it).\n" in shown
    assert "    Set it as PROCOUNTOR_PROFILES__BETA__API_KEY, or name the profiles file" in shown
    assert "It forwards only GET and HEAD requests.\n" in shown
    assert "Its tokens are in memory" in shown
    assert "Next: in the program, change only the host, to https://bridge.example\n" in shown
    assert "is left out" not in shown
    terminal.shows(r"\d\d:\d\d:\d\d profile beta is left out: PROCOUNTOR_API_KEY is missing")
    terminal.shows(r"\d\d:\d\d:\d\d profile gamma is left out: PROCOUNTOR_API_KEY is missing")
    httpx.get(f"{url}/api/sessioninfo", trust_env=False)
    terminal.shows(r"\d\d:\d\d:\d\d GET /api/sessioninfo 401, The access token is missing\.\n")
    command.process.terminate()
    assert command.process.wait(60) == 0
    terminal.close()


def test_what_its_answers_announce(start: Start, sandbox: Sandbox) -> None:
    """--sunset is a header of each answer, and --read-only refuses what writes."""
    serving = Serving(start, "--sunset", "2027-06-30", "--read-only", environment=configured(sandbox))
    with serving.program(sandbox) as program:
        program.log_in()
        read, written = program.call(), program.call("POST", "/api/invoices", json={})
    assert (read.status_code, written.status_code) == (200, 403)
    assert read.headers["sunset"] == written.headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert serving.described["read_only"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "with --certificate and --key"),  # noqa: S104 - the mistake under test
        (["--host", "bridge.example"], "must be an IP address, or localhost"),
        (["--key", "key.pem"], "needs --certificate"),
        (["--port", "70000"], "--port"),
        (["--sunset", "30.6.2027"], "must be a day such as 2027-06-30"),
        (["--public-url", "bridge.example"], "must be scheme and host, such as https://bridge.example"),
        (["--public-url", "https://bridge.example/api"], "must be scheme and host"),
        (["--public-url", "https://["], "must be scheme and host"),
        (["--public-url", "https://bridge.example:99999"], "must be scheme and host"),
        (["--public-url", "https://user:secret@bridge.example"], "must be scheme and host"),
        (["--public-url", "https://@bridge.example"], "must be scheme and host"),
        (["--public-url", "https://bridge.example?"], "must be scheme and host"),
        (["--public-url", "https://bridge.example/?a=b"], "must be scheme and host"),
        (["--public-url", "https://bridge.example#"], "must be scheme and host"),
        (["--public-url", "https://bridge.example/#a"], "must be scheme and host"),
        (["--public-url", "https://bridge.example//"], "must be scheme and host"),
        (["--public-url", "https://bridge example"], "must be scheme and host"),
        (["--public-url", "https://bridge.example\\.example"], "must be scheme and host"),
        (["--public-url", "https://bridge.example:"], "must be scheme and host"),
        (["--public-url", "https://bridge.example\n"], "must be scheme and host"),
        (["--public-url", "ftp://bridge.example"], "must be scheme and host"),
        (["--log", "xml"], "--log"),
    ],
)
def test_wrong_options(run: Run, arguments: list[str], said: str) -> None:
    """A wrong value is a usage error that names the option and says what is right, before anything is read."""
    status, out, err = run("bridge", *arguments)
    assert (status, out) == (2, "")
    assert arguments[0] in err
    assert said in " ".join(err.replace("│", " ").split())
    status, out, err = run("bridge", "--json", *arguments)
    assert (status, err, json.loads(out)["error"]["code"]) == (2, "", "usage")


@pytest.mark.parametrize(
    "url",
    [
        "https://bridge.example",
        "http://bridge.example/",
        "https://BRIDGE-2.example:8443",
        "http://192.0.2.1:80/",
        "https://[2001:db8::1]:8443",
    ],
)
def test_a_public_url(url: str) -> None:
    """Scheme and host, with a port or without one, are taken as they are, without the slash behind them."""
    assert _public_url(url) == url.rstrip("/")


def test_a_public_url_with_a_password_is_not_shown(run: Run) -> None:
    """The error of one with a user's password does not repeat it."""
    status, out, err = run("bridge", "--public-url", "https://user:secret-word@bridge.example")
    assert (status, out) == (2, "")
    assert "secret-word" not in err


def test_a_taken_port(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """A port that somebody else has is one line, and status 1."""
    environment(configured(sandbox))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = run("bridge", "--port", str(port))
    assert (status, out) == (1, "")
    assert err.startswith(f"procountor-auth: cannot listen on 127.0.0.1, port {port}: ")
    assert err.count("\n") == 1


def test_without_a_login(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """Where no profile has a password, the error says which variable, and how to make its hash."""
    variables = configured(sandbox)
    del variables["PROCOUNTOR_PASSWORD"]
    environment(variables)
    status, out, err = run("bridge")
    assert (status, out) == (2, "")
    assert "PROCOUNTOR_BRIDGE_PASSWORD is missing" in err
    assert "procountor-auth bridge hash" in err


def test_the_legacy_strategy_is_refused(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """The bridge does not log in with what it stands in for."""
    environment(configured(sandbox, strategy="legacy_password", legacy_policy="allow"))
    status, _, err = run("bridge")
    assert status == 2
    assert "PROCOUNTOR_STRATEGY is legacy_password, which the bridge stands in for" in err


def test_profiles_with_different_stores(
    run: Run, sandbox: Sandbox, environment: Environment, write_profiles: Callable[..., Path]
) -> None:
    """Profiles of one bridge have one store; the error names two that have not."""
    environment(common(sandbox))
    write_profiles(acme=table(sandbox, token_store="file:a"), beta=table(sandbox, token_store="file:b", **OTHER))
    status, _, err = run("bridge", "--json")
    assert (status, err) == (2, "")
    write_profiles(acme=table(sandbox, token_store="file:a"), beta=table(sandbox, token_store="file:b", **OTHER))
    assert "another one for profile beta than for acme" in run("bridge")[2]


def test_an_unknown_profile(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """A misspelt profile is an error; so is one that is named and has no login."""
    environment(common(sandbox, profiles__acme__api_key=sandbox.api_key))
    assert "there is no profile 'acne': did you mean acme?" in run("bridge", "--profile", "acne")[2]
    assert "PROCOUNTOR_BRIDGE_PASSWORD is missing (profile acme)" in run("bridge", "--profile", "acme")[2]


def test_https(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """With a certificate it speaks TLS, and answers on addresses that other machines reach."""
    certificate = Certificate(tmp_path)
    options = ["--certificate", str(certificate.file), "--key", str(tmp_path / "key.pem"), "--host", "0.0.0.0"]  # noqa: S104 - as in a container
    serving = Serving(start, *options, environment=configured(sandbox))
    assert serving.url.startswith("https://0.0.0.0:")
    port = serving.url.rpartition(":")[2]
    trusted = ssl.create_default_context(cafile=certificate.file)
    answer = httpx.get(f"https://127.0.0.1:{port}/_bridge/ready", verify=trusted, trust_env=False)
    assert answer.json() == {"status": "ok"}
    assert serving.stops()[0] == 0


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("no file", "does not exist"),
        ("no key", "they don't fit together, or are no PEM files"),
        ("another key", "they don't fit together, or are no PEM files"),
        ("a password", "the key needs a password"),
    ],
)
def test_a_wrong_certificate(run: Run, tmp_path: Path, case: str, said: str) -> None:
    """What is wrong with the certificate or its key is said at the start, and nobody is asked for a password."""
    certificate, key = Certificate(tmp_path).file, tmp_path / "key.pem"
    if case == "another key":
        (tmp_path / "other").mkdir()
        Certificate(tmp_path / "other")
        key = tmp_path / "other" / "key.pem"
    if case == "a password":
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        sealed = serialization.BestAvailableEncryption(b"a password")
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        key.write_bytes(loaded.private_bytes(*pem, sealed))
    if case == "no file":
        certificate = tmp_path / "absent.pem"
    options = [] if case == "no key" else ["--key", str(key)]
    status, _, err = run("bridge", "--certificate", str(certificate), *options)
    assert status == 2
    assert said in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("package", ["argon2", "python_multipart", "starlette", "uvicorn", "typer"])
@pytest.mark.parametrize("command", [(), ("hash",), ("revoke",)], ids=" ".join)
def test_a_missing_extra(start: Start, monkeypatch: pytest.MonkeyPatch, package: str, command: tuple[str, ...]) -> None:
    """Without what it is built on, one line says what to install; `hash` and `revoke` need less."""
    monkeypatch.setenv("PROCOUNTOR_STRATEGY", "none of ours")
    status, out, err = start("bridge", *command, program=HIDE.format(package)).ends()
    assert (status, out) == (2, "")
    line = "procountor-auth needs its command line extra: pip install 'procountor-auth[bridge]'\n"
    assert (err == line) == (not command or package in {"argon2", "typer"})


def test_an_error_is_a_document(run: Run, sandbox: Sandbox, environment: Environment) -> None:
    """With --json an error is one document on stdout."""
    variables = configured(sandbox)
    del variables["PROCOUNTOR_USERNAME"]
    environment(variables)
    status, out, err = run("bridge", "--json")
    error: dict[str, Any] = json.loads(out)["error"]
    assert (status, err, error["code"]) == (2, "", "configuration")
    assert "PROCOUNTOR_USERNAME is missing (the bridge needs it)" in error["message"]
