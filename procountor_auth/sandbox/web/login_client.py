"""A login on the sandbox's login pages, for tests that have no browser."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPConnection
from urllib.parse import parse_qsl, urlencode, urlsplit

_TIMEOUT_SECONDS = 30.0


def log_in(url: str, form: dict[str, str]) -> str:
    """Fill in the login page at `url` and return the address that the browser would be sent to.

    Args:
        url: The login URL of a client, `…/login?…` or `…/keylogin?…`.
        form: The user's input: `username`, `password`, `company`, or `action` with `deny`.

    Raises:
        ValueError: There is no redirect: the page rejects the client, the user or the company.
        OSError: The sandbox does not respond.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(
            "POST",
            address.path,
            urlencode(dict(parse_qsl(address.query)) | form),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    location = response.headers["Location"]
    if response.status != HTTPStatus.FOUND or location is None:
        raise ValueError(
            f"the login page did not redirect the browser, it responded with {response.status}: check the client, the "
            "redirect URI, the user's name and password, and the company"
        )
    return str(location)
