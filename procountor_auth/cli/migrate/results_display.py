"""What `procountor-auth migrate check` and `rehearse` print as text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from procountor_auth.cli.screen import BAD, GOOD, MAX_LISTED, WARNING, console, indented, print_next

from .blocked import show_blocked
from .labels import count, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from procountor_auth.migration.readiness import Readiness


def show_results(
    results: Sequence[Readiness], *, ready: str, blocked: str, steps: Sequence[str], show_all: bool
) -> None:
    """Print the results of a check or a rehearsal.

    Args:
        results: The results.
        ready: The word for a profile that can switch.
        blocked: The word for one that can't.
        steps: What to do next.
        show_all: Print a line for each profile, however many there are.
    """
    screen = console()
    if show_all or len(results) <= MAX_LISTED:
        width = max((len(label(result.profile)) for result in results), default=0)
        notes = Counter(note for result in results if result.ready for note in result.notes)
        for result in results:
            if result.ready:
                _show_ready(screen, result, ready, width)
                for note in result.notes:
                    if notes[note] == 1:
                        screen.print(indented(note, 2, WARNING))
        for note, number in notes.items():
            if number > 1:
                screen.print(indented(f"{count(number)}: {note}", 0, WARNING))
    show_blocked(
        screen, [result for result in results if not result.ready], blocked, of=len(results), show_all=show_all
    )
    counts = {
        ready: sum(result.ready and not result.done for result in results),
        blocked: sum(not result.ready for result in results),
        "done": sum(result.ready and result.done for result in results),
    }
    screen.print(count(len(results)) + ": " + ", ".join(f"{number} {word}" for word, number in counts.items()))
    print_next(screen, *steps)


def _show_ready(screen: Console, result: Readiness, word: str, width: int) -> None:
    name = label(result.profile)
    way = "" if result.done else f"{result.strategy or '?'} -> {result.target}  "
    said = Text("done" if result.done else word, style=GOOD)
    line = Text(f"{name:{width}}  {way}") + said
    if line.cell_len <= screen.width:
        screen.print(line)
    else:  # a name is not broken: it gets its own line
        screen.print(name)
        for part in (Text(way.rstrip()), said):
            screen.print(indented(part.plain, 2, str(part.style)))


def show_progress(results: Iterable[Readiness], total: int) -> Iterator[Readiness]:
    """Pass results on, and show the progress on stderr: a bar on a terminal, otherwise an occasional line."""
    from rich.progress import (  # noqa: PLC0415 - not needed for help
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    screen = console(stderr=True)
    if not screen.is_terminal:
        step = max(MAX_LISTED, total // 10)
        for number, result in enumerate(results, start=1):
            if number % step == 0 and number < total:
                screen.print(f"{number} of {total} profiles rehearsed")
            yield result
        return
    columns = (
        TextColumn("rehearsal"),
        BarColumn(complete_style=GOOD, finished_style=GOOD, pulse_style=GOOD),
        MofNCompleteColumn(),
        TextColumn("{task.fields[blocked]}", style=BAD),
    )
    with Progress(*columns, TimeRemainingColumn(), console=screen, transient=True) as progress:
        task = progress.add_task("rehearsal", total=total, blocked="")
        blocked = 0
        for result in results:
            blocked += not result.ready
            progress.update(task, advance=1, blocked=f"{blocked} NO GO" if blocked else "")
            yield result
