"""Write docs/cli.md and the man page docs/procountor-auth.1 from the commands themselves.

The page is docs/templates/cli.md, with the options of each command. No library writes the man page: click-man, for one,
looks for Click's own classes, which Typer no longer uses.
"""  # noqa: INP001 - a script

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from procountor_auth.cli.app import build_app
from procountor_auth.cli.exit_status import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "cli.md"
TEMPLATE: Final = HERE / "templates" / "cli.md"
MAN_PAGE: Final = HERE / "procountor-auth.1"

PROGRAM: Final = "procountor-auth"
_COMMON: Final = frozenset({"help", "verbose"})
"""Options that every command has: they are described once."""
_PLACE: Final = re.compile(r"^<!-- ([a-z ]+) -->$", re.MULTILINE)

_ENVIRONMENT: Final = """\
The configuration is read from variables whose names begin with PROCOUNTOR_: from the environment, a .env file, a
secrets directory and a profiles file. PROCOUNTOR_STRATEGY chooses how to authenticate.
"procountor-auth init" writes a .env file with the variables that a strategy needs."""
_FILES: Final = {
    ".env": "Variables, in the working directory. PROCOUNTOR_ENV_FILE names another file.",
    "/run/secrets": "The secrets directory, with one file for each variable. PROCOUNTOR_SECRETS_DIR names another.",
    "~/.config/procountor-auth/profiles.toml": "The profiles file. PROCOUNTOR_PROFILES_FILE names another.",
}


@dataclass(frozen=True)
class Parameter:
    """An option or an argument.

    Attributes:
        names: How it is written, such as `-f, --field KEY=VALUE`.
        default: Its default as text, or nothing.
        help: What it is for.
        synopsis: How an argument stands in the synopsis; nothing for an option.
    """

    names: str
    default: str
    help: str
    synopsis: str


@dataclass(frozen=True)
class CommandHelp:
    """What a command says of itself.

    Attributes:
        name: Its name, without the program's.
        paragraphs: Its description.
        parameters: Its arguments and options, without the common ones.
        has_subcommands: Whether a subcommand may follow.
        example: A call, or nothing.
    """

    name: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    has_subcommands: bool
    example: str

    @property
    def synopsis(self) -> str:
        """How it is called."""
        options = ["[OPTIONS]"] if any(not each.synopsis for each in self.parameters) else []
        arguments = [each.synopsis for each in self.parameters if each.synopsis]
        # Those that only lead to their subcommands have no options of their own.
        more = ["[COMMAND]" if self.parameters else "COMMAND"] if self.has_subcommands else []
        return " ".join([PROGRAM, *self.name.split(), *options, *more, *arguments])


def commands() -> list[CommandHelp]:
    """Return the program itself, whose name is empty, and each command after its group."""
    return list(_walk(typer.main.get_command(build_app()), "", None))


def _walk(command: Any, name: str, parent: Any) -> Iterator[CommandHelp]:  # noqa: ANN401 - Typer's are in a private module
    context = command.context_class(
        command, info_name=name.rpartition(" ")[2] or PROGRAM, parent=parent, **command.context_settings
    )
    epilog = command.epilog or ""
    subcommands = command.list_commands(context) if hasattr(command, "list_commands") else []
    yield CommandHelp(
        name,
        tuple(" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")),
        tuple(
            _parameter(each, context) for each in command.get_params(context) if each.name not in _COMMON or not name
        ),
        bool(subcommands),
        epilog.removeprefix("Example: ") if epilog.startswith("Example: ") else "",
    )
    for each in subcommands:
        yield from _walk(command.get_command(context, each), f"{name} {each}".strip(), context)


def _parameter(found: Any, context: Any) -> Parameter:  # noqa: ANN401 - as above
    is_argument = found.param_type_name == "argument"
    metavar = found.metavar or _metavar(found, context)
    default = found.default
    default = str(getattr(default, "value", default)) if default or type(default) is int else ""
    if is_argument:
        many = "…" if found.nargs != 1 else ""
        return Parameter(metavar, default, found.help, f"{metavar}{many}" if found.required else f"[{metavar}{many}]")
    names = ", ".join(sorted(found.opts, key=len))
    return Parameter(f"{names} {metavar}".strip(), "" if found.is_flag else default, found.help, "")


def _metavar(found: Any, context: Any) -> str:  # noqa: ANN401 - as above
    """Return what a value is called that has no name: its choices, or a number."""
    if getattr(found, "is_flag", False):
        return ""
    shown = str(found.make_metavar(context)).strip("<>[]{}")
    return "N" if "range" in shown or shown.lower() in {"integer", "float", "int"} else shown


def page() -> str:
    """Return docs/cli.md.

    Raises:
        ValueError: A command is not in the template, or twice.
    """
    template = TEMPLATE.read_text(encoding="utf-8")
    described = {each.name or "common": each for each in commands()}
    if sorted(_PLACE.findall(template)) != sorted([*described, "exit status"]):
        raise ValueError(f"not once in the template: {set(_PLACE.findall(template)) ^ described.keys()}")

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        if name == "exit status":
            rows = (f"| {status} | {meaning} |\n" for status, meaning in MEANINGS.items())
            return "| status | when |\n|---|---|\n" + "".join(rows).rstrip()
        parts = _table(described[name].parameters) if name == "common" else _section(described[name])
        return "\n\n".join(parts)

    return _PLACE.sub(fill, template)


def _section(command: CommandHelp) -> Iterator[str]:
    yield f"```text\n{command.synopsis}\n```"
    yield from (_marked(paragraph) for paragraph in command.paragraphs)
    yield from _table(command.parameters)
    if command.example:
        yield f"For example:\n\n```text\n{command.example}\n```"


def _table(parameters: Iterable[Parameter]) -> Iterator[str]:
    rows = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        for cells in (
            (f"`{each.names}`", f"`{each.default}`" if each.default else "", _marked(each.help)) for each in parameters
        )
    ]
    if rows:
        yield "\n".join(["| argument or option | default | description |", "|---|---|---|", *rows])


def _marked(text: str) -> str:
    """Return plain text as Markdown: variables, options and calls as code."""
    marked = re.sub(
        r"(?<![\w`-])(PROCOUNTOR_\w+(?:=[\w…]+)?|--[a-z][a-z-]+|[\w.]+\([\w=]*\)|/_sandbox/)", r"`\1`", text
    )
    return re.sub(r"'(procountor-auth [^']+)'", lambda call: f"`{call[1].replace('`', '')}`", marked)


def man_page() -> str:
    """Return the man page, in the macros of man(7)."""
    program, *others = commands()
    lines = [
        '.\\" Made by docs/cli_page.py.',
        ".TH PROCOUNTOR-AUTH 1",
        ".SH NAME",
        f"{_roff(PROGRAM)} \\- authenticate against the Procountor API",
        ".SH SYNOPSIS",
        f".B {_roff(PROGRAM)}",
        "[OPTIONS] COMMAND [ARGUMENTS]",
        ".SH DESCRIPTION",
        *_paragraphs(program.paragraphs),
        ".SH OPTIONS",
        "Every command takes \\-\\-help and \\-\\-verbose.",
        *_terms((each.names, each.help) for each in program.parameters),
        ".SH COMMANDS",
    ]
    for each in others:
        lines += [f".SS {_roff(each.synopsis)}", *_paragraphs(each.paragraphs)]
        lines += _terms(
            (option.names, f"{option.help} Default: {option.default}." if option.default else option.help)
            for option in each.parameters
        )
        if each.example:
            lines += [".PP", "Example:", ".PP", ".RS", ".nf", _roff(each.example), ".fi", ".RE"]
    lines += [".SH EXIT STATUS", *_terms((str(status), f"{meaning}.") for status, meaning in MEANINGS.items())]
    lines += [".SH ENVIRONMENT", _roff(_ENVIRONMENT)]
    lines += [".SH FILES", *_terms(_FILES.items())]
    return "\n".join(lines) + "\n"


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", _roff(text))


def _terms(terms: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in terms:
        yield from (".TP", f".B {_roff(term)}", _roff(text))


def _roff(text: str) -> str:
    """Return a text in which nothing is an instruction to roff."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("'", "\\(aq")
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in escaped.splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    MAN_PAGE.write_text(man_page(), encoding="utf-8")
