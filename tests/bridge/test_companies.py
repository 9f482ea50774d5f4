"""Many companies at one bridge: no call ever reaches another one, whatever happens to their tokens meanwhile."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth.sandbox import Quirks, Sandbox
from tests.bridge.running import OldProgram, RunningBridge, login_of, login_of_another
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from procountor_auth.bridge.login import BridgeLogin
    from procountor_auth.sandbox.state.routes import ApiRequest

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(120, 900))]

CALLS: Final = size(400, 10_000)
THREADS: Final = 8
EVERY: Final = 100
"""After so many calls the time moves on."""
STEP: Final = 900
"""By so many seconds: the service's tokens have expired then, and after four steps the bridge's as well."""


class Time:
    """A clock that moves with the calls, and a moment at which something happens.

    Attributes:
        now: The Unix time in seconds.
        at_half: What happens when half of the calls have been made.
    """

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.at_half: Any = None
        self._calls = 0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self.now

    def count(self) -> None:
        """Count a call."""
        with self._lock:
            self._calls += 1
            if self._calls % EVERY == 0:
                self.now += STEP
            if self._calls == CALLS // 2:
                self.at_half()


@pytest.fixture
def time() -> Time:
    """The time of the service and of the bridge."""
    return Time()


@pytest.fixture
def service(time: Time) -> Iterator[Sandbox]:
    """A service whose tokens live for ten minutes, with a resource that says whose call it was."""
    quirks = Quirks(legacy_removed="404", access_token_lifetime=600)
    with Sandbox(clock=time, quirks=quirks) as sandbox:

        @sandbox.route("notes/<int:number>", methods=("POST",))
        def note(request: ApiRequest) -> dict[str, Any]:
            return {"company": request.company_id, "number": request.parameters["number"], "said": request.json()}

        yield sandbox


def reach(program: OldProgram, number: int, *, patient: bool) -> dict[str, Any] | None:
    """Make one call as an old program does: on a 401 it refreshes its token. None if that is refused.

    Args:
        program: The program.
        number: The number of the call.
        patient: Whether it leaves a 401 at that: it has been refused a moment ago.
    """
    for _ in range(5):
        answer = program.call("POST", f"/api/notes/{number}", json={"number": number, "of": program.login.company})
        if answer.status_code == 200:
            told: dict[str, Any] = answer.json()
            return told
        assert answer.status_code == 401, answer.text
        if patient:
            return None
        refreshed = program.refresh()
        if refreshed.status_code != 200:
            assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")
            return None
    raise AssertionError("a token that has just come is refused")


def test_calls_of_three_companies_never_mix(service: Sandbox, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls reach the company of their login or, of one whose key is revoked, none, while all tokens expire."""
    # A day passes in a second here: what is too often in a minute is not looked at.
    monkeypatch.setattr("procountor_auth.bridge.guard.MAX_PER_MINUTE", CALLS)
    ended = service.add_profile("ended")
    logins: list[BridgeLogin] = [login_of(service), login_of_another(service, "other"), login_of(service, **ended)]
    time.at_half = lambda: service.world.revoke_api_key(ended["api_key"])
    outcomes: Counter[tuple[str, bool]] = Counter()
    with RunningBridge(logins, clock=time) as bridge:

        def work(seed: int) -> Counter[tuple[str, bool]]:
            choose = random.Random(seed)  # noqa: S311 - no secret depends on it
            programs = [OldProgram(bridge.url, login) for login in logins]
            for program in programs:
                program.log_in()
            seen: Counter[tuple[str, bool]] = Counter()
            for number in range(seed, CALLS, THREADS):
                program = choose.choice(programs)
                # Who asks at every call is soon told that it is too often, and others at its address with it.
                patient = seen[program.login.company, False] % 10 > 0
                told = reach(program, number, patient=patient)
                if told is not None:
                    said = {"number": number, "of": program.login.company}
                    assert told == {"company": int(program.login.company), "number": number, "said": said}
                seen[program.login.company, told is not None] += 1
                time.count()
            for program in programs:
                program.http.close()
            return seen

        with ThreadPoolExecutor(THREADS) as pool:
            for seen in pool.map(work, range(THREADS)):
                outcomes += seen
        with OldProgram(bridge.url, logins[2]) as program:
            assert program.authz().json()["error"] == "invalid_grant"
    assert sum(outcomes.values()) == CALLS
    for login in logins[:2]:
        assert outcomes[login.company, False] == 0
        assert outcomes[login.company, True] > CALLS // 5
    assert outcomes[ended["company"], True] > CALLS // 10
    assert outcomes[ended["company"], False] > CALLS // 20
    answered = Counter(
        str(entry["company_id"])
        for entry in service.log()
        if entry["path"].startswith("/api/notes") and entry["status"] == 200
    )
    assert answered == {company: count for (company, reached), count in outcomes.items() if reached}
    grants = Counter(entry["grant_type"] for entry in service.log() if entry["path"] == "/api/oauth/token")
    assert grants.keys() == {"client_credentials"}
    assert grants["client_credentials"] > CALLS // EVERY  # the tokens did expire
