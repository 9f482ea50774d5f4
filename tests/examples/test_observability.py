"""Prometheus, structlog and Sentry beside the library: what they are told, and that no secret is in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from procountor_auth.sandbox import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from procountor_auth.sandbox import Sandbox

    from .example import Run

#: Runs the example with a transport that keeps what Sentry would be sent, and writes it to a file.
PROGRAM = """
import json, sys
import observability
import sentry_sdk
from sentry_sdk.transport import Transport

class Kept(Transport):
    sent = []
    def capture_envelope(self, envelope):
        self.sent += [item.payload.json for item in envelope.items if item.payload.json]

sentry_sdk.init("https://public@sentry.example/1", transport=Kept, send_default_pii=True, max_breadcrumbs=100)
observability.set_up_logs()
try:
    observability.main()
except Exception as error:
    sentry_sdk.capture_exception(error)
sentry_sdk.flush()
with open(sys.argv[1], "w") as file:
    json.dump(Kept.sent, file)
"""


class Seen(NamedTuple):
    """What the three have been told.

    Attributes:
        output: The metrics, behind the company's name.
        log: The lines of the log.
        sentry: Sentry's events.
    """

    output: str
    log: list[dict[str, Any]]
    sentry: list[dict[str, Any]]


@pytest.fixture
def watch(
    run: Run,
    sandbox: Sandbox,
    environment: Callable[[dict[str, str]], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], Seen]:
    """Run the example beside the three, and return what they have been told; no secret may be in it."""
    environment(sandbox.environment("client_credentials") | {"PROCOUNTOR_TIMEOUT": "5"})
    file = tmp_path_factory.mktemp("sentry") / "events.json"

    def watched() -> Seen:
        done = run("-c", PROGRAM, str(file))
        assert done.returncode == 0, done.stderr
        text = done.stdout + done.stderr + file.read_text("utf-8")
        assert sandbox.client_secret not in text
        assert "eyJ" not in text  # what access tokens and API keys begin with
        log = [json.loads(line) for line in done.stderr.splitlines()]
        return Seen(done.stdout, log, json.loads(file.read_text("utf-8")))

    return watched


def test_a_token_is_counted_and_logged(watch: Callable[[], Seen]) -> None:
    """A new token is one in the counter and one line of JSON in the log, with the event's values beside its text."""
    seen = watch()
    assert seen.output.startswith("Sandbox Oy\n")
    labels = 'error="",event="token_acquired",profile="",strategy="client_credentials"'
    assert f"procountor_auth_events_total{{{labels}}} 1.0" in seen.output
    (line,) = seen.log
    assert line["event"].startswith("new token from http://127.0.0.1:")
    assert (line["procountor"]["event"], line["level"]) == ("token_acquired", "info")
    assert seen.sentry == []


def test_a_refusal_reaches_all_three(watch: Callable[[], Seen], sandbox: Sandbox) -> None:
    """A revoked key is counted by its code, logged, and an event at Sentry that has the code as a tag."""
    sandbox.faults = Faults(revoked_keys=True)
    seen = watch()
    assert 'error="invalid_grant",event="token_failed"' in seen.output
    assert "warning" in {line["level"] for line in seen.log}
    (event,) = [event for event in seen.sentry if "exception" in event]
    assert event["tags"]["procountor_auth.code"] == "invalid_grant"
    assert event["exception"]["values"][-1]["type"] == "InvalidGrant"


def test_the_stack_that_sentry_shows_has_no_secret(watch: Callable[[], Seen], sandbox: Sandbox) -> None:
    """The variables of each frame, which Sentry sends, show no token: not even those of an error of the API."""
    sandbox.faults = Faults(status=500, where="api")
    (event,) = [event for event in watch().sentry if "exception" in event]
    assert event["tags"]["procountor_auth.code"] == "none"
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert any("auth" in frame.get("vars", {}) for frame in frames)
