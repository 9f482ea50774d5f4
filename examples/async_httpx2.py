"""Ask Procountor for several companies at once, with httpx2 and asyncio.

pip install 'procountor-auth[httpx2]'
PROCOUNTOR_PROFILES_FILE=profiles.toml python async_httpx2.py
"""

from __future__ import annotations

import asyncio

import httpx2

from procountor_auth import Profiles
from procountor_auth.httpx2 import ProcountorAuth


async def company_name(client: httpx2.AsyncClient, profile: str) -> str:
    """Return the name of one company."""
    auth = ProcountorAuth(profile=profile)
    answer = await client.get(f"{auth.api_url}/sessioninfo", auth=auth)
    return str(answer.raise_for_status().json()["name"])


async def main() -> None:
    """Ask for all companies at the same time, through one client."""
    profiles = list(Profiles.read())
    async with httpx2.AsyncClient(timeout=30) as client:
        names = await asyncio.gather(*(company_name(client, profile) for profile in profiles))
    for profile, name in zip(profiles, names, strict=True):
        print(f"{profile}: {name}")


if __name__ == "__main__":
    asyncio.run(main())
