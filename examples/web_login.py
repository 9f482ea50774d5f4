"""A web application whose users log in to Procountor, each to their own company.

Any worker can complete a login that another one began.

    pip install 'procountor-auth[file]' fastapi uvicorn itsdangerous
    PROCOUNTOR_STRATEGY=authorization_code PROCOUNTOR_TOKEN_STORE=file SESSION_SECRET=… … \
        uvicorn web_login:app --workers 4 --proxy-headers

`PROCOUNTOR_REDIRECT_URI` is this application's `/procountor/callback`, as browsers see it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator  # noqa: TC003 - imported at once, in one line
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from procountor_auth import InteractionRequired, ProcountorAuthError, TokenSource
from procountor_auth.httpx import ProcountorAuth


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Let the renewals that are under way end before a worker does: each may bring a new refresh token."""
    yield
    await TokenSource.afinish_all()


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_SECRET"], same_site="lax")


@lru_cache(maxsize=10_000)
def source_of(user: str) -> TokenSource:
    """Return the one token source of a user in this worker; the workers share the tokens through the store."""
    return TokenSource.from_env(account=user)


def user_of(request: Request) -> str:
    """Return the user of this session: in a real application, the user who is logged in."""
    return str(request.session.setdefault("user", secrets.token_hex(16)))


@app.get("/procountor/login")
def begin(request: Request) -> RedirectResponse:
    """Redirect the user to Procountor's login page. The session has the encrypted data for the callback."""
    login = source_of(user_of(request)).begin_login()
    request.session["procountor_login"] = login.save()
    return RedirectResponse(login.url)


@app.get("/procountor/callback")
async def complete(request: Request) -> dict[str, Any]:
    """Complete the login. It may have begun in another worker."""
    saved = request.session.pop("procountor_login", None)
    if saved is None:
        raise HTTPException(400, "There is no login under way in this session.")
    try:
        token = await source_of(user_of(request)).resume_login(saved).acomplete(str(request.url))
    except ProcountorAuthError as error:
        raise HTTPException(400, error.message) from None
    return {"company": token.company_id, "worker": os.getpid()}


@app.get("/session")
async def session(request: Request) -> dict[str, Any]:
    """Call Procountor as the user of this session."""
    auth = ProcountorAuth(source_of(user_of(request)))
    try:
        async with httpx.AsyncClient(auth=auth, base_url=auth.api_url) as client:
            answer = await client.get("sessioninfo")
    except InteractionRequired:
        raise HTTPException(401, "Log in at /procountor/login.") from None
    return {"procountor": answer.json(), "worker": os.getpid()}
