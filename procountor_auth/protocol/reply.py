"""A request with its response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from procountor_auth.protocol.unpicklable import Unpicklable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from procountor_auth.protocol.flow import Request, Response


@dataclass(frozen=True, slots=True)
class Reply(Unpicklable):
    """One request and its response, with the texts for an error.

    Attributes:
        request: The request.
        response: The response.
        what: A description of the request for errors, such as `the client credentials grant`.
        hint: What to do if the server rejects it.
    """

    request: Request
    response: Response
    what: str
    hint: str


def is_error(fields: Mapping[str, Any]) -> bool:
    """Whether a JSON object is an error: it has the standard's `error`, or the API's own `errors` list."""
    return "error" in fields or bool(fields.get("errors"))
