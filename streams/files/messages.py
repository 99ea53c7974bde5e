"""Lines of a file as the messages of the contract.

Whether a message is good is decided by the same decoder that a worker uses, so nothing that
passes here ends up on the dead-letter topic.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.codec import decode_label, decode_reading
from schemas.errors import ConfigurationError, InvalidMessage
from streams.files.cells import NOT_FINITE, NUMBER, TIMESTAMP_NAMES, number_or_text, utc
from streams.files.opening import Wrap, is_json, open_input, stem
from streams.files.tables import header_of, table_rows, width

Kind = Literal["sensors", "labels"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a CSV file, where they are not the contract's own."""

    sensor: str | None = None
    timestamp: str | None = None
    value: str | None = None


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
        if is_json(path, stream):
            if columns is not None and columns != Columns():
                name, given = _first_given(columns)
                raise ConfigurationError(
                    name, given, "a CSV file (the names in a JSON-lines file are fixed)"
                )
            yield from _json_records(stream, kind)
        else:
            yield from _csv_records(stream, kind, columns or Columns(), stem(path))


def _first_given(columns: Columns) -> tuple[str, str]:
    given = {
        "--sensor": columns.sensor,
        "--timestamp": columns.timestamp,
        "--value": columns.value,
    }
    return next((name, value) for name, value in given.items() if value is not None)


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
        fields["ts"] = utc(fields["ts"])
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
    """Messages of the rows of a CSV file."""
    rows = table_rows(stream)
    header = header_of(rows)
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
                    raise InvalidMessage("$", width(header, row))
                message = json.dumps(
                    build(row, layout), ensure_ascii=False, separators=(",", ":")
                ).encode()
                _decode(message, kind)
            except InvalidMessage as invalid:
                yield line, invalid
            else:
                yield line, message


def _layout(header: Sequence[str], kind: Kind, columns: Columns, stem: str) -> _Layout:
    """Find out which column is what."""
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
    fields["ts"] = utc(row[layout.timestamp])
    return fields


def _sensor_fields(row: Sequence[str], layout: _Layout) -> dict[str, Any]:
    fields = _common_fields(row, layout)
    if layout.value is not None:
        # Text that is no number stays text: the decoder refuses it and says what it expected.
        fields["value"] = number_or_text(row[layout.value])
        return fields
    features: dict[str, Any] = {}
    for column, name in layout.features:
        cell = number_or_text(row[column])
        if isinstance(cell, str) and (NOT_FINITE.fullmatch(cell) or NUMBER.fullmatch(cell)):
            raise InvalidMessage(f"$.features.{name}", "a finite number")
        features[name] = cell
    fields["features"] = features
    return fields


def _label_fields(row: Sequence[str], layout: _Layout) -> dict[str, Any]:
    fields = _common_fields(row, layout)
    label = None if layout.label is None else number_or_text(row[layout.label])
    booleans = {"true": True, "false": False}
    fields["label"] = booleans.get(label.lower(), label) if isinstance(label, str) else label
    return fields
