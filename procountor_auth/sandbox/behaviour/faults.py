"""Faults: the errors that the sandbox simulates, and for how many more requests."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from .quirks import text
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

Reset = Literal["before", "middle"]
Body = Literal["html", "malformed"]
Where = Literal["token", "oauth", "api", "all"]

#: A part of the API, by its path; None means everything else.
Area = Literal["token", "oauth", "api"]

#: A day, and ten years, in seconds.
_MAX_LATENCY = 86_400
_MAX_CLOCK_SKEW = 315_576_000
#: The path segments that name a version of the API; the last form is that of older clients.
API_VERSION = r"latest|supported|v\d{4}|procountor\.api\.v\d{1,2}"

_API_PATH = re.compile(
    rf"(?:/(?:{API_VERSION}))?/api/(?:(?P<token>oauth/token/?)|(?P<oauth>oauth(?:/.*)?)|(?P<api>.+))"
    rf"|(?P<logout>(?:/(?:{API_VERSION}))?/logout/?)"
)


def _header_text(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be printable ASCII: it is sent as a header")
    return value


def _page_url(value: str) -> str:
    if not re.fullmatch(r"https?://[!#-;=?-~]+", value):
        raise ValueError("must be the URL of a page: http:// or https://, in printable ASCII")
    return value


def _deprecation(value: str) -> str:
    # RFC 9745, section 2.1: a date of RFC 9651, which is "@" and whole seconds of Unix time.
    if re.fullmatch(r"@-?[0-9]{1,15}", value):
        return value
    moment = _iso(value)
    if moment is None:
        raise ValueError("must be an ISO date or time, such as 2027-01-31, or @ and the Unix time")
    return f"@{int(moment.timestamp())}"


def _sunset(value: str) -> str:
    # RFC 8594, section 3: an HTTP-date.
    moment = _iso(value)
    if moment is None and value.isascii() and value.endswith(" GMT"):
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            moment = None
    if moment is None:
        raise ValueError(
            "must be an ISO date or time, such as 2027-01-31, or an HTTP date, such as 'Sun, 31 Jan 2027 00:00:00 GMT'"
        )
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _iso(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        # Near the limits of the calendar, a time in another time zone may be out of range.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _check(convert: Callable[[str], str]) -> AfterValidator:
    """Return a validator that leaves the text unchanged if it can be converted."""

    def check(value: str) -> str:
        convert(value)
        return value

    return AfterValidator(check)


_Deprecation = Annotated[str, _check(_deprecation)]
_Sunset = Annotated[str, _check(_sunset)]
_PageUrl = Annotated[str, _check(_page_url)]
_RetryAfter = Annotated[str, _check(_header_text)]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, config=ConfigDict(strict=True, extra="forbid"))
class Faults(Record):
    """The errors that the sandbox simulates; `Quirks` are its variants of the protocol.

    By default there are no faults. The object is frozen: assign a new one to the running sandbox
    (``sandbox.faults = Faults(...)``), which takes effect with the next request.

    Faults of requests, which affect the requests that ``where`` names; several can be combined:

    Attributes:
        latency: Seconds before each response, 86,400 at most. The wait ends when the sandbox stops.
        status: An error status, from 400 to 599, to respond with: 5xx and 403 as the gateway's
            HTML, the others as the API's JSON.
        retry_after: The header ``Retry-After`` of that response, sent unchanged: seconds, an HTTP date, or
            an invalid value. A number means seconds.
        reset: The connection is reset ``"before"`` any byte of the response, and the request has no
            effect; or in the ``"middle"`` of the response, when it does.
        body: An ``"html"`` page, or ``"malformed"`` JSON, with status 200 or the given ``status``.
        where: ``"token"`` is ``oauth/token``; ``"oauth"`` everything under ``oauth/``; ``"api"``
            ``sessioninfo``, ``users`` and ``logout``; ``"all"`` everything but ``/_sandbox/``.
        times: How many more requests the faults affect; then they end. None: until they are changed.

    Conditions, which last until they are changed:

    Attributes:
        clock_skew: Seconds by which the service's clock is ahead, or behind if negative; ten years at
            most. It affects the tokens' times and the header ``Date``.
        revoked_keys: Every API key is rejected like a revoked one.
        deprecation: The past or future date of the API's deprecation: the header ``Deprecation`` of
            its responses (RFC 9745). An ISO date or time, or ``@`` and the Unix time.
        sunset: When the API will be shut down: the header ``Sunset`` of its responses (RFC 8594). An ISO date
            or time, or an HTTP date.
        sunset_link: The address of a page about it: the header ``Link`` with ``rel="sunset"``.

    Raises:
        ValueError: A field has an invalid value.
    """

    latency: Annotated[float, Field(ge=0, le=_MAX_LATENCY, allow_inf_nan=False)] = 0.0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after: Annotated[_RetryAfter | int | None, BeforeValidator(text)] = None
    reset: Reset | None = None
    body: Body | None = None
    where: Where = "oauth"
    times: Annotated[int, Field(ge=1)] | None = None
    clock_skew: Annotated[float, Field(ge=-_MAX_CLOCK_SKEW, le=_MAX_CLOCK_SKEW, allow_inf_nan=False)] = 0.0
    revoked_keys: bool = False
    deprecation: Annotated[_Deprecation | None, BeforeValidator(text)] = None
    sunset: Annotated[_Sunset | None, BeforeValidator(text)] = None
    sunset_link: Annotated[_PageUrl | None, BeforeValidator(text)] = None

    @property
    def has_faults(self) -> bool:
        """Whether any fault of requests is set."""
        return bool(self.latency or self.status or self.reset or self.body)

    def hits(self, area: Area | None) -> bool:
        """Return whether the faults affect requests in this area.

        Args:
            area: The area, or None for requests outside of all areas.
        """
        return self.where in {"all", area} or (self.where == "oauth" and area == "token")

    def announcements(self) -> list[tuple[str, str]]:
        """Return the headers that every response of the API has."""
        headers: list[tuple[str, str]] = []
        if self.deprecation is not None:
            headers.append(("Deprecation", _deprecation(self.deprecation)))
        if self.sunset is not None:
            headers.append(("Sunset", _sunset(self.sunset)))
        if self.sunset_link is not None:
            headers.append(("Link", f'<{self.sunset_link}>; rel="sunset"'))
        return headers

    def after_one(self) -> Faults:
        """Return the faults that remain after one more affected request."""
        if self.times is None:
            return self
        if self.times > 1:
            return replace(self, times=self.times - 1)
        # Everything is reset, including `where`.
        return replace(
            self, latency=0.0, status=None, retry_after=None, reset=None, body=None, where="oauth", times=None
        )


class FaultState:
    """The current faults of one sandbox; thread-safe."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self.faults: Faults = faults

    def change(self, make: Callable[[Faults], Faults]) -> None:
        """Replace the faults with the result of a function, atomically."""
        with self._lock:
            self.faults = make(self.faults)

    def take(self, area: Area | None) -> Faults | None:
        """Return the faults if they affect a request in this area, and count it; otherwise None."""
        faults = self.faults
        if not faults.has_faults or not faults.hits(area):
            return None
        with self._lock:
            # Another thread may have taken the last one.
            faults = self.faults
            if not faults.has_faults or not faults.hits(area):
                return None
            self.faults = faults.after_one()
        return faults


def area_of(path: str) -> Area | None:
    """Return the part of the API that a path is in, with or without a version and a trailing slash."""
    found = _API_PATH.fullmatch(path)
    if found is None:
        return None
    return "token" if found["token"] else "oauth" if found["oauth"] else "api"
