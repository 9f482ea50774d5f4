"""What browsers see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from django.http import Http404, JsonResponse

from bookkeeping.procountor import session_of
from procountor_auth import ProcountorAuthError
from procountor_auth.errors import UnknownProfile

if TYPE_CHECKING:
    from django.http import HttpRequest


def company(_request: HttpRequest, name: str) -> JsonResponse:
    """Show the name of a company in Procountor."""
    try:
        session = session_of(name)
    except UnknownProfile:
        raise Http404 from None
    except ProcountorAuthError as error:
        return JsonResponse({"error": error.code}, status=503 if error.retryable else 500)
    except httpx.HTTPError:
        return JsonResponse({"error": "procountor"}, status=502)
    return JsonResponse({"name": session["name"], "company": session["companyId"]})
