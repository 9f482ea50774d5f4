"""Where the tests show a secret because showing it is what they are about. docs/leaks.md lists the same."""

from __future__ import annotations

from typing import Final, NamedTuple


class Purpose(NamedTuple):
    """One allowance.

    Attributes:
        where: The beginning of the tests' names.
        place: Where the secrets may stand.
        kinds: Which ones.
        reason: Why.
    """

    where: str
    place: str
    kinds: frozenset[str]
    reason: str


_TOKENS: Final = frozenset({"access_token", "refresh_token"})
_ALL: Final = frozenset({"access_token", "refresh_token", "api_key", "client_secret", "password", "username", "state"})

PURPOSES: Final = (
    Purpose("tests/cli/", "stdout", _TOKENS, "`procountor-auth token` prints a token; the tests ask it for one"),
    Purpose(
        "tests/cli/test_key_command.py",
        "stdout",
        frozenset({"api_key"}),
        "`key create` prints the key as the variable to set",
    ),
    Purpose(
        "tests/browser/test_login_command.py",
        "stdout",
        frozenset({"api_key"}),
        "`key create` prints the key as the variable to set",
    ),
    Purpose("tests/documents/", "stdout", _ALL, "the documents' own sandbox prints what it has, as a person sees it"),
    Purpose("tests/documents/", "stderr", frozenset({"state"}), "`login` prints the address to open, with the state"),
    Purpose("tests/documents/", "argv", _ALL, "the documents' blocks run in a shell"),
    Purpose("tests/documents/", "file", _ALL, "the documents' readers write their own files"),
    Purpose(
        "tests/sandbox/test_sandbox_companies.py",
        "file",
        _ALL,
        "`sandbox --profiles-file` writes a file (0600) with the credentials of its made-up companies",
    ),
    Purpose("tests/cli/test_init_command.py", "file", _ALL, "`sandbox --env-file` fills in a file (0600)"),
    Purpose(
        "tests/examples/test_pages.py",
        "stdout",
        frozenset({"api_key", "state"}),
        "the programs of docs/web-login.md print the address to open, and the key",
    ),
    Purpose("tests/supply/test_limits.py", "stdout", _ALL, "shows what `/proc/PID/environ` shows"),
    Purpose("tests/cli/", "stderr", frozenset({"state"}), "`login` prints the address to open, which has the state"),
)


def is_on_purpose(nodeid: str, place: str, kind: str) -> bool:
    """Whether a secret of this kind may stand there in this test."""
    return any(nodeid.startswith(each.where) and place == each.place and kind in each.kinds for each in PURPOSES)
