"""Reproduces the token requests of public Procountor clients that can't be installed here.

Each is a client's token request according to its source code, without the client: header by header, parameter by
parameter. `foreign_clients.py` runs the clients that can be installed, unchanged.

    python examples/foreign_requests.py
"""

from __future__ import annotations

import base64
import json
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from procountor_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The request of one client.

    Attributes:
        client: The client, and its version.
        language: What it is written in.
        ask: Asks for a token, and returns it, given the sandbox.
    """

    client: str
    language: str
    ask: Callable[[Sandbox], str]


def _post(url: str, parameters: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, urlencode(parameters).encode(), headers)  # noqa: S310 - the sandbox's
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _secrets(sandbox: Sandbox) -> dict[str, str]:
    return {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}


def typescript(sandbox: Sandbox) -> str:
    """Axios, with a charset-less form and no redirect URI."""
    parameters = {"grant_type": "client_credentials", **_secrets(sandbox), "api_key": sandbox.api_key}
    headers = {**_FORM, "Accept": "application/json, text/plain, */*", "User-Agent": "axios/1.3.4"}
    return str(_post(f"{sandbox.base_url}/api/oauth/token", parameters, headers)[1]["access_token"])


def go(sandbox: Sandbox) -> str:
    """x/oauth2: the client in a Basic header first, which is refused, and then in the body; and a scope of `*`."""
    url = f"{sandbox.base_url}/api/oauth/token"
    parameters = {"grant_type": "client_credentials", "api_key": sandbox.api_key, "scope": "*"}
    basic = base64.b64encode(f"{sandbox.client_id}:{sandbox.client_secret}".encode()).decode()
    headers = {**_FORM, "User-Agent": "Go-http-client/1.1"}
    status, answer = _post(url, parameters, {**headers, "Authorization": f"Basic {basic}"})
    if status != 200:  # noqa: PLR2004 - HTTP's
        status, answer = _post(url, parameters | _secrets(sandbox), headers)
    return str(answer["access_token"])


def php(sandbox: Sandbox) -> str:
    """Laravel's client: the base with a slash at its end, the path with one at its begin, and a redirect URI."""
    parameters = {
        "grant_type": "client_credentials",
        **_secrets(sandbox),
        "redirect_uri": sandbox.redirect_uri,
        "api_key": sandbox.api_key,
    }
    headers = {**_FORM, "Accept": "application/json", "User-Agent": "GuzzleHttp/7"}
    return str(_post(f"{sandbox.base_url}/api//oauth/token", parameters, headers)[1]["access_token"])


def node(sandbox: Sandbox) -> str:
    """`fetch` with `URLSearchParams`, which names the charset, at a version of the API, with a slash at the end."""
    parameters = {"grant_type": "client_credentials", **_secrets(sandbox), "api_key": sandbox.api_key}
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "User-Agent": "node"}
    return str(_post(f"{sandbox.base_url}/latest/api/oauth/token/", parameters, headers)[1]["access_token"])


SHAPES = (
    Shape("@rantalainen/procountor-api-client 1.3.0", "TypeScript", typescript),
    Shape("omniboost/go-procountor", "Go", go),
    Shape("biila-io/laravel-procountor-api", "PHP", php),
    Shape("fetch", "Node", node),
)


def company_of(sandbox: Sandbox, token: str) -> int:
    """Ask which company a token is for, as all these clients do."""
    request = urllib.request.Request(  # noqa: S310 - the sandbox's
        f"{sandbox.base_url}/api/sessioninfo", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        return int(json.load(answer)["companyId"])


def main() -> int:
    """Send each request; return 0 if each gets the company of its key."""
    failed = 0
    for shape in SHAPES:
        with Sandbox() as sandbox:
            good = company_of(sandbox, shape.ask(sandbox)) == int(sandbox.company)
        failed += not good
        print(f"{shape.client:42}  {shape.language:10}  {'OK' if good else 'FAILED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
