"""Notes: what the endpoints record about Flask's current request, for the request log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import flask

from procountor_auth.sandbox.state.request_log import GRANT_TYPES, Owner

from .parameter_names import PARAMETER_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a description may repeat from a request: a faulty client may send a secret in place of any value.
_KNOWN_WORDS = frozenset(PARAMETER_NAMES) | GRANT_TYPES


def note_refusal(reason: str) -> None:
    """Record why the request is rejected. The text must not contain anything from the request."""
    flask.g.refusal = reason


def note_detail(detail: str) -> None:
    """Record details of a rejection that the client does not get. The text must not contain parts of the request."""
    flask.g.refusal_detail = detail


def note_oauth_error(error: str, description: str | None, values: Iterable[str]) -> None:
    """Record an OAuth error; leave out a description that repeats parts of the request.

    Args:
        error: The error's code.
        description: Its description, if any.
        values: The values of the request's parameters.
    """
    if description and any(value and value in description for value in values if value not in _KNOWN_WORDS):
        description = None
    words = " ".join(filter(None, (description, flask.g.get("refusal_detail"))))
    note_refusal(f"{error}: {words}" if words else error)


def note_owner(*, user_id: int, company_id: int | None = None) -> None:
    """Record the owner of the login."""
    owner = owner_noted()
    flask.g.owner = replace(owner, user_id=user_id, company_id=owner.company_id if company_id is None else company_id)


def owner_noted() -> Owner:
    """Return the owner of the request, as far as known."""
    owner: Owner = flask.g.get("owner") or Owner()
    return owner


def refusal_noted() -> str | None:
    """Return why the request was rejected, or None."""
    refusal: str | None = flask.g.get("refusal")
    return refusal
