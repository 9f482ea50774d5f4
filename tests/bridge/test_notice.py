"""What each answer of a bridge announces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from procountor_auth.bridge.notice import Notice
from procountor_auth.protocol.sunset import SunsetNotice, read_sunset_notice
from procountor_auth.sandbox import Faults
from tests.bridge.running import OldProgram, RunningBridge, login_of

if TYPE_CHECKING:
    from procountor_auth.sandbox import Sandbox

SUNSET = datetime(2027, 6, 30, tzinfo=UTC)


def test_the_deprecation_is_always_there() -> None:
    """There is the day that the vendor named, and a page about it; no end that nobody has decided."""
    assert dict(Notice().headers()) == {
        "Deprecation": "@1617235200",
        "Link": '<https://procountor-auth.readthedocs.io/migration/>; rel="deprecation"; type="text/html"',
    }


def test_the_end_is_a_date_of_http() -> None:
    """The end is in GMT, whatever the time zone that it was given in."""
    assert dict(Notice(SUNSET).headers())["Sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    helsinki = datetime(2027, 6, 30, 3, tzinfo=timezone(timedelta(hours=3)))
    assert Notice(helsinki).headers() == Notice(SUNSET).headers()


def test_every_answer_has_it(sandbox: Sandbox) -> None:
    """The bridge's own answers and those that it passes on, refusals too, announce what our own client understands."""
    announced = SunsetNotice(deprecated_at=1617235200.0, sunset_at=SUNSET.timestamp())
    login = login_of(sandbox)
    with RunningBridge([login], notice=Notice(SUNSET)) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        answers = [program.authz(), program.authz(password="wrong"), program.call(), program.call(path="/nothing")]
    assert [answer.status_code for answer in answers] == [302, 400, 200, 404]
    for answer in answers:
        assert read_sunset_notice(answer.headers.get) == announced


def test_the_service_s_own_announcement_goes_before(sandbox: Sandbox) -> None:
    """Where the service announces an end of its API, the program reads that, once."""
    sandbox.faults = Faults(sunset="2030-01-31")
    login = login_of(sandbox)
    with RunningBridge([login], notice=Notice(SUNSET)) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        answer = program.call()
    assert answer.headers.get_list("sunset") == ["Thu, 31 Jan 2030 00:00:00 GMT"]
