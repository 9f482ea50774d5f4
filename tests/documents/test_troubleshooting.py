"""docs/troubleshooting.md: each message that it quotes is one that the real thing says today."""

from __future__ import annotations

import io
import re
import socket
import sys
import warnings
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt
import pytest

from procountor_auth import ProcountorAuthError, TokenSource, cli
from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.strategies import deprecation as lifecycle
from procountor_auth.tokens.bearer import Bearer
from procountor_auth.transport.backend import backend
from tests.proxy import ProxyServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

PAGE: Final = Path(__file__).parents[2] / "docs" / "troubleshooting.md"

C, L, A = "client_credentials", "legacy_password", "authorization_code"


@dataclass
class Trouble:
    """A configuration at a sandbox, and what goes wrong with it.

    Attributes:
        sandbox: The sandbox.
        folder: An empty folder.
        patch: To change the surroundings until the test ends.
        environment: Replaces the `PROCOUNTOR_*` variables.
        printed: Returns what was printed and logged.
    """

    sandbox: Sandbox
    folder: Path
    patch: pytest.MonkeyPatch
    environment: Environment
    printed: Callable[[], str]

    def set(self, strategy: str, **changes: str) -> Trouble:
        """Configure a strategy, with all credentials there, and some settings changed; empty ones are removed."""
        variables = self.sandbox.environment(L) | self.sandbox.environment(C)
        variables |= {"PROCOUNTOR_STRATEGY": strategy, "PROCOUNTOR_LEGACY_POLICY": "allow"}
        variables |= {f"PROCOUNTOR_{name.upper()}": value for name, value in changes.items()}
        self.environment({name: value for name, value in variables.items() if value})
        return self

    def runs(self, *arguments: str, typed: str = "") -> str:
        """Run the command; return everything that it prints."""
        self.patch.setattr(sys, "argv", ["procountor-auth", *arguments])
        self.patch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit):
            cli.main()
        return self.printed()

    def fails(self, what: Callable[[], object]) -> str:
        """Do something that raises one of our errors; return its text, and everything that was logged."""
        with pytest.raises(ProcountorAuthError) as failed:
            what()
        return f"{failed.value}\n{self.printed()}"

    def token(self) -> str:
        """Ask for a token in vain."""
        return self.fails(lambda: TokenSource.from_env().token())

    def file(self, text: str) -> str:
        """Write a profiles file; return its path."""
        path = self.folder / "profiles.toml"
        path.write_text(text, "utf-8")
        return str(path)

    def redirected(self, change: Callable[[str], str], **who: Any) -> str:  # noqa: ANN401 - as `log_in`
        """Log in, and complete the login with another address than the browser came back to."""
        login = self.set(A).fresh().begin_login()
        address = change(self.sandbox.log_in(login.url, **who))
        return self.fails(lambda: login.complete(address))

    def fresh(self) -> TokenSource:
        """Return a source of what is configured."""
        return TokenSource.from_env()


def _warned(trouble: Trouble) -> str:
    trouble.set(L, legacy_policy="warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trouble.fresh()
    return str(caught[0].message)


def _removed(trouble: Trouble) -> str:
    trouble.sandbox.quirks = Quirks(legacy_removed="404")
    return trouble.set(L).token()


def _revoked(trouble: Trouble, **changes: str) -> Trouble:
    trouble.sandbox.faults = Faults(revoked_keys=True)
    return trouble.set(C, **changes)


def _fell_back(trouble: Trouble) -> str:
    _revoked(trouble, fallback_strategy=L).fresh().token()
    return trouble.printed()


def _fell_back_too_often(trouble: Trouble) -> str:
    source = _revoked(trouble, fallback_strategy=L, fallback_limit="2").fresh()
    source.renew(source.token())
    return trouble.fails(lambda: source.renew(source.token()))


def _refresh_token_refused(trouble: Trouble) -> str:
    refresh_token = trouble.sandbox.environment(A, refresh_token=True)["PROCOUNTOR_REFRESH_TOKEN"]
    return trouble.set(A, refresh_token=refresh_token + "x").token()


def _faults(trouble: Trouble, faults: Faults) -> str:
    trouble.sandbox.faults = faults
    return trouble.set(C, timeout="2").token()


def _stopped(trouble: Trouble) -> str:
    trouble.set(C, timeout="2")
    trouble.sandbox.stop()
    return trouble.token()


def _unread_variable(trouble: Trouble) -> str:
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        trouble.patch.delenv(name, raising=False)
    trouble.patch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    return trouble.set(C, base_url="https://192.0.2.1").runs("doctor", "--offline")


def _proxy_refused(trouble: Trouble) -> str:
    with closing(ProxyServer(407)) as proxy:
        return trouble.set(C, base_url="https://192.0.2.1", proxy=f"http://{proxy.address}").token()


def _stranger(trouble: Trouble) -> str:
    assert not Bearer(trouble.set(C).fresh()).is_for("https", "other.example", None)
    return trouble.printed()


def _forbidden_folder(trouble: Trouble) -> str:
    folder = trouble.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return trouble.set(C, token_store=f"file:{folder}").token()


_KEYS: Final = ("kMZ-Cf1V_S0bXCzB0kq5EJlGFqYHVGZzwnVSNEkLX4s=", "m7eGzGGQzB2Hd8V1aRS3dGXAdGlwYQ1oBzO5WlVrVq8=")


def _sealed(trouble: Trouble, second: str) -> str:
    store = f"file:{trouble.folder / 'tokens'}"
    trouble.set(C, token_store=store, token_store_key=_KEYS[0]).fresh().token()
    trouble.set(C, token_store=store, token_store_key=second).fresh().token()
    return trouble.printed()


def _no_redis(trouble: Trouble) -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        return trouble.set(A, token_store=url, refresh_token="a.b.c", timeout="2").token()


def _port_taken(trouble: Trouble) -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}/callback"
        return trouble.set(C, redirect_uri=uri).runs("key", "create", "--timeout", "5")


def _nobody_came(trouble: Trouble) -> str:
    trouble.patch.setattr("procountor_auth.cli.login.browser_login.open_browser", lambda *_: None)
    return trouble.set(C, redirect_uri="http://127.0.0.1/callback").runs("key", "create", "--timeout", "1")


def _other_key(trouble: Trouble, *, client: bool = False) -> Trouble:
    sandbox = trouble.sandbox
    client_id = sandbox.world.add_client("elsewhere").client_id if client else sandbox.client_id
    second = 14160
    key = sandbox.world.create_api_key(client_id, sandbox.user_id, int(sandbox.company) if client else second)
    return trouble.set(L, api_key=key)


def _key_that_says(trouble: Trouble, **claims: object) -> Trouble:
    return trouble.set(C, api_key=jwt.encode(claims, "c" * 32, algorithm="HS256"))


def _key_of_other_company(trouble: Trouble) -> str:
    sandbox = trouble.sandbox
    return sandbox.world.create_api_key(sandbox.client_id, sandbox.user_id, 14160)


def _silent_key(trouble: Trouble) -> Trouble:
    trouble.sandbox.quirks = Quirks(company="omit")
    return trouble.set(C, api_key=_key_of_other_company(trouble))


def _kept_login(trouble: Trouble) -> str:
    shared = {"token_store": f"file:{trouble.folder}/tokens"}
    login = trouble.set(A, company="14160", **shared).fresh().begin_login()
    login.complete(trouble.sandbox.log_in(login.url, company="14160"))
    return trouble.set(A, company="14159", **shared).token()


def _user_without(trouble: Trouble, rights: set[str]) -> Trouble:
    world, company = trouble.sandbox.world, int(trouble.sandbox.company)
    user = world.add_user("robot", "pw", companies=[company])
    world.limit_user(user.id, company, rights)
    return trouble.set(L, api_key=world.create_api_key(trouble.sandbox.client_id, user.id, company))


_TWO: Final = '[profiles.acme]\ncompany = "1"\n'

CASES: Final[dict[str, Callable[[Trouble], str]]] = {
    "no_strategy": lambda it: it.set("").token(),
    "unknown_strategy": lambda it: it.set("client_credential").token(),
    "no_key": lambda it: it.set(C, api_key="").token(),
    "no_legacy": lambda it: it.set(L, username="", password="", company="").token(),
    "misspelt": lambda it: it.set(C, api_key="", api_kye="x").token(),
    "white_space": lambda it: it.set(C, api_key="a b").token(),
    "ignored": lambda it: f"{it.set(L, api_key='a b').fresh()}{it.printed()}",
    "host_alone": lambda it: it.set(C, base_url="https://api.procountor.com/rest").token(),
    "https": lambda it: it.set(C, base_url="http://api.procountor.com").token(),
    "company_id": lambda it: it.set(L, company="Sandbox Oy").token(),
    "deprecated": _warned,
    "policy": lambda it: it.set(L, legacy_policy="error").token(),
    "removed": _removed,
    "fell_back": _fell_back,
    "fell_back_too_often": _fell_back_too_often,
    "key_refused": lambda it: _revoked(it).token(),
    "password_refused": lambda it: it.set(L, password="wrong").token(),
    "client_refused": lambda it: it.set(C, client_secret="wrong").token(),
    "refresh_token_refused": _refresh_token_refused,
    "nobody_logged_in": lambda it: it.set(A).token(),
    "other_address": lambda it: it.redirected(lambda url: url.replace("redirect-uri-placeholder", "other")),
    "no_state": lambda it: it.redirected(lambda url: re.sub(r"&state=[^&]*", "", url)),
    "wrong_state": lambda it: it.redirected(lambda url: re.sub(r"&state=[^&]*", "&state=x", url)),
    "denied": lambda it: it.redirected(str, deny=True),
    "login_elsewhere": lambda it: it.set(C, token_store=f"file:{it.folder}/tokens").runs("login"),
    "login_forgotten": lambda it: it.set(A).runs("login"),
    "port_taken": _port_taken,
    "nobody_came": _nobody_came,
    "not_sealed": lambda it: _sealed(it, ""),
    "other_seal": lambda it: _sealed(it, _KEYS[1]),
    "open_folder": _forbidden_folder,
    "no_redis": _no_redis,
    "refused": _stopped,
    "unread_variable": _unread_variable,
    "proxy_refused": _proxy_refused,
    "busy": lambda it: _faults(it, Faults(status=503, retry_after=600)),
    "too_many": lambda it: _faults(it, Faults(status=429, retry_after=600)),
    "web_page": lambda it: _faults(it, Faults(status=403)),
    "no_token_for": _stranger,
    "no_profile": lambda it: it.set(C, profiles_file=it.file(_TWO)).runs("token", "--profile", "acne"),
    "no_file": lambda it: it.set(C, profiles_file="nowhere.toml").token(),
    "no_regular_file": lambda it: it.set(C, profiles_file="/dev/null").token(),
    "no_toml": lambda it: it.set(C, profiles_file=it.file("[profiles.acme\n")).token(),
    "same_name": lambda it: it.set(C, profiles_file=it.file("[profiles.a-b]\n[profiles.a_b]\n")).token(),
    "other_company": lambda it: it.set(C, api_key=_key_of_other_company(it)).token(),
    "session_of_other_company": lambda it: _silent_key(it).runs("doctor"),
    "kept_login": _kept_login,
    "key_of_other_company": lambda it: _other_key(it).runs("migrate", "check"),
    "key_of_other_client": lambda it: _other_key(it, client=True).runs("migrate", "check"),
    "key_of_other_host": lambda it: _key_that_says(it, iss="https://api.procountor.com").runs("doctor"),
    "key_ended": lambda it: _key_that_says(it, exp=1_600_000_000).runs("doctor"),
    "company_unknown": lambda it: it.set(L, company="").runs("migrate", "rehearse", "--target-only"),
    "policy_at_rehearsal": lambda it: it.set(L, legacy_policy="error").runs("migrate", "rehearse"),
    "login_needed": lambda it: it.set(L, token_store=f"file:{it.folder}/tokens").runs("migrate", "check", "--to", A),
    "memory_at_rehearsal": lambda it: it.set(L).runs("migrate", "rehearse", "--to", A),
    "no_right": lambda it: _user_without(it, {"sessioninfo"}).runs("migrate", "rehearse", "--also", "users"),
    "no_sessioninfo": lambda it: _user_without(it, set()).runs("migrate", "rehearse"),
    "not_switched": lambda it: it.set(L).runs("migrate", "finish"),
}


def entries() -> dict[str, str]:
    """Return the messages of the page, by the names that stand behind them."""
    return {
        name: message
        for message, name in re.findall(r"^\*\*`([^`]+)`\*\* <!-- (\w+) -->$", PAGE.read_text("utf-8"), re.MULTILINE)
    }


@pytest.fixture
def trouble(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Trouble:
    """A sandbox, and a home that is empty."""
    folder = Path.cwd()
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    lifecycle.forget_warning()
    caplog.set_level("INFO", "procountor_auth")

    def printed() -> str:
        said = capsys.readouterr()
        return said.out + said.err + caplog.text

    return Trouble(sandbox, folder, monkeypatch, environment, printed)


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_message_is_the_one_that_is_quoted(trouble: Trouble, name: str) -> None:
    """What is said in this trouble has the quoted message in it; `…` stands for anything in the line."""
    pattern = re.escape(entries()[name]).replace("…", ".*")
    said = CASES[name](trouble)
    assert re.search(pattern, said), said


def test_every_message_has_a_case() -> None:
    """No message is quoted that nothing checks, nothing is checked that is not there, and none stands there twice."""
    page = PAGE.read_text("utf-8")
    assert set(entries()) == set(CASES)
    assert len(re.findall(r"^\*\*`", page, re.MULTILINE)) == len(CASES) == len(set(entries().values()))


def test_a_stale_message_would_be_found(trouble: Trouble) -> None:
    """Another message than the quoted one is told apart."""
    said = CASES["no_key"](trouble)
    assert not re.search(re.escape(entries()["no_legacy"]), said)
    assert backend.__name__ not in said
