"""Whatever a secret scheme of somebody else's does, a source is built or refused with a typed error."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from procountor_auth import Settings, TokenSource
from procountor_auth.errors import ProcountorAuthError
from procountor_auth.settings import secret_reference
from tests.faults.conftest import API_KEY, CLIENT_SECRET, SECRETS, Run
from tests.faults.witness import hidden_in

from .acts import PROPER, Act
from .scene import Scene
from .table import SCHEME_CELLS, scheme_outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process


@pytest.mark.parametrize("act", SCHEME_CELLS, ids=lambda act: act.name)
def test_a_secret_scheme(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does has the outcome of its cell, no secret is told, and the next source is built once it behaves."""
    scene = Scene("scheme", act)
    scene.folder = tmp_path

    def read(_rest: str) -> object:
        found = scene.at("scheme")
        return API_KEY if found is PROPER else found

    class Point(EntryPoint):
        dist = None

        def load(self) -> Callable[[str], object]:
            return read

    monkeypatch.setattr(
        secret_reference,
        "_registered",
        lambda scheme: (Point("guest", "guest:read", secret_reference.GROUP),) if scheme == "guest" else (),
    )

    def build() -> TokenSource:
        return TokenSource.from_settings(
            Settings(
                strategy="client_credentials",
                client_id="client-1",
                client_secret=CLIENT_SECRET,
                redirect_uri="https://app.example/callback",
                api_key="guest:name",
            )
        )

    run, expected = Run(build), scheme_outcome(act)
    if expected.accepts:
        assert run.error is None
    elif expected.passes:
        assert type(run.error) is act.error
    else:
        assert type(run.error) is expected.error
        assert isinstance(run.error, ProcountorAuthError)
        assert run.error.retryable is expected.retryable
        assert not hidden_in(str(run.error) + repr(vars(run.error)), SECRETS)
        assert run.error.__context__ is None
    scene.behaves = True
    assert build().strategy.identity() == (API_KEY,)
