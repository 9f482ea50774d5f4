"""A cron job that calls Procountor for every company; its exit status says whether all calls succeeded.

pip install 'procountor-auth[cli]'
PROCOUNTOR_PROFILES_FILE=profiles.toml PROCOUNTOR_TOKEN_STORE=file python cron_job.py
"""

from __future__ import annotations

import sys

import httpx

from procountor_auth import ConfigurationError, ProcountorAuthError, Profiles, Settings, TokenSource
from procountor_auth.httpx import ProcountorAuth

OK, FAILED, CONFIGURATION, TRY_LATER = 0, 1, 2, 75


def main() -> int:
    """Call Procountor for each company. A failure does not stop the others."""
    statuses = set()
    profiles = Profiles.read()
    for name in profiles:
        try:
            print(f"{name}: {company_name(Settings.of_profile(profiles, name))}")
        except ProcountorAuthError as error:
            print(f"{name}: {error}", file=sys.stderr)
            statuses.add(TRY_LATER if error.retryable else FAILED)
        except httpx.HTTPError as error:
            print(f"{name}: the API failed ({type(error).__name__})", file=sys.stderr)
            statuses.add(TRY_LATER)
    return min(statuses, default=OK)  # what needs a person before what is temporary


def company_name(settings: Settings) -> str:
    """Return the name of the company that the settings are for."""
    auth = ProcountorAuth(TokenSource.from_settings(settings))
    with httpx.Client(auth=auth, base_url=auth.api_url, timeout=30) as client:
        return str(client.get("sessioninfo").raise_for_status().json()["name"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        sys.exit(CONFIGURATION)
