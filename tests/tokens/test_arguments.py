"""What `ProcountorAuth` is given: secrets by name, and what it is not made for."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import traceback
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from procountor_auth import LegacyAuthWarning, Settings, TokenSource
from procountor_auth.errors import ConfigurationError
from procountor_auth.login.login import KeyLogin
from procountor_auth.stores import open_store
from procountor_auth.tokens.bearer import Bearer
from procountor_auth.transport import backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    LogIn = Callable[[str, Sandbox], str]

pytestmark = pytest.mark.server  # urllib3 opens a socket when it is imported

_CLIENT: Final[dict[str, Any]] = {"client_id": "c", "client_secret": "s", "redirect_uri": "r"}


def auth_of(name: str) -> type[Bearer]:
    """Return the authentication of one client."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    found: type[Bearer] = importlib.import_module(f"procountor_auth.{name}").ProcountorAuth
    return found


@pytest.mark.parametrize("name", ["httpx", "httpx2", "requests"])
@pytest.mark.parametrize("strategy", ["client_credentials", "authorization_code", "legacy_password"])
def test_secrets_can_be_given_by_name(sandbox: Sandbox, name: str, strategy: str) -> None:
    """A program that has its secrets at run time gives them to the strategy's own constructor."""
    variables = sandbox.environment(strategy, refresh_token=strategy == "authorization_code")
    given: dict[str, Any] = {
        key.removeprefix("PROCOUNTOR_").lower(): value
        for key, value in variables.items()
        if key not in {"PROCOUNTOR_STRATEGY", "PROCOUNTOR_TOKEN_STORE"}
    }
    if strategy == "legacy_password":
        with pytest.warns(LegacyAuthWarning):
            auth = getattr(auth_of(name), strategy)(**given)
    else:
        auth = getattr(auth_of(name), strategy)(**given)
    assert auth.source.token().strategy == strategy
    assert isinstance(auth, auth_of(name))


def test_a_secret_may_be_wrapped() -> None:
    """`SecretStr` is as good as text, and a number is a company."""
    auth = Bearer.client_credentials(**_CLIENT, api_key=SecretStr("k"), company=14159, timeout=7)
    settings = auth.source.bind().provider.settings
    assert settings.company is not None
    assert (settings.company.get_secret_value(), settings.timeout) == ("14159", 7)


_EACH: Final[dict[str, dict[str, Any]]] = {
    "client_credentials": {"api_key": "k3y", "company": 14159},
    "authorization_code": {"refresh_token": "r3fresh", "company": 14159},
    "legacy_password": {"username": "somebody", "password": "p4ss", "company": 14159},
}


@pytest.mark.parametrize("strategy", _EACH)
def test_each_argument_is_its_setting(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given by name arrives under the same name, whatever the environment says; the library is the class's."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "allow")
    monkeypatch.setenv("PROCOUNTOR_CLIENT_ID", "another")
    others: dict[str, Any] = {
        "base_url": "https://api.example",
        "api_version": "v2302",
        "token_store": "memory",
        "token_store_key": Fernet.generate_key().decode(),
        "timeout": 7.0,
        "proxy": "http://proxy.example",
    }
    given = {**_CLIENT, **_EACH[strategy], **others}
    for kind in (Bearer, auth_of("httpx")):
        provider = getattr(kind, strategy)(**given).source.bind().provider
        settings = provider.settings
        found = {name: getattr(settings, name) for name in given}
        plain = {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in found.items()}
        assert plain == given | {"company": "14159"}
        assert settings.strategy == strategy
        assert provider.backends.transport.library == kind.library


def test_what_is_wrong_with_an_argument_is_a_configuration_error() -> None:
    """An argument that can't be it is named like its variable, and is not shown."""
    with pytest.raises(ConfigurationError, match="PROCOUNTOR_API_KEY contains white space") as caught:
        Bearer.client_credentials(**_CLIENT, api_key="n0t 4u")
    assert "n0t" not in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "own"),
    [
        ("client_credentials", {"api_key": "n0t 4u"}),
        ("authorization_code", {"refresh_token": "n0t 4u"}),
        ("legacy_password", {"username": "n0t4u-name", "password": "n0t4u", "company": "n0t a number"}),
    ],
)
def test_no_secret_is_in_the_local_variables_of_a_traceback(strategy: str, own: dict[str, str]) -> None:
    """A tool that records the local variables of each frame finds no secret in ours."""
    make = getattr(Bearer, strategy)
    others = {"token_store_key": "n0t4u-key", "proxy": "http://user:n0t4u-proxy@proxy.example"}
    frames: list[str] = []
    try:
        make(**_CLIENT, **own, **others)
    except ConfigurationError as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals["__name__"].startswith("procountor_auth"):
                frames += [repr(value) for value in frame.f_locals.values()]
    assert frames
    assert not [each for each in frames if "n0t4u" in each or "n0t 4u" in each]


@pytest.mark.parametrize("name", ["httpx", "httpx2", "requests"])
@pytest.mark.parametrize("thing", ["text", "settings", "number"])
def test_what_is_no_source_is_told_what_to_write(name: str, thing: str) -> None:
    """A profile's name, settings or anything else in the place of a source is a TypeError that says the right thing."""
    settings = Settings(strategy="client_credentials", **_CLIENT, api_key="k")
    key = "ProcountorAuth.client_credentials(api_key=…, …)"
    wrong: dict[str, tuple[Any, str]] = {
        "text": ("n0t4u", f"a str: write ProcountorAuth(profile=…) for a profile, or {key} for a key"),
        "settings": (settings, "a Settings: write ProcountorAuth(TokenSource.from_settings(settings))"),
        "number": (7, "a int: write ProcountorAuth() for what the environment describes"),
    }
    given, said = wrong[thing]
    with pytest.raises(TypeError) as caught:
        auth_of(name)(given)
    assert str(caught.value) == f"ProcountorAuth(source) takes a TokenSource, not {said} (procountor_auth.{name})"


@pytest.mark.parametrize(
    ("of", "given_to"),
    [("requests", "httpx"), ("requests", "httpx2"), ("httpx", "requests"), ("httpx2", "httpx"), ("httpx", "httpx2")],
)
def test_another_client_s_authentication_is_told_where_the_right_one_is(of: str, given_to: str) -> None:
    """Whoever imports it from the wrong module is told the modules, before anything is sent."""
    auth = auth_of(of)(TokenSource.from_settings(Settings(strategy="client_credentials", **_CLIENT, api_key="k")))
    client = pytest.importorskip(given_to)
    with pytest.raises(TypeError, match=f"This ProcountorAuth is for {of}: import it from procountor_auth"):
        client.get("http://127.0.0.1:1/", auth=auth)


def test_a_misspelt_setting_is_told_the_right_one() -> None:
    """`Settings(apikey=…)` suggests `api_key`."""
    with pytest.raises(TypeError, match=r"Settings has no apikey: did you mean api_key\?"):
        Settings(strategy="client_credentials", **_CLIENT, apikey="k")


@pytest.mark.parametrize("library", ["requests", "", "HTTPX", 5, ["httpx"]])
def test_a_library_that_fetches_no_tokens_is_refused(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - wrong on purpose
    """At once, not where the first token is requested; the error says which ones there are."""
    monkeypatch.setenv("PROCOUNTOR_API_KEY", "k")
    settings = Settings(strategy="client_credentials", **_CLIENT)
    with pytest.raises(ConfigurationError, match="`library` is none of the HTTP libraries") as caught:
        TokenSource.from_settings(settings, library=library)
    assert 'library="httpx2"' in str(caught.value.hint)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
@pytest.mark.parametrize("hidden", [True, False])
def test_a_library_that_is_not_installed_is_refused(
    library: str, *, hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, with the command that installs it, whether it is missing or the program hides it."""
    monkeypatch.setenv("PROCOUNTOR_API_KEY", "k")
    if hidden:
        monkeypatch.setitem(sys.modules, library, None)
    else:
        monkeypatch.delitem(sys.modules, library, raising=False)
        monkeypatch.setattr(backend, "find_spec", lambda _name: None)
    settings = Settings(strategy="client_credentials", **_CLIENT)
    with pytest.raises(ConfigurationError) as caught:
        TokenSource.from_settings(settings, library=library)
    assert f"needs {library}, which is not installed" in str(caught.value)
    assert caught.value.hint == f"Run: pip install {library}"


_ACCOUNTS: Final = (None, 0, False, 42, b"42", uuid.UUID(int=1), SecretStr("42"))


@pytest.mark.parametrize("account", _ACCOUNTS, ids=lambda account: type(account).__name__ + str(account)[:4])
def test_an_account_is_text(account: Any) -> None:  # noqa: ANN401 - wrong on purpose
    """Else 42 is not the `--account 42` of the command line, and the user 0 gets the tokens of nobody in particular."""
    settings = Settings(strategy="client_credentials", api_key="k", **_CLIENT)
    with pytest.raises(TypeError, match=r"account takes text, not \w+: write account=str\(user.id\)"):
        TokenSource.from_settings(settings, account=account)
    with pytest.raises(TypeError, match="account takes text"):
        TokenSource(TokenSource.from_settings(settings).strategy, account=account)


def _source(**given: Any) -> TokenSource:  # noqa: ANN401 - wrong on purpose
    return TokenSource.from_settings(Settings(strategy="client_credentials", api_key="k", **_CLIENT), **given)


_WRONG: Final[dict[str, tuple[Any, str]]] = {
    "store": (lambda: _source(store="file"), r'store takes a Store, not str: write store=open_store\("file"\)'),
    "on_event": (lambda: _source(on_event=5), "on_event takes a function, not int"),
    "settings": (lambda: TokenSource.from_settings("client_credentials"), "settings takes Settings, not str"),  # type: ignore[arg-type]
    "no settings": (lambda: TokenSource.from_settings(None), "settings takes Settings, not None"),  # type: ignore[arg-type]
    "key's settings": (lambda: KeyLogin.from_settings(5), "settings takes Settings, not int: .*KeyLogin.from_env"),  # type: ignore[arg-type]
    "strategy": (lambda: TokenSource("client_credentials"), r"strategy takes a Strategy, not str: .*from_env\(\)"),  # type: ignore[arg-type]
    "fallback": (lambda: TokenSource(_source().strategy, fallback="x"), "fallback takes a Strategy, not str"),  # type: ignore[arg-type]
    "place": (lambda: open_store(5), r'open_store takes text, not int: write open_store\("file"\)'),  # type: ignore[arg-type]
    "key": (lambda: open_store("file", "s3cret"), r"keys takes a tuple of SecretStr"),  # type: ignore[arg-type]
    "keys": (lambda: open_store("file", ("s3cret",)), r"keys takes a tuple of SecretStr"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("make", "said"), _WRONG.values(), ids=_WRONG)
def test_an_argument_of_another_class_is_refused_where_it_is_made(make: Callable[[], object], said: str) -> None:
    """It is named with its class and what to write, and its value is shown nowhere, in no frame of the package."""
    with pytest.raises(TypeError, match=said) as caught:
        make()
    text = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    _, _, ours = text.partition("procountor_auth/")
    assert "s3cret" not in ours


@pytest.mark.parametrize("name", ["strategy", "library"])
def test_what_a_constructor_decides_itself_is_left_out(name: str) -> None:
    """`ProcountorAuth.client_credentials(strategy=…)` says that it has one, and names no function within."""
    given: dict[str, Any] = {name: "httpx2"}
    with pytest.raises(TypeError, match=rf"client_credentials\(\) has its {name} already: leave {name}= out"):
        Bearer.client_credentials(**_CLIENT, api_key="k", **given)


class URL(NamedTuple):
    """A framework's own class for a URL."""

    address: str


@pytest.mark.parametrize("kind", [URL, bytes, SecretStr])
def test_an_address_that_is_no_text_leaves_the_login_open(
    sandbox: Sandbox, log_in: LogIn, kind: Callable[[Any], Any]
) -> None:
    """A framework's URL is not taken for text: the error says what to write, no frame of ours shows the code."""
    variables = sandbox.environment("authorization_code")
    given: dict[str, Any] = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()}
    login = TokenSource.from_settings(Settings(**given)).begin_login()
    address = log_in(login.url, sandbox)
    other = kind(address.encode() if kind is bytes else address)
    for complete in (login.complete, lambda given: asyncio.run(login.acomplete(given))):
        with pytest.raises(
            TypeError, match=r"complete takes the address as text, not \w+: .*str\(request.url\)"
        ) as caught:
            complete(other)
        frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
        ours = [frame for frame in frames if str(frame.f_globals["__name__"]).startswith("procountor_auth")]
        assert ours
        assert not any("code=" in repr(frame.f_locals) for frame in ours)
    assert login.complete(address).strategy == "authorization_code"


def test_a_saved_login_is_text(sandbox: Sandbox) -> None:
    """The bytes of a Redis or of a cookie are to be decoded first, which the error says."""
    variables = sandbox.environment("authorization_code")
    given: dict[str, Any] = {name.removeprefix("PROCOUNTOR_").lower(): value for name, value in variables.items()}
    source = TokenSource.from_settings(Settings(**given))
    saved = source.begin_login().save()
    with pytest.raises(TypeError, match=r"resume_login takes the text that `save` returned, not bytes: decode"):
        source.resume_login(saved.encode())  # type: ignore[arg-type]
    assert source.resume_login(saved).url
