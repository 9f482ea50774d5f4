"""Procountor, for the views, commands and tasks of this project."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx

from procountor_auth.httpx import ProcountorAuth


@cache
def auth_of(company: str) -> ProcountorAuth:
    """Return the one token source of a company in this process. The company is the name of a profile."""
    return ProcountorAuth(profile=company)


def session_of(company: str) -> dict[str, Any]:
    """Return what Procountor says about a company's session."""
    auth = auth_of(company)
    with httpx.Client(auth=auth, base_url=auth.api_url, timeout=30) as client:
        return dict(client.get("sessioninfo").raise_for_status().json())
