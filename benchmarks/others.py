"""What others offer for the same: each library as its documentation says, with a client that has credentials.

They are no dependencies of this project, and have no annotations for it: they are imported by name.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.server import TokenServer

LIBRARIES: Final = (
    "authlib",
    "httpx-auth",
    "requests_oauth2client",
    "requests-oauthlib",
    "google-auth",
    "msal",
    "procountor",
)

_CLIENT: Final = {"client_id": "client", "client_secret": "client-secret"}

_GRANT: Final = {"redirect_uri": "redirect-uri-placeholder", "api_key": "api-key"}

URL: Final = "https://api.example/api/users"


def authlib_client(server: TokenServer, kind: str = "httpx_client.OAuth2Client", **options: Any) -> Any:  # noqa: ANN401 - untyped
    """Return Authlib's client, which is an HTTP client as well, with no token yet."""
    module, _, name = f"authlib.integrations.{kind}".rpartition(".")
    client = getattr(import_module(module), name)(
        **_CLIENT,
        token_endpoint=server.token_url,
        token_endpoint_auth_method="client_secret_post",
        grant_type="client_credentials",
        **options,
    )
    client.metadata["grant_type"] = "client_credentials"
    return client


def httpx_auth(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return the `Auth` of httpx-auth, with no token yet."""
    made = import_module("httpx_auth").OAuth2ClientCredentials(server.token_url, **_CLIENT, **_GRANT)
    import_module("httpx_auth").OAuth2.token_cache.clear()
    return made


def requests_oauth2client_auth(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return the `AuthBase` of requests_oauth2client, with no token yet."""
    library = import_module("requests_oauth2client")
    client = library.OAuth2Client(token_endpoint=server.token_url, testing=True, **_CLIENT)
    return library.OAuth2ClientCredentialsAuth(client, **_GRANT)


def requests_oauthlib_session(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return the session of requests-oauthlib, with a token."""
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # it refuses plain HTTP, on this machine, too
    session = import_module("requests_oauthlib").OAuth2Session(
        client=import_module("oauthlib.oauth2").BackendApplicationClient(client_id=_CLIENT["client_id"])
    )
    more = {"client_secret": _CLIENT["client_secret"], "api_key": _GRANT["api_key"]}
    session.fetch_token(server.token_url, include_client_id=True, **more)
    return session


def google_credentials(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return credentials of google-auth that get their tokens from another server, with no token yet."""
    base = import_module("google.auth.credentials").Credentials
    http = import_module("requests").Session()

    class Credentials(base):  # type: ignore[misc,valid-type]  # untyped
        def refresh(self, _request: object) -> None:
            form = {"grant_type": "client_credentials", **_CLIENT, **_GRANT}
            answer = http.post(server.token_url, data=form).json()
            self.token = answer["access_token"]
            # It compares with a time without a zone.
            self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=answer["expires_in"])

    return Credentials()


class _Discovery:
    """The HTTP client of msal, which wants to know its authority first."""

    def __init__(self, server: TokenServer) -> None:
        self._http = import_module("requests").Session()
        self._url = server.token_url

    def get(self, _url: str, **_options: object) -> Any:  # noqa: ANN401 - untyped
        answer = import_module("requests").Response()
        answer.status_code = 200
        answer._content = json.dumps(
            dict.fromkeys(("authorization_endpoint", "token_endpoint", "issuer"), "https://a.example/common/x")
        ).encode()
        return answer

    def post(self, _url: str, data: object = None, **_options: object) -> Any:  # noqa: ANN401 - untyped
        return self._http.post(self._url, data=data)

    def close(self) -> None:
        self._http.close()


def msal_application(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return an application of msal, with no token yet."""
    return import_module("msal").ConfidentialClientApplication(
        _CLIENT["client_id"],
        client_credential=_CLIENT["client_secret"],
        authority="https://login.microsoftonline.com/common",
        http_client=_Discovery(server),
        instance_discovery=False,
    )


def procountor_client(server: TokenServer) -> Any:  # noqa: ANN401 - untyped
    """Return the client `procountor` of PyPI, which gets its token when it is made."""
    client = import_module("procountor.client").Client
    client._endpoints["hosts"]["test"] = server.url
    return client(_GRANT["api_key"], *_CLIENT.values(), _GRANT["redirect_uri"])


def cached_tokens(server: TokenServer) -> dict[str, Callable[[], object]]:
    """Return what each library does for a token that it has: as little of it as can be called by itself."""
    authlib = authlib_client(server)
    authlib.fetch_token(server.token_url, grant_type="client_credentials", **_GRANT)
    other = httpx_auth(server)
    cache = import_module("httpx_auth").OAuth2.token_cache
    cache._add_access_token(other.state, "t" * 300, 3600)
    prepared = import_module("requests").Request("GET", URL).prepare()
    oauth2client = requests_oauth2client_auth(server)
    oauthlib = requests_oauthlib_session(server)
    google, google_request = google_credentials(server), import_module("google.auth.transport.requests").Request()
    msal = msal_application(server)
    msal.acquire_token_for_client(scopes=["all"])
    procountor = procountor_client(server)
    headers: dict[str, str] = {}
    return {
        "Authlib `ensure_active_token`": lambda: authlib.ensure_active_token(authlib.token),
        "httpx-auth `get_token`": lambda: cache.get_token(other.state, on_missing_token=other.request_new_token),
        "requests_oauth2client `auth(request)`": lambda: oauth2client(prepared),
        "requests-oauthlib `add_token`": lambda: oauthlib._client.add_token(URL, headers=headers),
        "google-auth `before_request`": lambda: google.before_request(google_request, "GET", URL, headers),
        "msal `acquire_token_for_client`": lambda: msal.acquire_token_for_client(scopes=["all"]),
        "procountor `_headers`": lambda: procountor._headers("GET", "users"),
    }


def askers(server: TokenServer, left: int) -> dict[str, Callable[[], object]]:
    """Return how each library is asked for a token by many, with a token that is valid for `left` seconds more.

    With none left httpx-auth, requests_oauth2client and google-auth have no token; Authlib has one that has ended.
    """
    authlib = authlib_client(server)
    authlib.token = {"access_token": "t", "token_type": "bearer", "expires_at": int(time.time() + left)}
    other = httpx_auth(server)
    cache = import_module("httpx_auth").OAuth2.token_cache
    requests = import_module("requests")
    oauth2client = requests_oauth2client_auth(server)
    google, google_request = google_credentials(server), import_module("google.auth.transport.requests").Request()
    if left:
        cache._add_access_token(other.state, "t", left)
        oauth2client.token = import_module("requests_oauth2client").BearerToken("t", expires_in=left)
        google.token = "t"  # noqa: S105 - made up
        google.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=left)
    return {
        "Authlib": lambda: authlib.ensure_active_token(authlib.token),
        "httpx-auth": lambda: cache.get_token(other.state, on_missing_token=other.request_new_token),
        "requests_oauth2client": lambda: oauth2client(requests.Request("GET", URL).prepare()),
        "google-auth": lambda: google.before_request(google_request, "GET", URL, {}),
    }
