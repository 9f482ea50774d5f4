"""`procountor-auth init`: a commented `.env` to fill in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from procountor_auth.cli.env_template import STRATEGIES, env_template

from .message import print_text
from .options import check_choice


def init(
    *,
    strategy: Annotated[str, typer.Option(metavar="NAME", help=f"The strategy: {', '.join(STRATEGIES)}.")] = STRATEGIES[
        0
    ],
    file: Annotated[Path, typer.Option("--file", metavar="FILE", help="The file to write.")] = Path(".env"),
) -> None:
    """Write a commented .env file for a strategy, for you to fill in. An existing file is left unchanged."""
    check_choice(strategy, STRATEGIES, "--strategy")
    write_new(file, env_template(strategy))
    print_text(f"Wrote {file} for {strategy}; only you can read it. Keep it out of version control.")
    print_text(f"Fill in the empty values{_where(file)}, and run: procountor-auth doctor")
    print_text(f"To try it on a local Procountor: procountor-auth sandbox --env-file {file} --strategy {strategy}")


def write_new(file: Path, text: str) -> None:
    """Write a new file that only this user can read.

    Raises:
        BadParameter: The file exists, or can't be written.
    """
    problem = ""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        problem = f"{file} already exists and was left unchanged: name another file"
    except OSError as error:
        problem = f"{file} can't be written: {error.strerror}"
    if problem:
        raise typer.BadParameter(problem, param_hint="--file")


def _where(file: Path) -> str:
    return "" if file == Path(".env") else f", set PROCOUNTOR_ENV_FILE={file}"
