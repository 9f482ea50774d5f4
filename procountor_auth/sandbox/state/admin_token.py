"""The token that the administration may require."""

from __future__ import annotations

import re

#: The environment variable that the command line reads the token from.
TOKEN_VARIABLE = "PROCOUNTOR_SANDBOX_TOKEN"  # noqa: S105 - a name
MIN_TOKEN_LENGTH = 16


def check_token(token: str | None) -> None:
    """Check that a token is hard to guess, and that a header can carry it.

    Raises:
        ValueError: It is shorter than 16 characters, or has characters other than printable ASCII without spaces.
    """
    if token is not None and not re.fullmatch(f"[!-~]{{{MIN_TOKEN_LENGTH},}}", token):
        raise ValueError(f"the token must have at least {MIN_TOKEN_LENGTH} characters, printable ASCII without spaces")
