"""The form of the lines in the record of rehearsals. Whatever has another form is not ours, and is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from procountor_auth.migration.readiness import Readiness, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Part(BaseModel):
    """A part of a line. Fields that a later version may have added are left out."""

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)

    @classmethod
    def read(cls, line: bytes) -> Self | None:
        """Return what a line says, or None if it is incomplete, of another kind or from another program."""
        try:
            return cls.model_validate_json(line)
        except ValidationError:
            return None


class FreshStart(_Part):
    """The line that says since when some profiles are all to be tried again."""

    at: float
    fresh: list[str | None]


class _Problem(_Part):
    code: str
    message: str
    hint: str
    variable: str | None


class _Reached(_Part):
    company_id: int | None
    company: str | None
    user_id: int | None
    user: str | None
    expires_at: float
    refresh_expires_at: float | None
    announced: list[str]


class _Found(_Part):
    today: _Reached | None = None
    next: _Reached | None = None


class RecordedResult(_Part):
    """The line of a result."""

    at: float
    fingerprint: str
    profile: str | None
    strategy: str | None
    target: str
    ready: bool
    problems: list[_Problem]
    notes: list[str]
    found: _Found

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.ready == bool(self.problems):
            raise ValueError("a GO has no problems, and a NO GO has some")
        return self

    @classmethod
    def line(cls, fingerprint: str, at: float, readiness: Readiness) -> Mapping[str, Any]:
        """Return the fields of a line, in their order."""
        fields = {"at": at, "fingerprint": fingerprint, **readiness.as_dict(), "found": readiness.found}
        return {name: fields[name] for name in cls.model_fields}

    @property
    def readiness(self) -> Readiness:
        """The result."""
        return Readiness(
            profile=self.profile,
            strategy=self.strategy,
            target=self.target,
            reasons=tuple(Reason(**problem.model_dump()) for problem in self.problems),
            notes=tuple(self.notes),
            found=self.found.model_dump(exclude_unset=True),
        )
