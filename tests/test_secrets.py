"""No secret stands in a log, a `repr`, an exception with its locals, or a URL. And every password arrives."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from procountor_auth import KeyLogin, ProcountorAuthError, Settings, TokenSource
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.tokens.bearer import Bearer
from tests.variables import arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    LogIn = Callable[[str, Sandbox], str]

pytestmark = pytest.mark.server

PASSWORD = "p&s+w%rd;= ä€🔑 #'\"\\"

STRATEGIES = ["legacy_password", "authorization_code", "client_credentials"]


@pytest.fixture(scope="module")
def module_sandbox() -> Iterator[Sandbox]:
    """A sandbox that this module's tests use one after the other."""
    with Sandbox(password=PASSWORD) as running:
        yield running


@pytest.fixture
def sandbox(module_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The module's sandbox, as it was at first; what fails there is tried again at once."""
    monkeypatch.setattr("procountor_auth.transport.retry.FIRST_WAIT", 0.0)
    module_sandbox.quirks, module_sandbox.faults = Quirks(), Faults()
    return module_sandbox


def settings(sandbox: Sandbox, strategy: str, **changes: str) -> Settings:
    """Describe a sandbox to the library, with some values changed."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    return Settings(**arguments(variables) | {"legacy_policy": "allow"} | changes)


def forms(secret: str) -> set[str]:
    """Return a secret as it is and as it stands in a form, a URL, a repr."""
    return {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], repr(secret.encode())[2:-1]}


def leaks(text: str, secrets: list[str]) -> list[str]:
    """Return the secrets that stand in a text, in any form."""
    return [secret for secret in secrets if any(form in text for form in forms(secret))]


def test_scanner_finds_what_leaks() -> None:
    """The scanner of these tests finds a planted secret in each of its forms."""
    for form in forms(PASSWORD):
        assert leaks(f"before {form} after", [PASSWORD]) == [PASSWORD]
    assert leaks("nothing here", [PASSWORD]) == []


@pytest.mark.parametrize("in_a_loop", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_secret_at_debug(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, strategy: str, *, in_a_loop: bool
) -> None:
    """With every logger at DEBUG, a first token, a renewal and all the reprs show no secret, and no URL has one."""
    caplog.set_level(logging.DEBUG)
    sandbox.quirks = Quirks(refresh_token="rotate")
    before = len(sandbox.log())
    chosen = settings(sandbox, strategy)
    tokens = TokenSource.from_settings(chosen)
    first = asyncio.run(tokens.atoken()) if in_a_loop else tokens.token()
    second = asyncio.run(tokens.arenew(first)) if in_a_loop else tokens.renew(first)
    reprs = [repr(each) for each in (chosen, tokens, tokens.strategy, first, second, Bearer(tokens), sandbox)]
    fields = [repr(vars(each)) for each in (chosen, tokens, tokens.strategy)]
    served = sandbox.log()[before:]

    secrets = [sandbox.username, PASSWORD, sandbox.client_secret, sandbox.api_key]
    secrets += [secret for token in (first, second) for secret in (token.access_token, token.refresh_token) if secret]
    assert leaks("\n".join([caplog.text, *reprs, *fields]), secrets) == []
    assert "code=" not in caplog.text
    assert "state=" not in caplog.text
    assert "/api/oauth/token: status 200" in caplog.text
    assert served
    assert not any(entry["secret_in_url"] for entry in served)


def test_nothing_secret_in_a_login_at_debug(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, log_in: LogIn) -> None:
    """A login and a key login in a browser put neither code, state, verifier, token nor key into log or repr."""
    login = TokenSource.from_settings(settings(sandbox, "authorization_code", pkce="true")).begin_login()
    key_login = KeyLogin.from_settings(settings(sandbox, "client_credentials"))
    redirects = [log_in(visit.url, sandbox) for visit in (login, key_login)]
    caplog.set_level(logging.DEBUG)
    token = login.complete(redirects[0])
    key = key_login.complete(redirects[1])

    shown = caplog.text + repr((login, key_login, vars(login), vars(key_login), token, key))
    secrets = [part.partition("=")[2] for url in redirects for part in url.partition("?")[2].split("&")]
    secrets = [secret for secret in secrets if len(secret) > 8]
    assert len(secrets) == 4  # a code and a state each
    assert leaks(shown, [*secrets, token.access_token, token.refresh_token or "", key.get_secret_value()]) == []


@pytest.mark.parametrize(
    ("strategy", "changes", "behaviour"),
    [
        ("legacy_password", {"password": PASSWORD + "wrong"}, Quirks()),
        ("legacy_password", {"password": PASSWORD + "wrong"}, Quirks(error_shape="errors")),
        ("legacy_password", {"client_secret": "wrong-client-secret"}, Quirks()),
        ("legacy_password", {}, Quirks(state="wrong")),
        ("legacy_password", {}, Quirks(state="omit")),
        ("legacy_password", {}, Quirks(location="https://elsewhere.example/?code=stolen")),
        ("legacy_password", {}, Quirks(legacy_removed="login_page")),
        ("legacy_password", {}, Faults(body="html", where="token")),
        ("legacy_password", {"base_url": "http://127.0.0.1:1"}, Quirks()),
        ("client_credentials", {"api_key": "wrong-api-key"}, Quirks()),
        ("client_credentials", {}, Faults(body="html", where="token")),
        ("client_credentials", {}, Faults(status=503)),
        ("client_credentials", {}, Quirks(token_type="mac")),
        ("client_credentials", {"base_url": "http://127.0.0.1:1"}, Quirks()),
        ("authorization_code", {"refresh_token": "wrong-refresh-token"}, Quirks()),
        ("authorization_code", {"client_secret": "wrong-client-secret"}, Quirks()),
    ],
)
@pytest.mark.parametrize("in_a_loop", [False, True])
def test_nothing_secret_in_errors(
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    strategy: str,
    changes: dict[str, str],
    behaviour: Quirks | Faults,
    *,
    in_a_loop: bool,
) -> None:
    """Each kind of failure is one typed error of one or two lines, with no secret in text, locals, or chain."""
    caplog.set_level(logging.DEBUG)
    chosen = settings(sandbox, strategy, **changes)
    if isinstance(behaviour, Faults):
        sandbox.faults = behaviour
    else:
        sandbox.quirks = behaviour
    tokens = TokenSource.from_settings(chosen)
    with pytest.raises(ProcountorAuthError) as failed:
        _ = asyncio.run(tokens.atoken()) if in_a_loop else tokens.token()

    error = failed.value
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    # The frames of this test hold what the test itself has made up.
    ours = shown[shown.index("in token\n" if not in_a_loop else "in atoken\n") :]
    secrets = [sandbox.username, PASSWORD, sandbox.client_secret, sandbox.api_key, *changes.values()]
    secrets = [secret for secret in secrets if not secret.startswith("http")]
    assert leaks(ours + caplog.text + str(error) + repr(error) + repr(vars(error)), secrets) == []
    assert (error.__cause__, error.__context__) == (None, None)
    assert 1 <= len(str(error).splitlines()) <= 2
    assert error.hint


@pytest.mark.parametrize(
    "secret", [PASSWORD, " leading and trailing ", "%26%2B", "&password=other", "a+b c", "🔑" * 40]
)
def test_passwords_arrive_unchanged(secret: str) -> None:
    """Whatever characters a password has, the server gets exactly these."""
    with Sandbox(password=secret) as sandbox:
        assert TokenSource.from_settings(settings(sandbox, "legacy_password")).token().company_id == 14159


def test_password_arrives_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A password arrives unchanged from `.env` and from the secrets directory, too."""
    with Sandbox(password=PASSWORD) as sandbox:
        variables = sandbox.environment("legacy_password") | {"PROCOUNTOR_LEGACY_POLICY": "allow"}
        del variables["PROCOUNTOR_PASSWORD"]
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        (tmp_path / ".env").write_text(f"PROCOUNTOR_PASSWORD='{quoted}'\n", encoding="utf-8")
        assert TokenSource.from_env().token().company_id == 14159

        (tmp_path / ".env").unlink()
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "procountor_password").write_text(PASSWORD + "\n", encoding="utf-8")
        monkeypatch.setenv("PROCOUNTOR_SECRETS_DIR", str(tmp_path / "secrets"))
        assert TokenSource.from_env().token().company_id == 14159
