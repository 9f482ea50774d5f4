"""A traceback with locals, as `python -m unittest --locals` has it, shows the error, not one of a `repr`."""

from __future__ import annotations

import importlib
import inspect
import traceback
from typing import TYPE_CHECKING, Final, Never

import pytest
from pydantic import SecretStr, ValidationError

from procountor_auth import ConfigurationError, KeyLogin, Profiles, Settings, Strategy, TokenSource
from procountor_auth.login.listener import LoopbackListener
from procountor_auth.sandbox import Faults, Quirks, Sandbox
from procountor_auth.stores import open_store
from procountor_auth.stores.file import FileStore
from procountor_auth.strategies import Request
from procountor_auth.tokens.bearer import Bearer
from tests.test_exports import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WRONG: Final = "no such thing"


class Refusing(Strategy):
    """A strategy of another package's, which looks at its arguments before it begins."""

    def __init__(self, *_: object) -> None:
        raise ConfigurationError(f"there is {WRONG}")

    @classmethod
    def from_settings(cls, settings: object, **_: object) -> Refusing:
        """Not needed here."""
        return cls(settings)

    def acquire(self) -> Never:
        """Not needed here."""
        raise NotImplementedError


FAILURES: Final[dict[str, tuple[Callable[[], object], type[Exception], str]]] = {
    "auth": (Bearer, ConfigurationError, "PROCOUNTOR_STRATEGY"),
    "auth's source": (lambda: Bearer(WRONG), TypeError, "TokenSource"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "auth's profile": (lambda: Bearer(profile=WRONG), ConfigurationError, "PROCOUNTOR_PROFILE"),
    "source": (TokenSource.from_env, ConfigurationError, "PROCOUNTOR_STRATEGY"),
    "fixed token": (lambda: TokenSource.fixed("a b"), ConfigurationError, ""),
    "key login": (KeyLogin.from_env, ConfigurationError, "PROCOUNTOR_"),
    "settings": (Settings, ConfigurationError, "PROCOUNTOR_STRATEGY"),
    "profiles": (Profiles.read, ConfigurationError, "there are no profiles"),
    "strategy": (Refusing, ConfigurationError, WRONG),
    "request": (lambda: Request("GET", "http://[::1"), ValueError, "IPv6"),
    "listener": (lambda: LoopbackListener("https://h.example"), ConfigurationError, "PROCOUNTOR_REDIRECT_URI"),
    "sandbox": (lambda: Sandbox(redirect_uri="?"), ValueError, "redirect URI"),
    "faults": (lambda: Faults(status=99), ValidationError, "status"),
    "quirks": (lambda: Quirks(subject=WRONG), ValidationError, "subject"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "file store's key": (lambda: open_store("file", (SecretStr(WRONG),)), ConfigurationError, "TOKEN_STORE_KEY"),
    "file store's folder": (lambda: FileStore(WRONG), AttributeError, "'absolute'"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "Redis": (lambda: open_store("redis://h:x"), ConfigurationError, "PROCOUNTOR_TOKEN_STORE"),
    "PostgreSQL": (lambda: open_store("postgresql+psycopg://"), ConfigurationError, "PROCOUNTOR_TOKEN_STORE"),
}
"""What is called with something wrong: the error, and a part of its text."""


def text_with_locals(error: Exception) -> str:
    """Return the traceback of an error, with the local variables of each frame."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize(("call", "kind", "said"), FAILURES.values(), ids=FAILURES)
def test_a_wrong_argument_is_what_a_traceback_with_locals_tells(
    environment: Callable[[dict[str, str]], None], call: Callable[[], object], kind: type[Exception], said: str
) -> None:
    """What is half made shows itself in a traceback, which ends with the error that its caller gets."""
    environment({})
    with pytest.raises(kind) as failed:
        call()
    assert said in str(failed.value)
    assert str(failed.value) in text_with_locals(failed.value)


def public_classes() -> Iterator[type]:
    """Yield the classes that programs make objects of."""
    for module in ("procountor_auth", *(f"procountor_auth.{name}" for name in PUBLIC)):
        if module.rpartition(".")[2] in {"httpx", "httpx2", "requests"}:
            continue  # one of them may not be installed; `Bearer` is all of them
        found = importlib.import_module(module)
        for each in (getattr(found, name) for name in found.__all__):
            if inspect.isclass(each) and not issubclass(each, BaseException):
                yield each


def errors_of(kind: type) -> Iterator[Exception]:
    """Yield the errors of a class, where one argument is of a wrong type, besides those that have no default."""
    parameters = [each for each in inspect.signature(kind).parameters.values() if each.kind not in {2, 4}]
    required = [each.name for each in parameters if each.default is each.empty]
    for name in [each.name for each in parameters]:
        try:
            kind(**{each: object() for each in {*required, name}})
        except Exception as error:  # noqa: BLE001 - any of them
            yield error


@pytest.mark.parametrize("kind", [*dict.fromkeys(public_classes()), Bearer, LoopbackListener])
def test_no_repr_of_what_is_half_made_replaces_an_error(
    environment: Callable[[dict[str, str]], None], kind: type
) -> None:
    """Whatever argument of a public class is of a wrong type, its traceback with locals has the error of that."""
    environment({})
    for error in errors_of(kind):
        assert f"{type(error).__name__}: {error}" in text_with_locals(error)
