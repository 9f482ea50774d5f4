"""Quirks: which dialect the sandbox speaks. What goes wrong is in `faults`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

Removal = Literal["404", "410", "html", "login_page"]
RefreshTokens = Literal["keep", "repeat", "rotate"]
Subject = Literal["integer", "string"]
CompanyClaim = Literal["claim", "omit"]
StateEcho = Literal["echo", "omit", "wrong"]
ErrorShape = Literal["oauth", "errors"]

#: The documentation's own sample: from ``auth_time`` to the refresh token's ``exp``, in seconds.
SIX_MONTHS = 15_724_801

#: The longest lifetime of anything, in seconds: a hundred years.
MAX_LIFETIME = 3_155_760_000


def text(value: object) -> object:
    """Return a whole number as a text, such as the seconds of ``Retry-After``; anything else as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _removal(value: object) -> object:
    if isinstance(value, bool):
        return "404" if value else None
    return text(value)


def _latin1(value: str) -> str:
    if not (value.isprintable() and max(value, default="") <= "\xff"):
        raise ValueError("must be printable, in Latin-1: it is sent as a header")
    return value


_Lifetime = Annotated[int, Field(ge=1, le=MAX_LIFETIME)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(strict=True))
class Quirks:
    """What the sandbox does differently from the documented service.

    The defaults are the documented behaviour. Each switch stands for something that was seen on the
    wire, or for an open question which a client has to survive either way. An object is frozen: give
    the running sandbox another one (``sandbox.quirks = Quirks(...)``) and it counts from the next request.

    Attributes:
        legacy_removed: How ``oauth/authz`` answers once the legacy flow is gone: ``"404"`` or ``"410"``
            with a JSON error, ``"html"`` with the gateway's 404 page, ``"login_page"`` with status 200
            and a login form. None: the legacy flow works. True means ``"404"``, and False means None.
        refresh_token: What the answer to a refresh says about the refresh token: ``"keep"`` leaves it
            out, ``"repeat"`` sends the same one again, ``"rotate"`` sends a new one and refuses the
            old one from then on.
        subject: Whether the claim ``sub`` is an ``"integer"`` or a ``"string"``.
        company: Whether tokens and API keys ``"claim"`` their company as ``cid``, or ``"omit"`` it.
        state: Whether redirects ``"echo"`` the state, ``"omit"`` it, or carry a ``"wrong"`` one.
        token_type: The ``token_type`` of token answers; None leaves it out, as the service does.
        access_token_lifetime: Seconds until an access token expires.
        code_lifetime: Seconds until an authorization code expires.
        refresh_token_lifetime: Seconds from the user's login until the refresh token expires.
        error_shape: ``"oauth"`` for ``{"error", "error_description"}``, ``"errors"`` for
            ``{"errors": [{"status", "message"}]}``.
        location: The literal ``Location`` of every successful ``oauth/authz`` redirect, for instance
            one on a foreign host. None: the client's redirect URI.

    Raises:
        ValueError: A switch has a value that it does not know.
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
    error_shape: ErrorShape = "oauth"
    location: Annotated[Annotated[str, AfterValidator(_latin1)] | None, BeforeValidator(text)] = None
