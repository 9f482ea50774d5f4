"""Call Procountor with requests, and distinguish temporary errors from those that need a user.

pip install 'procountor-auth[requests]'
"""

from __future__ import annotations

import sys

import requests

from procountor_auth import ProcountorAuthError
from procountor_auth.requests import ProcountorAuth

TRY_LATER = 75


def company_name() -> str:
    """Return the name of the company that the environment's credentials are for."""
    auth = ProcountorAuth()
    with requests.Session() as session:
        session.auth = auth
        answer = session.get(f"{auth.api_url}/sessioninfo", timeout=30)
        answer.raise_for_status()
        return str(answer.json()["name"])


if __name__ == "__main__":
    try:
        print(company_name())
    except ProcountorAuthError as error:
        print(error, file=sys.stderr)
        sys.exit(TRY_LATER if error.retryable else 1)
    except requests.RequestException as error:
        print(f"the API failed ({type(error).__name__})", file=sys.stderr)
        sys.exit(TRY_LATER)
