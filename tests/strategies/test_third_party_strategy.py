"""A strategy of another package: examples/third_party_strategy, and the one of docs/strategies.md."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from procountor_auth import ConfigurationError, Settings, Strategy, Token, TokenSource
from procountor_auth.errors import CredentialsRefused, InvalidClient, ServiceUnavailable, UnexpectedResponse
from procountor_auth.protocol.flow import Repeat, Request, Response
from procountor_auth.strategies import ClientCredentialsStrategy, build, guarded, registry
from procountor_auth.tokens.company import Company
from procountor_auth.tokens.fallback import Fallback
from procountor_auth.tokens.known_problems import needs_login
from procountor_auth.tokens.provider import TokenProvider
from procountor_auth.transport.backend import backend
from tests.supply.plugins import NO_OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.protocol.client import OAuthClient
    from procountor_auth.protocol.flow import Flow
    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]
    Requests = Callable[[Sandbox], list[str]]

pytestmark = pytest.mark.once

_ROOT: Final = Path(__file__).parents[2]
_PACKAGE: Final = _ROOT / "examples" / "third_party_strategy"
_SECRET: Final = "br0ker-s3cret"
_JSON: Final = {"content-type": ("application/json",)}


def test_a_fault_of_our_own_strategy_is_seen() -> None:
    """What a strategy of another package raises becomes an error of ours; a fault of ours keeps its class and cause."""

    class Ours(ClientCredentialsStrategy):
        pass

    class Others(ClientCredentialsStrategy):
        pass

    Ours.__module__, Others.__module__ = "procountor_auth.strategies.x", "broker"

    def fail() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded.ask(Ours.__new__(Ours), fail)
    with pytest.raises(ConfigurationError, match="ZeroDivisionError"):
        guarded.ask(Others.__new__(Others), fail)


class Broker:
    """A token broker that holds the credentials of a sandbox.

    Attributes:
        url: Where it hands out tokens.
        asked: The account of each request that it has answered with a token.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.asked: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/procountor"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, authorization: str | None, body: str) -> tuple[int, bytes]:
        """Return the answer to one request."""
        if authorization != f"Bearer {_SECRET}":
            return 401, json.dumps({"error": "invalid_client", "error_description": f"not {authorization}"}).encode()
        self.asked.append(parse_qs(body).get("account", [""])[0])
        sandbox = self._sandbox
        form = {
            "grant_type": "client_credentials",
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
            "redirect_uri": sandbox.redirect_uri,
            "api_key": sandbox.api_key,
        }
        with backend.Client(trust_env=False, verify=False) as client:
            answer = client.post(f"{sandbox.base_url}/api/oauth/token", data=form)
        return answer.status_code, answer.content

    def _handler(broker) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, content = broker.answer(self.headers.get("Authorization"), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def broker(sandbox: Sandbox) -> Iterator[Broker]:
    """A running broker."""
    with Broker(sandbox) as running:
        yield running


def install(project: str, folder: Path) -> None:
    """Write what an installer writes for a package's `pyproject.toml`, next to its modules or not."""
    described = tomllib.loads(project)["project"]
    info = folder / f"{described['name'].replace('-', '_')}-{described['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.3\nName: {described['name']}\nVersion: {described['version']}\n", "utf-8"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in described["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points), "utf-8")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The example's module, installed for this test."""
    site = tmp_path_factory.mktemp("site")
    install((_PACKAGE / "pyproject.toml").read_text("utf-8"), site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(_PACKAGE))
    registry._registered.cache_clear()
    yield importlib.import_module("procountor_broker")
    sys.modules.pop("procountor_broker", None)
    registry._registered.cache_clear()


@pytest.fixture
def variables(broker: Broker, sandbox: Sandbox) -> dict[str, str]:
    """The environment of a program that gets its tokens from the broker: no credential of Procountor's is in it."""
    return {
        "PROCOUNTOR_STRATEGY": "broker",
        "PROCOUNTOR_BASE_URL": sandbox.base_url,
        "PROCOUNTOR_BROKER_URL": broker.url,
        "PROCOUNTOR_BROKER_SECRET": _SECRET,
    }


@pytest.fixture
def strategy(module: Any, client: OAuthClient) -> Strategy:  # noqa: ANN401 - a module that is not on mypy's path
    """The strategy, to be driven by hand."""
    made: Strategy = module.BrokerStrategy(
        client, url="https://tokens.example/x", secret=SecretStr(_SECRET), account="acme-7"
    )
    return made


@pytest.fixture
def client(environment: Environment) -> OAuthClient:
    """An API client whose clock stands still."""
    environment({})
    names = {"client_id": "client-1", "client_secret": "cl13nt", "redirect_uri": "redirect-uri-placeholder"}
    settings = Settings(strategy="client_credentials", api_key="k3y", base_url="https://api.example", **names)
    return settings.oauth_client(lambda: 1_767_225_600.0)


@pytest.mark.usefixtures("module")
def test_a_program_runs_with_it(
    sandbox: Sandbox, broker: Broker, variables: dict[str, str], environment: Environment, token_requests: Requests
) -> None:
    """`PROCOUNTOR_STRATEGY` chooses it, and the API accepts its token on the user's own client."""
    environment(variables | {"PROCOUNTOR_BROKER_ACCOUNT": "oy & ab"})
    auth = pytest.importorskip(f"procountor_auth.{backend.__name__}").ProcountorAuth()
    with backend.Client(auth=auth, base_url=auth.api_url, trust_env=False, verify=False) as http:
        assert [http.get("sessioninfo").json()["companyId"] for _ in range(3)] == [14159] * 3
    assert broker.asked == ["oy & ab"]
    assert token_requests(sandbox) == ["client_credentials"]
    token = auth.source.token()
    assert (token.strategy, token.refresh_token) == ("broker", None)


@pytest.mark.usefixtures("module")
def test_a_rejected_token_is_renewed(
    sandbox: Sandbox, broker: Broker, variables: dict[str, str], environment: Environment
) -> None:
    """When the API rejects the token, the broker is asked for another one; a logout ends it at Procountor."""
    environment(variables)
    source = TokenSource.from_env()
    first = source.token()
    second = source.renew(first)
    assert second.access_token != first.access_token
    source.logout()
    assert broker.asked == ["", ""]
    assert [entry["status"] for entry in sandbox.log() if entry["path"].startswith("/logout")] == [204]


@pytest.mark.usefixtures("module")
def test_the_switch_to_it_and_back_is_one_variable(
    sandbox: Sandbox, variables: dict[str, str], environment: Environment
) -> None:
    """A running process goes from our strategy to this one and back, each with its own token."""
    ours = variables | sandbox.environment("client_credentials")
    environment(ours)
    source = TokenSource.from_env()
    own = source.token()
    environment(ours | {"PROCOUNTOR_STRATEGY": "broker"})
    assert source.reload()
    assert source.token().strategy == "broker"
    environment(ours)
    assert source.reload()
    assert source.token().access_token == own.access_token


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("missing", ["PROCOUNTOR_BROKER_URL", "PROCOUNTOR_BROKER_SECRET"])
def test_a_missing_variable_is_named(variables: dict[str, str], environment: Environment, missing: str) -> None:
    """What it needs and does not find is named as a variable, with the strategy that needs it; no client is needed."""
    del variables[missing]
    environment(variables)
    with pytest.raises(ConfigurationError, match=rf"{missing} is missing \(broker needs it\)") as caught:
        Settings()
    assert [(problem.variable, problem.kind) for problem in caught.value.problems] == [(missing, "missing")]
    assert _SECRET not in str(caught.value)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://tokens.example/",
            "https://user:c4n4ry@tokens.example/",
            "tokens.example",
            "https://",
            "ftp://a.example",
        ),
        *(
            "https://a.example/ c4n4ry",
            "https://a.example/\r\nX: c4n4ry",
            "https://[c4n4ry/",
            "http://127.0.0.1@b.example",
        ),
    ],
)
def test_a_broker_that_must_not_get_the_secret_is_refused(
    variables: dict[str, str], environment: Environment, url: str
) -> None:
    """A URL over which the secret would travel in the clear, or that is none, is a problem of its variable."""
    environment(variables | {"PROCOUNTOR_BROKER_URL": url})
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_BROKER_URL must start with https://") as caught:
        build(Settings())
    assert [(problem.variable, problem.kind) for problem in caught.value.problems] == [
        ("PROCOUNTOR_BROKER_URL", "invalid")
    ]
    assert "c4n4ry" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_request_has_the_secret_in_a_header(strategy: Strategy) -> None:
    """The secret is a bearer token and never part of the URL; the request may be repeated, and shows nothing."""
    request = next(strategy.acquire())
    assert request == Request("POST", "https://tokens.example/x", "account=acme-7", bearer=_SECRET, repeat=Repeat.SAFE)
    assert _SECRET not in repr(request) + repr(strategy) + repr(vars(strategy)) + repr(strategy.identity())
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(strategy)


def test_its_answers_are_read_like_ours(strategy: Strategy) -> None:
    """A token lives from when it was asked for, and a refresh token of the broker's is not kept."""
    token = _finish(strategy.acquire(), b'{"access_token": "acc3ss", "expires_in": 600, "refresh_token": "r3fresh"}')
    assert (token.access_token, token.issued_at, token.expires_at) == ("acc3ss", 1_767_225_600.0, 1_767_226_200.0)
    assert token.refresh_token is None
    assert strategy.owns(token)
    assert next(strategy.renew(token)) == next(strategy.acquire())


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(401, _JSON, b'{"error": "invalid_client"}'), InvalidClient),
        (Response(401, _JSON, b""), CredentialsRefused),
        (Response(200, {"content-type": ("text/html",)}, b"<html>"), UnexpectedResponse),
        (Response(200, _JSON, b'{"access_token": "a b"}'), UnexpectedResponse),
        (Response(200, _JSON, b'{"access_token": "a", "token_type": "mac"}'), UnexpectedResponse),
        (Response(200, _JSON, b'{"access_token": "a", "expires_in": -1}'), UnexpectedResponse),
        (Response(307, {"location": ("https://evil.example/",)}), UnexpectedResponse),
        (Response(503, _JSON, b""), ServiceUnavailable),
    ],
)
def test_its_refusals_are_ours(strategy: Strategy, response: Response, kind: type[Exception]) -> None:
    """Whatever the broker answers instead of a token is one of our errors; a lasting one says what to check."""
    flow = strategy.acquire()
    next(flow)
    with pytest.raises(kind) as caught:
        flow.send(response)
    assert type(caught.value) is kind
    assert ("PROCOUNTOR_BROKER_SECRET" in str(caught.value)) is (kind is not ServiceUnavailable)


@pytest.mark.usefixtures("module")
def test_a_refusal_repeats_no_secret(
    variables: dict[str, str], environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker that echoes what it was sent does not get it into the error or the log."""
    environment(variables | {"PROCOUNTOR_BROKER_SECRET": "c4n4ry"})
    with caplog.at_level("DEBUG"), pytest.raises(InvalidClient, match="withheld") as caught:
        TokenSource.from_env().token()
    assert "c4n4ry" not in str(caught.value) + caplog.text


@pytest.mark.parametrize("name", ["url", "account"])
def test_another_broker_is_another_entry_in_the_store(strategy: Strategy, client: OAuthClient, name: str) -> None:
    """Tokens of another broker or account are kept apart."""
    arguments = {
        "url": "https://tokens.example/x",
        "secret": SecretStr(_SECRET),
        "account": "acme-7",
        name: "https://b.example",
    }
    assert type(strategy)(client, **arguments).identity() != strategy.identity()


def test_a_fallback_logs_out_in_the_way_of_the_token(strategy: Strategy, client: OAuthClient) -> None:
    """With a fallback, each token is invalidated by the strategy that got it."""

    class Revoking(ClientCredentialsStrategy):
        def logout(self, token: Token) -> Flow[None]:
            yield Request("POST", "https://revoke.example/", bearer=token.access_token)

    other = Revoking(client, api_key=SecretStr("k3y"))
    both = TokenProvider(strategy, fallback=Fallback(other, emit=lambda _: None))
    first = _finish(strategy.acquire(), b'{"access_token": "acc3ss"}')
    second = dataclasses.replace(first, strategy="client_credentials")
    assert next(both.logout(first)).url == "https://api.example/logout"
    assert next(both.logout(second)).url == "https://revoke.example/"


def test_a_token_whose_owner_can_t_be_asked_is_an_error_of_ours(
    client: OAuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody's `owns` raises passes nowhere, and may hold secrets."""

    class Broken(ClientCredentialsStrategy):
        def owns(self, token: Token) -> bool:
            raise RuntimeError(token.access_token)

    token = Token("acc3ss", 0.0, 1.0, "broken", "r3fresh")
    provider = TokenProvider(Broken(client, api_key=SecretStr("k3y")))
    monkeypatch.setattr(Broken, "unattended", False)
    provider.company = Company(7)
    for ask in (provider.owns, provider.logout, lambda token: needs_login(provider, token, 2.0)):
        with pytest.raises(ConfigurationError) as caught:
            ask(token)
        assert caught.value.message == "The strategy client_credentials failed (RuntimeError)."
        assert caught.value.__context__ is None


def test_a_refusal_at_the_limit_keeps_its_error_code(strategy: Strategy) -> None:
    """The refusal that stands after the last fallback has the server's code, as without a fallback."""
    flow = strategy.acquire()
    next(flow)
    with pytest.raises(CredentialsRefused) as refused:
        flow.send(Response(400, _JSON, b'{"error": "invalid_scope"}'))
    fallback = Fallback(strategy, limit=0, emit=lambda _: None)
    with pytest.raises(CredentialsRefused, match="The limit of falling back to broker is reached") as caught:
        fallback.begin(strategy, refused.value)
    assert caught.value.error == "invalid_scope"


def _finish(flow: Flow[Token], body: bytes) -> Token:
    next(flow)
    with pytest.raises(StopIteration) as done:
        flow.send(Response(200, _JSON, body))
    token: Token = done.value.value
    return token


@pytest.mark.process
def test_the_page_about_strategies_is_right(tmp_path: Path) -> None:
    """The package of docs/strategies.md is found once it is installed, and its tests pass as they stand."""
    page = (_ROOT / "docs" / "strategies.md").read_text("utf-8")
    files = dict(re.findall(r"`([a-z_]+\.(?:py|toml))`:\n\n```(?:python|toml)\n(.*?)```", page, re.DOTALL))
    assert sorted(files) == ["key_service.py", "pyproject.toml", "test_key_service.py"]
    assert len(re.findall(r"^```(?:python|toml)$", page, re.MULTILINE)) == len(files)
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    install(files["pyproject.toml"], tmp_path / "site")
    path = os.pathsep.join([str(tmp_path / "site"), str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "pytest"),
            *("-q", "-p", "no:cacheprovider", *NO_OTHERS, "test_key_service.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
