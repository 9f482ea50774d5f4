"""Tasks that call Procountor, each for one company, on any number of Celery workers.

    pip install 'procountor-auth[redis]' 'celery[redis]'
    CELERY_BROKER_URL=redis://localhost:6379/0 PROCOUNTOR_TOKEN_STORE=redis://localhost:6379/1 \
        celery --app celery_tasks worker --concurrency 4

Each worker process has one token source per company. All processes share the tokens through the store.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import httpx
from celery import Celery, Task  # type: ignore[import-untyped] # it has no annotations
from celery.signals import worker_process_shutdown  # type: ignore[import-untyped]

from procountor_auth import ProcountorAuthError, TokenSource
from procountor_auth.httpx import ProcountorAuth

app = Celery("procountor", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_BROKER_URL"])


@cache
def auth_of(profile: str) -> ProcountorAuth:
    """Return the one token source of a company in this process."""
    return ProcountorAuth(profile=profile)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def finish_renewals(**_: object) -> None:
    """Let the renewals that are under way end before this process does."""
    TokenSource.finish_all()


def is_temporary(error: ProcountorAuthError | httpx.HTTPError) -> bool:
    """Tell whether another try may help: of a token request, or of the call of the API that had a token."""
    if isinstance(error, ProcountorAuthError):
        return error.retryable
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error or error.response.status_code == httpx.codes.TOO_MANY_REQUESTS
    return isinstance(error, httpx.TransportError)


@app.task(bind=True, max_retries=5)  # type: ignore[untyped-decorator] # Celery has no annotations
def company(self: Task, profile: str) -> dict[str, Any]:
    """Return what Procountor says about a company's session."""
    auth = auth_of(profile)
    try:
        with httpx.Client(auth=auth, base_url=auth.api_url) as client:
            session = client.get("sessioninfo").raise_for_status().json()
    except (ProcountorAuthError, httpx.HTTPError) as error:
        if not is_temporary(error):
            raise
        wait = getattr(error, "retry_after", None) or 2**self.request.retries
        raise self.retry(exc=error, countdown=wait) from None
    return {"name": session["name"], "company": session["companyId"], "worker": os.getpid()}
