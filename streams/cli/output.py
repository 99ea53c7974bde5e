"""Where a command's words go: its result to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Wide enough that nothing is wrapped or cut where no terminal sets a width.
_UNBOUNDED = 4096


def emit(result: Mapping[str, Any] | bytes) -> None:
    """Write one JSON line of the result, at once: a reader may be waiting for it."""
    if isinstance(result, bytes):
        line = result.decode("utf-8", errors="replace")
    else:
        line = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(text: str | Text, style: str | None = None) -> None:
    """Write one line of the result for people; colours on a terminal only."""
    console(stderr=False).print(text, style=style, soft_wrap=True, markup=False, highlight=False)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write one line to stderr."""
    typer.echo(printable(text), err=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the result as a table, aligned and never cut."""
    shown = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for column in shown.columns:
        column.no_wrap = not sys.stdout.isatty()
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    console(stderr=False).print(shown)


def console(*, stderr: bool) -> Console:
    """A console for one of the two streams, as wide as its terminal or unbounded."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _UNBOUNDED, highlight=False)


def printable(text: str) -> str:
    """`text` with control characters escaped: data must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
