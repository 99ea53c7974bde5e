"""At which events each method raises an alarm on a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import orjson

from detectors.signal import Position
from schemas.settings import Settings, load_settings
from streams.comparison import DRIFTLINE, DUMMY, METHODS, baselines
from streams.pipeline import Pipeline
from streams.records import Outgoing
from streams.scoring import evenly_spaced
from streams.sensor import monitor_of
from streams.slices import Slice

KEY: Final = b"sensor"
MINUTE: Final = 60_000_000
SECOND: Final = 1_000_000
SLICE: Final = 5000


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


def error_alarms(values: Sequence[float], *, binary: bool) -> list[int]:
    """Return where the monitor that a sensor has for its model's error finds a drift."""
    task = "classification" if binary else "regression"
    settings = load_settings(None, {"learner.task": task}).for_sensor(KEY.decode())
    update = monitor_of("error", settings).update
    return [
        index
        for index, value in enumerate(np.asarray(values).tolist())
        if any(found.kind == "drift" for found in update(value, Position(index, index)))
    ]


def _settings() -> Settings:
    # Nothing of it is stored, so nobody has to find a key.
    return load_settings(None, {"state.signing_key": "a key for measurements only"})
