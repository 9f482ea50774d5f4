"""Runs the third-party package `procountor` from PyPI, as its users do.

`examples/foreign_clients.py` starts this file with the interpreter of an environment in which that package is the only
one for Procountor. The credentials are in the environment, in the variables that `procountor-auth sandbox`
prints. The response of `sessioninfo` is printed as JSON.
"""

from __future__ import annotations

import json
import os
from typing import Any

from procountor.client import Client  # type: ignore[import-not-found] # lives in an environment of its own


def log_in() -> Any:  # noqa: ANN401 - the package has no types
    """Return a client of the package, which gets its token when it is created."""
    names = ["client_id", "client_secret", "redirect_uri"]
    if "PROCOUNTOR_PASSWORD" in os.environ:
        names += ["username", "password", "company"]
    else:
        names += ["api_key"]
    given = {name: os.environ[f"PROCOUNTOR_{name.upper()}"] for name in names}
    if "company" in given:
        given["company_id"] = given.pop("company")
    return Client(**given)


def sessioninfo(client: Any) -> dict[str, Any]:  # noqa: ANN401 - the package has no types
    """Call `sessioninfo` with the package's method for it, or its general one before 1.0."""
    if not hasattr(client, "get_session_info"):
        response = client.request("GET", "sessioninfo")
        response.raise_for_status()
        return dict(response.json())
    answer = client.get_session_info()
    if "content" not in answer:
        raise SystemExit(f"sessioninfo: status {answer['status']}")
    return dict(answer["content"])


def main() -> None:
    """Get a token, read the company, refresh where the package can, read it again, and log out."""
    client = log_in()
    company = sessioninfo(client)
    if hasattr(client, "refresh_access_token"):
        client.refresh_access_token()
        company = sessioninfo(client)
    client.invalidate_token()
    print(json.dumps(company))


if __name__ == "__main__":
    main()
