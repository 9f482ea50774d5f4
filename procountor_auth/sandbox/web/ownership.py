"""The owner of a request, according to its credentials, even if they are rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from procountor_auth.sandbox.state.request_log import Owner

from .oauth_endpoints import company_number
from .oauth_server import parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    import flask

    from procountor_auth.sandbox.state.service import Service
    from procountor_auth.sandbox.state.token_issuer import Kind

#: The parameters that contain the sandbox's tokens.
_TOKENS: Final[tuple[tuple[str, Kind], ...]] = (("api_key", "api_key"), ("refresh_token", "refresh"))


def owner_of(service: Service, request: flask.Request) -> Owner:
    """Return the owner of a request, as far as known before the request is handled.

    Only IDs that exist in the sandbox are returned: a faulty client may send a secret in place of an ID.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _of_token(service, token.strip(), "access") or Owner()
    if not request.args and not request.form:
        return Owner()
    given = parameters(request)
    client = service.world.directory.client(given.get("client_id"))
    found = _of_credentials(service, given) or _of_login(service, given)
    return Owner(client.client_id if client else found.client_id, found.company_id, found.user_id)


def _of_credentials(service: Service, given: Mapping[str, str]) -> Owner | None:
    for name, kind in _TOKENS:
        if owner := _of_token(service, given.get(name), kind):
            return owner
    code = service.world.credentials.code_details(given["code"]) if given.get("code") else None
    return Owner(code.client_id, code.company_id, code.user_id) if code else None


def _of_token(service: Service, token: str | None, kind: Kind) -> Owner | None:
    claims: dict[str, Any] | None = service.token_issuer.read(token, kind, even_expired=True) if token else None
    return Owner(claims["aud"], claims["cid"], int(claims["sub"])) if claims else None


def _of_login(service: Service, given: Mapping[str, str]) -> Owner:
    directory = service.world.directory
    user = directory.user_named(given["username"]) if given.get("username") else None
    number = company_number(given.get("company"))
    company = directory.company(number) if number is not None else None
    return Owner(None, company.id if company else None, user.id if user else None)
