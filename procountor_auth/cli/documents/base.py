"""What all documents have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from procountor_auth.errors import ProcountorAuthError


class Document(BaseModel):
    """A document, or a part of one. Times are Unix seconds; null means unknown or absent."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ErrorDetail(Document):
    """The error."""

    code: str
    """A stable word for the kind of error: an error's `code` (docs/errors.md), `usage` or `interrupted`."""
    message: str
    """What happened, in a sentence without a secret."""
    hint: str
    """What to do about it; may be empty."""
    profile: str | None
    """The profile concerned."""

    @classmethod
    def of(cls, error: ProcountorAuthError) -> Self:
        """Return the document's form of an error."""
        return cls(code=error.code, message=error.message, hint=error.hint, profile=error.profile)


class ErrorDocument(Document):
    """Printed by every command instead of its own document, if the command fails as a whole."""

    error: ErrorDetail
    """The error."""


class Problem(Document):
    """One reason why a profile is not ready."""

    code: str
    """A stable word for the kind: an error's `code`, or `missing`, `invalid`, `unknown`, `unreadable`, `other_company`,
    `other_client`, `expired`, `company_unknown`, `no_rights`, `token_store`, `not_switched`, `fallback`."""
    message: str
    """The problem, in a sentence."""
    hint: str
    """What to do about it; may be empty."""
    variable: str | None
    """The variable concerned."""


class Profile(Document):
    """What every document says about a profile."""

    profile: str | None
    """Its name; null if there are no profiles."""
    ready: bool
    """Whether the profile is ready for what the command checks: `reasons` is empty."""
    reasons: list[str]
    """Why it is not ready, as sentences."""
