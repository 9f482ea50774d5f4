"""Why a user has to log in, if more is known about it than the server says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procountor_auth.errors import InteractionRequired

if TYPE_CHECKING:
    from pathlib import Path

    from procountor_auth.stores.use import Use


def spent(path: Path | None) -> InteractionRequired:
    """Return the error that the configured refresh token is not sent, because the server has replaced it.

    Args:
        path: The file that remembers it, if one does.
    """
    hint = "Log in with `procountor-auth login`, or set PROCOUNTOR_REFRESH_TOKEN to a new one."
    if path is not None:
        hint = f"{hint} If this one still works, delete {path}: then it is sent again."
    return InteractionRequired(
        "The server has replaced PROCOUNTOR_REFRESH_TOKEN by another refresh token, which is refused, or not in the "
        "token store any more. It is not sent: a server that sees a replaced one again may end the whole login.",
        hint=hint,
    )


def in_doubt(refusal: InteractionRequired, use: Use) -> InteractionRequired:
    """Return a refusal with what may have led to it: somebody used the refresh token, and no answer came."""
    told = InteractionRequired(
        f"{refusal.message} It was in use by {use}, who stored no answer: the server may have replaced it then.",
        hint=refusal.hint,
    )
    told.definite = refusal.definite
    return told
