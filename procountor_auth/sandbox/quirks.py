"""Quirks: which dialect the sandbox speaks. What goes wrong today is the weather's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Removal = Literal["404", "410", "html", "login_page"]
RefreshTokens = Literal["keep", "repeat", "rotate"]
Subject = Literal["integer", "string"]
StateEcho = Literal["echo", "omit", "wrong"]
ErrorShape = Literal["oauth", "errors"]

#: The documentation's own sample: from ``auth_time`` to the refresh token's ``exp``, in seconds.
SIX_MONTHS = 15_724_801

#: The longest lifetime of anything, in seconds.
HUNDRED_YEARS = 3_155_760_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What the sandbox does differently from the documented service.

    The defaults are the documented behaviour. Each switch stands for something that was seen on the
    wire, or for an open question which a client has to survive either way. An object is frozen: give
    the running sandbox another one (``sandbox.quirks = Quirks(...)``) and it counts from the next request.

    Attributes:
        legacy_removed: How ``oauth/authz`` answers once the legacy flow is gone: ``"404"`` or ``"410"``
            with a JSON error, ``"html"`` with the gateway's 404 page, ``"login_page"`` with status 200
            and a login form. None: the legacy flow works.
        refresh_token: What the answer to a refresh says about the refresh token: ``"keep"`` leaves it
            out, ``"repeat"`` sends the same one again, ``"rotate"`` sends a new one and refuses the
            old one from then on.
        subject: Whether the claim ``sub`` is an ``"integer"`` or a ``"string"``.
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

    legacy_removed: Removal | None = None
    refresh_token: RefreshTokens = "keep"  # noqa: S105 - not a secret
    subject: Subject = "integer"
    state: StateEcho = "echo"
    token_type: str | None = None
    access_token_lifetime: int = 3600
    code_lifetime: int = 300
    refresh_token_lifetime: int = SIX_MONTHS
    error_shape: ErrorShape = "oauth"
    location: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no request could be answered with: a typing slip would otherwise pass as a default."""
        _one_of("legacy_removed", self.legacy_removed, (None, *get_args(Removal)))
        _one_of("refresh_token", self.refresh_token, get_args(RefreshTokens))
        _one_of("subject", self.subject, get_args(Subject))
        _one_of("state", self.state, get_args(StateEcho))
        _one_of("error_shape", self.error_shape, get_args(ErrorShape))
        for name in ("access_token_lifetime", "code_lifetime", "refresh_token_lifetime"):
            if not 1 <= getattr(self, name) <= HUNDRED_YEARS:
                raise ValueError(f"{name} must be at least 1 second, and a hundred years at most")
        if self.location is not None and not (self.location.isprintable() and max(self.location, default="") <= "\xff"):
            raise ValueError("location must be printable, in Latin-1: it is sent as a header")


def _one_of(name: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        choices = ", ".join(repr(each) for each in known)
        raise ValueError(f"{name} must be one of {choices}")
