"""The command `procountor-auth doctor` between this machine and the host: variables that are not read, and proxies."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.certificate import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from tests.cli.conftest import Command, Run, Terminal
    from tests.proxy import ProxyServer

    Environment = Callable[[dict[str, str]], None]
    Examine = Callable[..., dict[str, Any]]
    StartProxy = Callable[..., ProxyServer]

pytestmark = pytest.mark.once

HOST: Final = "https://192.0.2.1"
PROXY: Final = "http://me:canary@proxy.example:3128"
USE_PROXY: Final = "If the host can only be reached through a proxy, set PROCOUNTOR_PROXY to its URL."
USE_BUNDLE: Final = "If a private authority issued the host's certificate, set PROCOUNTOR_CA_BUNDLE to its file."

FOREIGN: Final = ("HTTP", "HTTPS", "ALL", "NO")
"""Of whose `…_PROXY` the machine's own are taken away."""


@pytest.fixture
def described(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The variables of a sandbox that is elsewhere, and none of this machine's that others read."""
    for name in (*(f"{each}_PROXY" for each in FOREIGN), "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return sandbox.environment("client_credentials") | {"PROCOUNTOR_BASE_URL": HOST, "PROCOUNTOR_TIMEOUT": "5"}


@pytest.fixture
def examine(environment: Environment, monkeypatch: pytest.MonkeyPatch, run: Run) -> Examine:
    """Run `doctor --json` with some variables; return what it says, in which no secret of theirs is."""

    def command(variables: dict[str, str], *arguments: str) -> dict[str, Any]:
        environment({name: value for name, value in variables.items() if name.startswith("PROCOUNTOR_") and value})
        for name, value in variables.items():
            if not name.startswith("PROCOUNTOR_"):
                monkeypatch.setenv(name, value)
        _, out, err = run("doctor", "--json", *arguments)
        assert (err, "canary" in out) == ("", False)
        (found,) = json.loads(out)["profiles"]
        return dict(found)

    return command


def warned(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is warned of under `variables`, with what to do."""
    return [
        (check["message"], check["hint"])
        for check in found["checks"]
        if (check["name"], check["state"]) == ("variables", "warning")
    ]


def host_of(found: dict[str, Any]) -> dict[str, str]:
    """Return the last check of the host."""
    checks: list[dict[str, str]] = [check for check in found["checks"] if check["name"] == "host"]
    return checks[-1]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"HTTPS_PROXY": PROXY}, [("HTTPS_PROXY is set, but not read for tokens", USE_PROXY)]),
        ({"https_proxy": PROXY, "HTTP_PROXY": "", "NO_PROXY": "other.example"}, [("https_proxy is set", USE_PROXY)]),
        (
            {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "all_proxy": PROXY},
            [("HTTPS_PROXY, HTTP_PROXY and all_proxy are set, but not read for tokens", USE_PROXY)],
        ),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "192.0.2.1"}, []),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, []),
        ({"HTTPS_PROXY": PROXY, "PROCOUNTOR_PROXY": PROXY}, []),
        ({"NO_PROXY": "192.0.2.1"}, []),
        (
            {"NO_PROXY": "192.0.2.1", "PROCOUNTOR_PROXY": PROXY},
            [
                (
                    "NO_PROXY would exclude the host, but PROCOUNTOR_PROXY is used",
                    "If the host is reached without a proxy, remove PROCOUNTOR_PROXY.",
                )
            ],
        ),
        ({"SSL_CERT_FILE": "canary"}, [("SSL_CERT_FILE is set, but not read for tokens", USE_BUNDLE)]),
        (
            {"SSL_CERT_DIR": "canary", "REQUESTS_CA_BUNDLE": "canary", "CURL_CA_BUNDLE": "canary"},
            [("CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE and SSL_CERT_DIR are set, but not read for tokens", USE_BUNDLE)],
        ),
        ({"SSL_CERT_FILE": "canary", "PROCOUNTOR_CA_BUNDLE": "mine.pem"}, []),
        ({"HTTPS_PROXY": PROXY, "SSL_CERT_FILE": "canary", "PROCOUNTOR_BASE_URL": "http://127.0.0.1:9"}, []),
        ({"HTTPS_PROXY": PROXY, "PROCOUNTOR_BASE_URL": "https://localhost"}, []),
    ],
)
def test_what_others_read_is_told(
    described: dict[str, str], examine: Examine, variables: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """A variable that would lead others to this host another way is a warning with our own; it is not a failure."""
    found = examine(described | variables, "--offline")
    assert found["ready"]
    assert len(warned(found)) == len(expected)
    for (message, hint), (begin, advice) in zip(warned(found), expected, strict=True):
        assert message.startswith(begin)
        assert hint == advice


@pytest.mark.parametrize(
    ("named", "text", "told"),
    [
        (True, "machine 192.0.2.1 login me password canary\n", "NETRC is set, but not read for tokens"),
        (True, "machine other.example login me password canary\n", None),
        (True, "default login me password canary\n", "NETRC is set, but not read for tokens"),
        (True, "what is this canary\n", "NETRC is set, but not read for tokens"),
        (True, None, "NETRC is set, but not read for tokens"),
        (
            False,
            "machine 192.0.2.1 login me password canary\n",
            "~/.netrc has a line for 192.0.2.1, which is not read for tokens",
        ),
        (False, "machine other.example login me password canary\n", None),
        (False, "what is this canary\n", None),
        (False, None, None),
    ],
)
def test_a_netrc_is_not_read(
    described: dict[str, str], examine: Examine, tmp_path: Path, text: str | None, told: str | None, *, named: bool
) -> None:
    """A netrc with a line for the host is a warning; one that has nothing to do with it is not."""
    file = tmp_path / ("netrc" if named else ".netrc")
    if text is not None:
        file.write_text(text)
        file.chmod(0o600)
    found = examine(described | ({"NETRC": str(file)} if named else {}), "--offline")
    assert [message for message, _ in warned(found)] == ([told] if told else [])


def test_a_host_that_is_not_found_comes_with_the_proxy(described: dict[str, str], examine: Examine) -> None:
    """Where the name is not found, the hint names the proxy variable that is set and not read, and no authority."""
    variables = {"HTTPS_PROXY": PROXY, "SSL_CERT_FILE": "canary", "PROCOUNTOR_BASE_URL": "https://host.invalid"}
    check = host_of(examine(described | variables))
    assert (check["state"], check["message"]) == ("failed", "host.invalid is not found (DNS)")
    assert check["hint"].endswith(f" HTTPS_PROXY is set, but not read for tokens. {USE_PROXY}")
    assert "SSL_CERT_FILE" not in check["hint"]


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (407, "The proxy {} refused (407) to connect to https://192.0.2.1.", "Check the user name and password"),
        (403, "The proxy {} refused (403) to connect to https://192.0.2.1.", "Check PROCOUNTOR_PROXY, and whether"),
        (
            503,
            "The proxy {} refused (503) to connect to https://192.0.2.1.",
            "It may be busy, or unable to reach the host",
        ),
        (0, "The proxy {} did not connect to https://192.0.2.1: the connection broke", "Check PROCOUNTOR_PROXY"),
        (200, "https://192.0.2.1 can't be reached: ", "Check PROCOUNTOR_BASE_URL"),
    ],
)
def test_a_proxy_s_refusal_is_not_the_host_s(
    described: dict[str, str], examine: Examine, start_proxy: StartProxy, status: int, message: str, hint: str
) -> None:
    """What the proxy refuses names the proxy, and what fails behind its open tunnel names the host."""
    proxy = start_proxy(status)
    found = examine(described | {"PROCOUNTOR_PROXY": f"http://me:canary@{proxy.address}"})
    assert found["reasons"] == [host_of(found)["message"]]
    assert host_of(found)["message"].startswith(message.format(proxy.address))
    assert host_of(found)["hint"].startswith(hint)


def test_through_a_proxy_that_looks_into_tls(
    sandbox: Sandbox, described: dict[str, str], examine: Examine, start_proxy: StartProxy, tmp_path: Path
) -> None:
    """A company's proxy needs its authority in PROCOUNTOR_CA_BUNDLE, not in SSL_CERT_FILE; then all is well."""
    certificate = Certificate(tmp_path, "192.0.2.1")
    port = int(sandbox.environment("client_credentials")["PROCOUNTOR_BASE_URL"].rpartition(":")[2])
    proxy = start_proxy(leads_to=port, tls=certificate.shown)
    variables = described | {"PROCOUNTOR_PROXY": f"http://{proxy.address}", "SSL_CERT_FILE": str(certificate.file)}
    check = host_of(examine(variables))
    assert check["message"].startswith("https://192.0.2.1 can't be reached: ")
    assert check["hint"].endswith(f" SSL_CERT_FILE is set, but not read for tokens. {USE_BUNDLE}")
    found = examine(variables | {"PROCOUNTOR_CA_BUNDLE": str(certificate.file)})
    assert found["reasons"] == []
    assert host_of(found)["message"] == (
        f"https://192.0.2.1 responds through the proxy {proxy.address}: status 401 to a request without a token"
    )


@pytest.mark.parametrize("columns", [80, 50])
def test_no_word_breaks_on_a_terminal(
    described: dict[str, str], start: Callable[..., Command], make_terminal: Callable[[], Terminal], columns: int
) -> None:
    """At 80 and at 50 columns no line is wider than the terminal, and each variable's name is in one piece."""
    terminal = make_terminal()
    foreign = {"HTTPS_PROXY": PROXY, "REQUESTS_CA_BUNDLE": "canary", "SSL_CERT_FILE": "canary"}
    variables = described | foreign | {"TERM": "xterm-256color", "COLUMNS": str(columns), "HOME": os.environ["HOME"]}
    assert start("doctor", "--offline", environment=variables, pipes={"stdout": terminal.side}).ends()[0] == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.shown()).replace("\r", "")
    assert max(len(line) for line in plain.split("\n")) <= columns
    words = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", plain))
    assert words == described.keys() | foreign.keys() | {
        f"PROCOUNTOR_{name}" for name in ("PROXY", "CA_BUNDLE", "ENVIRONMENT")
    }
    assert "canary" not in plain
