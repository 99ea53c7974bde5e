"""What a backtest found beside what River's detectors and a dummy would have, on the same windows.

The detectors are River's at River's defaults, on what `driftline detect` would show them: raw
readings, no learner, no scale, no episodes. So they say what the rest of the pipeline is good for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from detectors.base import LARGEST
from detectors.calibration import reference_of
from schemas.codec import decode_reading
from schemas.errors import ConfigurationError
from schemas.events import DriftEvent
from streams.detect import build, detect
from streams.files import Cell
from streams.fleet import DETECTOR as FLEET
from streams.scoring import Score, evenly_spaced, score, total
from streams.windows import OPTION, Window, Windows

__all__ = ["DRIFTLINE", "DUMMY", "METHODS", "Method", "Recording", "baselines", "error_bits"]

DRIFTLINE: Final = "driftline"
DUMMY: Final = "evenly spaced"
DETECTORS: Final = ("adwin", "page-hinkley", "ddm")
METHODS: Final = (DRIFTLINE, *DETECTORS, DUMMY)

MARGIN: Final = 0.01
"""How much a method's F1 must be above the dummy's: less is not seen in a table, and no gain."""

WARM_UP: Final = 100
"""Errors from which it is learned what a large one is, for a detector of bits."""

Column = list[float | None]
"""Readings of one sensor as they came; None where one is missing."""


@dataclass(frozen=True)
class Method:
    """What one method came to.

    Parameters
    ----------
    name
        One of `METHODS`.
    by_sensor
        Its counts on each sensor.
    dummies
        Those of as many alarms on each sensor, evenly spaced.
    """

    name: str
    by_sensor: Mapping[str, Score]
    dummies: Mapping[str, Score]

    @cached_property
    def total(self) -> Score:
        """Counts of all sensors together."""
        return total(self.by_sensor.values())

    def dummy_f1(self, sensor: str | None = None) -> float | None:
        """Return F1 of as many alarms that are evenly spaced; of all sensors for None."""
        return (total(self.dummies.values()) if sensor is None else self.dummies[sensor]).f1

    def beats_dummy(self, sensor: str | None = None) -> bool | None:
        """Tell whether F1 is above that of as many alarms that are evenly spaced, by `MARGIN`.

        Parameters
        ----------
        sensor
            Which one; None for all together.

        Returns
        -------
        bool or None
            None for the dummy itself, and where there is no F1.
        """
        own = (self.total if sensor is None else self.by_sensor[sensor]).f1
        if self.name == DUMMY or own is None:
            return None
        return own - (self.dummy_f1(sensor) or 0.0) >= MARGIN


class Recording:
    """Keeps what scoring needs of a backtest: when events came, what they held, and the alarms.

    An alarm is a drift event of the kind ``drift``; one of the fleet is an alarm of each sensor
    whose own it stands for.

    Parameters
    ----------
    windows
        By sensor id. Sensors that are not in the data are passed over; one that has none is
        taken to be without a change.
    readings
        Whether to keep the readings too, for `compare`.
    """

    def __init__(self, windows: Windows, *, readings: bool) -> None:
        self._given = windows
        self._with_events: dict[str, tuple[Window, ...]] = {}
        self._keeps_readings = readings
        self.times: dict[str, array[int]] = {}
        """Time of each event in microseconds, by sensor."""
        self.readings: dict[str, dict[str, Column]] = {}
        """By sensor and name of the reading (empty for the value)."""
        self.alarms: dict[str, list[int]] = {}
        """By sensor, the index of the event at which each alarm was raised."""

    def add(self, message: bytes) -> None:
        """Take in a sensor event."""
        reading = decode_reading(message)
        times = self.times.setdefault(reading.sensor_id, array("q"))
        if self._keeps_readings:
            columns = self.readings.setdefault(reading.sensor_id, {})
            cells = reading.features if reading.features is not None else {"": reading.value}
            for name, cell in cells.items():
                if not isinstance(cell, str):
                    column = columns.setdefault(name, [])
                    column += [None] * (len(times) - len(column))
                    column.append(cell)
        times.append(reading.ts)

    def note(self, drift_event: Mapping[str, Any]) -> None:
        """Take in a drift event, right after the event that led to it."""
        # That of the fleet comes with the one of the sensor that tipped it.
        if drift_event["kind"] == "drift" and drift_event.get("detector") != FLEET:
            self._raise(drift_event["sensor_id"])

    def note_absorbed(self, drift_events: Iterable[DriftEvent]) -> None:
        """Take in drift events that one of the fleet stands for."""
        for drift_event in drift_events:
            if drift_event.kind == "drift":
                self._raise(drift_event.sensor_id)

    def _raise(self, sensor: str) -> None:
        self.alarms.setdefault(sensor, []).append(len(self.times[sensor]) - 1)

    def windows(self, sensor: str) -> tuple[Window, ...]:
        """Return the windows of a sensor in which there is an event of it; once all are in."""
        found = self._with_events.get(sensor)
        if found is None:
            times = self.times[sensor]
            found = self._with_events[sensor] = tuple(
                window
                for window in self._given.get(sensor, ())
                if any(window.start <= time <= window.end for time in times)
            )
        return found

    def unused(self) -> int:
        """Return how many windows of the sensors in the data hold no event."""
        return sum(len(self._given.get(s, ())) - len(self.windows(s)) for s in self.times)

    def check(self) -> None:
        """Refuse windows that are not of this data.

        Raises
        ------
        ConfigurationError
            No sensor of the data is among those of the windows.
        """
        if self.times.keys() & self._given.keys():
            return
        raise ConfigurationError(
            OPTION,
            f"windows of {_some(self._given)}",
            f"windows of a sensor of the data, which holds {_some(self.times)}",
        )

    def score(self, alarms: Mapping[str, Sequence[int]]) -> dict[str, Score]:
        """Hold alarms against the windows of each sensor."""
        return {
            sensor: score(times, self.windows(sensor), alarms.get(sensor, ()))
            for sensor, times in sorted(self.times.items())
        }

    def method(self, name: str, alarms: Mapping[str, Sequence[int]]) -> Method:
        """Score alarms, and as many that are evenly spaced."""
        dummies = {
            sensor: evenly_spaced(len(times), len(alarms.get(sensor, ())))
            for sensor, times in self.times.items()
        }
        return Method(name, self.score(alarms), self.score(dummies))

    def compare(self) -> Iterator[Method]:
        """Score the drift events, River's detectors, and the dummy with as many alarms as ours."""
        ours = self.method(DRIFTLINE, self.alarms)
        yield ours
        for name in DETECTORS:
            yield self.method(
                name, {s: baselines(name, columns) for s, columns in self.readings.items()}
            )
        yield Method(DUMMY, ours.dummies, ours.dummies)


def baselines(name: str, columns: Mapping[str, Column]) -> list[int]:
    """Return where a detector of River at River's defaults finds a drift in any of the readings.

    Parameters
    ----------
    name
        ``adwin`` and ``page-hinkley`` look at the readings, ``ddm`` at `error_bits`.
    columns
        Readings of one sensor by name.
    """
    found: set[int] = set()
    for column in columns.values():
        cells = error_bits(column) if name == "ddm" else list(enumerate(column))
        rows = (Cell(index, index, x, None) for index, x in cells)
        found.update(
            detection.index
            # No cell is anything but a finite number, or missing, so none is skipped.
            for detection in detect(rows, build([name], {}), lambda _cell, _reason: None)
            if detection.kind == "drift"
        )
    return sorted(found)


def error_bits(column: Column) -> list[tuple[int, int]]:
    """Make of readings what a detector of errors and right answers takes.

    The error is that of the naive forecast, which is the last reading; it counts as an error (1)
    if it is beyond the 0.9 quantile of the first hundred. Readings that are 0 and 1 throughout
    are taken for errors themselves.

    Returns
    -------
    list of tuple of int and int
        Index of the reading, and the bit.
    """
    present = [(index, x) for index, x in enumerate(column) if x is not None]
    if all(x in (0, 1) for _, x in present):
        return [(index, int(x)) for index, x in present]
    errors = [(index, min(abs(x - last), LARGEST)) for (_, last), (index, x) in pairwise(present)]
    if len(errors) <= WARM_UP:
        return []
    limit = reference_of([error for _, error in errors[:WARM_UP]]).limit
    return [(index, int(error > limit)) for index, error in errors[WARM_UP:]]


def _some(names: Mapping[str, object]) -> str:
    known = sorted(names)
    shown = ", ".join(known[:3])
    return f"{shown} and {len(known) - 3} more" if len(known) > 3 else shown or "no sensor"
