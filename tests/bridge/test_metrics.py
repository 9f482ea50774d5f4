"""Requests to the bridge as OpenTelemetry metrics, and their absence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth.bridge import metrics
from procountor_auth.bridge.exchange import Exchange
from procountor_auth.transport.backend import backend as httpx
from tests.bridge.running import OldProgram, RunningBridge, login_of
from tests.tokens.test_telemetry import reader  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from procountor_auth.sandbox import Sandbox

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _forget_the_counter() -> Iterator[None]:
    """Look for OpenTelemetry again in each test."""
    metrics._counter.cache_clear()
    yield
    metrics._counter.cache_clear()


def counted(reading: InMemoryMetricReader) -> dict[tuple[tuple[str, Any], ...], int]:
    """Return how often each set of attributes was counted."""
    data = reading.get_metrics_data()
    found = [
        metric
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == metrics.COUNTER
    ]
    points = [point for metric in found for point in metric.data.data_points]
    return {tuple(sorted((point.attributes or {}).items())): int(point.value) for point in points}  # type: ignore[union-attr] # a counter's have it


def attributes(method: str, status: str, **more: str) -> tuple[tuple[str, Any], ...]:
    """Return a set of attributes as `counted` does."""
    return tuple(sorted({"method": method, "status": status, **more}.items()))


def test_requests_are_counted(reader: InMemoryMetricReader, sandbox: Sandbox) -> None:  # noqa: F811 - the fixture
    """By profile, method and class of status; what a stranger makes up is no name, and health is no request."""
    login = login_of(sandbox)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
        program.call()
        program.authz(company="1")
        httpx.get(f"{bridge.url}/_bridge/live", trust_env=False)
        httpx.request("BREW", f"{bridge.url}/api/coffee", trust_env=False)
    assert counted(reader) == {
        attributes("POST", "3xx"): 1,
        attributes("POST", "2xx"): 1,
        attributes("GET", "2xx"): 1,
        attributes("POST", "4xx"): 1,
        attributes(metrics.OTHER, "4xx"): 1,
    }


def test_the_profile_and_a_program_that_has_gone(reader: InMemoryMetricReader) -> None:  # noqa: F811 - the fixture
    """Each profile is a series of its own; an answer that could not be sent is no status."""
    metrics.count(Exchange("GET", "/api/users", "a", "127.0.0.1", profile="acme", status=200))
    metrics.count(Exchange("GET", "/api/users", "b", "127.0.0.1", profile="acme", status=204))
    metrics.count(Exchange("GET", "/api/users", "a", "127.0.0.1", profile="beta"))
    assert counted(reader) == {
        attributes("GET", "2xx", profile="acme"): 2,
        attributes("GET", "aborted", profile="beta"): 1,
    }


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.metrics"])
def test_without_opentelemetry_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    """Without the API a request is answered as always, and the log has no word about it."""
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    if missing != "opentelemetry" and "opentelemetry" in sys.modules:
        monkeypatch.delattr(sys.modules["opentelemetry"], "metrics", raising=False)
    monkeypatch.setenv("OTEL_PYTHON_METER_PROVIDER", "one that nobody has")
    login = login_of(sandbox)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
    assert metrics._counter() is None
    assert "OpenTelemetry" not in caplog.text


def test_a_provider_that_fails_costs_nobody_the_answer(
    reader: InMemoryMetricReader,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What OpenTelemetry raises is one line in the log for each request, and the program gets its answer."""

    def fail() -> None:
        raise StopIteration

    assert counted(reader) == {}
    monkeypatch.setattr(metrics, "_counter", fail)
    login = login_of(sandbox)
    with RunningBridge([login]) as bridge, OldProgram(bridge.url, login) as program:
        program.log_in()
    monkeypatch.undo()
    assert caplog.messages.count("OpenTelemetry failed on a request: StopIteration") == 2
