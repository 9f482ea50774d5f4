"""The scanner around real tests: each of these leaks goes its real way, and fails the test that leaks."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import pytest

from tests.supply.plugins import NO_OTHERS

_CONFTEST: Final = """
import sys
sys.path.insert(0, {tests!r})
from leaks.plugin import LeakScanner

def pytest_configure(config):
    config.pluginmanager.register(LeakScanner(), "leaks")
"""

_TESTS: Final = """
import base64, html, json, logging, os, subprocess, sys, warnings
from contextlib import nullcontext
from urllib.parse import quote, quote_plus

import pytest

from procountor_auth import ConfigurationError, ProcountorAuthError, Settings, Token, TokenSource
from procountor_auth.errors import Problem
from procountor_auth.protocol import endpoints
from procountor_auth.sandbox import Sandbox

PASSWORD = "p&s+w%rd;= of the user"


@pytest.fixture
def sandbox():
    with Sandbox(password=PASSWORD) as running:
        yield running


def settings(sandbox, strategy, **changes):
    found = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    named = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in found.items()}
    return Settings(**named | {"legacy_policy": "allow"} | changes)


def login(sandbox):
    return TokenSource.from_settings(settings(sandbox, "authorization_code", pkce="true")).begin_login()


def raised(error):
    with pytest.raises(ProcountorAuthError):
        raise error


def test_stdout__api_key__raw(sandbox):
    print(sandbox.api_key)

def test_stderr__password__percent(sandbox, capfd):
    os.write(2, quote(PASSWORD, safe="").encode())
    capfd.readouterr()

def test_stdout__client_secret__hex(sandbox):
    child = "import sys; print(sys.stdin.read().encode().hex())"
    subprocess.run([sys.executable, "-c", child], input=sandbox.client_secret, text=True, capture_output=True)

def test_log__password__form(sandbox):
    logging.getLogger("another.library").debug("sent %s", quote_plus(PASSWORD))

def test_log__code__raw(sandbox, monkeypatch):
    monkeypatch.setattr("procountor_auth.transport.connection.quiet", nullcontext)
    from procountor_auth.transport import log_filter
    for name in log_filter.LOGGERS:
        logging.getLogger(name).removeFilter(log_filter._is_heard)
    TokenSource.from_settings(settings(sandbox, "legacy_password")).token()

def test_log__company__raw(sandbox):
    settings(sandbox, "legacy_password").oauth_client()
    logging.getLogger("procountor_auth").info("company %s", sandbox.company)

def test_log__username__raw(sandbox):
    logging.getLogger("procountor_auth").debug("user %s", sandbox.username)

def test_str__refresh_token__raw(sandbox):
    token = login_token(sandbox)
    raised(ProcountorAuthError(f"refused: {token.refresh_token}"))

def test_repr__access_token__raw(sandbox, monkeypatch):
    monkeypatch.setattr(Token, "__repr__", lambda token: f"<Token {token.access_token}>")
    TokenSource.from_settings(settings(sandbox, "client_credentials")).token()

def test_validation__api_key__JSON(sandbox):
    raised(ConfigurationError("no", problems=(Problem("PROCOUNTOR_API_KEY", "invalid", sandbox.api_key),)))

def test_locals__code__raw(sandbox):
    visit = login(sandbox)
    code = sandbox.log_in(visit.url).partition("code=")[2].partition("&")[0]
    program = compile("def exchange(code):\\n    raise error", endpoints.__file__, "exec")
    names = {"error": ProcountorAuthError("no")}
    exec(program, names)
    with pytest.raises(ProcountorAuthError):
        names["exchange"](code)

def test_chain__client_secret__raw(sandbox):
    error = ProcountorAuthError("no")
    error.__cause__ = ValueError(sandbox.client_secret)
    raised(error)

def test_chain__state__raw(sandbox):
    state = login(sandbox).url.partition("state=")[2].partition("&")[0]
    with pytest.raises(ProcountorAuthError):
        try:
            raise KeyError(state)
        except KeyError:
            raise ProcountorAuthError("no")

def test_vars__verifier__raw(sandbox):
    error = ProcountorAuthError("no")
    error.sent = {"code_verifier": login(sandbox)._request.code_verifier.get_secret_value()}
    raised(error)

def test_pickle__api_key__base64(sandbox):
    error = ProcountorAuthError("no")
    error.answer = base64.b64encode(b"x" + sandbox.api_key.encode())
    raised(error)

def test_warning__client_secret__HTML(sandbox):
    with pytest.warns(UserWarning):
        warnings.warn(html.escape(f"<{sandbox.client_secret}>"))

def test_argv__access_token__raw(sandbox):
    token = TokenSource.from_settings(settings(sandbox, "client_credentials")).token()
    subprocess.run([sys.executable, "-c", "", token.access_token])

def test_environment__password__double_percent(sandbox):
    value = quote(quote(PASSWORD, safe=""), safe="")
    subprocess.run([sys.executable, "-c", ""], env=dict(os.environ, OTHER_PROGRAM=value))

def test_file__api_key__raw(sandbox, tmp_path):
    child = "import os, sys; os.umask(0o77); open('kept', 'w').write(sys.stdin.read())"
    subprocess.run([sys.executable, "-c", child], input=sandbox.api_key, text=True, cwd=tmp_path)

def test_file__refresh_token__repr(sandbox, tmp_path):
    child = "import sys; open('kept', 'w').write(repr(sys.stdin.read()))"
    subprocess.run([sys.executable, "-c", child], input=login_token(sandbox).refresh_token, text=True, cwd=tmp_path)

def test_event__password__repr(sandbox):
    logging.getLogger("procountor_auth").info("x", extra={"procountor_event": {"error": PASSWORD}})

def test_sandbox_log__password__raw(sandbox):
    sandbox._started.service.log.add(
        method="GET", path="/", status=200, grant_type=None, at=0.0, query_names=(), fault=PASSWORD
    )

def test_nothing__legacy(sandbox, tmp_path):
    chosen = settings(sandbox, "legacy_password", token_store=f"file:{tmp_path}/store")
    source = TokenSource.from_settings(chosen)
    source.renew(source.token())
    (tmp_path / ".env").write_text(PASSWORD)
    logging.getLogger("another.library").debug("of %s in %s", sandbox.username, sandbox.company)

def test_nothing__login(sandbox):
    login_token(sandbox)

def test_nothing__refused(sandbox):
    with pytest.raises(ProcountorAuthError):
        TokenSource.from_settings(settings(sandbox, "legacy_password", password="wrong-and-longer")).token()


def login_token(sandbox):
    visit = login(sandbox)
    return visit.complete(sandbox.log_in(visit.url))
"""

LEAKS: Final = sorted(
    line.removeprefix("def test_").partition("(")[0] for line in _TESTS.splitlines() if line.startswith("def test_")
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the scanner said about each test of a run of its own; "" if it said nothing."""
    folder = tmp_path_factory.mktemp("leaking")
    (folder / "conftest.py").write_text(_CONFTEST.format(tests=str(Path(__file__).parents[1])), "utf-8")
    (folder / "test_leaking.py").write_text(_TESTS, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NO_OTHERS, f"--junitxml={report}", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.is_file(), done.stdout + done.stderr
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        assert case.find("failure") is None, ET.tostring(case, "unicode")
        error = case.find("error")
        found[case.attrib["name"].removeprefix("test_")] = "" if error is None else str(error.text)
    return found


@pytest.mark.process
def test_every_test_has_run(said: dict[str, str]) -> None:
    """At least twenty leaks were planted, and each test of the inner run was judged."""
    assert sorted(said) == LEAKS
    assert len([name for name in LEAKS if not name.startswith("nothing")]) >= 20


@pytest.mark.process
@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_fails_the_test_in_which_it_happens(said: dict[str, str], name: str) -> None:
    """The message names the kind and the place of each leak, and a test without one passes."""
    place, kind, *_ = name.split("__")
    if place == "nothing":
        assert said[name] == ""
    else:
        assert f"{kind} in {place.replace('_', ' ')}, " in said[name]
        assert "leaked" in said[name]
