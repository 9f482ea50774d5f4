"""What a token says about itself."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Final

import jwt
import pytest

from procountor_auth.protocol.claims import MAX_LENGTH, unverified_claims

_HEADERS: Final = [
    {"alg": "HS256"},
    {},
    {"alg": 5},
    {"alg": "none"},
    {"alg": "HS256", "kid": 5},
    {"alg": "HS256", "crit": [["a"]]},
    {"alg": "HS256", "b64": False},
    [],
    None,
    b"\xff",
]

_PAYLOADS: Final = [[], 5, None, "text", b"\xff\xfe", b"", b'{"a":', b"[" * 10_000, b"\x00"]

_SIGNATURES: Final = ["", "x", "***", "ä", "\ud800"]


def _part(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_claims_are_read_whoever_signed_them() -> None:
    """The claims come back although no signature, audience or time is checked: an integer `sub` is fine."""
    claims = {"sub": 26535, "aud": "client_id", "exp": 1, "iat": 10**10, "nbf": 10**10, "scope": "m2m"}
    assert unverified_claims(jwt.encode(claims, "x" * 32)) == claims


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", "a.b.c.d", "..", "%.%.%"])
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    """A text that is no JWT gives no claims."""
    assert unverified_claims(token) == {}


def test_a_huge_token_is_not_looked_into() -> None:
    """A token over the limit gives no claims, one below it does."""
    assert unverified_claims(jwt.encode({"a": "x" * MAX_LENGTH}, "x" * 32)) == {}
    assert unverified_claims(jwt.encode({"a": "x" * 1_000}, "x" * 32)) == {"a": "x" * 1_000}


@pytest.mark.parametrize("payload", _PAYLOADS, ids=lambda value: repr(value)[:20])
def test_no_payload_raises(payload: object) -> None:
    """A payload that is no JSON object gives no claims under any header and signature, and raises nothing."""
    for header, signature in itertools.product(_HEADERS, _SIGNATURES):
        assert unverified_claims(f"{_part(header)}.{_part(payload)}.{signature}") == {}


@pytest.mark.parametrize("header", _HEADERS, ids=lambda value: repr(value)[:40])
def test_no_header_raises(header: object) -> None:
    """Whatever a header says, the answer is the claims or none of them."""
    for signature in _SIGNATURES:
        assert unverified_claims(f"{_part(header)}.{_part({'cid': 1})}.{signature}") in ({}, {"cid": 1})
