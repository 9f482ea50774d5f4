"""The scanner finds what leaks: twenty planted leaks of every kind, in every place and every encoding."""

from __future__ import annotations

import base64
import html
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

import pytest

from procountor_auth.errors import ConfigurationError, ProcountorAuthError

from .canaries import KINDS, Canaries, Kind
from .encodings import ENCODINGS
from .objects import inspect, inspect_error
from .purpose import PURPOSES, Purpose
from .records import PLACES, Records

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS: Final[dict[Kind, str]] = {
    "password": "plant & p%ss'w\"rd\\\u00f64711",
    "username": "matti.meikalainen@example.com",
    "company": "90817263",
    "client_secret": "Qb/2+vLx9=mmT7~dRe1k",
    "api_key": "keyW3rNp8-aa81bb72cc63",
    "code": "c0d3-uYtReWq-5544332211",
    "state": "Zx81pQ44mN0bV7cR2tY6uI9o",
    "verifier": "hG5fD3sA1qW2eR4tY6uJ8iK0",
    "access_token": "ey.aT-77xx66yy55zz44ww33",
    "refresh_token": "Rf=00112233445566778899+",
}


class Leaking:
    """An object that shows what it should not."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"<Leaking {self.secret}>"

    def __str__(self) -> str:
        return quote(self.secret)


def _says(place: str, form: Callable[[str], str]) -> Callable[[Records, str], None]:
    return lambda records, secret: records.add(place, f"something {form(secret)} else", own_words=True)


def _in_the_chain(records: Records, secret: str) -> None:
    error = ProcountorAuthError("no")
    error.__cause__ = ValueError(f"bad value {secret}")
    inspect_error(error, records)


def _in_the_context(records: Records, secret: str) -> None:
    error = ProcountorAuthError("no")
    error.__context__ = KeyError(json.dumps({"x": secret}))
    inspect_error(error, records)


def _in_the_attributes(records: Records, secret: str) -> None:
    error: Any = ProcountorAuthError("no")
    error.answer = {"body": secret}
    inspect_error(error, records)


def _in_the_problems(records: Records, secret: str) -> None:
    error: Any = ConfigurationError("no")
    error.errors = lambda: [{"input": secret}]
    inspect_error(error, records)


def _aligned(secret: str) -> str:
    return base64.urlsafe_b64encode(b"x" + secret.encode()).decode()


def _same(secret: str) -> str:
    return secret


PLANTED: Final[tuple[tuple[str, Kind, str, Callable[[Records, str], None]], ...]] = (
    ("stdout", "password", "percent", _says("stdout", lambda secret: quote(secret, safe=""))),
    ("stdout", "access_token", "raw", _says("stdout", lambda secret: f"Bearer {secret}")),
    ("stderr", "client_secret", "percent", _says("stderr", quote_plus)),
    ("stderr", "refresh_token", "hex", _says("stderr", lambda secret: secret.encode().hex())),
    ("log", "password", "form", _says("log", lambda secret: f"password={quote_plus(secret)}&company=1")),
    ("log", "state", "raw", _says("log", lambda secret: f"GET /login?state={secret}")),
    ("log", "client_secret", "base64", _says("log", lambda secret: base64.b64encode(f"me:{secret}".encode()).decode())),
    ("log", "username", "raw", _says("log", _same)),
    ("str", "api_key", "raw", lambda records, secret: inspect(Leaking(secret), records)),
    ("repr", "verifier", "raw", lambda records, secret: inspect(Leaking(secret), records)),
    ("vars", "company", "raw", lambda records, secret: inspect(Leaking(secret), records)),
    ("pickle", "refresh_token", "raw", lambda records, secret: inspect(Leaking(secret), records)),
    ("validation", "password", "repr", _in_the_problems),
    ("chain", "code", "raw", _in_the_chain),
    ("chain", "access_token", "raw", _in_the_context),
    ("vars", "api_key", "raw", _in_the_attributes),
    ("warning", "client_secret", "double percent", _says("warning", lambda text: quote(quote(text, safe=""), safe=""))),
    ("argv", "api_key", "raw", _says("argv", lambda secret: f"curl -d api_key={secret}")),
    ("environment", "password", "JSON", _says("environment", json.dumps)),
    ("file", "refresh_token", "base64", _says("file", _aligned)),
    ("event", "state", "raw", _says("event", _same)),
    ("sandbox log", "password", "HTML", _says("sandbox log", html.escape)),
)  # fmt: skip


@pytest.mark.parametrize(("place", "kind", "encoding", "plant"), PLANTED)
def test_a_planted_leak_is_found(
    place: str,
    kind: Kind,
    encoding: str,
    plant: Callable[[Records, str], None],
) -> None:
    """The scanner names the place and the kind of each planted leak."""
    canaries, records = Canaries(), Records()
    for each, secret in SECRETS.items():
        canaries.add(each, secret)
    plant(records, SECRETS[kind])
    hits = records.hits(canaries)
    assert (place, kind) in {(where, what) for where, what, _ in hits}
    assert {what for _, what, _ in hits} == {kind}
    assert encoding in {how for _, _, how in hits}


def test_a_local_of_the_library_is_found() -> None:
    """A secret in a local of the library's frame is found, whoever raised."""
    canaries, records = Canaries(), Records()
    canaries.add("code", SECRETS["code"])
    from procountor_auth.protocol import endpoints  # noqa: PLC0415 - compiled as one of the library's files

    program = compile(f"def f():\n    code = {SECRETS['code']!r}\n    raise error\n", endpoints.__file__, "exec")
    names: dict[str, Any] = {"error": ProcountorAuthError("no")}
    exec(program, names)  # noqa: S102 - a frame of the library's that holds a secret
    with pytest.raises(ProcountorAuthError) as caught:
        names["f"]()
    inspect_error(caught.value, records)
    assert ("locals", "code", "raw") in records.hits(canaries)


def test_every_kind_place_and_encoding_was_planted() -> None:
    """The planted leaks leave no kind, no place and no encoding out."""
    assert len(PLANTED) + 1 >= 20
    assert {kind for _, kind, _, _ in PLANTED} == set(KINDS)
    assert {place for place, *_ in PLANTED} | {"locals"} == set(PLACES)
    assert {encoding for *_, encoding, _ in PLANTED} == {"raw", *ENCODINGS}


def test_it_does_not_cry_wolf() -> None:
    """Texts that only look alike are no leaks: other words, and pieces that are shorter than a fragment."""
    canaries, records = Canaries(), Records()
    for each, secret in SECRETS.items():
        canaries.add(each, secret)
    records.add("log", "planted user secret state 9081726 planted-acc state code password", own_words=True)
    records.add("repr", "Token(strategy='client_credentials')")
    assert records.hits(canaries) == set()


def test_a_pickle_is_looked_into() -> None:
    """The texts of a pickle are looked into in both protocols, so that no object carries a secret along."""
    records, canaries = Records(), Canaries()
    canaries.add("access_token", SECRETS["access_token"])
    records.add("file", pickle.dumps({"x": SECRETS["access_token"]}).decode("utf-8", "replace"))
    assert ("file", "access_token", "raw") in records.hits(canaries)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_allowance_stands_on_the_page(purpose: Purpose) -> None:
    """docs/leaks.md lists what may show a secret, and why; each allowance names tests, a place and kinds that exist."""
    page = (Path(__file__).parents[2] / "docs" / "leaks.md").read_text(encoding="utf-8")
    kinds = ", ".join(sorted(purpose.kinds))
    assert f"| {purpose.where} | {purpose.place} | {kinds} | {purpose.reason} |" in page
    assert purpose.place in PLACES
    assert purpose.kinds <= set(KINDS)
    assert (Path(__file__).parents[2] / purpose.where).exists()
