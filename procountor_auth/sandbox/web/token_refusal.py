"""Why a token is rejected, in more detail than the service's response: for the request log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procountor_auth.sandbox.state.service import Service
    from procountor_auth.sandbox.state.token_issuer import Kind


def why_not_access_token(service: Service, token: str) -> str:
    """Return why a token in the header ``Authorization`` is invalid."""
    return _why_not(service, token, "access") or "The access token is invalid."


def why_not_refresh_token(service: Service, token: str, client_id: str) -> str:
    """Return why a client's refresh token is invalid."""
    return _why_not(service, token, "refresh", client_id) or "The refresh token was replaced or revoked."


def why_not_api_key(service: Service, token: str, client_id: str) -> str:
    """Return why a client's API key is invalid."""
    return _why_not(service, token, "api_key", client_id) or "The API key is revoked."


def _why_not(service: Service, token: str, kind: Kind, client_id: str | None = None) -> str | None:
    what = {"access": "access token", "refresh": "refresh token", "api_key": "API key"}[kind]
    claims: dict[str, Any] | None = service.token_issuer.read(token, kind, even_expired=True)
    if claims is None:
        return f"This sandbox did not issue the {what}."
    if service.token_issuer.read(token, kind) is None:
        return f"The {what} has expired."
    if client_id is not None and claims["aud"] != client_id:
        return f"The {what} belongs to another client."
    if kind != "api_key" and service.world.sessions.is_logged_out(claims["jti"]):
        return "The session was logged out."
    if not service.world.directory.has_access(int(claims["sub"]), claims["cid"]):
        return "The user has lost access to the company."
    return None
