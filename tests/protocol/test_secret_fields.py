"""What has secrets in its fields is compared and printed without showing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis.vendor.pretty import pretty
from rich.pretty import pretty_repr

from procountor_auth import Token
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.stores.base import Entry

if TYPE_CHECKING:
    from pathlib import Path

_TEST: Final = """
from pathlib import Path
import pytest
from procountor_auth import Token
from procountor_auth.protocol.authorization_request import AuthorizationRequest
from procountor_auth.protocol.flow import Request, Response
from procountor_auth.stores.base import Entry
from procountor_auth.tokens.cache import CachedToken

def token(secret):
    return Token(secret, 1.0, 2.0, "s", secret)

KINDS = [
    token,
    lambda secret: [token(secret)],
    lambda secret: {"token": token(secret)},
    lambda secret: Entry(1, token(secret)),
    lambda secret: CachedToken(token(secret), 0.0, 0.0),
    lambda secret: Request("POST", "https://a.example/t", secret, secret),
    lambda secret: Response(200, {"location": (secret,)}, secret.encode()),
    lambda secret: AuthorizationRequest(secret, None),
]

@pytest.mark.parametrize("number", range(len(KINDS)))
def test_equal(number):
    left, right = (KINDS[number](each) for each in Path("secrets").read_text().split())
    assert left == right
"""

_HOLDERS: Final = (
    Token("s3cret-1", 1.0, 2.0, "s", "s3cret-2"),
    Entry(1, Token("s3cret-1", 1.0, 2.0, "s")),
    Request("POST", "https://a.example/t", "s3cret-1", "s3cret-2"),
    Response(200, {"location": ("s3cret-1",)}, b"s3cret-2"),
)


def test_a_failed_comparison_shows_no_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The explanation of `==`, with -vv and the locals, names the objects and shows no secret of theirs."""
    (tmp_path / "secrets").write_text("canary-of-the-left canary-of-the-right")
    program = tmp_path / "test_program.py"
    program.write_text(_TEST)
    options = ["-vv", "--showlocals", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # The plugins of this process are not told of the program's tests.
    ended = pytest.main([*options, f"--rootdir={tmp_path}", "-c", "/dev/null", str(program)])
    said = capfd.readouterr().out
    assert ended == pytest.ExitCode.TESTS_FAILED
    assert "8 failed" in said
    assert "assert Token(" in said
    assert "canary" not in said


@pytest.mark.parametrize("holder", _HOLDERS, ids=lambda holder: type(holder).__name__)
def test_pretty_printers_show_no_secret(holder: object) -> None:
    """hypothesis, IPython (by the same method) and rich print what `repr` shows, and nothing else."""
    assert type(holder).__name__ in pretty(holder)
    assert "s3cret" not in pretty(holder) + pretty_repr(holder)


def test_equality_is_that_of_the_fields() -> None:
    """Two are equal, with one hash, exactly where all of their fields are; nothing else is equal to them."""
    token = Token("a", 1.0, 2.0, "s", "r")
    assert token == Token("a", 1.0, 2.0, "s", "r")
    assert hash(token) == hash(Token("a", 1.0, 2.0, "s", "r"))
    others = [Token("b", 1.0, 2.0, "s", "r"), Token("a", 1.0, 2.0, "s"), ("a", 1.0, 2.0, "s", "r", None, None), None]
    assert all(token != other for other in others)
