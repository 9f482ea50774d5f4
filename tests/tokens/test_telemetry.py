"""Events as OpenTelemetry metrics, and their absence."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth import Token, TokenSource
from procountor_auth.events import DeprecatedStrategyUsed, Event, FellBack, SunsetAnnounced, TokenFailed
from procountor_auth.sandbox import Faults
from procountor_auth.tokens import telemetry
from procountor_auth.tokens.telemetry import COUNTER, emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

_COMMON: Final[dict[str, Any]] = {
    "at": 1_767_225_600.0,
    "strategy": "client_credentials",
    "host": "https://api.example",
}


@pytest.fixture(autouse=True)
def _forget_the_counter() -> Iterator[None]:
    """Look for OpenTelemetry again in each test."""
    telemetry._counter.cache_clear()
    yield
    telemetry._counter.cache_clear()


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """What OpenTelemetry's SDK has counted; without the SDK the test is skipped, but not in CI."""
    if importlib.util.find_spec("opentelemetry") is None or importlib.util.find_spec("opentelemetry.sdk") is None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail("opentelemetry-sdk is not installed, and CI must not skip its tests")
        pytest.skip("opentelemetry-sdk is not installed")
    from opentelemetry import metrics  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415

    reading = InMemoryMetricReader()
    provider = MeterProvider([reading], shutdown_on_exit=False)
    # OpenTelemetry allows one provider for a process; each test has its own.
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)
    yield reading
    provider.shutdown()


def points(reader: InMemoryMetricReader) -> list[NumberDataPoint]:
    """Return the counter's data points; no other metric is there."""
    data = reader.get_metrics_data()
    found = [
        metric
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    assert {metric.name for metric in found} <= {COUNTER}
    return [point for metric in found for point in metric.data.data_points]  # type: ignore[misc]


def counted(reader: InMemoryMetricReader) -> Counter[tuple[tuple[str, Any], ...]]:
    """Return how often each set of attributes was counted."""
    return Counter({tuple(sorted((point.attributes or {}).items())): int(point.value) for point in points(reader)})


def attributes(event: str, **more: str) -> tuple[tuple[str, Any], ...]:
    """Return the attributes of an event of `_COMMON`."""
    shared = {"event": event, "strategy": _COMMON["strategy"], "host": _COMMON["host"]}
    return tuple(sorted((shared | more).items()))


def test_events_are_counted_by_what_they_are(reader: InMemoryMetricReader) -> None:
    """Equal events add up; profile, error and fallback are attributes where an event has them; no times."""
    failed = TokenFailed(**_COMMON, error="invalid_grant", retryable=False)
    emit(failed, None)
    emit(failed, None)
    emit(TokenFailed(**_COMMON, profile="acme", error="invalid_grant", retryable=False), None)
    emit(FellBack(**_COMMON, fallback="legacy_password", error="invalid_grant", count=1, limit=24), None)
    emit(
        SunsetAnnounced(**_COMMON, path="/api/users", deprecated_at=1.0, sunset_at=2.0, link="https://a.example/"), None
    )
    assert counted(reader) == {
        attributes("token_failed", error="invalid_grant"): 2,
        attributes("token_failed", error="invalid_grant", profile="acme"): 1,
        attributes("fell_back", error="invalid_grant", fallback="legacy_password"): 1,
        attributes("sunset_announced"): 1,
    }


def test_a_team_sees_who_is_still_on_legacy(
    reader: InMemoryMetricReader, sandbox: Sandbox, environment: Environment
) -> None:
    """Each profile that still gets tokens by the deprecated strategy is a series of its own; the others are none."""
    variables = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    variables |= {"PROCOUNTOR_LEGACY_POLICY": "allow", "PROCOUNTOR_PROFILES__OLD__STRATEGY": "legacy_password"}
    variables |= {"PROCOUNTOR_PROFILES__OLD__COMPANY": variables["PROCOUNTOR_COMPANY"]}
    environment(variables | {"PROCOUNTOR_PROFILES__NEW__API_KEY": variables["PROCOUNTOR_API_KEY"]})
    old, new = TokenSource.from_env(profile="old"), TokenSource.from_env(profile="new")
    old.renew(old.token())
    new.token()
    legacy = {
        dict(key)["profile"]: count
        for key, count in counted(reader).items()
        if dict(key)["event"] == DeprecatedStrategyUsed.name
    }
    assert legacy == {"old": 2}


def test_no_secret_is_in_the_metrics(reader: InMemoryMetricReader, sandbox: Sandbox, environment: Environment) -> None:
    """Acquired, failed and fallen back: no attribute holds a secret, and no other attribute than the documented."""
    variables = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    variables |= {"PROCOUNTOR_LEGACY_POLICY": "allow", "PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password"}
    environment(variables)
    sandbox.faults = Faults(revoked_keys=True)
    token = TokenSource.from_env().token()
    seen = points(reader)
    assert {str(name) for point in seen for name in point.attributes or {}} == {
        *("event", "strategy", "host", "error", "fallback")
    }
    secrets = (sandbox.api_key, sandbox.client_secret, sandbox.password, sandbox.username, token.access_token)
    assert not [secret for secret in secrets if secret in repr(seen)]


@pytest.mark.process
def test_a_provider_that_is_set_up_wrongly_costs_nobody_the_token(
    reader: InMemoryMetricReader, sandbox: Sandbox, environment: Environment
) -> None:
    """Where OpenTelemetry can't start, which it says by raising, the token comes, and one line in the log says so."""
    assert not points(reader)  # it is installed
    environment(sandbox.environment("client_credentials"))
    program = (
        "import logging\n"
        "from procountor_auth import Token, TokenSource\n"
        "logging.basicConfig(format='%(name)s: %(message)s')\n"
        "print(TokenSource.from_env(on_event=lambda event: print(event.name)).token().strategy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OTEL_PYTHON_METER_PROVIDER": "no_such_provider"},
    )
    # The listener has a tenth of a second before the waiter goes on, which is not always enough.
    assert sorted(done.stdout.split()) == ["client_credentials", "token_acquired"]
    ours = [line for line in done.stderr.splitlines() if line.startswith("procountor_auth:")]
    assert ours == ["procountor_auth: OpenTelemetry failed on token_acquired: StopIteration"]


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.metrics"])
def test_without_opentelemetry_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    environment: Environment,
    caplog: pytest.LogCaptureFixture,
    missing: str,
) -> None:
    """Without the API a token costs no line in the log more, and the listener is told as always."""
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    if missing != "opentelemetry" and "opentelemetry" in sys.modules:
        monkeypatch.delattr(sys.modules["opentelemetry"], "metrics", raising=False)
    environment(sandbox.environment("client_credentials"))
    told: list[Event] = []
    with caplog.at_level(logging.WARNING):
        assert TokenSource.from_env(on_event=told.append).token().access_token
    assert [event.name for event in told] == ["token_acquired"]
    assert telemetry._counter() is None
    assert not caplog.records


@pytest.mark.process
def test_opentelemetry_is_not_imported_before_there_is_an_event() -> None:
    """Importing the package, or building a source, does not pay for OpenTelemetry."""
    program = (
        "import sys\n"
        "from procountor_auth import Settings, TokenSource\n"
        "client = {'client_id': 'i', 'client_secret': 's', 'redirect_uri': 'r'}\n"
        "TokenSource.from_settings(Settings(strategy='client_credentials', api_key='k', **client))\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("level", "count"), [(logging.WARNING, 0), (logging.INFO, 1)])
def test_what_nobody_hears_is_not_made(
    sandbox: Sandbox, environment: Environment, monkeypatch: pytest.MonkeyPatch, level: int, count: int
) -> None:
    """Where the log's level is higher, and there is no listener and no metrics, no event is made of a token."""
    made: list[str] = []
    monkeypatch.setattr(telemetry, "emit", lambda event, _listener: made.append(event.strategy))
    monkeypatch.setattr(telemetry, "has_metrics", lambda: False)
    # No logger: the suite looks at every line, whatever the level.
    monkeypatch.setattr(telemetry, "_logger", SimpleNamespace(isEnabledFor=lambda asked: asked >= level))
    environment(sandbox.environment("client_credentials"))
    provider = TokenSource.from_env().bind().provider
    telemetry.Telemetry().acquired(provider, Token("a", 0.0, 1.0, "of this test"), None)
    assert made.count("of this test") == count


def test_whoever_fails_on_an_event_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A listener, or OpenTelemetry, that raises costs nobody the token; the log has the event and the error's class."""

    def fail(_event: Event) -> None:
        raise LookupError

    monkeypatch.setattr(telemetry, "record", fail)
    emit(TokenFailed(**_COMMON, profile=None, error="invalid_grant", retryable=False), fail)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "the listener failed on token_failed: LookupError",
        "OpenTelemetry failed on token_failed: LookupError",
    ]
