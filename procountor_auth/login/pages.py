"""The pages that a browser shows after the redirect to this machine.

They contain nothing from the request, run no scripts, load nothing, and are not cached. Text from outside, such as a
server's text in an error, is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from procountor_auth.errors import AccessDenied

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.0625rem/1.5 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.25rem;"
    "overflow-wrap:anywhere}"
    "main{border-left:.375rem solid #767676;padding-left:1.25rem}"
    "main.well{border-color:#2e7d32}"
    "main.badly{border-color:#c62828}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}"
    "p{margin:.75rem 0}"
)

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The address of the page contains the code, so it must not be sent as a referrer.
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""The headers of every page."""

_CLOSE: Final = "You can close this tab."
_WAITING: Final = "The login is still open: continue in the tab where you log in."


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        status: The HTTP status.
        title: What has happened, as a sentence.
        paragraphs: What it means, and what to do, as plain text.
        tone: `well`, `badly`, or empty for neither.
    """

    status: HTTPStatus
    title: str
    paragraphs: tuple[str, ...] = ()
    tone: str = ""

    def html(self) -> bytes:
        """Return the page as HTML, with all text escaped."""
        title = escape(self.title)
        paragraphs = "".join(f"<p>{escape(each)}</p>\n" for each in self.paragraphs if each)
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title.removesuffix('.')} - procountor-auth</title>\n<style>{_STYLE}</style>\n</head>\n"
            f'<body>\n<main class="{escape(self.tone)}">\n<h1>{title}</h1>\n{paragraphs}</main>\n</body>\n</html>\n'
        ).encode()


SUCCESS: Final = Page(HTTPStatus.OK, "Login complete.", ("Close this tab and return to your terminal.",), "well")

DECLINED: Final = Page(HTTPStatus.BAD_REQUEST, "You declined the login.", (_CLOSE,))

OVER: Final = Page(
    HTTPStatus.BAD_REQUEST,
    "This login has ended.",
    ("Close this tab and return to your terminal: it shows how the login ended.",),
)

UNDER_WAY: Final = Page(
    HTTPStatus.BAD_REQUEST,
    "This login is being completed.",
    ("Close this tab and return to your terminal: it shows how the login ends.",),
)

BROKEN: Final = Page(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The login failed.",
    ("Close this tab and return to your terminal: it shows what went wrong.",),
    "badly",
)


def failure(error: ProcountorAuthError) -> Page:
    """Return the page for a login that failed with `error`, whose text contains no secret."""
    if isinstance(error, AccessDenied):
        return DECLINED
    return Page(HTTPStatus.BAD_REQUEST, "The login failed.", (error.message, error.hint, _CLOSE), "badly")


def not_accepted(error: ProcountorAuthError) -> Page:
    """Return the page for a redirect that is not the response to the login, which stays open."""
    return Page(HTTPStatus.BAD_REQUEST, "This is not the response to the login.", (error.message, _WAITING), "badly")


def nothing_here(status: HTTPStatus) -> Page:
    """Return the page for a request that has nothing to do with the login."""
    return Page(status, f"{status.phrase}.", ("This address only receives the result of a login.",))
