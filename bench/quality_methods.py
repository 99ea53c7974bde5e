"""At which events each method raises an alarm on a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import orjson
from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM

from detectors.signal import Kind, Position
from schemas.settings import Settings, load_settings
from streams.comparison import DRIFTLINE, DUMMY, METHODS, baselines, error_bits
from streams.pipeline import Pipeline
from streams.records import Outgoing
from streams.scoring import evenly_spaced
from streams.sensor import monitor_of
from streams.slices import Slice

KEY: Final = b"sensor"
MINUTE: Final = 60_000_000
SECOND: Final = 1_000_000
SLICE: Final = 5000
RIVERS: Final = MappingProxyType({"adwin": ADWIN, "page-hinkley": PageHinkley, "ddm": DDM})


def on_readings(
    values: Sequence[float | None], times: Sequence[int] | None = None
) -> dict[str, list[int]]:
    """Return the alarms of every method on the readings of one sensor.

    Parameters
    ----------
    values
        The readings; None where one is missing.
    times
        Microseconds; by default a reading a minute.
    """
    ours = pipeline_alarms(values, times)
    found = {name: baselines(name, {"": list(values)}) for name in METHODS[1:-1]}
    return {DRIFTLINE: ours, **found, DUMMY: evenly_spaced(len(values), len(ours))}


def rivers(values: Sequence[float]) -> dict[str, list[int]]:
    """Return what `streams.comparison.baselines` returns for each of River's detectors, sooner.

    Parameters
    ----------
    values
        Readings of one sensor, none missing.
    """
    bits = error_bits(list(values))
    fed = {"adwin": enumerate(values), "page-hinkley": enumerate(values), "ddm": bits}
    return {name: _raised(RIVERS[name](), cells) for name, cells in fed.items()}


def _raised(detector: Any, cells: Iterable[tuple[int, float]]) -> list[int]:
    update, found = detector.update, []
    for index, x in cells:
        update(x)
        if detector.drift_detected:
            found.append(index)
    return found


def on_errors(values: Sequence[float], *, binary: bool) -> Mapping[str, list[int] | None]:
    """Return the alarms of every method on the errors of a learner; None: it takes no such error.

    Driftline's are those of its signal ``error``: of a classification, or of a regression.
    """
    ours = error_alarms(values, binary=binary)
    return {
        DRIFTLINE: ours,
        "adwin": baselines("adwin", {"": list(values)}),
        "page-hinkley": baselines("page-hinkley", {"": list(values)}),
        "ddm": baselines("ddm", {"": list(values)}) if binary else None,
        DUMMY: evenly_spaced(len(values), len(ours)),
    }


def pipeline_alarms(
    values: Sequence[float | None], times: Sequence[int] | None = None
) -> list[int]:
    """Return the drift events of the whole pipeline with the built-in settings, by index."""
    return [drift.index for drift in pipeline_drifts(values, times)]


@dataclass(frozen=True)
class Drift:
    """One drift event of the pipeline.

    Parameters
    ----------
    index
        The reading that raised it.
    change_point
        The reading since which things are otherwise, if it says so.
    signal
        In what it was found.
    """

    index: int
    change_point: int | None
    signal: str


def pipeline_drifts(
    values: Sequence[float | None], times: Sequence[int] | None = None
) -> list[Drift]:
    """Run the pipeline of a worker with the built-in settings over the readings of one sensor.

    Parameters
    ----------
    values, times
        As for `on_readings`.
    """
    if times is None:
        times = range(0, MINUTE * len(values), MINUTE)
    pipeline = Pipeline(_settings(), 0)
    effects: list[Outgoing] = []
    for begin in range(0, len(values), SLICE):
        end = min(begin + SLICE, len(values))
        pipeline.process("sensors", _slice(begin, values[begin:end], times[begin:end]))
        effects += pipeline.take()[0]
    events = [orjson.loads(effect.value or b"") for effect in effects]
    return [
        Drift(
            event["source"]["offset"],
            event["change_point"] and event["change_point"]["offset"],
            event["signal"],
        )
        for event in events
        if event["kind"] == "drift"
    ]


def _slice(first: int, values: Sequence[float | None], times: Sequence[int]) -> Slice:
    """Readings as a worker would have fetched them; offsets count from `first`."""
    messages = [
        b'{"sensor_id":"%b","ts":%d.%06d,"value":%b}'
        % (KEY, time // SECOND, time % SECOND, b"null" if value is None else repr(value).encode())
        for value, time in zip(values, times, strict=True)
    ]
    n = len(messages)
    # Every record has the same key and no headers.
    head = b"\0" + KEY
    length = np.fromiter(map(len, messages), np.int64, n)
    value_at = len(head) + np.cumsum(length) - length
    return Slice(
        np.frombuffer(head + b"".join(messages), np.uint8),
        first + np.arange(n),
        np.array(times, np.int64) // 1000,
        np.full(n, 1),
        np.full(n, len(KEY)),
        value_at,
        length,
        np.zeros(n, np.int64),
    )


class ErrorMonitor:
    """The monitor that a sensor has for the error of its model.

    Parameters
    ----------
    binary
        Whether the model classifies; otherwise it is a regression.
    """

    def __init__(self, *, binary: bool) -> None:
        task = "classification" if binary else "regression"
        settings = load_settings(None, {"learner.task": task}).for_sensor(KEY.decode())
        self._update = monitor_of("error", settings).update
        self._index = -1

    def update(self, error: float) -> Kind | None:
        """Take the next error; return what was found."""
        self._index += 1
        kinds = [found.kind for found in self._update(error, Position(self._index, self._index))]
        return "drift" if "drift" in kinds else "warning" if kinds else None


def error_alarms(values: Sequence[float], *, binary: bool) -> list[int]:
    """Return where the monitor that a sensor has for its model's error finds a drift."""
    monitor = ErrorMonitor(binary=binary)
    floats = np.asarray(values, float).tolist()
    return [index for index, value in enumerate(floats) if monitor.update(value) == "drift"]


def _settings() -> Settings:
    # Nothing of it is stored, so nobody has to find a key.
    return load_settings(None, {"state.signing_key": "a key for measurements only"})
