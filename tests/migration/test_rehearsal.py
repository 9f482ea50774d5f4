"""The rehearsal: both strategies, the same company, nothing switched."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

import jwt
import pytest

from procountor_auth import TokenSource
from procountor_auth.errors import ConnectionFailed, InvalidGrant, ProcountorAuthError, StoreError
from procountor_auth.migration.probe import Probe, Reached
from procountor_auth.migration.readiness import Readiness, Reason
from procountor_auth.migration.rehearsal import Rehearsal
from procountor_auth.migration.results import RehearsalResults
from procountor_auth.protocol.claims import unverified_claims
from procountor_auth.protocol.sessioninfo import Session
from procountor_auth.protocol.token import Token
from procountor_auth.sandbox import Faults, Quirks
from procountor_auth.tokens.pool import ProviderPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from procountor_auth.sandbox import Sandbox
    from procountor_auth.sandbox.behaviour.quirks import CompanyClaim
    from procountor_auth.settings.profiles import Profiles
    from procountor_auth.tokens.provider import TokenProvider
    from tests.migration.conftest import Companies

pytestmark = pytest.mark.both_error_shapes

TARGET = "client_credentials"


def rehearse(profiles: Profiles, *names: str, target: str = TARGET, **options: Any) -> list[Readiness]:  # noqa: ANN401
    """Rehearse some profiles; return the verdicts in their order."""
    found = {verdict.profile: verdict for verdict in Rehearsal(profiles, target, **options).run(names)}
    return [found[name] for name in names]


def asked(sandbox: Sandbox) -> Counter[tuple[str, object]]:
    """Count what was asked of the sandbox, by the path's last part and the grant."""
    return Counter((entry["path"].rsplit("/", 1)[-1], entry["grant_type"]) for entry in sandbox.log())


def test_go(companies: Companies) -> None:
    """A profile whose two strategies reach the same company says GO, after one token request with each."""
    companies.add("acme")
    [verdict] = rehearse(companies.write(), "acme")
    assert verdict.ready
    company = companies.company_id("acme")
    tokens = {}
    for name, strategy in (("today", "legacy_password"), ("next", TARGET)):
        companies.tables["acme"]["strategy"] = strategy
        companies.write()
        tokens[name] = TokenSource.from_env(profile="acme").token()
    assert verdict.found == {
        name: {
            "company_id": company,
            "company": "acme Oy",
            "user_id": companies.user_id("acme"),
            "user": "user of acme",
            "expires_at": token.expires_at,
            "refresh_expires_at": token.refresh_expires_at,
            "announced": [],
        }
        for name, token in tokens.items()
    }
    assert tokens["today"].refresh_expires_at is not None
    assert verdict.as_dict()["next"] == verdict.found["next"]
    assert (verdict.notes, verdict.profile, verdict.strategy) == ((), "acme", "legacy_password")
    assert asked(companies.sandbox) == {
        ("authz", None): 1,
        ("token", "authorization_code"): 1,
        ("token", "client_credentials"): 1,
        ("sessioninfo", None): 2,
    }


def test_a_profile_that_has_switched_and_is_broken_is_blocked(companies: Companies) -> None:
    """There is nothing to rehearse; what is wrong with it is said all the same."""
    companies.add("acme", strategy=TARGET, api_key=None)
    (found,) = rehearse(companies.write(), "acme")
    assert [reason.variable for reason in found.reasons] == ["PROCOUNTOR_API_KEY"]
    assert found.notes == ("it has already switched: nothing was tried",)


def test_nothing_is_switched(companies: Companies, token_requests: Callable[[Sandbox], list[str]]) -> None:
    """The program goes on with the token that it had; after the switch it finds the rehearsal's."""
    companies.add("acme")
    profiles = companies.write()
    before = TokenSource.from_env(profile="acme").token()
    rehearse(profiles, "acme")
    assert TokenSource.from_env(profile="acme").token().access_token == before.access_token
    companies.tables["acme"]["strategy"] = TARGET
    companies.write()
    assert TokenSource.from_env(profile="acme").token().strategy == TARGET
    assert token_requests(companies.sandbox) == ["authorization_code", "client_credentials"]


@pytest.mark.parametrize("claim", ["claim", "omit"])
def test_a_key_of_another_company_is_found(companies: Companies, claim: CompanyClaim) -> None:
    """Where the two reach different companies it is NO GO, and both are named, whether the tokens say it or not."""
    companies.sandbox.quirks = Quirks(company=claim)
    companies.add("acme")
    other = companies.add("other")["api_key"]
    companies.tables["acme"]["api_key"] = other
    [verdict] = rehearse(companies.write(), "acme")
    said = {
        "claim": "client_credentials: The token from client_credentials is for",
        "omit": "client_credentials: The token of client_credentials reaches",
    }
    own, reached = companies.company_id("acme"), companies.company_id("other")
    assert verdict.reasons == (
        Reason(
            code="wrong_company",
            message=f"{said[claim]} company {reached}; PROCOUNTOR_COMPANY is {own}.",
            hint="Set [profiles.acme] api_key to a key of this company: `procountor-auth key create --profile acme` "
            "makes one. Or correct [profiles.acme] company.",
        ),
    )


def test_a_revoked_key_and_a_wrong_client_are_refused(companies: Companies) -> None:
    """What the server refuses is NO GO, with the server's reason."""
    companies.sandbox.world.revoke_api_key(companies.add("revoked")["api_key"])
    companies.add("client", client_secret="wrong")
    revoked, client = rehearse(companies.write(), "revoked", "client")
    assert [reason.code for reason in revoked.reasons] == ["invalid_grant"]
    assert revoked.reasons[0].message.startswith("client_credentials: The server rejected")
    assert {reason.code for reason in client.reasons} == {"invalid_client"}
    assert {reason.message.partition(":")[0] for reason in client.reasons} == {TARGET, "legacy_password"}


def test_what_was_refused_is_tried_again_at_once(companies: Companies) -> None:
    """Who has corrected what the server refused a moment ago sees that with the next rehearsal."""
    companies.add("acme")
    profiles = companies.write()
    companies.sandbox.faults = Faults(revoked_keys=True)
    [refused] = rehearse(profiles, "acme")
    companies.sandbox.faults = Faults()
    [corrected] = rehearse(profiles, "acme")
    assert (refused.ready, corrected.ready) == (False, True)


def test_a_broken_today_is_no_go(companies: Companies) -> None:
    """Without a working strategy of today there is nothing to compare with; the profile counts as rehearsed."""
    companies.add("acme", password="wrong")
    rehearsal = Rehearsal(companies.write(), TARGET)
    [verdict] = rehearsal.run(["acme"])
    assert rehearsal.completed == 1
    assert [reason.message.partition(":")[0] for reason in verdict.reasons] == ["legacy_password"]


def test_the_target_alone_can_be_tried(companies: Companies) -> None:
    """With `target_only` the configured company is the right one: for the day on which legacy is gone."""
    companies.sandbox.quirks = Quirks(legacy_removed="404")
    companies.add("acme")
    other = companies.add("other")
    companies.tables["acme"] |= {"password": "does not matter"}
    other["api_key"] = companies.tables["acme"]["api_key"]
    companies.add("nameless", company=None)
    verdicts = rehearse(companies.write(), "acme", "other", "nameless", target_only=True)
    assert [[reason.code for reason in verdict.reasons] for verdict in verdicts] == [
        [],
        ["wrong_company"],
        ["company_unknown"],
    ]
    [strict] = rehearse(companies.write(), "acme")
    assert [reason.code for reason in strict.reasons] == ["legacy_removed"]


def test_a_user_without_rights_is_no_go(companies: Companies) -> None:
    """A user who is shut out of the company gets no GO, after one token request and no second one."""
    companies.add("acme")
    legacy_user = companies.sandbox.world.add_user("old one", "pw", companies=[companies.company_id("acme")])
    key_user = companies.user_id("acme")
    companies.tables["acme"] |= {"username": legacy_user.username, "password": "pw"}
    companies.sandbox.world.limit_user(key_user, companies.company_id("acme"), set())
    [verdict] = rehearse(companies.write(), "acme")
    assert [reason.code for reason in verdict.reasons] == ["credentials_refused"]
    assert verdict.reasons[0].message.startswith("client_credentials: ")
    assert "GET sessioninfo (status 403)" in verdict.reasons[0].message
    assert asked(companies.sandbox)["token", TARGET] == 1


def test_lost_rights_are_found_by_asking_for_them(companies: Companies) -> None:
    """A resource that today's user may read and the next one may not is NO GO; one that neither may is not."""
    companies.add("acme")
    company = companies.company_id("acme")
    world = companies.sandbox.world
    old = world.add_user("old one", "pw", companies=[company])
    key_user = companies.user_id("acme")
    companies.tables["acme"] |= {"username": old.username, "password": "pw"}
    world.limit_user(key_user, company, {"sessioninfo"})
    [verdict] = rehearse(companies.write(), "acme", resources=["users", "nowhere"])
    assert [reason.message for reason in verdict.reasons] == [
        f"user {key_user} can't read users with client_credentials, but user {old.id} can today"
    ]
    [free] = rehearse(companies.write(), "acme")
    assert free.ready
    assert free.notes == (f"another user: user {old.id} today, user {key_user} with client_credentials",)


def test_a_stored_token_that_was_revoked_is_replaced(
    companies: Companies, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """A stored token that the API does not take any more is not held against the strategy."""
    companies.add("acme")
    profiles = companies.write()
    token = TokenSource.from_env(profile="acme").token()
    companies.sandbox.world.sessions.log_out(unverified_claims(token.access_token))
    [verdict] = rehearse(profiles, "acme")
    assert verdict.ready
    assert token_requests(companies.sandbox).count("refresh_token") == 1
    assert verdict.found["today"]["expires_at"] > token.expires_at


def test_a_stored_token_is_used_until_it_ends(
    companies: Companies, token_requests: Callable[[Sandbox], list[str]]
) -> None:
    """Whether a stored token is still good is a matter of the rehearsal's clock."""
    companies.add("acme")
    profiles = companies.write()
    now = time.time()
    for later, requests in ((0.0, 2), (60.0, 2), (2 * 86_400.0, 4)):
        [verdict] = rehearse(profiles, "acme", clock=repeat(now + later).__next__)
        assert verdict.ready
        assert len(token_requests(companies.sandbox)) == requests


def test_one_pause_counts_for_all(companies: Companies) -> None:
    """When the server asks one to wait longer than a request can, all wait, and then go on to GO."""
    for number in range(4):
        companies.add(f"c{number}", timeout=1)
    now = [1000.0]

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    companies.sandbox.faults = Faults(status=429, retry_after="60", times=1, where="token")
    verdicts = rehearse(companies.write(), *companies.tables, at_once=1, sleep=sleep, monotonic=lambda: now[0])
    assert all(verdict.ready for verdict in verdicts)
    assert slept == [1.0] * 60


@pytest.mark.parametrize(
    ("asked_for", "times", "slept", "ready"),
    [(900, 1, 900.0, True), (901, 1, 0.0, False), (60, 10, 600.0, True), (60, 11, 600.0, False)],
)
def test_waiting_has_its_limits(companies: Companies, asked_for: int, times: int, slept: float, *, ready: bool) -> None:
    """A wait of a quarter of an hour is long enough, and so are ten of them; more is the profile's error."""
    companies.add("acme", timeout=1)
    companies.sandbox.faults = Faults(status=429, retry_after=asked_for, times=times, where="token")
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    [verdict] = rehearse(companies.write(), "acme", sleep=sleep, monotonic=lambda: now[0], target_only=True)
    assert (now[0], verdict.ready) == (slept, ready)
    assert [reason.code for reason in verdict.reasons] == ([] if ready else ["service_unavailable"])


def test_a_server_that_asks_for_too_long_is_reported(companies: Companies) -> None:
    """Nobody waits for hours: the profile is NO GO for now, and says why."""
    companies.add("acme")
    companies.sandbox.faults = Faults(status=429, retry_after="7200", where="token")
    [verdict] = rehearse(companies.write(), "acme")
    assert {reason.code for reason in verdict.reasons} == {"service_unavailable"}


class Failing(Probe):
    """A probe of a server that fails some times."""

    def __init__(self, *errors: ProcountorAuthError) -> None:
        super().__init__((), monotonic=time.monotonic, sleep=lambda _seconds: None)
        self.left = list(errors)
        self.asked = 0

    def _ask(self, provider: TokenProvider) -> Reached:  # noqa: ARG002 - the probe's
        self.asked += 1
        if self.left:
            raise self.left.pop(0)
        return Reached(Session(1), Token("access", 1.0, 2.0, TARGET), {}, ())


@pytest.mark.parametrize(
    ("errors", "times", "reached"),
    [
        ([ConnectionFailed("no")], 2, True),
        ([ConnectionFailed("no"), ConnectionFailed("no")], 2, False),
        ([InvalidGrant("no")], 1, False),
        ([ConnectionFailed("no"), InvalidGrant("no")], 2, False),
    ],
)
def test_a_passing_failure_is_tried_once_more(errors: list[ProcountorAuthError], times: int, *, reached: bool) -> None:
    """What may pass is tried once more, what was refused is not, and what has failed to the end is raised."""
    probe, last = Failing(*errors), errors[-1]
    if reached:
        assert probe.reach(cast("TokenProvider", None)).session == Session(1)
    else:
        with pytest.raises(ProcountorAuthError) as caught:
            probe.reach(cast("TokenProvider", None))
        assert caught.value is last
    assert probe.asked == times


def test_it_goes_on_where_it_was_interrupted(companies: Companies, tmp_path: Path) -> None:
    """What has said GO is not asked again, by a new process either; `fresh` asks again."""
    for number in range(6):
        companies.add(f"c{number}")
    profiles = companies.write()
    names = list(companies.tables)
    path = tmp_path / "record" / "results.jsonl"
    interrupted = Rehearsal(profiles, TARGET, at_once=1, results=RehearsalResults(path)).run(names)
    first = next(interrupted)
    interrupted.close()
    done = len(path.read_text().splitlines())
    assert 1 <= done < 6
    companies.sandbox.clear_log()
    verdicts = rehearse(profiles, *names, results=RehearsalResults(path))
    assert all(verdict.ready for verdict in verdicts)
    again = next(verdict for verdict in verdicts if verdict.profile == first.profile)
    assert again.found == first.found
    assert sum("--fresh" in note for verdict in verdicts for note in verdict.notes) == done
    assert asked(companies.sandbox)["token", TARGET] == 6 - done
    companies.sandbox.clear_log()
    rehearse(profiles, *names, results=RehearsalResults(path), fresh=True)
    assert asked(companies.sandbox)["sessioninfo", None] == 12


def test_an_interrupted_fresh_rehearsal_goes_on_without_fresh(companies: Companies, tmp_path: Path) -> None:
    """A GO from before it does not count for the profiles that it did not reach; those that it reached are done."""
    for number in range(4):
        companies.add(f"c{number}")
    profiles = companies.write()
    names = list(companies.tables)
    path = tmp_path / "record" / "results.jsonl"
    rehearse(profiles, *names, results=RehearsalResults(path))
    lines = len(path.read_text().splitlines())
    interrupted = Rehearsal(profiles, TARGET, at_once=1, results=RehearsalResults(path), fresh=True).run(names[:3])
    next(interrupted)
    interrupted.close()
    done = len(path.read_text().splitlines()) - lines - 1
    assert 1 <= done < 3
    companies.sandbox.clear_log()
    verdicts = rehearse(profiles, *names, results=RehearsalResults(path))
    assert all(verdict.ready for verdict in verdicts)
    assert ["--fresh" in "".join(verdict.notes) for verdict in verdicts] == [
        *([True] * done),
        *([False] * (3 - done)),
        True,  # the fresh rehearsal was not about this one
    ]
    assert asked(companies.sandbox)["sessioninfo", None] == 2 * (3 - done)


def test_an_interruption_loses_no_count(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rehearsed when the interruption came counts, also if nobody has been told of it yet."""
    for number in range(3):
        companies.add(f"c{number}")

    def interrupt(pending: set[Future[Readiness]], **_options: object) -> None:
        monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", wait)
        wait(pending)
        raise KeyboardInterrupt

    rehearsal = Rehearsal(companies.write(), TARGET, at_once=2)
    monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(rehearsal.run(companies.tables))
    assert rehearsal.completed == 3


def test_no_more_is_taken_than_can_be_tried(companies: Companies) -> None:
    """Of ten thousand names only twice as many are taken as are tried at once, and whoever stops ends it there."""
    for number in range(6):
        companies.add(f"c{number}")
    names = iter(companies.tables)
    with closing(Rehearsal(companies.write(), TARGET, at_once=1).run(names)) as running:
        assert next(running).ready
        assert list(names) == ["c2", "c3", "c4", "c5"]
    assert asked(companies.sandbox)["token", TARGET] <= 2


class SlowRecord(RehearsalResults):
    """A record that waits for some profiles."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.released = threading.Event()

    def add(self, fingerprint: str, at: float, readiness: Readiness) -> None:
        """Add a result, in its time."""
        if str(readiness.profile).startswith("slow"):
            self.released.wait(10)
        super().add(fingerprint, at, readiness)


@pytest.mark.parametrize("others", [1, 3])
def test_each_is_told_when_it_is_known(companies: Companies, tmp_path: Path, others: int) -> None:
    """A profile that takes long keeps nobody waiting for the results of the others, be they many or few."""
    for name in ("slow", *(f"c{number}" for number in range(others))):
        companies.add(name)
    record = SlowRecord(tmp_path / "record" / "results.jsonl")
    running = Rehearsal(companies.write(), TARGET, at_once=2, results=record).run(companies.tables)
    names = [next(running).profile for _ in range(others)]
    assert sorted(map(str, names)) == [f"c{number}" for number in range(others)]
    assert not record.released.is_set()
    record.released.set()
    assert [verdict.profile for verdict in running] == ["slow"]


def test_who_stops_begins_no_other(companies: Companies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has begun when somebody stops is ended and recorded, and what has been taken only is left."""
    record = SlowRecord(tmp_path / "record" / "results.jsonl")

    class Workers(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            record.released.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr("procountor_auth.migration.rehearsal.ThreadPoolExecutor", Workers)
    for name in ("fast", "slow1", "slow2", "left"):
        companies.add(name)
    rehearsal = Rehearsal(companies.write(), TARGET, at_once=2, target_only=True, results=record)
    with closing(rehearsal.run(companies.tables)) as running:
        assert next(running).profile == "fast"
    assert rehearsal.completed == len(record.path.read_text().splitlines())
    assert "left" not in record.path.read_text()


class CountedPool(ProviderPool):
    """A pool that knows how often it was closed."""

    closed: int = 0

    def close(self) -> None:
        """Close it, and count that."""
        self.closed += 1
        super().close()


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[CountedPool]:
    """The pools that rehearsals make."""
    made: list[CountedPool] = []

    def make(*arguments: Any, **options: Any) -> CountedPool:  # noqa: ANN401 - those of the class
        made.append(CountedPool(*arguments, **options))
        return made[-1]

    monkeypatch.setattr("procountor_auth.migration.rehearsal.ProviderPool", make)
    return made


def test_an_interruption_does_not_wait_for_what_is_stuck(
    companies: Companies, pools: list[CountedPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it though a profile waits for the server; that one goes on by itself, and no other is begun."""
    for number in range(2):
        companies.add(f"c{number}", timeout=1)
    companies.sandbox.faults = Faults(status=429, retry_after="60", times=1, where="token")
    stuck, released = threading.Event(), threading.Event()
    workers: list[threading.Thread] = []

    def sleep(_seconds: float) -> None:
        workers.append(threading.current_thread())
        stuck.set()
        released.wait(10)

    def interrupt(_pending: set[Future[Readiness]], **_options: object) -> None:
        monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", last_wait)
        stuck.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", interrupt)
    waited_for: list[int] = []

    def last_wait(begun: list[Future[Readiness]], timeout: float) -> object:
        waited_for.append(len(begun))
        return wait(begun, timeout=timeout)

    monkeypatch.setattr("procountor_auth.migration.rehearsal.INTERRUPTED_WAIT", 0.01)
    rehearsal = Rehearsal(companies.write(), TARGET, at_once=1, target_only=True, sleep=sleep)
    with pytest.raises(KeyboardInterrupt):
        list(rehearsal.run(companies.tables))
    (worker,) = workers
    assert (worker.is_alive(), rehearsal.completed, waited_for) == (True, 0, [1])
    assert worker.name.startswith("procountor-auth-rehearsal")
    released.set()
    worker.join(10)
    assert (rehearsal.completed, asked(companies.sandbox)["sessioninfo", None]) == (1, 1)
    assert [pool.closed for pool in pools] == [0]  # the one that went on needed the connections
    pools[0].close()


def test_what_an_interruption_cuts_off_is_not_recorded(
    companies: Companies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that waits for the server when Ctrl-C comes keeps its last result: it has not been refused."""
    companies.add("acme")
    profiles = companies.write()
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    rehearse(profiles, "acme", results=record)
    companies.sandbox.faults = Faults(status=429, retry_after="60", times=9, where="all")
    waiting, released = threading.Event(), threading.Event()

    def sleep(_seconds: float) -> None:
        waiting.set()
        released.wait(10)

    def interrupt(_pending: set[Future[Readiness]], **_options: object) -> None:
        monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", last_wait)
        waiting.wait(10)
        raise KeyboardInterrupt

    def last_wait(begun: list[Future[Readiness]], timeout: float) -> object:
        released.set()
        return wait(begun, timeout=timeout)

    monkeypatch.setattr("procountor_auth.migration.rehearsal.wait", interrupt)
    rehearsal = Rehearsal(profiles, TARGET, results=record, fresh=True, sleep=sleep)
    with pytest.raises(KeyboardInterrupt):
        list(rehearsal.run(companies.tables))
    assert (rehearsal.completed, b'"ready":false' in record.path.read_bytes()) == (0, False)


def test_connections_are_closed_at_the_end(companies: Companies, pools: list[CountedPool]) -> None:
    """A rehearsal closes its connections when it has ended, also when nobody wants the rest of it."""
    companies.add("acme")
    profiles = companies.write()
    rehearse(profiles, "acme")
    running = Rehearsal(profiles, TARGET).run(["acme"])
    next(running)
    running.close()
    assert [pool.closed for pool in pools] == [1, 1]


def test_a_result_counts_for_its_configuration_and_its_day(companies: Companies, tmp_path: Path) -> None:
    """Another key, a blocked result, or one of the day before yesterday is tried again."""
    companies.add("acme")
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    now = [1_800_000_000.0]

    def sessions() -> int:
        companies.sandbox.clear_log()
        rehearse(companies.write(), "acme", results=record, clock=lambda: now[0])
        return asked(companies.sandbox)["sessioninfo", None]

    assert [sessions(), sessions()] == [2, 0]
    now[0] += 86_399
    assert sessions() == 0
    now[0] += 1
    assert [sessions(), sessions()] == [2, 0]
    world = companies.sandbox.world
    companies.tables["acme"]["api_key"] = world.create_api_key(
        companies.sandbox.client_id, companies.user_id("acme"), companies.company_id("acme")
    )
    assert [sessions(), sessions()] == [2, 0]


def test_what_has_switched_is_not_tried(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is there already is ready, with nothing sent, as long as its login lasts."""
    login, end = "authorization_code", int(time.time()) + 365 * 86_400
    companies.add("acme", strategy=TARGET)
    companies.add("login", strategy=login, refresh_token=jwt.encode({"exp": end}, "k" * 32))
    monkeypatch.delattr("procountor_auth.migration.check.ProviderPool")  # all share the one of the rehearsal
    profiles = companies.write()
    for verdict in (*rehearse(profiles, "acme"), *rehearse(profiles, "login", target=login)):
        assert verdict.ready
        assert verdict.done
    [ended] = rehearse(profiles, "login", target=login, clock=lambda: float(end))
    assert [reason.message for reason in ended.reasons] == ["a user has to log in"]
    assert companies.sandbox.log() == []


def test_a_refresh_token_is_not_risked(companies: Companies) -> None:
    """A login that no store would keep is not tried: the server may replace the refresh token."""
    companies.add("acme", token_store="memory", refresh_token="opaque")
    [verdict] = rehearse(companies.write(), "acme", target="authorization_code")
    assert [reason.code for reason in verdict.reasons] == ["token_store"]
    assert companies.sandbox.log() == []


def test_the_refusing_policy_is_named(companies: Companies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the policy refuses the program, it refuses the rehearsal, before anything is sent."""
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "error")
    companies.add("acme")
    [verdict] = rehearse(companies.write(), "acme")
    assert [reason.variable for reason in verdict.reasons] == ["PROCOUNTOR_LEGACY_POLICY"]
    assert companies.sandbox.log() == []


def test_a_fallback_does_not_pass_for_the_target(companies: Companies) -> None:
    """The target is tried by itself, though a fallback is configured that would work."""
    companies.add("acme", fallback_strategy="legacy_password")
    companies.sandbox.world.revoke_api_key(companies.tables["acme"]["api_key"])
    [verdict] = rehearse(companies.write(), "acme")
    assert [reason.code for reason in verdict.reasons] == ["invalid_grant"]


def test_announced_ends_are_told(companies: Companies) -> None:
    """What the server announces about its end stands beside what was reached."""
    companies.add("acme")
    companies.sandbox.faults = Faults(sunset="2030-03-17T00:00:00Z")
    [verdict] = rehearse(companies.write(), "acme")
    assert verdict.ready
    assert [verdict.found[name]["announced"] for name in ("today", "next")] == [["removed as of 2030-03-17"]] * 2


def test_no_secret_is_in_a_verdict_or_in_the_record(companies: Companies, tmp_path: Path) -> None:
    """Neither what is returned nor what is written down holds a credential or a token."""
    companies.add("acme")
    companies.add("bad", password="wrong & sécret", client_secret="also wrong")
    record = RehearsalResults(tmp_path / "record" / "results.jsonl")
    verdicts = rehearse(companies.write(), "acme", "bad", results=record)
    shown = repr(verdicts) + json.dumps([verdict.as_dict() for verdict in verdicts]) + record.path.read_text()
    secrets = [
        companies.sandbox.client_secret,
        *(table[name] for table in companies.tables.values() for name in ("password", "api_key")),
        TokenSource.from_env(profile="acme").token().access_token,
    ]
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_record_that_can_not_be_written_stops_the_rehearsal(
    companies: Companies, tmp_path: Path, *, fresh: bool
) -> None:
    """Otherwise it could not be resumed, and nobody would know. Nothing has been sent by then."""
    companies.add("acme")
    record = RehearsalResults(tmp_path / "link")
    record.path.symlink_to(tmp_path / "other")
    with pytest.raises(StoreError):
        rehearse(companies.write(), "acme", results=record, fresh=fresh)
    assert companies.sandbox.log() == []
