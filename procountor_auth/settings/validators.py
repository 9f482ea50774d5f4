"""What a value may look like: the types of the fields of `Settings`. A check's `ValueError` never shows the value."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from procountor_auth.protocol.claims import MAX_DIGITS
from procountor_auth.settings.hosts import clean_host
from procountor_auth.strategies.registry import find_strategy, strategy_names


def check_word(value: object) -> str:
    """Accept text without white space or control characters: an ID, never a sentence."""
    text = check_text(value)
    if not text.isprintable() or " " in text:
        raise ValueError("has white space or control characters in it")
    return text


def expand_home(path: Path) -> Path:
    """Accept a path, with `~` for the home directory."""
    try:
        return path.expanduser()
    except RuntimeError:
        pass
    raise ValueError("names the home directory of a user that does not exist")


def check_text(value: object) -> str:
    """Accept any text that can be sent: a password may have spaces, quotes, emoji."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 - pydantic wants a ValueError
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("is not valid UTF-8 text")
    return value


def check_digits(value: object) -> str:
    """Accept the number of a company, and return it in the one form that it has here: without zeros in front."""
    text = check_text(str(value) if isinstance(value, int) else value)
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise ValueError("must be the numeric company ID")
    return str(int(text))


def check_credential(value: object) -> str:
    """Accept what can stand in a header or a form: visible ASCII."""
    text = check_word(value)
    if not text.isascii():
        raise ValueError("has characters that are not ASCII in it")
    return text


def check_api_key(value: object) -> str:
    """Accept an API key, or what names its entry in the keychain."""
    text = check_credential(value)
    if text == "keyring:":
        raise ValueError("must name the keychain's entry: keyring:NAME")
    return text


def check_redirect_uri(value: object) -> str:
    """Accept a URL, or a word such as `redirect-uri-placeholder`."""
    text = check_credential(value)
    if "?" in text or "#" in text:
        raise ValueError("must not have a query string or fragment")
    return text


def check_host(value: object) -> str:
    """Accept a host, and return it in the one form that it has here."""
    return clean_host(check_word(value))


def check_version(value: object) -> str:
    """Accept a version segment of the API's path."""
    text = check_word(value)
    if re.fullmatch(r"latest|supported|v[0-9]{4}", text) is None:
        raise ValueError("must be latest, supported or a version such as v2302")
    return text


def check_token_store(value: object) -> str:
    """Accept what describes a token store."""
    text = check_text(value)
    if text in {"memory", "file", "keyring"} or re.match(r"(file:.|redis://.|rediss://.|unix://.)", text):
        return text
    raise ValueError("must be memory, file, file:PATH, keyring, or a URL with redis://, rediss:// or unix://")


def check_strategy(value: object) -> str:
    """Accept the name of a strategy that is installed."""
    name = check_text(value)
    if not name.isprintable() or find_strategy(name) is None:
        raise ValueError(f"must be one of {', '.join(strategy_names())}")
    return name


def secret(value: object) -> SecretStr:
    """Wrap a number or a truth value of a TOML file as well."""
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def plain(value: object) -> object:
    """Take back the wrapping of `Profiles.values_of` where the value is no secret."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


Word = Annotated[str, BeforeValidator(check_word)]

SecretText = Annotated[SecretStr, BeforeValidator(check_text)]

SecretWord = Annotated[SecretStr, BeforeValidator(check_word)]

Credential = Annotated[SecretStr, BeforeValidator(check_credential)]

StrategyName = Annotated[str, BeforeValidator(check_strategy)]
