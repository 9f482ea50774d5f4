"""Metrics with prometheus_client, logs with structlog, errors with Sentry, and no secret in any of them.

pip install procountor-auth prometheus-client structlog sentry-sdk
SENTRY_DSN=https://… python observability.py
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import httpx
import sentry_sdk
import structlog
from prometheus_client import Counter, generate_latest

from procountor_auth import ProcountorAuthError, TokenSource
from procountor_auth.httpx import ProcountorAuth

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from procountor_auth.events import Event

EVENTS = Counter("procountor_auth_events", "Events about tokens", ["event", "strategy", "profile", "error"])


def count(event: Event) -> None:
    """Count an event. Its error is one of a few codes, such as `invalid_grant`."""
    EVENTS.labels(event.name, event.strategy, event.profile or "", getattr(event, "error", None) or "").inc()


def add_event(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the values of an event to its log line."""
    if event := getattr(line.get("_record"), "procountor_event", None):
        line["procountor"] = event
    return line


def set_up_logs() -> None:
    """Write the log of this library as JSON, one object per line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                add_event,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso")],
        )
    )
    logger = logging.getLogger("procountor_auth")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def main() -> None:
    """Print the name of the company, and the metrics."""
    auth = ProcountorAuth(TokenSource.from_env(on_event=count))
    try:
        with httpx.Client(auth=auth, base_url=auth.api_url) as client:
            print(client.get("sessioninfo").raise_for_status().json()["name"])
    except (ProcountorAuthError, httpx.HTTPError) as error:
        # Without a code, there was a token, and the API failed.
        sentry_sdk.set_tag("procountor_auth.code", getattr(error, "code", "none"))
        sentry_sdk.capture_exception(error)
    TokenSource.finish_all()  # it has counted everything then
    print(generate_latest(EVENTS).decode())


if __name__ == "__main__":
    # Without a DSN, Sentry's client does nothing.
    sentry_sdk.init(os.environ.get("SENTRY_DSN"))
    set_up_logs()
    main()
