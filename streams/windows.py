"""Labelled windows: stretches of a sensor's data in which people say that something changed.

They come in the form of the Numenta Anomaly Benchmark (its ``labels/combined_windows.json``), or as
CSV with the columns ``sensor``, ``start`` and ``end``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigurationError
from schemas.timestamps import format_timestamp, parse_timestamp
from streams.files import open_input

__all__ = ["Window", "Windows", "read_windows"]

OPTION: Final = "--windows"
"""What a message calls the file."""

_TIMES: Final = "times such as 2026-01-05 12:00:00, UTC where no zone stands"


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of time, both ends included.

    Parameters
    ----------
    start, end
        Microseconds since 1970-01-01T00:00:00Z.
    """

    start: int
    end: int


Windows = Mapping[str, tuple[Window, ...]]
"""The windows of each sensor by its id, in the order of time, apart from one another."""


def read_windows(path: Path | str) -> Windows:
    """Read labelled windows.

    Parameters
    ----------
    path
        JSON: an object with a list of ``[start, end]`` by sensor id; a key that ends in ``.csv``
        is a file as NAB names it, and stands for the sensor that the file's name makes. CSV: the
        columns ``sensor``, ``start`` and ``end``.

    Raises
    ------
    ConfigurationError
        The file can't be read, is in neither form, or its windows overlap.
    """
    found: dict[str, list[Window]] = {}
    try:
        with open_input(path) as stream:
            text = stream.read().decode("utf-8")
    except ConfigurationError as error:
        raise ConfigurationError(OPTION, error.value, error.allowed) from None
    except UnicodeDecodeError:
        raise ConfigurationError(OPTION, str(path), "text in UTF-8") from None
    rows = _of_json(path, text) if text.lstrip().startswith(("{", "[")) else _of_csv(path, text)
    for place, sensor, times in rows:
        windows = found.setdefault(sensor, [])
        if times is not None:
            windows.append(_window(place, *times))
    for sensor, windows in found.items():
        windows.sort()
        for one, next_ in pairwise(windows):
            if next_.start <= one.end:
                raise ConfigurationError(
                    OPTION,
                    f"{sensor}: {_shown(one)} and {_shown(next_)}",
                    "windows that do not overlap: make one of these two",
                )
    return {sensor: tuple(windows) for sensor, windows in found.items()}


_Row = tuple[str, str, tuple[Any, Any] | None]
"""Where it stands, sensor id, start and end; None says only that the sensor is known."""


def _of_json(path: Path | str, text: str) -> Iterator[_Row]:
    """Yield place, sensor and ends of the windows of a file like NAB's."""
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(OPTION, str(path), f"JSON ({error})") from None
    if not isinstance(tree, dict):
        raise ConfigurationError(OPTION, str(path), "an object with a list of windows by sensor")
    taken: dict[str, str] = {}
    for key, windows in tree.items():
        sensor = Path(key).name.split(".", 1)[0] if key.endswith(".csv") else key
        if taken.setdefault(sensor, key) != key:
            raise ConfigurationError(
                OPTION, key, f"one key per sensor ({taken[sensor]} is {sensor} too)"
            )
        pairs = isinstance(windows, list) and [
            pair for pair in windows if isinstance(pair, list) and len(pair) == 2
        ]
        if pairs != windows:
            raise ConfigurationError(OPTION, key, 'a list of ["start", "end"] under each key')
        yield key, sensor, None
        for start, end in pairs or ():
            yield key, sensor, (start, end)


def _of_csv(path: Path | str, text: str) -> Iterator[_Row]:
    """Yield the same of a CSV file."""
    first = text.partition("\n")[0]
    rows = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    header = [name.strip().lower() for name in next(rows, [])]
    # Elsewhere the column is called as in a message.
    header = ["sensor" if name == "sensor_id" else name for name in header]
    if not {"sensor", "start", "end"} <= set(header):
        raise ConfigurationError(
            OPTION,
            f"{path}: {', '.join(header) or 'nothing'}",
            "the columns sensor, start and end, or JSON as NAB's combined_windows.json",
        )
    for row in rows:
        if not row:
            continue
        place = f"{path}: line {rows.line_num}"
        if len(row) != len(header):
            raise ConfigurationError(OPTION, place, f"{len(header)} cells, as in the header")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        yield place, cells["sensor"], (cells["start"], cells["end"])


def _window(place: str, start: Any, end: Any) -> Window:
    try:
        window = Window(*(parse_timestamp(time, assume_utc=True) for time in (start, end)))
    except ValueError:
        raise ConfigurationError(OPTION, f"{place}: {start!s} to {end!s}", _TIMES) from None
    if window.end < window.start:
        raise ConfigurationError(OPTION, f"{place}: {_shown(window)}", "an end after the start")
    return window


def _shown(window: Window) -> str:
    return f"{format_timestamp(window.start)} to {format_timestamp(window.end)}"
