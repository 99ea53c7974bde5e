"""What a measurement that takes minutes says meanwhile: on stderr, with a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from streams.cli.output import console, printable


class Display:
    """A bar over the steps of a measurement, and lines that stay."""

    def __init__(self, bar: Progress, steps: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=steps)

    def begins(self, what: str) -> None:
        """Say what is being done."""
        self._bar.update(self._task, description=what)

    def tell(self, line: str) -> None:
        """Write a line that stays."""
        self._bar.console.print(printable(line), markup=False, soft_wrap=True)

    def counts(self) -> None:
        """Count a step."""
        self._bar.advance(self._task)

    def ends(self, line: str) -> None:
        """Write what a step came to, and count it."""
        self.tell(line)
        self.counts()


@contextmanager
def display(steps: int) -> Iterator[Display]:
    """Show the progress of so many steps while the context lasts."""
    stderr = console(stderr=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
    with bar:
        yield Display(bar, steps)
