"""The types of the fields of `Settings`, and their validation. A `ValueError` never shows the value."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, SecretStr

from procountor_auth.protocol.claims import MAX_DIGITS
from procountor_auth.settings.hosts import clean_host
from procountor_auth.settings.nearest import did_you_mean
from procountor_auth.settings.secret_reference import check_reference
from procountor_auth.strategies.registry import find_strategy, strategy_names

if TYPE_CHECKING:
    from collections.abc import Callable

_STORE: Final = r"(file:.|(redis|valkey)s?(\+\w+)?://.|unix://.|postgresql(\+\w+)?://.|sqlite(\+\w+)?:///.)"

VERSION: Final = r"latest|supported|v?[0-9]{2}\.?[0-9]{2}"
"""An API version: the vendor writes 26.05 for the v2605 of a path."""


def check_word(value: object) -> str:
    """Accept text without white space or control characters, such as an ID."""
    text = check_text(value)
    problem = surrounded(text)
    if problem is not None:
        raise ValueError(problem)
    if not text.isprintable() or " " in text:
        raise ValueError("contains white space or control characters")
    return text


def surrounded(text: str) -> str | None:
    """Return what is wrong with a value that has quotation marks around it or line ends in it, or None."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "has quotation marks around it, which become part of the value: remove them"
    if text.endswith(("\r", "\n")):
        return "ends with a line end, perhaps from a Windows file: remove it"
    if "\n" in text or "\r" in text:
        return "has more than one line"
    return None


def expand_home(path: Path) -> Path:
    """Accept a path, with `~` for the home directory."""
    try:
        return path.expanduser()
    except RuntimeError:
        pass
    raise ValueError("names the home directory of a user that does not exist")


def check_text(value: object) -> str:
    """Accept any valid UTF-8 text: a password may contain spaces, quotes or emoji."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic wants a ValueError
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("is not valid UTF-8 text")
    return value


def check_digits(value: object) -> str:
    """Accept a company ID, and return it without leading zeros."""
    text = check_text(str(value) if isinstance(value, int) else value)
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError("must be the numeric company ID")
    return str(int(text))


def check_credential(value: object) -> str:
    """Accept visible ASCII, which can be sent in a header or a form."""
    text = check_word(value)
    if not text.isascii():
        raise ValueError("contains characters other than visible ASCII")
    return text


def check_redirect_uri(value: object) -> str:
    """Accept a URL, or a word such as `redirect-uri-placeholder`."""
    text = check_credential(value)
    if "?" in text or "#" in text:
        raise ValueError("must not have a query string or fragment")
    return text


def check_host(value: object) -> str:
    """Accept a host, and return it in a normalized form."""
    return clean_host(check_word(value))


def check_version(value: object) -> str:
    """Accept a version segment of the API's path."""
    text = check_word(value)
    if re.fullmatch(VERSION, text) is None:
        meant = did_you_mean(text, ("latest", "supported"))
        raise ValueError(f"must be latest, supported or a version such as v2302{meant}")
    return text if text in {"latest", "supported"} else f"v{text.removeprefix('v').replace('.', '')}"


def check_token_store(value: object) -> str:
    """Accept the description of a token store."""
    text = check_text(value)
    problem = surrounded(text)
    if problem is not None:
        raise ValueError(problem)
    if text in {"memory", "file", "keyring"} or re.match(_STORE, text):
        return text
    raise ValueError(
        "must be memory, file, file:PATH, keyring, or a URL with redis://, rediss://, unix://, postgresql+psycopg:// "
        f"or sqlite:///{did_you_mean(text, ('memory', 'file', 'keyring'))}"
    )


def one_of(*choices: str) -> BeforeValidator:
    """Accept one of a few words, and for a misspelt one say which may be meant."""

    def checked(value: object) -> object:
        text = plain(value)
        if not isinstance(text, str) or text in choices:
            return text
        raise ValueError(f"must be {' or '.join(choices)}{did_you_mean(text, choices)}")

    return BeforeValidator(checked)


def or_reference(check: Callable[[object], str], *, but: tuple[str, ...] = ()) -> BeforeValidator:
    """Accept what `check` accepts, or a reference. Its target is checked when the reference is followed.

    Args:
        check: The check of the value itself.
        but: Values with these schemes are not references.
    """

    def checked(value: object) -> str:
        text = plain(value)
        return text if isinstance(text, str) and check_reference(SecretStr(text), but) else check(value)

    return BeforeValidator(checked)


def check_strategy(value: object) -> str:
    """Accept the name of a strategy that is installed."""
    name = check_text(value)
    problem = surrounded(name)
    if problem is not None:
        raise ValueError(problem)
    if not name.isprintable() or find_strategy(name) is None:
        names = strategy_names()
        raise ValueError(f"must be one of {', '.join(names)}{did_you_mean(name, names)}")
    return name


def secret(value: object) -> SecretStr:
    """Wrap a value in `SecretStr`, including a number or Boolean from a TOML file."""
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def plain(value: object) -> object:
    """Unwrap a value from `Profiles.values_of` if it is not a secret."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


Word = Annotated[str, BeforeValidator(check_word)]

CHECKS: Final[dict[str, Callable[[object], str]]] = {
    "client_secret": check_word,
    "username": check_text,
    "password": check_text,
    "company": check_digits,
    "api_key": check_credential,
    "refresh_token": check_credential,
    "token_store": check_token_store,
    "token_store_key": check_credential,
    "proxy": check_word,
    "bridge_username": check_text,
    "bridge_password": check_text,
    "bridge_client_secret": check_word,
}
"""The check for each secret. A reference's target is checked again."""

STORES: Final = ("file",)
"""Schemes that begin the description of a token store, which are not references."""


REFERABLE: Final = {
    name: or_reference(check, but=STORES if name == "token_store" else ()) for name, check in CHECKS.items()
}
"""The validator of each secret: it accepts the value itself or a reference."""

StrategyName = Annotated[str, BeforeValidator(check_strategy)]
