"""Weather: what goes wrong today, at a service that speaks its usual dialect."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Reset = Literal["before", "middle"]
Body = Literal["html", "malformed"]
Where = Literal["token", "oauth", "api", "all"]

#: A part of the API, by its path; None is everything else.
Area = Literal["token", "oauth", "api"]

_DAY = 86_400.0
_TEN_YEARS = 315_576_000.0
#: The path segments that name a version of the API; the last form is that of older clients.
API_VERSION = r"latest|supported|v\d{4}|procountor\.api\.v\d{1,2}"

_API_PATH = re.compile(
    rf"(?:/(?:{API_VERSION}))?/api/(?:(?P<token>oauth/token/?)|(?P<oauth>oauth(?:/.*)?)|(?P<api>(?:sessioninfo|users)/?))"
    rf"|(?P<logout>(?:/(?:{API_VERSION}))?/logout/?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What goes wrong at the sandbox, in contrast to `Quirks`, the dialect that it speaks.

    The defaults are fair weather. An object is frozen: give the running sandbox another one
    (``sandbox.weather = Weather(...)``) and it counts from the next request.

    Faults, which hit the requests that ``where`` names, together if several are set:

    Attributes:
        latency: Seconds before each answer, 86,400 at most. The wait ends when the sandbox stops.
        status: An error status, from 400 to 599, that is answered instead: 5xx and 403 as the gateway's
            HTML, the others as the API's JSON.
        retry_after: The header ``Retry-After`` of that answer, sent as it is: seconds, an HTTP date, or
            nonsense. A number is taken for seconds.
        reset: The connection is reset ``"before"`` any byte of the answer, and the request has had no
            effect; or in the ``"middle"`` of the answer, when it has.
        body: An ``"html"`` page, or ``"malformed"`` JSON, with status 200 or the given ``status``.
        where: ``"token"`` is ``oauth/token``; ``"oauth"`` everything under ``oauth/``; ``"api"``
            ``sessioninfo``, ``users`` and ``logout``; ``"all"`` everything but ``/_sandbox/``.
        times: How many more requests the faults hit; then they are over. None: until the weather changes.

    Conditions, which last:

    Attributes:
        clock_skew: Seconds by which the service's clock is ahead, or behind if negative; ten years at
            most. It shows in the tokens' times and in the header ``Date``.
        revoked_keys: Every API key is refused as a revoked one is.
        deprecation: Since when, or from when on, the API is deprecated: the header ``Deprecation`` of
            its answers (RFC 9745). An ISO date or time, or ``@`` and the Unix time.
        sunset: When the API will be gone: the header ``Sunset`` of its answers (RFC 8594). An ISO date
            or time, or an HTTP date.
        sunset_link: The address of a page about it: the header ``Link`` with ``rel="sunset"``.

    Raises:
        ValueError: A field has a value that it does not know.
    """

    latency: float = 0.0
    status: int | None = None
    retry_after: str | int | None = None
    reset: Reset | None = None
    body: Body | None = None
    where: Where = "oauth"
    times: int | None = None
    clock_skew: float = 0.0
    revoked_keys: bool = False
    deprecation: str | None = None
    sunset: str | None = None
    sunset_link: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be: a typing slip would otherwise pass as fair weather."""
        if not 0 <= self.latency <= _DAY:
            raise ValueError("latency must be from 0 to 86400 seconds")
        if self.status is not None and not 400 <= self.status <= 599:  # noqa: PLR2004 - HTTP's error range
            raise ValueError("status must be an HTTP error status, from 400 to 599")
        if isinstance(self.retry_after, int):
            object.__setattr__(self, "retry_after", str(self.retry_after))
        _header_text("retry_after", self.retry_after)
        for name, known in (("reset", (None, *get_args(Reset))), ("body", (None, *get_args(Body)))):
            _one_of(name, getattr(self, name), known)
        _one_of("where", self.where, get_args(Where))
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")
        if not isfinite(self.clock_skew) or abs(self.clock_skew) > _TEN_YEARS:
            raise ValueError("clock_skew must be a number of seconds, ten years at most")
        if self.deprecation is not None:
            _deprecation(self.deprecation)
        if self.sunset is not None:
            _sunset(self.sunset)
        if self.sunset_link is not None and not re.fullmatch(r"https?://[!#-;=?-~]+", self.sunset_link):
            raise ValueError("sunset_link must be the URL of a page: http:// or https://, in printable ASCII")

    @property
    def has_faults(self) -> bool:
        """Whether a request that is hit differs from one in fair weather."""
        return bool(self.latency or self.status or self.reset or self.body)

    def hits(self, area: Area | None) -> bool:
        """Return whether the faults hit requests in this area."""
        return self.where in {"all", area} or (self.where == "oauth" and area == "token")

    def announcements(self) -> list[tuple[str, str]]:
        """Return the headers that every answer of the API has."""
        headers = []
        if self.deprecation is not None:
            headers.append(("Deprecation", _deprecation(self.deprecation)))
        if self.sunset is not None:
            headers.append(("Sunset", _sunset(self.sunset)))
        if self.sunset_link is not None:
            headers.append(("Link", f'<{self.sunset_link}>; rel="sunset"'))
        return headers

    def after_one(self) -> Weather:
        """Return the weather after its faults have hit one more request."""
        if self.times is None:
            return self
        if self.times > 1:
            return replace(self, times=self.times - 1)
        return replace(self, latency=0.0, status=None, retry_after=None, reset=None, body=None, times=None)


class Sky:
    """The weather of one sandbox at this moment, safe for many threads."""

    def __init__(self, weather: Weather) -> None:
        self._lock = threading.Lock()
        self.weather = weather

    def change(self, make: Callable[[Weather], Weather]) -> None:
        """Replace the weather by one that is made from it, with no request in between."""
        with self._lock:
            self.weather = make(self.weather)

    def strike(self, area: Area | None) -> Weather | None:
        """Return the weather if its faults hit a request in this area, and count the hit; else None."""
        weather = self.weather
        if not weather.has_faults or not weather.hits(area):
            return None
        with self._lock:
            # Another thread may have had the last hit.
            weather = self.weather
            if not weather.has_faults or not weather.hits(area):
                return None
            self.weather = weather.after_one()
        return weather


def area_of(path: str) -> Area | None:
    """Return the part of the API that a path is in, with or without a version and a trailing slash."""
    found = _API_PATH.fullmatch(path)
    if found is None:
        return None
    return "token" if found["token"] else "oauth" if found["oauth"] else "api"


def _one_of(name: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}")


def _header_text(name: str, value: str | int | None) -> None:
    if value is not None and not (str(value).isascii() and str(value).isprintable()):
        raise ValueError(f"{name} must be printable ASCII: it is sent as a header")


def _deprecation(value: str) -> str:
    # RFC 9745, section 2.1: a date of RFC 9651, which is "@" and whole seconds of Unix time.
    if re.fullmatch(r"@-?[0-9]{1,15}", value):
        return value
    moment = _iso(value)
    if moment is None:
        raise ValueError("deprecation must be an ISO date or time, such as 2027-01-31, or @ and the Unix time")
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
            "sunset must be an ISO date or time, such as 2027-01-31, or an HTTP date, such as "
            "'Sun, 31 Jan 2027 00:00:00 GMT'"
        )
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _iso(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        # Near the ends of the calendar another time zone's time is not in it.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
