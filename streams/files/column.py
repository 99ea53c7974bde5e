"""One raw column of a file, for a detector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError, InvalidMessage
from streams.files.cells import NUMBER, TIMESTAMP_NAMES, as_text, number_or_text
from streams.files.opening import is_json, open_input
from streams.files.tables import header_of, table_rows, width

_SAMPLE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the column under test.

    Attributes
    ----------
    index : int
        Row number, counted from 0; the header is not counted.
    line : int
        Line of the file, counted from 1, for messages to people.
    value : int, float, str, InvalidMessage or None
        A finite number; the text itself if it is none; None for an empty cell; what the whole
        row should have been, where it is none.
    timestamp : str or None
        What the timestamp column says, if there is one.
    """

    index: int
    line: int
    value: float | str | InvalidMessage | None
    timestamp: str | None


_Row = tuple[int, Mapping[str, Any] | InvalidMessage]


def read_cells(path: Path | str, column: str | None = None) -> tuple[str, Iterator[Cell]]:
    """One raw column of a CSV or JSON-lines file, for a detector.

    Parameters
    ----------
    path
        A file, plain or gzip; ``-`` is standard input.
    column
        Its name. By default ``value``, else the only column of numbers (judged by the first
        1000 rows). In JSON lines a name of the object, or of its ``features``.

    Returns
    -------
    tuple of str and iterator of Cell
        The name of the column, and its rows in file order.

    Raises
    ------
    ConfigurationError
        The file can't be read, or the column is not in it or not to be guessed.
    """
    rows = _rows(path)
    header = next(rows, None)
    if header is None or isinstance(header[1], InvalidMessage):
        raise ConfigurationError("FILE", str(path), "a header line and rows under it")
    names = list(header[1])
    if column is None and names and all(NUMBER.fullmatch(name) for name in names):
        raise ConfigurationError(
            "header", ", ".join(names), "a line with the names of the columns, not with numbers"
        )
    first: list[_Row] = []
    # Where the column is known there is no need to look ahead, which on a pipe would mean to wait.
    if column not in names and (column is not None or "value" not in names):
        first, names = _sample(rows, names)
    name = _pick_column(path, names, first, column)
    timestamp = next((n for n in names if n.lower() in TIMESTAMP_NAMES and n != name), None)

    def cells() -> Iterator[Cell]:
        index = 0
        for chunk in (first, rows):
            for line, row in chunk:
                if isinstance(row, InvalidMessage):
                    yield Cell(index, line, row, None)
                else:
                    when = None if timestamp is None else row.get(timestamp)
                    yield Cell(index, line, number_or_text(row.get(name)), as_text(when))
                index += 1

    return name, cells()


def _rows(path: Path | str) -> Iterator[_Row]:
    """Rows as mappings; the first one of a CSV file has the header's names and no row."""
    with open_input(path) as stream:
        if is_json(path, stream):
            yield 0, {}
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    yield line, _flat(text)
            return
        rows = table_rows(stream)
        header = header_of(rows)
        if not header:
            return
        yield 0, dict.fromkeys(header)
        for line, row in rows:
            if isinstance(row, str):
                yield line, InvalidMessage("$", row)
            elif not row:
                # In a file of one column an empty line is an empty cell.
                if len(header) == 1:
                    yield line, {}
            elif len(row) != len(header):
                yield line, InvalidMessage("$", width(header, row))
            else:
                yield line, dict(zip(header, row, strict=True))


def _flat(text: bytes) -> Mapping[str, Any] | InvalidMessage:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return InvalidMessage("$", "one JSON object")
    features = fields.get("features")
    return {**(features if isinstance(features, dict) else {}), **fields}


def _sample(rows: Iterator[_Row], header: Sequence[str]) -> tuple[list[_Row], list[str]]:
    """The first rows, and the names seen in them."""
    first: list[_Row] = []
    names = dict.fromkeys(header)
    for row in rows:
        first.append(row)
        if not isinstance(row[1], InvalidMessage):
            names.update(dict.fromkeys(row[1]))
        if len(first) == _SAMPLE_ROWS:
            break
    return first, list(names)


def _pick_column(
    path: Path | str, names: Sequence[str], first: Sequence[_Row], column: str | None
) -> str:
    shown = ", ".join(name for name in names if name) or "none"
    if column is not None:
        if column not in names:
            raise ConfigurationError("--column", column, f"one of the columns of {path}: {shown}")
        return column
    if "value" in names:
        return "value"
    numeric = [n for n in names if n.lower() not in TIMESTAMP_NAMES and _mostly_numbers(n, first)]
    if len(numeric) != 1:
        raise ConfigurationError(
            "--column",
            "(none)",
            f"the name of one column, since {len(numeric) or 'none'} of them hold numbers: {shown}",
        )
    return numeric[0]


def _mostly_numbers(name: str, rows: Sequence[_Row]) -> bool:
    readable = (row for _, row in rows if not isinstance(row, InvalidMessage))
    cells = [number_or_text(row.get(name)) for row in readable]
    filled = [cell for cell in cells if cell is not None]
    numbers = sum(not isinstance(cell, str) for cell in filled)
    return numbers > 0 and 2 * numbers >= len(filled)
