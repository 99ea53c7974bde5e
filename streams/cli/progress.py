"""A progress bar over a file that is being read: on stderr, on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from streams.cli.output import console

if TYPE_CHECKING:
    from streams.files import Wrap


@contextmanager
def progress(path: Path | str, description: str = "reading") -> Iterator[Wrap | None]:
    """Show how much of a file has been read, and the time left, while the context lasts.

    Parameters
    ----------
    path
        The file; the length of standard input (``-``) is not known, so it has no bar.
    description
        What is being done.

    Yields
    ------
    Wrap or None
        For `streams.files.read_records`: the layer that counts the bytes; None without a terminal.
    """
    stderr = console(stderr=True)
    if str(path) == "-" or not stderr.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )

    def wrap(raw: BinaryIO, size: int | None) -> BinaryIO:
        return bar.wrap_file(raw, total=size or 0, description=description)

    with bar:
        yield wrap
