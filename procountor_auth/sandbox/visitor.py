"""A person at the sandbox's login pages, for tests that have no browser."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import parse_qsl, urlencode, urlsplit

_PATIENCE = 30.0


def visit(url: str, person: dict[str, str]) -> str:
    """Fill in the login page at `url` and return the address that the browser would be sent to.

    Args:
        url: The login URL that a client made, `…/login?…` or `…/keylogin?…`.
        person: What the person types and presses: `username`, `password`, `company`, or `action` with `deny`.

    Raises:
        ValueError: The page does not lead anywhere: it refuses the client, the person or the company.
        OSError: The sandbox does not answer.
    """
    asked = urlsplit(url)
    connection = HTTPConnection(asked.hostname or "", asked.port, timeout=_PATIENCE)
    try:
        connection.request(
            "POST",
            asked.path,
            urlencode(dict(parse_qsl(asked.query)) | person),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    location = answer.headers["Location"]
    if answer.status != HTTPStatus.FOUND or location is None:
        raise ValueError(
            f"the login page did not send the browser back, it answered {answer.status}: check the client, the "
            "redirect URI, the user's name and password, and the company"
        )
    return str(location)
