"""Recorded events in files: CSV and JSON lines, read as the messages of the contract.

A file is read the way ``driftline produce`` and ``driftline backtest`` need it: one message
(or the reason why there is none) per line, in file order, in bounded memory. Whether a message
is good is decided by the same decoder that a worker uses, so nothing that passes here ends up
on the dead-letter topic.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from schemas.codec import decode_label, decode_reading
from schemas.errors import ConfigurationError, DriftlineError, InvalidMessage
from schemas.timestamps import format_timestamp, parse_timestamp

__all__ = ["Cell", "Columns", "Kind", "Wrap", "open_input", "read_cells", "read_records"]

Kind = Literal["sensors", "labels"]
#: Puts a layer (a progress bar) around the raw file: (file, size in bytes or None) -> file.
Wrap = Callable[[BinaryIO, int | None], BinaryIO]

TIMESTAMP_NAMES = ("ts", "timestamp", "time")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_SAMPLE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a CSV file, where they are not the contract's own."""

    sensor: str | None = None
    timestamp: str | None = None
    value: str | None = None


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


def read_records(
    path: Path | str,
    *,
    kind: Kind = "sensors",
    columns: Columns | None = None,
    wrap: Wrap | None = None,
) -> Iterator[tuple[int, bytes | InvalidMessage]]:
    """Messages of a CSV or JSON-lines file, in file order.

    Parameters
    ----------
    path
        A file, plain or gzip; ``-`` is standard input.
    kind
        Which message the lines are: sensor events or labels.
    columns
        Names of the columns of a CSV file. By default ``sensor_id`` (absent: the name of the
        file without its suffixes), ``ts`` or ``timestamp`` or ``time``, ``value`` (absent:
        every other named column is a feature) and ``event_id``; for labels ``sensor_id``,
        ``event_id``, ``ts`` and ``label``.
    wrap
        Layer put around the raw file, for progress.

    Yields
    ------
    tuple of int and (bytes or InvalidMessage)
        Line number counted from 1, and either a message that the worker's decoder accepts or
        the reason why the line is none. A message of a JSON-lines file is the line as written,
        but for a time without a zone, which is given UTC.

    Raises
    ------
    ConfigurationError
        The file can't be read, or a needed column is not in it.
    """
    with open_input(path, wrap) as stream:
        if _is_json(path, stream):
            if columns is not None and columns != Columns():
                name, given = _first_given(columns)
                raise ConfigurationError(
                    name, given, "a CSV file (the names in a JSON-lines file are fixed)"
                )
            yield from _json_records(stream, kind)
        else:
            yield from _csv_records(stream, kind, columns or Columns(), _stem(path))


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
    if column is None and names and all(_NUMBER.fullmatch(name) for name in names):
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
                    yield Cell(index, line, _number_or_text(row.get(name)), _text(when))
                index += 1

    return name, cells()


# --- opening -----------------------------------------------------------------------------


@contextmanager
def open_input(path: Path | str, wrap: Wrap | None = None) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unzipped if need be and without a byte-order mark.

    Raises
    ------
    ConfigurationError
        There is no such file, it can't be read, or it isn't UTF-8 at all (UTF-16).
    """
    try:
        raw: BinaryIO = sys.stdin.buffer if str(path) == "-" else open(path, "rb")  # noqa: SIM115
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ConfigurationError("FILE", str(path), f"a file that can be read ({reason})") from None
    try:
        size = Path(path).stat().st_size if str(path) != "-" else None
        layered = wrap(raw, size) if wrap is not None else raw
        stream = _buffered(layered)
        if stream.peek(2)[:2] == _GZIP_MAGIC:
            stream = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)))
        try:
            start = stream.peek(3)[:3]
            if start == _BOM:
                stream.read(3)
            elif start[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise ConfigurationError("FILE", str(path), "text in UTF-8 (it is in UTF-16)")
            yield stream
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DriftlineError(f"{path}: the gzip file is cut or damaged ({error})") from None
    finally:
        if raw is not sys.stdin.buffer:
            raw.close()


def _buffered(raw: BinaryIO) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(Any, raw))


def _stem(path: Path | str) -> str:
    if str(path) == "-":
        return "stdin"
    name = Path(path).name
    return name.split(".", 1)[0] or name


def _is_json(path: Path | str, stream: io.BufferedReader) -> bool:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _JSON_SUFFIXES:
        return True
    if suffixes and suffixes[-1] == ".csv":
        return False
    return stream.peek(1024)[:1024].lstrip().startswith(b"{")


def _first_given(columns: Columns) -> tuple[str, str]:
    given = {
        "--sensor": columns.sensor,
        "--timestamp": columns.timestamp,
        "--value": columns.value,
    }
    return next((name, value) for name, value in given.items() if value is not None)


# --- JSON lines --------------------------------------------------------------------------


def _json_records(
    stream: io.BufferedReader, kind: Kind
) -> Iterator[tuple[int, bytes | InvalidMessage]]:
    for number, line in enumerate(stream, start=1):
        message = line.strip(b" \t\r\n")
        if message:
            yield number, _checked(message, kind)


def _checked(message: bytes, kind: Kind) -> bytes | InvalidMessage:
    try:
        _decode(message, kind)
    except InvalidMessage as invalid:
        return _with_zone(message, kind) or invalid
    return message


def _decode(message: bytes, kind: Kind) -> None:
    if kind == "sensors":
        decode_reading(message)
    else:
        decode_label(message)


def _with_zone(message: bytes, kind: Kind) -> bytes | None:
    """The message with UTC put to its time, if that was all it lacked."""
    try:
        # Numbers are kept as they are written: what is not ours to change stays as it was.
        fields = json.loads(message, object_pairs_hook=_distinct)
        if not isinstance(fields, dict) or not isinstance(fields.get("ts"), str):
            return None
        fields["ts"] = _timestamp(fields["ts"])
        zoned = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        _decode(zoned, kind)
    except (ValueError, RecursionError):
        return None
    return zoned


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a doubled key")
    return fields


# --- CSV ---------------------------------------------------------------------------------


def _csv_rows(stream: io.BufferedReader) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and cells of each row, or what is wrong with its text."""
    # surrogateescape lets one row with bad bytes be refused without losing the rest.
    text = (line.decode("utf-8", "surrogateescape") for line in stream)
    first = next(text, "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(itertools.chain([first], text), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"a row of CSV ({error})"
        else:
            if any("\udc80" <= char <= "\udcff" for cell in row for char in cell):
                yield line, "text in UTF-8"
            else:
                yield line, row
        line = reader.line_num + 1


def _header(rows: Iterator[tuple[int, list[str] | str]]) -> list[str]:
    for _, row in rows:
        if isinstance(row, str):
            raise ConfigurationError("header", "line 1", row)
        if row:
            names = [name.strip() for name in row]
            doubled = next((n for n in names if n and names.count(n) > 1), None)
            if doubled is not None:
                raise ConfigurationError("header", doubled, "each column name once")
            return names
    return []


def _width(header: Sequence[str], row: Sequence[str]) -> str:
    return f"{len(header)} cells, as in the header, not {len(row)}"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each field of the message stands in a row; None = not in this file."""

    sensor: int | None
    timestamp: int
    event_id: int | None
    value: int | None
    label: int | None
    features: tuple[tuple[int, str], ...]
    default_sensor: str


def _csv_records(
    stream: io.BufferedReader, kind: Kind, columns: Columns, stem: str
) -> Iterator[tuple[int, bytes | InvalidMessage]]:
    rows = _csv_rows(stream)
    header = _header(rows)
    if not header:
        return
    layout = _layout(header, kind, columns, stem)
    build = _sensor_fields if kind == "sensors" else _label_fields
    for line, row in rows:
        if isinstance(row, str):
            yield line, InvalidMessage("$", row)
        elif row:
            try:
                if len(row) != len(header):
                    raise InvalidMessage("$", _width(header, row))
                message = json.dumps(
                    build(row, layout), ensure_ascii=False, separators=(",", ":")
                ).encode()
                _decode(message, kind)
            except InvalidMessage as invalid:
                yield line, invalid
            else:
                yield line, message


def _layout(header: Sequence[str], kind: Kind, columns: Columns, stem: str) -> _Layout:
    lower = [name.lower() for name in header]

    def named(option: str, name: str) -> int:
        if name not in header:
            raise ConfigurationError(option, name, f"a column of the file: {', '.join(header)}")
        return header.index(name)

    def found(*names: str) -> int | None:
        return next((lower.index(name) for name in names if name in lower), None)

    sensor = named("--sensor", columns.sensor) if columns.sensor else found("sensor_id")
    timestamp = (
        named("--timestamp", columns.timestamp) if columns.timestamp else found(*TIMESTAMP_NAMES)
    )
    if timestamp is None:
        raise ConfigurationError(
            "--timestamp",
            "(none)",
            "the name of the column that holds the time, "
            f"since there is no ts, timestamp or time among {', '.join(header)}",
        )
    event_id = found("event_id")
    if kind == "labels":
        label = found("label")
        for name, column in (("event_id", event_id), ("label", label)):
            if column is None:
                raise ConfigurationError(
                    "FILE", ", ".join(header), f"a column {name!r} in a file of labels"
                )
        return _Layout(sensor, timestamp, event_id, None, label, (), stem)
    value = named("--value", columns.value) if columns.value else found("value")
    taken = {sensor, timestamp, event_id}
    features: tuple[tuple[int, str], ...] = ()
    if value is None:
        features = tuple((i, n) for i, n in enumerate(header) if n and i not in taken)
        if not features:
            raise ConfigurationError(
                "--value", "(none)", f"a column of readings beside {', '.join(header)}"
            )
    return _Layout(sensor, timestamp, event_id, value, None, features, stem)


def _common_fields(row: Sequence[str], layout: _Layout) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "sensor_id": layout.default_sensor if layout.sensor is None else row[layout.sensor]
    }
    if layout.event_id is not None and row[layout.event_id]:
        fields["event_id"] = row[layout.event_id]
    fields["ts"] = _timestamp(row[layout.timestamp])
    return fields


def _sensor_fields(row: Sequence[str], layout: _Layout) -> dict[str, Any]:
    fields = _common_fields(row, layout)
    if layout.value is not None:
        # Text that is no number stays text: the decoder refuses it and says what it expected.
        fields["value"] = _number_or_text(row[layout.value])
        return fields
    features: dict[str, Any] = {}
    for column, name in layout.features:
        cell = _number_or_text(row[column])
        if isinstance(cell, str) and (_NOT_FINITE.fullmatch(cell) or _NUMBER.fullmatch(cell)):
            raise InvalidMessage(f"$.features.{name}", "a finite number")
        features[name] = cell
    fields["features"] = features
    return fields


def _label_fields(row: Sequence[str], layout: _Layout) -> dict[str, Any]:
    fields = _common_fields(row, layout)
    label = None if layout.label is None else _number_or_text(row[layout.label])
    booleans = {"true": True, "false": False}
    fields["label"] = booleans.get(label.lower(), label) if isinstance(label, str) else label
    return fields


def _number_or_text(cell: object) -> float | str | None:
    """A finite number, None for nothing, or the text as it stands."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else str(cell).lower()
    if isinstance(cell, int | float):
        return _finite(str(cell))
    text = _text(cell)
    return text if text is None else _finite(text)


def _finite(text: str) -> float | str:
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    # An integer is written back as one while a double holds it exactly.
    if abs(number) < 2**53 and text.lstrip("+-").isdecimal():
        return int(number)
    return number


def _text(cell: object) -> str | None:
    if cell is None:
        return None
    text = cell.strip() if isinstance(cell, str) else json.dumps(cell)
    return text or None


def _timestamp(cell: str) -> str:
    """RFC 3339 in UTC; what can't be read stays as it is, for the decoder to refuse."""
    try:
        return format_timestamp(parse_timestamp(cell, assume_utc=True))
    except ValueError:
        return cell


# --- one raw column ----------------------------------------------------------------------

_Row = tuple[int, Mapping[str, Any] | InvalidMessage]


def _rows(path: Path | str) -> Iterator[_Row]:
    """Rows as mappings; the first one of a CSV file has the header's names and no row."""
    with open_input(path) as stream:
        if _is_json(path, stream):
            yield 0, {}
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    yield line, _flat(text)
            return
        rows = _csv_rows(stream)
        header = _header(rows)
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
                yield line, InvalidMessage("$", _width(header, row))
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
    cells = [_number_or_text(row.get(name)) for row in readable]
    filled = [cell for cell in cells if cell is not None]
    numbers = sum(not isinstance(cell, str) for cell in filled)
    return numbers > 0 and 2 * numbers >= len(filled)
