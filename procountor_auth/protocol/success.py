"""Checks that a response is a success. As nearly all are, `error_response` is imported only after an error."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from procountor_auth.protocol.importing import importing
from procountor_auth.protocol.reply import is_error

if TYPE_CHECKING:
    from procountor_auth.protocol.flow import Response
    from procountor_auth.protocol.reply import Reply


def refuse_errors(reply: Reply) -> None:
    """Raise the error of a response that is not a success."""
    if _is_success(reply.response):
        return
    with importing():
        from procountor_auth.protocol.error_response import error_in  # noqa: PLC0415 - only after an error
    raise error_in(reply)


def _is_success(response: Response) -> bool:
    # A separate function, so that no frame of an error contains the fields.
    fields = response.json_object()
    return response.status == HTTPStatus.OK and fields is not None and not is_error(fields)
