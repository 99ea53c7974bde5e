"""At which events each method raises an alarm on a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import orjson

from detectors.signal import Position
from schemas.settings import Settings, load_settings
from streams.comparison import DRIFTLINE, DUMMY, METHODS, baselines
from streams.pipeline import Pipeline
from streams.records import FileRecord, Outgoing
from streams.scoring import evenly_spaced
from streams.sensor import monitor_of
from tests.slices import slice_of

KEY: Final = b"sensor"
MINUTE: Final = 60_000_000
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
    if times is None:
        times = range(0, MINUTE * len(values), MINUTE)
    settings = _settings()
    pipeline = Pipeline(settings, 0)
    effects: list[Outgoing] = []
    for begin in range(0, len(values), SLICE):
        records = [
            FileRecord(
                begin + place,
                time // 1000,
                KEY,
                orjson.dumps({"sensor_id": KEY.decode(), "ts": time / 1e6, "value": value}),
            )
            for place, (time, value) in enumerate(
                zip(times[begin : begin + SLICE], values[begin : begin + SLICE], strict=True)
            )
        ]
        pipeline.process("sensors", slice_of(records))
        effects += pipeline.drain()
    events = [orjson.loads(effect.value or b"") for effect in effects]
    return [event["source"]["offset"] for event in events if event["kind"] == "drift"]


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
