"""The bridge's own answers, in the shape of the service's."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from .problem import BridgeProblem, OAuthProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def json(fields: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    """Return an answer that no cache keeps."""
    return JSONResponse(dict(fields), status, headers=_NOT_KEPT | {"Date": formatdate(usegmt=True)} | headers)


def empty() -> Response:
    """Return an empty answer of success."""
    return Response(status_code=204, headers=_NOT_KEPT | {"Date": formatdate(usegmt=True)})


def redirect(location: str) -> Response:
    """Return the redirect that brings a code. Its address need not be a URL."""
    headers = _NOT_KEPT | {"Date": formatdate(usegmt=True), "Location": location, "Content-Length": "0"}
    return Response(status_code=302, headers=headers)


def refusal(problem: BridgeProblem, *, last: bool = False) -> Response:
    """Return the answer that says why not: the OAuth endpoints' shape, or the API's.

    Args:
        problem: Why not.
        last: Whether the connection ends with it.
    """
    # What is still to come of a body that did not come in time is not read any more (RFC 9110, section 15.5.9).
    headers = {"Connection": "close"} if last or problem.status == HTTPStatus.REQUEST_TIMEOUT else {}
    headers |= {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "POST"
    if isinstance(problem, OAuthProblem):
        return json({"error": problem.error, "error_description": problem.message}, problem.status, **headers)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return json({"errors": [{"status": problem.status, "message": problem.message}]}, problem.status, **headers)
