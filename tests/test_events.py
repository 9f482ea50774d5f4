"""Events: what each says, whom it reaches, and what that may not cost."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from procountor_auth import ProcountorAuthError, TokenSource, events
from procountor_auth.events import (
    BridgeLogin,
    BridgeLoginRefused,
    DeprecatedStrategyUsed,
    Event,
    FellBack,
    SunsetAnnounced,
    TokenAcquired,
    TokenFailed,
    TokenRenewed,
)
from procountor_auth.sandbox import Faults
from procountor_auth.sandbox.behaviour.quirks import Quirks
from procountor_auth.tokens.telemetry import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from procountor_auth.sandbox import Sandbox

    Environment = Callable[[dict[str, str]], None]

_HOST: Final = "https://api.example"
_COMMON: Final[dict[str, Any]] = {"at": 1_767_225_600.0, "strategy": "client_credentials", "host": _HOST}
_PAGE: Final = "https://developer.example/end"
_END: Final[dict[str, Any]] = {"path": "/api/users", "deprecated_at": None, "sunset_at": None, "link": None}

_SAMPLES: Final[list[tuple[Event, str, int, str]]] = [
    (
        TokenAcquired(**_COMMON, expires_at=1_767_229_200.0),
        "token_acquired",
        logging.INFO,
        f"new token from {_HOST}, strategy client_credentials",
    ),
    (
        TokenRenewed(**_COMMON, expires_at=1_767_229_200.0),
        "token_renewed",
        logging.INFO,
        f"new token from {_HOST}, strategy client_credentials",
    ),
    (
        TokenFailed(**_COMMON, error="service_unavailable", retryable=True),
        "token_failed",
        logging.WARNING,
        f"no token from {_HOST}, strategy client_credentials: service_unavailable; a later attempt may succeed",
    ),
    (
        TokenFailed(**_COMMON, error="invalid_grant", retryable=False),
        "token_failed",
        logging.WARNING,
        f"no token from {_HOST}, strategy client_credentials: invalid_grant; trying again will not help",
    ),
    (
        FellBack(**_COMMON, fallback="legacy_password", error="invalid_grant", count=3, limit=24),
        "fell_back",
        logging.WARNING,
        (
            f"{_HOST} refused the strategy client_credentials (invalid_grant): falling back to legacy_password, "
            "3 of at most 24 times"
        ),
    ),
    (
        DeprecatedStrategyUsed(**(_COMMON | {"strategy": "legacy_password"})),
        "deprecated_strategy_used",
        logging.INFO,
        f"the strategy legacy_password is deprecated, and still in use for {_HOST}",
    ),
    (
        SunsetAnnounced(
            **_COMMON,
            path="/api/users",
            deprecated_at=1_688_169_599.0,
            sunset_at=1_798_675_200.0,
            link=_PAGE,
        ),
        "sunset_announced",
        logging.WARNING,
        f"{_HOST} announces the end of /api/users, deprecated as of 2023-06-30, removed as of 2026-12-31, see {_PAGE}",
    ),
    (
        SunsetAnnounced(**_COMMON, **(_END | {"sunset_at": 1_798_675_200.0})),
        "sunset_announced",
        logging.WARNING,
        f"{_HOST} announces the end of /api/users, removed as of 2026-12-31",
    ),
    (
        SunsetAnnounced(**_COMMON, **(_END | {"link": _PAGE})),
        "sunset_announced",
        logging.WARNING,
        f"{_HOST} names a page about the end of /api/users: {_PAGE}",
    ),
    (
        BridgeLogin(**_COMMON, user_agent="PHP/7.4", grant_type="refresh_token"),
        "bridge_login",
        logging.INFO,
        "PHP/7.4 logged in through the bridge (refresh_token)",
    ),
    (
        BridgeLoginRefused(**_COMMON, user_agent="", error="invalid_grant"),
        "bridge_login_refused",
        logging.WARNING,
        "a program without a name was refused by the bridge: invalid_grant",
    ),
]


def test_every_event_has_a_sample() -> None:
    """No kind of event is left out of the table, and no two have one name."""
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)} - {Event}
    assert {type(event) for event, *_ in _SAMPLES} == kinds
    assert len({kind.name for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("sample", _SAMPLES, ids=lambda sample: type(sample[0]).__name__)
@pytest.mark.parametrize("profile", [None, "acme"])
def test_an_event_is_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture, sample: tuple[Event, str, int, str], profile: str | None
) -> None:
    """Each event is one record of its level, with the profile before the sentence, and its values beside it."""
    event, name, level, line = sample
    event = dataclasses.replace(event, profile=profile)
    with caplog.at_level(logging.DEBUG, "procountor_auth"):
        emit(event, None)
    [record] = [record for record in caplog.records if record.name == "procountor_auth"]
    assert record.levelno == level
    assert record.getMessage() == str(event) == (line if profile is None else f"profile acme: {line}")
    assert record.__dict__["procountor_event"] == event.as_dict()
    assert event.as_dict()["event"] == event.name == name


@pytest.mark.parametrize("event", [event for event, *_ in _SAMPLES], ids=lambda event: type(event).__name__)
def test_an_event_is_plain_data(event: Event) -> None:
    """An event becomes JSON with all its fields, can't be changed, and can be sent to another process."""
    plain = json.loads(json.dumps(event.as_dict()))
    assert plain == {
        "event": event.name,
        **{field.name: getattr(event, field.name) for field in dataclasses.fields(event)},
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.strategy = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(event)) == copy.deepcopy(event) == event  # noqa: S301 - it is our own


def test_a_path_can_not_write_the_log() -> None:
    """Whatever stands in the path of a program's request, the line stays one line, without control characters."""
    event = SunsetAnnounced(
        **_COMMON, **(_END | {"path": "/api/x\r\n2026-01-01 all is well\x1b[2J\u202e", "link": _PAGE})
    )
    assert str(event).isprintable()
    assert "/api/x??2026-01-01 all is well?[2J?" in str(event)


def test_the_listener_gets_the_event_itself() -> None:
    """A listener is called once with each event, after the line in the log."""
    told: list[Event] = []
    for event, *_ in _SAMPLES:
        emit(event, told.append)
    assert told == [event for event, *_ in _SAMPLES]


@pytest.fixture
def _a_broken_filter() -> Iterator[None]:
    """A logging filter of the program's own that raises."""

    def broken(_record: logging.LogRecord) -> bool:
        raise RuntimeError("s3cret")

    logger = logging.getLogger("procountor_auth")
    logger.addFilter(broken)
    yield
    logger.removeFilter(broken)


@pytest.mark.usefixtures("_a_broken_filter")
def test_a_log_that_fails_costs_nobody_the_event() -> None:
    """Where the program's own filter raises, the listener is still told, and even if that raises nothing comes out."""
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        raise RuntimeError("s3cret")

    emit(_SAMPLES[0][0], broken)
    assert told == [_SAMPLES[0][0]]


def test_a_listener_that_raises_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What a listener raises is named by its type: its text may hold anything."""

    def broken(_event: Event) -> None:
        raise RuntimeError("s3cret")

    emit(_SAMPLES[0][0], broken)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "the listener failed on token_acquired: RuntimeError"
    assert record.exc_info is None
    assert "s3cret" not in caplog.text


def test_no_secret_is_in_any_event(
    sandbox: Sandbox, environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """Through every kind of event, none of the secrets is in its values, its repr or its line."""
    both = sandbox.environment("legacy_password") | sandbox.environment("client_credentials")
    environment(both | {"PROCOUNTOR_FALLBACK_STRATEGY": "legacy_password", "PROCOUNTOR_LEGACY_POLICY": "allow"})
    told: list[Event] = []
    source = TokenSource.from_env(on_event=told.append)
    with caplog.at_level(logging.DEBUG, "procountor_auth"):
        tokens = [source.token()]
        sandbox.faults = Faults(revoked_keys=True, sunset="2027-01-31", sunset_link=_PAGE)
        tokens.append(source.renew(tokens[-1]))
        sandbox.quirks = Quirks(legacy_removed="410")
        with pytest.raises(ProcountorAuthError):
            source.renew(tokens[-1])
    kinds = {TokenAcquired, TokenRenewed, TokenFailed, FellBack, DeprecatedStrategyUsed, SunsetAnnounced}
    assert {type(event) for event in told} == kinds
    secrets = {sandbox.client_secret, sandbox.password, sandbox.username, sandbox.api_key}
    for token in tokens:
        secrets |= {token.access_token, token.refresh_token or token.access_token}
    shown = "".join(f"{event!r}{event}{event.as_dict()}" for event in told) + caplog.text
    shown += "".join(repr(vars(record)) for record in caplog.records)
    assert not [secret for secret in secrets if secret in shown]


_DOCS: Final = Path(__file__).parent.parent / "docs" / "events.md"


@pytest.mark.process
@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", _DOCS.read_text("utf-8"), re.DOTALL), ids=lambda block: block[:40]
)
def test_the_page_about_events_is_right(sandbox: Sandbox, environment: Environment, block: str) -> None:
    """Each program of docs/events.md runs as it stands."""
    environment(sandbox.environment("legacy_password") | {"PROCOUNTOR_LEGACY_POLICY": "allow"})
    if "opentelemetry" in block and os.environ.get("CI", "").lower() not in {"1", "true"}:
        pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "legacy_password" in done.stdout


def test_the_page_about_events_names_them_all() -> None:
    """docs/events.md has every event with its fields and its level."""
    page = _DOCS.read_text("utf-8")
    shared = {field.name for field in dataclasses.fields(Event)}
    assert all(f"`{name}`" in page for name in shared)
    for event, name, level, _ in _SAMPLES:
        [row] = [row for row in page.splitlines() if row.startswith(f"| `{type(event).__name__}`")]
        fields = [field.name for field in dataclasses.fields(event) if field.name not in shared]
        assert [part for part in (name, *fields) if f"`{part}`" not in row] == []
        assert logging.getLevelName(level) in row


def test_no_name_writes_to_a_terminal() -> None:
    """Control characters and those that turn the direction of writing are no part of an event's line in the log."""
    event = TokenFailed(
        at=0.0, strategy="a\x1b[2J", host="https://a\u202e.example", profile="b\n", error="e", retryable=True
    )
    assert str(event).isprintable()
