"""Quirks: the sandbox's variants of the protocol. Simulated errors are in `faults`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from .record import Record

Removal = Literal["404", "410", "html", "login_page"]
RefreshTokens = Literal["keep", "repeat", "rotate"]
Subject = Literal["integer", "string"]
CompanyClaim = Literal["claim", "omit"]
StateEcho = Literal["echo", "omit", "wrong"]
RedirectUri = Literal["optional", "required"]
ErrorShape = Literal["oauth", "errors"]

#: The documentation's own sample: from ``auth_time`` to the refresh token's ``exp``, in seconds.
SIX_MONTHS = 15_724_801

#: The longest lifetime of anything, in seconds: a hundred years.
MAX_LIFETIME = 3_155_760_000


def text(value: object) -> object:
    """Return a whole number as text, such as the seconds of ``Retry-After``; anything else unchanged."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _removal(value: object) -> object:
    # In the JSON and the forms of the sandbox; in Python, the types allow the words only.
    if isinstance(value, bool):
        return "404" if value else None
    return text(value)


def _latin1(value: str) -> str:
    if not (value.isprintable() and max(value, default="") <= "\xff"):
        raise ValueError("must be printable, in Latin-1: it is sent as a header")
    return value


_Lifetime = Annotated[int, Field(ge=1, le=MAX_LIFETIME)]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, config=ConfigDict(strict=True, extra="forbid"))
class Quirks(Record):
    """How the sandbox differs from the documented service.

    The defaults are the documented behaviour. Each switch is a variant that was seen on the
    wire, or an open question that a client has to handle either way. The object is frozen: assign
    a new one to the running sandbox (``sandbox.quirks = Quirks(...)``), which takes effect with the next request.

    Attributes:
        legacy_removed: How ``oauth/authz`` responds after the legacy flow was removed: ``"404"`` or ``"410"``
            with a JSON error, ``"html"`` with the gateway's 404 page, ``"login_page"`` with status 200
            and a login form. None: the legacy flow works.
        refresh_token: The refresh token in the response to a refresh: ``"keep"`` leaves it
            out, ``"repeat"`` sends the same one again, ``"rotate"`` sends a new one and rejects the
            old one from then on.
        subject: Whether the claim ``sub`` is an ``"integer"`` or a ``"string"``.
        company: Whether tokens and API keys ``"claim"`` their company as ``cid``, or ``"omit"`` it.
        state: Whether redirects ``"echo"`` the state, ``"omit"`` it, or carry a ``"wrong"`` one.
        token_type: The ``token_type`` of token responses; None leaves it out, as the service does.
        access_token_lifetime: Seconds until an access token expires.
        code_lifetime: Seconds until an authorization code expires.
        refresh_token_lifetime: Seconds from the user's login until the refresh token expires.
        error_shape: ``"errors"`` for ``{"errors": [{"status", "message"}]}``, which public clients have expected since
            API 20.04, or ``"oauth"`` for ``{"error", "error_description"}``, the earlier shape, which a client of
            2021 still expects.
        api_key_redirect_uri: Whether the client credentials grant needs a ``redirect_uri``: ``"required"`` as the
            documentation says, ``"optional"`` as public clients that leave it out show.
        location: The literal ``Location`` of every successful ``oauth/authz`` redirect, for example
            one on a foreign host. None: the client's redirect URI.

    Raises:
        ValueError: A switch has an invalid value.
    """

    legacy_removed: Annotated[Removal | None, BeforeValidator(_removal)] = None
    refresh_token: RefreshTokens = "keep"  # noqa: S105 - not a secret
    subject: Subject = "integer"
    company: CompanyClaim = "claim"
    state: StateEcho = "echo"
    token_type: Annotated[str | None, BeforeValidator(text)] = None
    access_token_lifetime: _Lifetime = 3600
    code_lifetime: _Lifetime = 300
    refresh_token_lifetime: _Lifetime = SIX_MONTHS
    error_shape: ErrorShape = "errors"
    api_key_redirect_uri: RedirectUri = "optional"
    location: Annotated[Annotated[str, AfterValidator(_latin1)] | None, BeforeValidator(text)] = None
