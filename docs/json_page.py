"""Write docs/json.md and docs/json-schema.json from the models that make what `--json` prints."""  # noqa: INP001 - a script

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from procountor_auth.cli.documents.base import Document, ErrorDocument
from procountor_auth.cli.documents.contract import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PAGE = HERE / "json.md"
SCHEMA = HERE / "json-schema.json"

_HEAD = """# What `--json` prints

`make json` generates this page from the models of the documents, `procountor_auth.cli.documents`. They are also
available as [JSON Schema](json-schema.json).

Each command prints one document on one line, in ASCII. Times are Unix times in seconds; null means unknown or absent.
Any version may add members to a document, so ignore members that you do not know. No member is renamed, removed or
changed in meaning without a new major version.

**`ready` has the same meaning everywhere**: nothing prevents what the command is about, so `reasons` is empty. For
`status` and `doctor`, that is getting tokens; for `migrate check`, `plan`, `rehearse` and `status`, using the target
strategy; for `migrate finish`, removing what the old strategy has left behind.

## Exit status

| status | meaning |
|---|---|
| 0 | success |
| 1 | a profile is not `ready`, or something failed and the document has an `error` |
| 2 | the configuration or the command line is wrong, and the document has an `error` |
| 130 | Ctrl-C: the document has an `error` with the code `interrupted` |

"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD, "## error\n\n", *_section(ErrorDocument)]
    for command, model in DOCUMENTS.items():
        parts += [f"## {command}\n\n", *_section(model)]
    return "".join(parts).rstrip() + "\n"


def schema() -> str:
    """Return the JSON Schema of all documents."""
    models: list[type[Document]] = [ErrorDocument, *DOCUMENTS.values()]
    _, found = models_json_schema([(model, "serialization") for model in models], title="procountor-auth --json")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=2) + "\n"


def _section(model: type[Document]) -> Iterator[str]:
    yield f"{inspect.getdoc(model)}\n\n"
    found = model.model_json_schema(mode="serialization")
    if not found.get("properties"):
        return
    yield "| member | type | what it is |\n|---|---|---|\n"
    yield from _rows(found, found.get("$defs", {}), "")
    yield "\n"


def _rows(schema: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        kind, inner = _kind(field, definitions)
        said = " ".join(field.get("description", "").split()).replace("|", "\\|")
        yield f"| `{prefix}{name}` | {kind} | {said} |\n"
        if inner is not None:
            yield from _rows(inner, definitions, f"{prefix}{name}{'[]' if field.get('type') == 'array' else ''}.")


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Return what a member's type is called, and the schema of the objects that it has."""
    if "$ref" in field:
        return "object", definitions[field["$ref"].rpartition("/")[2]]
    if "anyOf" in field:
        kinds = [_kind(each, definitions) for each in field["anyOf"]]
        return " or ".join(kind for kind, _ in kinds), next((inner for _, inner in kinds if inner), None)
    if "const" in field:
        return f"`{field['const']}`", None
    if "enum" in field:
        return ", ".join(f"`{each}`" for each in field["enum"]), None
    if field.get("type") == "array":
        kind, inner = _kind(field["items"], definitions)
        return f"list of {kind}s", inner
    return {"integer": "whole number", "boolean": "true or false"}.get(field["type"], field["type"]), None


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
