"""What a command prints: text for users, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from procountor_auth.settings.profile import Profile

if TYPE_CHECKING:
    from .documents.base import Document

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def on_terminal() -> bool:
    """Whether standard output is a terminal; it may be closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def print_json(document: Document) -> None:
    """Print one JSON document, in ASCII, on a line of its own."""
    typer.echo(json.dumps(document.model_dump(mode="json")))


def format_time(seconds: float) -> str:
    """Return a time in Unix seconds as text, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "an invalid time"


def store_text(label: str) -> str:
    """Return a token store for a sentence: `the file store`, or its URL or path."""
    return f"the {label} store" if label.isalpha() else label


def login_hint(profile: str | None) -> str:
    """Return a hint on how to log in."""
    return Profile(profile).hint("Run `procountor-auth login`, or set PROCOUNTOR_REFRESH_TOKEN.")
