"""Strategies of other packages: found by their entry points, checked before they are used."""

from __future__ import annotations

import logging
import sys
import textwrap
import traceback
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth import ClientCredentialsStrategy, ConfigurationError, Settings, Strategy
from procountor_auth.strategies import build, registry
from procountor_auth.strategies.deprecation import Lifecycle
from procountor_auth.strategies.registry import BUILT_IN, find_strategy, strategy_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Environment = Callable[[dict[str, str]], None]
    Install = Callable[..., None]

_GOOD: Final = """
    from procountor_auth import Strategy

    class VaultStrategy(Strategy):
        name = "vault"
        required_settings = ("vault_url", "vault_token")
        extra_settings = ("vault_url", "vault_token", "vault_path")

        def __init__(self, client, own):
            super().__init__(client)
            self.own = own

        @classmethod
        def from_settings(cls, settings, *, clock=None):
            return cls(settings.endpoints, settings.own)

        def acquire(self):
            yield
"""

_VAULT: Final = {
    "PROCOUNTOR_STRATEGY": "vault",
    "PROCOUNTOR_VAULT_URL": "https://vault.example",
    "PROCOUNTOR_VAULT_TOKEN": "c4n4ry",
}

_MACHINE: Final = {
    "PROCOUNTOR_STRATEGY": "client_credentials",
    "PROCOUNTOR_CLIENT_ID": "client-1",
    "PROCOUNTOR_CLIENT_SECRET": "cl13nt",
    "PROCOUNTOR_REDIRECT_URI": "redirect-uri-placeholder",
    "PROCOUNTOR_API_KEY": "k3y",
}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Install]:
    """Install a package with one strategy, as an installer does: a module, and its metadata beside it."""
    modules: list[str] = []

    def package(code: str, *, name: str = "vault", value: str = "vault_package:VaultStrategy", dist: str = "v") -> None:
        folder = tmp_path / f"site-{dist}"
        info = folder / f"{dist}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {dist}\nVersion: 1.0\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[procountor_auth.strategies]\n{name} = {value}\n", "utf-8")
        modules.append(value.partition(":")[0])
        (folder / f"{modules[-1]}.py").write_text(textwrap.dedent(code), "utf-8")
        monkeypatch.syspath_prepend(str(folder))
        registry._registered.cache_clear()

    yield package
    for module in modules:
        sys.modules.pop(module, None)
    registry._registered.cache_clear()


def _problems(error: ConfigurationError) -> set[tuple[str, str]]:
    return {(problem.variable, problem.kind) for problem in error.problems}


def test_a_registered_strategy_is_found(install: Install, environment: Environment) -> None:
    """An installed package's entry point is a value for `PROCOUNTOR_STRATEGY`, and only its own needs count."""
    install(_GOOD)
    environment(_VAULT)
    strategy: Any = build(Settings())
    assert strategy.own["vault_token"].get_secret_value() == "c4n4ry"
    assert set(strategy.own) == {"vault_url", "vault_token"}
    assert type(strategy) is find_strategy("vault")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_strategy_gets_the_clock(environment: Environment, name: str) -> None:
    """The clock that a strategy is built with is that of its client."""
    credentials = {f"PROCOUNTOR_{each}": "1" for each in ("USERNAME", "PASSWORD", "COMPANY", "REFRESH_TOKEN")}
    environment(_MACHINE | credentials | {"PROCOUNTOR_STRATEGY": name})
    assert build(Settings(), clock=lambda: 7.5).client.clock() == 7.5


def test_a_registered_strategy_is_one_of_the_names(install: Install, environment: Environment) -> None:
    """Our own names come first, then the others in order; an error about the choice lists them all."""
    install(_GOOD)
    install(_GOOD, name="another", value="another_package:VaultStrategy", dist="a")
    assert strategy_names() == (*BUILT_IN, "another", "vault")
    environment(_VAULT | {"PROCOUNTOR_STRATEGY": "valt"})
    with pytest.raises(ConfigurationError, match="client_credentials, another, vault"):
        Settings()


def test_without_the_package_there_is_no_such_strategy(environment: Environment) -> None:
    """A name that nobody registers is a wrong value, which the error does not show."""
    assert find_strategy("vault") is None
    assert strategy_names() == tuple(BUILT_IN)
    environment(_VAULT)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert ("PROCOUNTOR_STRATEGY", "invalid") in _problems(caught.value)


def test_without_a_name_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has chosen no strategy, or no fallback, does not wait for a search through all that is installed."""

    def search(_: str) -> None:
        raise AssertionError

    monkeypatch.setattr(registry, "_registered", search)
    assert find_strategy("") is None


def test_nothing_is_imported_before_it_is_chosen(install: Install, environment: Environment) -> None:
    """A package that is installed and not chosen costs nothing and can break nothing."""
    install("raise RuntimeError('c4n4ry')")
    environment(_MACHINE)
    assert type(build(Settings())) is ClientCredentialsStrategy
    assert "vault" in strategy_names()
    assert "vault_package" not in sys.modules


@pytest.mark.parametrize("name", BUILT_IN)
def test_nobody_replaces_a_strategy_of_ours(install: Install, name: str) -> None:
    """A package that registers one of our names is not asked, and the name is listed once."""
    install(_GOOD.replace('"vault"', f'"{name}"'), name=name)
    found = find_strategy(name)
    assert found is not None
    assert (found.name, found.__name__) == (name, BUILT_IN[name])
    assert strategy_names() == tuple(BUILT_IN)
    assert "vault_package" not in sys.modules


_BROKEN: Final = {
    "raises": ("raise RuntimeError('c4n4ry')", "can't be imported (RuntimeError)"),
    "not Python": ("def c4n4ry(", "can't be imported (SyntaxError)"),
    "needs another package": ("import c4n4ry", "can't be imported (ModuleNotFoundError)"),
    "no such class": ("", "can't be imported (AttributeError)"),
    "an object": ("VaultStrategy = 'c4n4ry'", "is not a subclass of procountor_auth.Strategy"),
    "another class": ("class VaultStrategy: name = 'vault'", "is not a subclass of procountor_auth.Strategy"),
    "another name": (_GOOD.replace('"vault"', '"c4n4ry"'), "is a strategy whose `name` is not vault"),
    "no name": (_GOOD.replace('name = "vault"', ""), "is a strategy whose `name` is not vault"),
    "no flow": (_GOOD.replace("def acquire", "def get"), "does not define acquire"),
    "nothing": (
        "from procountor_auth import Strategy\nclass VaultStrategy(Strategy):\n    name = 'vault'\n",
        "does not define acquire, from_settings",
    ),
}


@pytest.mark.parametrize(("code", "said"), _BROKEN.values(), ids=_BROKEN)
@pytest.mark.parametrize("variable", ["PROCOUNTOR_STRATEGY", "PROCOUNTOR_FALLBACK_STRATEGY"])
def test_a_broken_package_is_one_clear_error(
    install: Install, environment: Environment, code: str, said: str, variable: str
) -> None:
    """What is wrong with a registered strategy is one error that names variable, package, object and the way out."""
    install(code)
    environment(_MACHINE | {variable: "vault"})
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.message.endswith(
        "The strategy vault, which PROCOUNTOR_STRATEGY or PROCOUNTOR_FALLBACK_STRATEGY names, is registered by v as "
        f"vault_package:VaultStrategy, which {said}."
    )
    assert caught.value.hint == "Upgrade or reinstall v, or choose another strategy."
    assert "c4n4ry" not in "".join(traceback.format_exception(caught.value))


def test_two_packages_of_one_name_are_refused(install: Install, environment: Environment) -> None:
    """Which of two strategies gets the credentials is never left to the order of `sys.path`."""
    install(_GOOD)
    install(_GOOD, value="other_package:VaultStrategy", dist="w")
    environment(_VAULT)
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert caught.value.message == (
        "The strategy vault, which PROCOUNTOR_STRATEGY or PROCOUNTOR_FALLBACK_STRATEGY names, is registered by v and w "
        "as other_package:VaultStrategy and vault_package:VaultStrategy, which are two strategies with the same name."
    )
    assert caught.value.hint == "Uninstall one of v and w, or choose another strategy."
    assert not sys.modules.keys() & {"vault_package", "other_package"}


@pytest.mark.parametrize("missing", ["PROCOUNTOR_VAULT_URL", "PROCOUNTOR_VAULT_TOKEN"])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_its_missing_variables_are_named(install: Install, environment: Environment, missing: str, how: str) -> None:
    """A variable of the strategy's own that is missing is a problem like any other, and no value is shown."""
    install(_GOOD)
    environment(
        {name: value for name, value in _VAULT.items() if name != missing} | ({missing: ""} if how == "empty" else {})
    )
    with pytest.raises(ConfigurationError, match=rf"{missing} is missing \(vault needs it\)") as caught:
        Settings()
    assert _problems(caught.value) == {(missing, "missing")}
    assert "c4n4ry" not in str(caught.value) + caught.value.json()


def test_all_its_missing_variables_are_named_at_once(install: Install, environment: Environment) -> None:
    """Everything that is wrong is in one error, settings of all strategies and the strategy's own alike."""
    install(_GOOD)
    environment({"PROCOUNTOR_STRATEGY": "vault", "PROCOUNTOR_TIMEOUT": "c4n4ry"})
    with pytest.raises(ConfigurationError, match="vault needs PROCOUNTOR_VAULT_URL, PROCOUNTOR_VAULT_TOKEN") as caught:
        Settings()
    assert _problems(caught.value) == {
        ("PROCOUNTOR_VAULT_URL", "missing"),
        ("PROCOUNTOR_VAULT_TOKEN", "missing"),
        ("PROCOUNTOR_TIMEOUT", "invalid"),
    }


def test_its_optional_variables_may_be_there(install: Install, environment: Environment) -> None:
    """What it knows and does not need is in `Settings.own` where it is set, without a word in the log."""
    install(_GOOD)
    environment(_VAULT | {"PROCOUNTOR_VAULT_PATH": "secret/x"})
    assert Settings().own["vault_path"].get_secret_value() == "secret/x"


@pytest.mark.parametrize("misspelt", ["PROCOUNTOR_VAULT_TOKN", "PROCOUNTOR_VAULT_PAHT", "PROCOUNTOR_SOMETHING_ELSE"])
def test_a_name_that_is_not_its_own_is_named(
    install: Install, environment: Environment, caplog: pytest.LogCaptureFixture, misspelt: str
) -> None:
    """A misspelt or foreign variable is told to the person, in an error or in the log, and never with its value."""
    install(_GOOD)
    environment(_VAULT | {misspelt: "c4n4ry"})
    told = ""
    with caplog.at_level(logging.WARNING):
        try:
            assert set(Settings().own) == {"vault_url", "vault_token"}
        except ConfigurationError as error:
            told = str(error)
    assert misspelt in told + caplog.text
    assert "c4n4ry" not in told + caplog.text


def test_its_variables_are_each_profile_s_own(install: Install, environment: Environment) -> None:
    """A profile may have a value of its own for them, and inherits the others."""
    install(_GOOD)
    environment(_VAULT | {"PROCOUNTOR_PROFILES__ACME__VAULT_TOKEN": "acm3"})
    own = Settings(profile="acme").own
    assert {name: value.get_secret_value() for name, value in own.items()} == {
        "vault_url": "https://vault.example",
        "vault_token": "acm3",
    }


def test_no_value_of_its_own_is_shown(install: Install, environment: Environment) -> None:
    """Neither repr nor JSON of the settings shows what is the strategy's own."""
    install(_GOOD)
    environment(_VAULT)
    settings = Settings()
    assert "c4n4ry" not in repr(settings) + str(settings) + settings.model_dump_json() + repr(settings.own)


def test_another_strategy_does_not_get_them(install: Install, environment: Environment) -> None:
    """With another strategy chosen they are nobody's, and may stay where they are for the switch."""
    install(_GOOD)
    environment(_VAULT | _MACHINE)
    assert not Settings().own
    assert issubclass(find_strategy("vault") or object, Strategy)


def test_what_it_needs_is_its_own_too(install: Install, environment: Environment) -> None:
    """A name that stands in `required_settings` alone is found as well."""
    install(_GOOD.replace('extra_settings = ("vault_url", "vault_token", "vault_path")', ""))
    environment(_VAULT)
    assert set(Settings().own) == {"vault_url", "vault_token"}


def test_its_variables_are_arguments_too(install: Install, environment: Environment) -> None:
    """`Settings(…)` takes the chosen strategy's own names, and no others."""
    install(_GOOD)
    environment(_VAULT)
    settings = Settings(vault_token="an0ther")
    assert settings.own["vault_token"].get_secret_value() == "an0ther"
    with pytest.raises(TypeError, match="Settings has no vault_tokn") as caught:
        Settings(vault_tokn="c4n4ry")
    assert "c4n4ry" not in str(caught.value)
    with pytest.raises(TypeError, match="Settings has no vault_token"):
        Settings(strategy="client_credentials", vault_token="c4n4ry")


def test_a_misspelt_variable_of_its_own_is_found(install: Install, environment: Environment) -> None:
    """A name near one of its own is a problem where the right one is not set."""
    install(_GOOD)
    environment(_VAULT | {"PROCOUNTOR_VAULT_PAHT": "secret/x"})
    with pytest.raises(ConfigurationError, match="did you mean PROCOUNTOR_VAULT_PATH"):
        Settings()


def test_a_number_of_a_toml_file_is_text(install: Install, environment: Environment, tmp_path: Path) -> None:
    """What a profile gives as a number is wrapped like everything else."""
    install(_GOOD)
    (tmp_path / "p.toml").write_text("vault_path = 5\n[profiles.acme]\n", "utf-8")
    environment(_VAULT | {"PROCOUNTOR_PROFILES_FILE": str(tmp_path / "p.toml")})
    assert Settings(profile="acme").own["vault_path"].get_secret_value() == "5"


def test_advice_names_another_package_s_strategy(install: Install) -> None:
    """Of a successor that is not ours the advice knows the name."""
    install(_GOOD)
    advice = Lifecycle(removed="never", successors=("vault",)).advice
    assert advice == "Set PROCOUNTOR_STRATEGY=vault. https://procountor-auth.readthedocs.io/migration/ explains how."
