"""References to secrets in the settings: which may be one, which are followed, and what is said of those that can't."""

from __future__ import annotations

import sys
import textwrap
import traceback
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr

from procountor_auth import Settings
from procountor_auth.errors import ConfigurationError, Problem
from procountor_auth.settings import secret_reference
from procountor_auth.settings.key_login import KeyLoginSettings
from procountor_auth.settings.profiles import Profiles
from procountor_auth.settings.secret_reference import SecretReferences, follow, scheme_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CLIENT: Final[dict[str, Any]] = {"client_id": "client-1", "redirect_uri": "redirect-uri-placeholder"}

_SECRETS: Final = {
    "client_secret": "cl13nt",
    "username": "us3r@example.com",
    "password": " p4ss word ",
    "company": "014159",
    "api_key": "k3y",
    "refresh_token": "r3fresh",
    "token_store": "file:/nowhere/tokens",
    "token_store_key": "f3rn3t",
    "proxy": "http://u:pr0xy@127.0.0.1:1",
}

_STRATEGIES: Final = {
    "legacy_password": ("client_secret", "username", "password", "company", "token_store", "token_store_key", "proxy"),
    "client_credentials": ("client_secret", "company", "api_key", "token_store", "token_store_key", "proxy"),
    "authorization_code": ("client_secret", "company", "refresh_token", "token_store", "token_store_key", "proxy"),
}


def files(folder: Path, scheme: str = "file") -> dict[str, str]:
    """Write each secret to a file of its own; return the references to them."""
    for name, value in _SECRETS.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")
    prefix = {"file": "file:", "command": "command:cat "}[scheme]
    # `file:` before a token store is the file store itself.
    return {name: f"{'command:cat ' if name == 'token_store' else prefix}{folder / name}" for name in _SECRETS}


def value_of(settings: Settings, name: str) -> str:
    """Return a secret."""
    secret: SecretStr = getattr(settings, name)
    return secret.get_secret_value()


@pytest.mark.process
@pytest.mark.parametrize("strategy", _STRATEGIES)
def test_every_secret_may_be_a_reference(tmp_path: Path, strategy: str) -> None:
    """What a strategy needs is followed, and validated like the value itself; the rest is nobody's business."""
    references = files(tmp_path)
    settings = Settings(strategy=strategy, **_CLIENT, **references)
    followed = settings.followed()
    for name, reference in references.items():
        if name in _STRATEGIES[strategy]:
            assert value_of(followed, name) == {"company": "14159"}.get(name, _SECRETS[name])
        else:
            assert value_of(followed, name) == reference
    assert set(settings.references) == set(followed.references) == set(_STRATEGIES[strategy])


def test_settings_without_references_are_the_same() -> None:
    """Nothing is followed where everything is there."""
    settings = Settings(strategy="client_credentials", **_CLIENT, client_secret="s", api_key="k")
    assert settings.followed() is settings
    assert settings.references == {}


def test_references_are_followed_again_on_demand_only(tmp_path: Path) -> None:
    """What was followed stays as it is, until somebody asks for it to be followed again."""
    references = files(tmp_path)
    settings = Settings(
        strategy="client_credentials", **_CLIENT, client_secret="s", api_key=references["api_key"]
    ).followed()
    (tmp_path / "api_key").write_text("n3w")
    assert value_of(settings.followed(), "api_key") == "k3y"
    assert value_of(settings.followed(again=True), "api_key") == "n3w"


@pytest.mark.parametrize("value", ["literal:file:/x", "literal:keyring:x", "literal:literal:"])
def test_a_secret_that_looks_like_a_reference_can_be_written(value: str) -> None:
    """`literal:` in front makes a value of what would be a reference."""
    settings = Settings(strategy="client_credentials", **_CLIENT, client_secret=value, api_key="k").followed()
    assert value_of(settings, "client_secret") == value.removeprefix("literal:")


@pytest.mark.parametrize("value", ["s3:cret", "http://s3cret", ":s3cret", "File:s3cret", "file s3cret", "a"])
def test_what_has_no_known_scheme_is_the_secret_itself(value: str) -> None:
    """A colon alone makes no reference."""
    assert scheme_of(SecretStr(value)) is None
    assert follow("PROCOUNTOR_PASSWORD", SecretStr(value)).get_secret_value() == value


@pytest.mark.parametrize("value", ["redis://u:p@h", "postgresql+psycopg://u:p@h/d", "http://u:p@h:1", "valkeys://h"])
def test_a_url_of_a_store_or_a_proxy_looks_for_no_package(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Nobody who has Redis or a proxy waits for a search through all that is installed."""

    def search(_: str) -> tuple[()]:
        raise AssertionError

    monkeypatch.setattr(secret_reference, "_registered", search)
    assert scheme_of(SecretStr(value)) is None


@pytest.mark.parametrize("name", ["client_secret", "api_key"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("file:", "must name the file: file:/path"),
        ("keyring:", "must name the keychain's entry: keyring:NAME"),
        ("command:", "must name a program: command:PROGRAM ARGUMENT …"),
        ("command:'x", "has a quotation mark that is not closed in its command"),
    ],
)
def test_a_reference_to_nothing_is_a_wrong_value(name: str, value: str, said: str) -> None:
    """What is wrong with the text of a reference is said with everything else, before anything is followed."""
    secrets = {"client_secret": "s", "api_key": "k"} | {name: value}
    with pytest.raises(ConfigurationError) as caught:
        Settings(strategy="client_credentials", **_CLIENT, **secrets)
    variable = f"PROCOUNTOR_{name}".upper()
    assert caught.value.problems == (Problem(variable, "invalid", f"{variable} {said}"),)


def test_what_can_t_be_followed_is_said_at_once(tmp_path: Path) -> None:
    """One error names all variables whose references lead nowhere, or to what they can't be."""
    (tmp_path / "words").write_text("two n0t4u")
    (tmp_path / "name").write_text("n0t4u")
    settings = Settings(
        strategy="client_credentials",
        **_CLIENT,
        client_secret="file:/nowhere/n0t4u",
        api_key=f"file:{tmp_path / 'words'}",
        company=f"file:{tmp_path / 'name'}",
    )
    with pytest.raises(ConfigurationError) as caught:
        settings.followed()
    unusable = "refers to a value that can't be used: it"
    assert {(problem.variable, problem.kind): problem.message for problem in caught.value.problems} == {
        ("PROCOUNTOR_CLIENT_SECRET", "unreadable"): "PROCOUNTOR_CLIENT_SECRET names a file that does not exist",
        ("PROCOUNTOR_API_KEY", "invalid"): (
            f"PROCOUNTOR_API_KEY {unusable} contains white space or control characters"
        ),
        ("PROCOUNTOR_COMPANY", "invalid"): f"PROCOUNTOR_COMPANY {unusable} must be the numeric company ID",
    }
    assert caught.value.hint == (
        "Write file:/path with the path of a file that this user can read and that contains only the secret."
    )
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames.stack[:] = [frame for frame in frames.stack if frame.filename != __file__]
    assert "n0t4u" not in "".join(frames.format()) + repr(vars(caught.value))
    assert caught.value.__context__ is None


def test_for_an_api_key_nothing_else_is_followed() -> None:
    """The login that gets an API key needs none, so that a reference to one is left alone."""
    settings = KeyLoginSettings(**_CLIENT | {"client_secret": "s", "api_key": "file:/nowhere"})
    assert settings.followed() is settings


def test_a_store_that_is_a_reference_is_not_shown(tmp_path: Path) -> None:
    """Before it is followed, a store is called by the scheme alone; a `file:` store is no reference."""
    client = _CLIENT | {"client_secret": "s", "api_key": "k"}
    settings = Settings(strategy="client_credentials", **client, token_store=f"command:cat {tmp_path / 'n0t4u'}")
    assert settings.store_label == "command:…"
    assert Settings(strategy="client_credentials", **client, token_store="file:/x").references == {}


@pytest.mark.process
def test_many_profiles_run_a_command_that_they_share_once(
    tmp_path: Path, environment: Callable[[dict[str, str]], None]
) -> None:
    """Whoever reads many profiles follows each reference once, and each profile's own."""
    (tmp_path / "count.sh").write_text('echo x >>"$1"; echo "secret-of-$1"\n')
    (tmp_path / "profiles.toml").write_text(
        'strategy = "client_credentials"\nclient_id = "c"\nredirect_uri = "r"\n'
        f'client_secret = "command:sh {tmp_path}/count.sh {tmp_path}/shared"\n'
        + "".join(f'[profiles.p{n}]\napi_key = "command:sh {tmp_path}/count.sh {tmp_path}/own-{n}"\n' for n in range(5))
    )
    environment({"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "profiles.toml")})
    profiles, references = Profiles.read(), SecretReferences()
    settings = [Settings.of_profile(profiles, name).followed(references.follow) for name in profiles]
    assert [value_of(each, "api_key") for each in settings] == [f"secret-of-{tmp_path}/own-{n}" for n in range(5)]
    assert (tmp_path / "shared").read_text() == "x\n"


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Install a package that registers a scheme."""

    def package(code: str, *, scheme: str = "vault", dist: str = "vault-package") -> None:
        module = dist.replace("-", "_")
        info = tmp_path / f"site-{dist}" / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {dist}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[procountor_auth.secrets]\n{scheme} = {module}:read\n", "utf-8")
        (info.parent / f"{module}.py").write_text(textwrap.dedent(code), "utf-8")
        monkeypatch.syspath_prepend(str(info.parent))
        secret_reference._registered.cache_clear()

    yield package
    for name in [name for name in sys.modules if name.startswith("vault_package")]:
        del sys.modules[name]
    secret_reference._registered.cache_clear()


@pytest.mark.parametrize("gives", ["name + '-s3cret'", "__import__('pydantic').SecretStr(name + '-s3cret')"])
def test_other_packages_register_schemes(register: Callable[..., None], gives: str) -> None:
    """A function that an installed package registers is given what stands after the colon, and gives the secret."""
    register(f"def read(name): return {gives}")
    settings = Settings(strategy="client_credentials", **_CLIENT, client_secret="vault:a/b", api_key="k").followed()
    assert value_of(settings, "client_secret") == "a/b-s3cret"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def read(name): raise OSError('n0t4u ' + name)", "failed (OSError)"),
        ("def read(name): raise SystemExit('n0t4u')", "failed (SystemExit)"),
        ("raise ImportError('n0t4u')", "failed (ImportError)"),
        ("def read(name): return None", "returned nothing"),
        ("def read(name): return ''", "returned nothing"),
        ("def read(name): return b'n0t4u'", "did not return text"),
        ("read = 3", "failed (TypeError)"),
    ],
)
def test_a_scheme_that_fails_is_named_with_its_package(register: Callable[..., None], code: str, said: str) -> None:
    """What somebody's package does wrong is said with its name, and without what it says."""
    register(code)
    with pytest.raises(ConfigurationError) as caught:
        follow("PROCOUNTOR_API_KEY", SecretStr("vault:n0t4u"))
    message = f"PROCOUNTOR_API_KEY has the scheme vault, and vault-package, which registers it, {said}"
    assert caught.value.problems == (Problem("PROCOUNTOR_API_KEY", "unreadable", message),)
    assert caught.value.hint == "Call vault_package:read with what follows `vault:` to see why."
    assert caught.value.__context__ is None


def test_a_scheme_that_two_packages_register_is_nobody_s(register: Callable[..., None]) -> None:
    """Which one would be asked is an accident, so that neither is."""
    register("def read(name): return 'a'")
    register("def read(name): return 'b'", dist="vault-package-2")
    with pytest.raises(ConfigurationError) as caught:
        follow("PROCOUNTOR_API_KEY", SecretStr("vault:x"))
    both = "vault-package and vault-package-2"
    message = f"PROCOUNTOR_API_KEY has the scheme vault, which both {both} register"
    assert caught.value.problems == (Problem("PROCOUNTOR_API_KEY", "unreadable", message),)
    assert caught.value.hint == f"Uninstall one of {both}."


def test_what_is_empty_is_no_secret() -> None:
    """A reference that leads to nothing is an error, as a variable that is empty is not set."""
    with pytest.raises(ConfigurationError) as caught:
        follow("PROCOUNTOR_API_KEY", SecretStr("literal:"))
    message = "PROCOUNTOR_API_KEY leads to something that is empty"
    assert caught.value.problems == (Problem("PROCOUNTOR_API_KEY", "unreadable", message),)
    assert caught.value.hint == "Put the secret there, or remove the variable."


def test_nobody_takes_the_place_of_our_own_schemes(register: Callable[..., None], tmp_path: Path) -> None:
    """`file:` reads the file, whatever is installed."""
    register("def read(name): return 'another'", scheme="file")
    (tmp_path / "secret").write_text("s3cret")
    found: Any = follow("PROCOUNTOR_API_KEY", SecretStr(f"file:{tmp_path / 'secret'}"))
    assert found.get_secret_value() == "s3cret"
