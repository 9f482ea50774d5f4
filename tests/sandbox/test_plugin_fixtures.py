"""The plugin's fixtures for a program's own resources, and for many companies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from procountor_auth import Profiles, TokenSource
from procountor_auth.transport.backend import backend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.server


def test_a_route_of_the_test_s_own(procountor_environment: Any, procountor_route: Any) -> None:  # noqa: ANN401
    """`procountor_route` serves what a program asks for, behind the token check."""
    procountor_environment("client_credentials")

    procountor_route("invoices")(lambda request: {"invoices": [], "company": request.company_id})
    source = TokenSource.from_env()
    with backend.Client(headers={"Authorization": source.token().authorization}, trust_env=False) as client:
        assert client.get(f"{source.endpoints.api}/invoices").json()["company"] == source.token().company_id


@pytest.mark.parametrize("strategy", ["client_credentials", "legacy_password"])
def test_profiles_of_made_up_companies(
    procountor_profiles: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """`procountor_profiles` makes a company for each name, and each gets a token of its own."""
    path = procountor_profiles("acme", "beta", strategy=strategy)
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "allow")
    assert os.environ["PROCOUNTOR_PROFILES_FILE"] == str(path)
    assert list(Profiles.read()) == ["acme", "beta"]
    tokens = [TokenSource.from_env(profile=name).token() for name in Profiles.read()]
    assert len({token.company_id for token in tokens}) == 2
    assert {token.strategy for token in tokens} == {strategy}


def test_another_call_adds_profiles(procountor_profiles: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first companies stay, each with its own strategy, and the file stays where it is."""
    path = procountor_profiles("acme")
    assert TokenSource.from_env(profile="acme").token().strategy == "client_credentials"
    assert procountor_profiles("beta", strategy="legacy_password") == path
    monkeypatch.setenv("PROCOUNTOR_LEGACY_POLICY", "allow")
    assert list(Profiles.read()) == ["acme", "beta"]
    tokens = [TokenSource.from_env(profile=name).token() for name in Profiles.read()]
    assert len({token.company_id for token in tokens}) == 2
    assert [token.strategy for token in tokens] == ["client_credentials", "legacy_password"]
