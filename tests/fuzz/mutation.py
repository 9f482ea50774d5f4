"""Inputs that are nearly right: pieces of right ones, put together wrongly."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sizes import LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INPUTS: Final = int(os.environ.get("PROCOUNTOR_AUTH_FUZZ", "5000"))
"""How many inputs each target gets."""

FEWER: Final = INPUTS if LONG or "PROCOUNTOR_AUTH_FUZZ" in os.environ else 1_000
"""How many those targets get whose inputs take a millisecond and more each."""

BATCH: Final = 50
"""Inputs made from one seed. Hypothesis chooses, keeps and replays the seeds; a batch costs little more than one."""

NASTY: Final = (
    b"\0", b"\r\n", b"\n", b"\t", b" ", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", "\u2028".encode(),
    "\uff11".encode(), "\u202e".encode(), b"%00", b"%0d%0a", b"%ff", b"%", b"%%", b"+", b"&", b"=", b"&state=",
    b"&code=a", b"?", b"#", b"@", b"//", b"..", b"/../", b":", b"://", b"[", b"]", b"[::1]",
    b"[" * 3_000, b"{" * 50, b"}", b'"',
    b"'", b"\\", b"\\u0000", b"\\ud800", b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 400, b"0x10", b"1_0",
    b"true", b"null",
    b"<script>", b"keyring:", b"https://",
    b"http://127.0.0.1", b"localhost", b".", b"x" * 9_000, b"gzip", b";", b",",
)  # fmt: skip
"""What readers stumble over."""

VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 3600, 1.5, -0.0, 1e308, 10**30, "", "a", "3600", "-1", "1e3", " ", "a b", "\r\n", "\0",
    "\ud800", "\u202e", "t\xf6", "x" * 300, "bearer", "mac", [], [1], {}, {"a": [{}]},
    "invalid_grant", "invalid_client",
)  # fmt: skip
"""Values of every type that JSON has."""


def mutated(rng: random.Random, samples: Sequence[bytes]) -> bytes:
    """Return a sample with up to five changes; now and then, bytes that are nothing."""
    if rng.random() < 0.03:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(rng.choice(samples))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 5))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 8, 64)))
        change = rng.randrange(6)
        if change == 0:
            data[at:at] = rng.choice(NASTY)
        elif change == 1:
            data[at:end] = rng.choice(NASTY)
        elif change == 2:
            del data[at:end]
        elif change == 3 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif change == 4:
            data[at:at] = data[at:end]
        else:
            other = rng.choice(samples)
            start = rng.randrange(len(other) + 1)
            data[at:end] = other[start : start + 64]
    return bytes(data)


def changed(rng: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields some of which are other, missing or new."""
    fields = dict(fields)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        name = rng.choice([*fields, "error", "error_description", "errors", "token_type", "scope"])
        if rng.random() < 0.2:
            fields.pop(name, None)
        elif name == "errors":
            fields[name] = [{"status": rng.choice(VALUES), "message": rng.choice(VALUES)}, rng.choice(VALUES)]
        else:
            fields[name] = rng.choice(VALUES)
    return fields


def body(rng: random.Random, fields: dict[str, Any]) -> bytes:
    """Return JSON with changed fields, or bytes that were JSON once."""
    data = json.dumps(changed(rng, fields)).encode()
    return data if rng.random() < 0.7 else mutated(rng, [data])


def fuzzed(check: Callable[[random.Random], None], inputs: int = INPUTS) -> Callable[[], None]:
    """Turn a check of one input into a test of many of them."""

    @settings(
        max_examples=max(1, inputs // BATCH),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(st.integers(min_value=0, max_value=2**64 - 1))
    def test(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(BATCH):
            check(rng)

    test.__doc__ = check.__doc__
    test.__name__ = check.__name__
    return test
