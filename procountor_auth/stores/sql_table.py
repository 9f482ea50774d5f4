"""The one table of the SQL store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretBytes
from sqlalchemy import BigInteger, Column, Double, LargeBinary, MetaData, String, Table, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

NAME: Final = "procountor_auth_tokens"


class HiddenBytes(TypeDecorator[SecretBytes]):
    """Bytes that no `repr` shows: at DEBUG, SQLAlchemy logs each row that it gets, even if it hides parameters."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = LargeBinary
    cache_ok: bool | None = True

    def process_bind_param(self, value: SecretBytes | None, dialect: Any) -> bytes | None:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return what is sent."""
        return None if value is None else value.get_secret_value()

    def result_processor(self, dialect: Any, coltype: Any) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return what hides a received value. `LargeBinary` has one that makes twelve bytes of the number 12."""
        return _hidden


def _hidden(value: Any) -> SecretBytes | None:  # noqa: ANN401 - SQLite returns what somebody has put there
    try:
        return SecretBytes(bytes(memoryview(value)))
    except TypeError:
        return None


TABLE: Final = Table(
    NAME,
    MetaData(),
    Column("key", String(140), primary_key=True, comment="names the entry, and has no secret in it"),
    Column("version", BigInteger, nullable=False, comment="goes up by one with each write"),
    Column("data", HiddenBytes, nullable=False, comment="the entry, sealed if there is a key for it"),
    Column("written_at", Double, nullable=False, comment="Unix seconds"),
    Column("expires_at", Double, nullable=False, comment="Unix seconds; it is deleted some time afterwards"),
)


def checked(version: object, data: object) -> tuple[int, SecretBytes] | None:
    """Return two fields of a row, or None if it is damaged: SQLite keeps values of any type in any column."""
    return (version, data) if isinstance(version, int) and isinstance(data, SecretBytes) else None


DIALECTS: Final = ("postgresql", "sqlite")


def ddl(dialect: str) -> str:
    """Return the statement that makes the table, for a user who is allowed to do so.

    Args:
        dialect: One of `DIALECTS`.

    Raises:
        ValueError: There is no such dialect here.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"must be one of {', '.join(DIALECTS)}")
    known = postgresql.dialect() if dialect == "postgresql" else sqlite.dialect()  # type: ignore[no-untyped-call]
    statement = str(CreateTable(TABLE, if_not_exists=True).compile(dialect=known))
    lines = [line.strip() for line in statement.strip().splitlines() if line.strip()]
    return "\n".join([lines[0], *(f"    {line}" for line in lines[1:-1]), lines[-1]]) + ";\n"
