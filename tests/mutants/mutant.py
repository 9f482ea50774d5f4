"""Mutants of the package: a copy of the project whose functions are changed in one place each, made with mutmut.

mutmut finds the changes and writes each changed function beside the original, behind a trampoline that looks at
`MUTANT_UNDER_TEST`. Only the drawn ones are written, so that the copy is small and quickly made.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from libcst import Module  # type: ignore[import-not-found]
    from mutmut.mutation.data import LineSpan  # type: ignore[import-not-found]
    from mutmut.mutation.file_mutation import Mutation  # type: ignore[import-not-found]

FOLDERS: Final = ("strategies", "settings", "stores", "tokens", "migration")
"""The folders of the package that are mutated."""

UNTOUCHED: Final = frozenset({"procountor_auth/stores/compliance.py"})
"""What is itself a test."""

_COPIED: Final = ("procountor_auth", "tests", "strategies", "docs", "examples", "README.md", "pyproject.toml")
_CONFIGURATION: Final = '\n[tool.mutmut]\nsource_paths = ["procountor_auth"]\ntrack_dependencies = false\n'


@dataclass(frozen=True)
class Mutant:
    """A function with one change.

    Attributes:
        name: What mutmut calls it, with its module.
        folder: The folder of the package.
        path: The file.
        function: The function, with its class.
        removed: The lines that are gone.
        added: The lines that are there instead.
    """

    name: str
    folder: str
    path: str
    function: str
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def reached_as(self) -> str:
        """What the survey calls the function."""
        return self.name.rpartition("__mutmut_")[0]


def write_mutants(project: Path, copy: Path, *, seed: int, size: int) -> tuple[dict[str, int], list[Mutant]]:
    """Copy the project, and write `size` mutants of each folder into the copy.

    Returns:
        How many mutants each folder has in all, and those that were drawn.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in _COPIED:
        if (project / name).is_dir():
            shutil.copytree(project / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(project / name, copy / name)
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as configuration:
        configuration.write(_CONFIGURATION)
    totals, drawn = {}, []
    with contextlib.chdir(copy):  # where mutmut looks for its configuration
        for folder in FOLDERS:
            totals[folder], mutants = _write_folder(copy, folder, seed=seed, size=size)
            drawn += mutants
    return totals, drawn


def _write_folder(copy: Path, folder: str, *, seed: int, size: int) -> tuple[int, list[Mutant]]:
    # Installed for `make mutants` only, and read only there.
    from libcst import FunctionDef  # noqa: PLC0415
    from mutmut.mutation.file_mutation import (  # noqa: PLC0415
        combine_mutations_to_source,
        create_mutations,
    )

    found = {}
    for path in sorted((copy / "procountor_auth" / folder).glob("*.py")):
        name = path.relative_to(copy).as_posix()
        if name not in UNTOUCHED:
            module, mutations, classes, functions = create_mutations(name, path.read_text(encoding="utf-8"))
            inside = [each for each in mutations if isinstance(each.contained_by_top_level_function, FunctionDef)]
            found[name] = module, inside, classes, functions
    lots = {
        (name, number): lot
        for name, (module, inside, *_) in found.items()
        for number, lot in enumerate(_lots(f"{seed} {name}", module, inside))
    }
    chosen = set(sorted(lots, key=lots.__getitem__)[:size])
    mutants = []
    for name, (module, inside, classes, functions) in found.items():
        taken = [each for number, each in enumerate(inside) if (name, number) in chosen]
        if taken:
            written = combine_mutations_to_source(module, taken, classes, functions)
            (copy / name).write_text(written.code, encoding="utf-8")
            lines = written.code.splitlines()
            spans = written.line_span_by_function_name
            mutants += [_mutant(name, folder, each, lines, spans) for each in written.mutant_names]
    return len(lots), mutants


def _lots(prefix: str, module: Module, mutations: Sequence[Mutation]) -> Iterator[str]:
    """Yield a lot for each change: the lowest ones are drawn.

    A lot depends on the change alone, so that other code can be written without another sample being drawn.
    """
    seen: Counter[str] = Counter()
    for each in mutations:
        before, after = map(module.code_for_node, (each.original_node, each.mutated_node))
        change = f"{prefix} {each.contained_by_top_level_function.name.value} {before} {after}"
        seen[change] += 1
        yield sha256(f"{change} {seen[change]}".encode()).hexdigest()


def _mutant(path: str, folder: str, name: str, lines: Sequence[str], spans: Mapping[str, LineSpan]) -> Mutant:
    stem = name.rpartition("__mutmut_")[0]
    before, after = (_body(lines, spans[each]) for each in (f"{stem}__mutmut_orig", name))
    changes = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Mutant(
        name=f"{module}.{name}",
        folder=folder,
        path=path,
        function=stem.removeprefix("xǁ").removeprefix("x_").replace("ǁ", "."),
        removed=tuple(line[1:].strip() for line in changes if line.startswith("-")),
        added=tuple(line[1:].strip() for line in changes if line.startswith("+")),
    )


def _body(lines: Sequence[str], span: LineSpan) -> list[str]:
    """Return the lines of a function; in the copy its name says which mutant it is."""
    return [re.sub(r"\bx[_ǁ]\w*__mutmut_\w+", "…", line) for line in lines[span.start - 1 : span.end]]
