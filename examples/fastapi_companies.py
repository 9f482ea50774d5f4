"""A web application for many companies. Every worker serves all of them.

pip install 'procountor-auth[file]' fastapi uvicorn
PROCOUNTOR_PROFILES_FILE=profiles.toml PROCOUNTOR_TOKEN_STORE=file uvicorn fastapi_companies:app --port 8080 --workers 4
"""

from __future__ import annotations

import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI, HTTPException, Request

from procountor_auth import ConfigurationError, ProcountorAuthError, Profiles, Settings, TokenSource
from procountor_auth.errors import UnknownProfile
from procountor_auth.httpx import ProcountorAuth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Build one token source per company and one HTTP client for all, when a worker starts; end no renewal halfway."""
    profiles = app.state.profiles = Profiles.read()
    app.state.companies = {name: auth_of(profiles, name) for name in profiles}
    async with httpx.AsyncClient(timeout=30) as app.state.client:
        yield
    await TokenSource.afinish_all()


def auth_of(profiles: Profiles, name: str) -> ProcountorAuth | ConfigurationError:
    """Return the authentication of one company, or what is wrong with its profile."""
    try:
        return ProcountorAuth(TokenSource.from_settings(Settings.of_profile(profiles, name)))
    except ConfigurationError as error:
        logger.error("Left out: %s", error)  # noqa: TRY400 - it names the variable; a traceback adds nothing
        return error


app = FastAPI(lifespan=lifespan)


@app.get("/companies/{profile}")
async def company(profile: str, request: Request) -> dict[str, Any]:
    """Call Procountor on behalf of one company."""
    try:
        name = request.app.state.profiles.spelt(profile)
    except UnknownProfile:
        raise HTTPException(404, "There is no such company.") from None
    auth = request.app.state.companies[name]
    if isinstance(auth, ConfigurationError):
        raise HTTPException(500, auth.code)
    try:
        answer = await request.app.state.client.get(f"{auth.api_url}/sessioninfo", auth=auth)
        answer.raise_for_status()
    except ProcountorAuthError as error:
        raise HTTPException(503 if error.retryable else 500, error.code) from None
    except httpx.HTTPError as error:
        logger.warning("%s: the API failed: %r", name, error)
        raise HTTPException(502, "procountor") from None
    session = answer.json()
    return {"name": session["name"], "company": session["companyId"], "worker": os.getpid()}
