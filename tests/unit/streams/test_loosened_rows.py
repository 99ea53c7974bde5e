"""A sensor whose thresholds a false alarm has raised stays a row: the same as objects, bit for bit.

Both ways get the same words of an operator at the same places: once all goes through objects, once
in slices through compiled code, with checkpoints and restarts in between.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from detectors.strictness import FACTORS, MOST, STEP
from schemas.compiled import AVAILABLE
from schemas.settings import Settings
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import FileRecord, Outgoing
from streams.sensor import Sensor
from tests.chaos.verifier import first_difference
from tests.pipelines import START, command, configured
from tests.slices import slice_of
from tests.unit.streams.test_rows_are_sensors import (
    CONFIGURATIONS,
    Stream,
    days,
    event,
    gaps,
    jumps,
    noise,
    of_many,
    ramps,
    records,
    shifts,
)

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

SENSORS = ("press-7", *(f"s-{n}" for n in range(8)))


def words(given: list[FileRecord], draw: random.Random) -> dict[int, list[FileRecord]]:
    """What an operator says before which record: false alarms, and now and then a reset."""
    said: dict[int, list[FileRecord]] = {}
    for number in range(40):
        fields = {"verdict": "false_alarm", "signal": draw.choice(["value", "error", "missing"])}
        name = "feedback" if draw.random() < 0.9 else "reset"
        raw = command(name, draw.choice(SENSORS), drift_event_id=f"d-{number}", ts=START, **fields)
        at = draw.randrange(len(given))
        said.setdefault(at, []).append(FileRecord(number, START * 1000, None, raw))
    # Offsets rise with the places that they are said at.
    offsets = iter(range(40))
    return {
        at: [FileRecord(next(offsets), each.timestamp, None, each.value) for each in said[at]]
        for at in sorted(said)
    }


def plain(
    deployment: Settings, given: list[FileRecord], said: Mapping[int, list[FileRecord]]
) -> tuple[list[Outgoing], Pipeline]:
    pipeline = Pipeline(deployment, 0)
    for at, record in enumerate(given):
        pipeline.process("control", said.get(at, []))
        pipeline.process("sensors", [record])
    return pipeline.drain(), pipeline


def in_slices(
    deployment: Settings,
    given: list[FileRecord],
    said: Mapping[int, list[FileRecord]],
    draw: random.Random,
) -> tuple[list[Outgoing], Pipeline]:
    pipeline, effects, stored = Pipeline(deployment, 0), [], dict[bytes, bytes]()
    at = 0
    while at < len(given):
        pipeline.process("control", said.get(at, []))
        next_word = min((place for place in said if place > at), default=len(given))
        end = min(at + draw.choice([1, 7, 100, 400]), next_word)
        pipeline.process("sensors", slice_of(given[at:end]))
        at = end
        effects += pipeline.drain()
        if draw.random() < 0.3:
            for key, row in pipeline.take()[1]:
                if row is None:
                    stored.pop(key, None)
                else:
                    stored[key] = row
            position = Position(dict(pipeline.position))
            pipeline = Pipeline(deployment, 0)
            pipeline.restore(Restored(position, dict(stored)))
    return effects, pipeline


@pytest.mark.parametrize("stream", [of_many, shifts, noise, ramps, jumps, gaps, days])
@pytest.mark.parametrize(
    "configuration", ["defaults", "fast", "all three on both", "as River has them"]
)
def test_rows_and_objects_give_the_same(
    configuration: str, stream: Callable[[random.Random, int], Stream]
) -> None:
    deployment = configured(**CONFIGURATIONS[configuration])
    given = records(stream(random.Random(3), 1500))
    said = words(given, random.Random(7))
    there = in_slices(deployment, given, said, random.Random(5))
    here = plain(deployment, given, said)
    assert here[0] == there[0]
    names = set(here[1].sensor_ids())
    assert names == set(there[1].sensor_ids())
    for name in names:
        assert first_difference(in_order(here[1], name), in_order(there[1], name)) is None, name
    assert any(in_order(here[1], name).loosened for name in names)


def in_order(pipeline: Pipeline, name: str) -> Sensor:
    """Return a sensor with its signals in one order: which began anew last makes no difference."""
    sensor = pipeline.sensor(name)
    assert sensor is not None
    sensor = copy.copy(sensor)
    sensor.monitors = dict(sorted(sensor.monitors.items()))
    return sensor


def loosened(times: int, **sections: Any) -> Pipeline:
    """A calm sensor whose alarms were false so many times."""
    pipeline, calm = Pipeline(configured(**sections), 0), random.Random(1)
    given = records(event(calm.gauss(20.0, 1.0), n) for n in range(900))
    pipeline.process("sensors", slice_of(given[:300]))
    for number in range(times):
        raw = command(
            "feedback",
            drift_event_id=f"d-{number}",
            ts=START,
            verdict="false_alarm",
            signal="value",
        )
        pipeline.process("control", [FileRecord(number, START * 1000, None, raw)])
    pipeline.process("sensors", slice_of(given[300:]))
    return pipeline


@pytest.mark.parametrize("times", range(7))
def test_it_is_a_row_after_any_number_of_false_alarms(times: int) -> None:
    pipeline = loosened(times)
    assert pipeline.kept.live == {}
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    assert sensor.events == 900
    factor = sensor.loosened["value"].factor if times else 1.0
    assert factor == pytest.approx(min(STEP**times, MOST))
    assert sensor.monitors["value"].detectors[0].parameters["threshold"] == factor * 70.0


def test_its_limits_are_taken_with_the_factor() -> None:
    limits = []
    for times in (0, 2):
        sensor = loosened(times).sensor("press-7")
        assert sensor is not None
        limits.append(sensor.monitors["value"].detectors[0].threshold)
    before, after = limits
    assert before is not None
    assert after is not None
    assert before < after < 70.0 * FACTORS[2]


def test_a_factor_of_another_version_keeps_the_sensor_an_object() -> None:
    pipeline = loosened(1)
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    bank = pipeline.kept.bank
    assert bank is not None
    assert bank.put(sensor)
    sensor.loosened["value"] = type(sensor.loosened["value"])(1.1, None)
    assert not bank.put(sensor)


def test_what_is_known_of_the_time_of_day_outlives_the_monitor() -> None:
    values = [*(20.0 + n % 5 for n in range(400)), None, None, *(20.0 + n % 5 for n in range(50))]
    given = records(event(value, 600 * n) for n, value in enumerate(values))
    said = {400: [FileRecord(0, START * 1000, None, command("reset"))]}
    here = plain(configured(), given, said)
    there = in_slices(configured(), given, said, random.Random(5))
    assert here[0] == there[0]
    assert first_difference(in_order(here[1], "press-7"), in_order(there[1], "press-7")) is None
