"""Regular days, nights and weekends raise no alarm, and what is no part of them does."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable

import orjson
import pytest

from detectors import season
from detectors.signal import Caution, Position
from schemas.settings import Settings
from streams.pipeline import Pipeline
from streams.records import FileRecord
from streams.sensor import new_sensor
from streams.sensor.caution import caution_of, caution_of_errors
from tests.slices import slice_of

MONDAY = 1_767_571_200
"""2026-01-05T00:00:00Z, in seconds since 1970."""


def drifts_of(values: list[float], step: float) -> list[int]:
    """Offsets at which a sensor that sends every `step` minutes is reported to have drifted."""
    pipeline = Pipeline(Settings(state={"signing_key": "a key for tests only"}), 0)
    records = []
    for n, value in enumerate(values):
        ts = MONDAY + 60 * step * n
        event = {"sensor_id": "press-7", "ts": ts, "value": value}
        records.append(FileRecord(n, ts * 1000, None, json.dumps(event).encode()))
    for start in range(0, len(records), 1000):
        pipeline.process("sensors", slice_of(records[start : start + 1000]))
    told = [orjson.loads(effect.value or b"") for effect in pipeline.drain()]
    return [event["source"]["offset"] for event in told if event.get("kind") == "drift"]


def wave(minute: int) -> float:
    return 20.0 + 5.0 * math.sin(2 * math.pi * minute / 1440)


NIGHTS = (
    ("a wave, every ten minutes", 10, lambda m: wave(m)),
    ("nights, every ten minutes", 10, lambda m: 20.0 + 6.0 * (7 <= m // 60 % 24 < 19)),
    (
        "nights and weekends, every ten minutes",
        10,
        lambda m: 20.0 + 6.0 * (7 <= m // 60 % 24 < 19) * (m // 1440 % 7 < 5),
    ),
    ("a wave that is lower at weekends", 5, lambda m: wave(m) - 4.0 * (m // 1440 % 7 >= 5)),
)


def alarms(step: int, level: Callable[[int], float], days: int, sensors: int) -> int:
    found = 0
    for seed in range(sensors):
        draw = random.Random(seed)
        values = [draw.gauss(level(n * step), 1.0) for n in range(days * 1440 // step)]
        found += len(drifts_of(values, step))
    return found


@pytest.mark.parametrize(("step", "level"), [n[1:] for n in NIGHTS], ids=[n[0] for n in NIGHTS])
def test_regular_nights_and_weekends_raise_no_alarm(
    step: int, level: Callable[[int], float]
) -> None:
    assert alarms(step, level, days=21, sensors=3) == 0


def test_the_first_night_of_a_sensor_that_sends_every_minute_raises_hardly_any() -> None:
    def slow(minute: int) -> float:
        return 20.0 + 3.0 * math.sin(2 * math.pi * minute / 1440)

    assert alarms(1, slow, days=6, sensors=6) <= 2


@pytest.mark.parametrize("step", [1, 10])
def test_a_shift_within_a_season_is_found(step: int) -> None:
    found = 0
    change = 4 * 1440 // step + 37
    for seed in range(5):
        draw = random.Random(seed)
        values = [
            draw.gauss(wave(n * step) + 1.5 * (n >= change), 1.0) for n in range(change + 500)
        ]
        (first, *_) = drifts_of(values, step) or [0]
        found += change <= first < change + 500
    assert found >= 4


@pytest.mark.parametrize(("size", "least"), [(1.0, 9), (3.0, 11)])
def test_a_step_in_the_first_day_of_a_sensor_that_sends_every_minute_is_found(
    size: float, least: int
) -> None:
    found = 0
    for seed in range(12):
        draw = random.Random(seed)
        change = draw.randrange(600, 1300)
        values = [draw.gauss(20.0 + size * (n >= change), 1.0) for n in range(change + 500)]
        found += any(change <= at for at in drifts_of(values, 1))
    assert found >= least


def test_a_step_in_the_first_hours_of_a_sensor_that_sends_every_ten_seconds_is_found() -> None:
    found = 0
    for seed in range(12):
        draw = random.Random(seed)
        values = [draw.gauss(20.0 + 1.0 * (n >= 500), 1.0) for n in range(1000)]
        found += any(at >= 500 for at in drifts_of(values, 1 / 6))
    assert found >= 11


def test_a_first_steep_night_is_no_error_of_the_model() -> None:
    def steep(minute: int) -> float:
        return 20.0 + 10.0 * math.sin(2 * math.pi * minute / 1440)

    assert alarms(5, steep, days=1, sensors=8) == 0


def test_noise_that_grows_in_the_first_day_is_found_all_the_same() -> None:
    found = 0
    for seed in range(8):
        draw = random.Random(seed)
        values = [draw.gauss(1000.0, 0.03 if n >= 1100 else 0.01) for n in range(1400)]
        found += any(at >= 1100 for at in drifts_of(values, 1))
    assert found >= 7


def test_errors_are_believed_while_a_profile_is_on_trial() -> None:
    """What wanders has one profile on trial after the other, for weeks."""
    sensor = new_sensor("press-7", Settings().for_sensor("press-7"))
    sensor.seasons["value"] = season.Season()
    sensor.first_ts, sensor.events = MONDAY * 1_000_000, 280
    at = Position(280, (MONDAY + 86_000) * 1_000_000)
    sensor.seasons["value"].advance(sensor.first_ts, 20.0, 20.0)
    assert caution_of(sensor, sensor.seasons["value"], at) is Caution.ALL
    assert caution_of_errors(sensor, at) is Caution.ALL
    sensor.seasons["value"].floats[season.HOLDS] = 1.0
    assert caution_of(sensor, sensor.seasons["value"], at) is Caution.ALL
    assert caution_of_errors(sensor, at) is Caution.NONE
