"""What a server announces about its own end: `Deprecation`, `Sunset` and `Link: rel="sunset"`."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

import pytest

from procountor_auth.protocol.sunset import SunsetNotice, day, read_sunset_notice

if TYPE_CHECKING:
    from collections.abc import Iterator

_JULY_2023: Final = 1_688_169_599.0
_NOVEMBER_1994: Final = 784_111_777.0
_PAGE: Final = "https://developer.example/end"


def read(**headers: str) -> SunsetNotice | None:
    """Read an answer with these headers."""
    return read_sunset_notice(headers.get)


def shown(value: str) -> str:
    """Name a test by the start of its input."""
    return ascii(value)[1:60]


@pytest.fixture(params=["UTC", "Pacific/Kiritimati"])
def _a_time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the test in a time zone."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def test_silence_announces_nothing() -> None:
    """An answer with none of the headers announces nothing."""
    assert read() is None
    assert read(date="Sun, 06 Nov 1994 08:49:37 GMT", link=f'<{_PAGE}>; rel="next"') is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("@1688169599", _JULY_2023),
        (" @1688169599 ", _JULY_2023),
        ("@1688169599;unknown=1", _JULY_2023),
        ("@1688169599 ; unknown", _JULY_2023),
        ("@0", 0.0),
        ("@253402300799", 253_402_300_799.0),
        ("Fri, 30 Jun 2023 23:59:59 GMT", _JULY_2023),  # a draft's form
    ],
)
def test_a_deprecation_is_unix_seconds(value: str, seconds: float) -> None:
    """`Deprecation` is `@` and Unix seconds (RFC 9745); parameters that nobody knows change nothing."""
    assert read(deprecation=value) == SunsetNotice(deprecated_at=seconds)


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 -0000",
    ],
)
@pytest.mark.usefixtures("_a_time_zone")
def test_a_sunset_is_an_http_date(value: str) -> None:
    """`Sunset` is an HTTP date (RFC 8594) in any of its three forms, and always GMT, wherever this machine is."""
    assert read(sunset=value) == SunsetNotice(sunset_at=_NOVEMBER_1994)


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "true", "1688169599", "@", "@x", "@1.5", "@ 1688169599", "@1688169599, @1688169600", "?1", '"now"'),
        *("@-1", "@-1688169599", "@253402300800", "@999999999999999", "@" + "9" * 5000, "@١٢٣"),
        *(
            "2023-06-30",
            "2023-06-30T23:59:59Z",
            "soon",
            "Sun, 31 Feb 2027 00:00:00 GMT",
            "Sun, 06 Nov 1900 08:49:37 GMT",
        ),
        *(
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov " + "9" * 5000 + " 08:49:37 GMT",
            "\x00",
            "\r\n",
            "@1\r\nX: y",
        ),
        *("Sun, 06 Nov 1994 25:49:37 GMT", "Sun, " * 20_000, " " * 100_000, "Mon, 01 Jan 10000 00:00:00 GMT"),
    ],
    ids=shown,
)
def test_garbage_counts_as_absent(value: str) -> None:
    """A time that can't be read, or that no calendar has, announces nothing and raises nothing."""
    assert read(deprecation=value) is None
    assert read(sunset=value) is None
    assert read(deprecation=value, sunset="Sun, 06 Nov 1994 08:49:37 GMT") == SunsetNotice(sunset_at=_NOVEMBER_1994)


@pytest.mark.parametrize(
    "header",
    [
        f'<{_PAGE}>; rel="sunset"',
        f"<{_PAGE}>;rel=sunset",
        f'<{_PAGE}> ; REL = "SunSet" ; type="text/html"',
        f'<{_PAGE}>; rel="deprecation sunset"',
        f'<{_PAGE}>; crossorigin; rel="sunset"',
        f'<{_PAGE}>; title="a; b, <c> \\"d\\""; rel="sunset"',
        f"<{_PAGE}>; title*=UTF-8''das%20Ende; rel=sunset",
        f'<{_PAGE}>;; rel="sunset";',
        f'<https://a.example/>; rel="next", <{_PAGE}>; rel="sunset", <https://b.example/>; rel="sunset"',
        f'<https://a.example/>; title="x; rel=sunset"; rel="help",<{_PAGE}>; rel="sunset"',
        f'<https://a.example/>; title="<https://b.example/>; rel=sunset"; rel=help, <{_PAGE}>; rel=sunset',
        f'<https://a.example/>; rel="sunset"; anchor="https://b.example/", <{_PAGE}>; rel="sunset"',
        f'<https://a.example/>; rel="help"; rel="sunset", <{_PAGE}>; rel="sunset"',
        f'</relative>; rel="sunset", <{_PAGE}>; rel="sunset"',
        f'garbage, <>, <{_PAGE}>; rel="sunset"',
        f"<{_PAGE}>; rel=sunset, " + "<https://a.example/>; rel=next, " * 10_000,
    ],
    ids=shown,
)
def test_the_sunset_link_is_found(header: str) -> None:
    """The first web address whose own relation is `sunset` is the page, however the header is quoted (RFC 8288)."""
    assert read(sunset="Sun, 06 Nov 1994 08:49:37 GMT", link=header) == SunsetNotice(None, _NOVEMBER_1994, _PAGE)


def test_a_link_alone_is_an_announcement() -> None:
    """A server that names a page about the end, and no time, is heard too."""
    assert read(link=f'<{_PAGE}>; rel="sunset"') == SunsetNotice(link=_PAGE)


@pytest.mark.parametrize(
    "header",
    [
        f'<{_PAGE}>; rel="sunsets"',
        f'<{_PAGE}>; rel="next"; title="sunset"',
        f'<{_PAGE}>; title="; rel=sunset"',
        f"{_PAGE}; rel=sunset",
        f'<{_PAGE}; rel="sunset"',
        f'<{_PAGE}>, ; rel="sunset"',
        f"<{_PAGE}>",
        "rel=sunset",
        "",
        "<" * 100_000,
        f'<{_PAGE}>; title="' + "\\" * 100_000,
    ],
    ids=shown,
)
def test_another_link_is_not_it(header: str) -> None:
    """A link with another relation, or one that is not a link, names no page."""
    assert read(link=header) is None


@pytest.mark.parametrize(
    "target",
    [
        "https://user@developer.example/",
        "https://user:s3cret@developer.example/",
        "https://developer.example\r\nX-Injected: yes",
        "https://developer.example/\r\n2026-01-01 all is well",
        "https://developer.example/ all is well",
        "https://developer.example/\x1b]8;;https://evil.example\x07",
        "https://developer.example/\x1b[2J",
        "https://developer.example/\x9b2J",
        "https://developer.example/\u202egpj.exe",
        "https://d\u0435veloper.example/",
        "https://developer.example/" + "x" * 500,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://developer.example/",
        "//developer.example/",
        "/sunset",
        "https://",
        "https:///sunset",
        "",
    ],
    ids=shown,
)
def test_a_link_that_must_not_be_shown_is_dropped(target: str) -> None:
    """A user's name, control characters, another scheme or an endless text in a link cost the link, not the time."""
    assert read(deprecation="@1688169599", link=f'<{target}>; rel="sunset"') == SunsetNotice(_JULY_2023)


def test_it_is_told_in_words() -> None:
    """The text of an announcement has what was said and nothing else, with days in UTC."""
    assert str(SunsetNotice(_JULY_2023, _NOVEMBER_1994, _PAGE)) == (
        f"deprecated as of 2023-06-30, removed as of 1994-11-06, see {_PAGE}"
    )
    assert str(SunsetNotice(sunset_at=_NOVEMBER_1994)) == "removed as of 1994-11-06"
    assert str(SunsetNotice(link=_PAGE)) == f"see {_PAGE}"
    assert day(253_402_300_799) == "9999-12-31"


_PIECES: Final = (
    *'<>;,=@" \\\t\r\n\x00\x1b-+:/é',
    *("rel", "sunset", "anchor", "Sun", "Nov", "GMT", "1994", "08:49:37", "99999999999", "-0000", "@1688169599"),
    *("https://a.example/", "user@", '<https://a.example/>; rel="sunset"', "Sun, 06 Nov 1994 08:49:37 "),
)


def test_whatever_is_said_is_safe_to_show() -> None:
    """No header raises, and what comes out has a time that can be told and a link that fits on one line."""
    chance = random.Random(8594)  # noqa: S311 - the same inputs each time
    found = 0
    for _ in range(10_000):
        headers = {
            name: "".join(chance.choices(_PIECES, k=chance.randrange(12)))
            for name in ("deprecation", "sunset", "link")
            if chance.random() < 0.8
        }
        ending = read_sunset_notice(headers.get)
        if ending is not None:
            found += 1
            assert ending != SunsetNotice()
            assert str(ending).isprintable()
            assert "user@" not in str(ending)
    assert found > 500
