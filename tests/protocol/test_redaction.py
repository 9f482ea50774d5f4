"""The server's own words in our errors."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode

import pytest

from procountor_auth.protocol.flow import Request
from procountor_auth.protocol.redaction import MAX_LENGTH, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

_URL = "https://api.example/api/oauth/token"

_PASSWORD = "pä&s+s w%41/\"rd'\\<🔑>"

_ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "reversed": lambda secret: secret[::-1],
    "in a URL's path": quote,
    "in a query": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in HTML": html.escape,
    "in hex": lambda secret: secret.encode().hex(),
    "in capital hex": lambda secret: secret.encode().hex().upper(),
    "in Base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in Base64 for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "as Python bytes": lambda secret: repr(secret.encode())[2:-1],
}

_SECRETS = (
    "username",
    "password",
    "company",
    "code",
    "code_verifier",
    "client_secret",
    "api_key",
    "refresh_token",
    "state",
)


def _request(**parameters: str) -> Request:
    return Request("POST", _URL, urlencode(parameters))


@pytest.mark.parametrize("encode", _ENCODINGS.values(), ids=_ENCODINGS)
def test_an_echoed_secret_is_withheld_in_every_encoding(encode: Callable[[str], str]) -> None:
    """A text that repeats what was sent is withheld whole, however the server encoded it."""
    shown = safe_excerpt(f"no user has the password {encode(_PASSWORD)}, sorry", _request(password=_PASSWORD))
    assert shown == "(the text is withheld because it repeats a secret)"


@pytest.mark.parametrize("name", _SECRETS)
def test_every_secret_parameter_is_known(name: str) -> None:
    """Whatever parameter a secret was sent in, its echo is withheld."""
    assert "c4n4ry" not in safe_excerpt("you sent c4n4ry", _request(**{name: "c4n4ry"}))


def test_a_secret_in_the_query_or_the_header_is_known() -> None:
    """An echo of the query's `state` and of the bearer token is withheld as well."""
    request = Request("GET", f"{_URL}?state=c4n4ry", bearer="b34rer")
    assert "c4n4ry" not in safe_excerpt("state c4n4ry", request)
    assert "b34rer" not in safe_excerpt("token b34rer", request)


def test_what_is_no_secret_is_shown() -> None:
    """The client ID, the redirect URI and the grant's name may be repeated: they help a person."""
    request = _request(grant_type="refresh_token", client_id="client-1", redirect_uri="the-word", code="c4n4ry")
    text = "client-1 is not allowed refresh_token for the-word"
    assert safe_excerpt(text, request) == text


def test_an_empty_parameter_hides_nothing() -> None:
    """A parameter with no value does not make every text look like an echo."""
    assert safe_excerpt("no password given", Request("POST", _URL, "password=&username=")) == "no password given"


def test_a_text_becomes_one_short_line() -> None:
    """Line breaks, control characters and escape sequences are gone, and a long text is cut."""
    assert safe_excerpt("one\r\n two\x00\t\x1b[31mthree\ud800", _request()) == "one two [31mthree"
    assert safe_excerpt("x" * 5_000, _request()) == "x" * MAX_LENGTH + "…"


@pytest.mark.parametrize("value", [None, 5, True, ["a"], {"a": "b"}])
def test_what_is_no_text_is_nothing(value: object) -> None:
    """A value that is no text gives an empty excerpt."""
    assert safe_excerpt(value, _request()) == ""


def test_a_secret_in_lower_case_percent_encoding_is_found() -> None:
    """Percent encoding has two spellings; a secret is recognised in both."""
    request = Request("POST", "https://api.example/oauth/token", "grant_type=x&password=%C3%A4%C3%B6-secret")

    assert "%c3%a4" not in safe_excerpt("you sent %c3%a4%c3%b6-secret", request)


@pytest.mark.parametrize("between", ["\0", "\r\n", "\ud800", " ", "\u200b"])
def test_a_secret_with_something_in_between_is_found(between: str) -> None:
    """A secret that comes back with a line end or a character in it that nobody sees is withheld as well."""
    broken = between.join(("open-", "sesame-4711"))
    assert "sesame" not in safe_excerpt(f"no user has {broken}", _request(password="open-sesame-4711"))
