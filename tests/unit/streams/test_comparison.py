"""What a backtest is compared with: River's own detectors, and alarms that look at no data."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM

from schemas.errors import ConfigurationError
from streams.comparison import DRIFTLINE, DUMMY, METHODS, Recording, baselines, error_bits
from streams.windows import Window, Windows
from tests.pipelines import START, reading

SECOND = 1_000_000


def window(first: int, last: int) -> Window:
    return Window((START + first) * SECOND, (START + last) * SECOND)


def recorded(
    windows: Windows, values: Sequence[float | None], sensor: str = "press-7"
) -> Recording:
    recording = Recording(windows, readings=True)
    for n, value in enumerate(values):
        recording.add(reading(sensor, value, n=n))
    return recording


def drift(sensor: str = "press-7", kind: str = "drift") -> dict[str, Any]:
    return {"kind": kind, "sensor_id": sensor}


def shifted(n: int = 2000, seed: int = 5) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(20.0 if i < n // 2 else 90.0, 1.0) for i in range(n)]


def indices(detector: Any, values: Sequence[float]) -> list[int]:
    found = []
    for index, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(index)
    return found


@pytest.mark.parametrize(("name", "made"), [("adwin", ADWIN), ("page-hinkley", PageHinkley)])
def test_a_baseline_finds_what_rivers_class_finds_at_its_defaults(
    name: str, made: Callable[[], Any]
) -> None:
    values = shifted()
    expected = indices(made(), values)
    assert expected
    assert baselines(name, {"": list(values)}) == expected


def test_ddm_is_told_of_each_error_that_nine_in_ten_of_the_first_hundred_stay_below() -> None:
    values = [0.0, *(float(n) for n in range(100)), *([0.0, 200.0] * 300)]
    errors = [abs(b - a) for a, b in pairwise(values)]
    limit = sorted(errors[:100])[90]
    expected = [int(error > limit) for error in errors[100:]]
    bits = error_bits(list(values))
    assert bits == list(enumerate(expected, start=101))
    assert baselines("ddm", {"": list(values)}) == [101 + i for i in indices(DDM(), expected)]


def test_readings_that_are_0_and_1_are_errors_themselves() -> None:
    draw = random.Random(1)
    bits = [float(draw.random() < (0.1 if n < 1000 else 0.9)) for n in range(2000)]
    expected = indices(DDM(), [int(bit) for bit in bits])
    assert expected
    assert baselines("ddm", {"": list(bits)}) == expected


def test_a_missing_reading_counts_as_an_event_and_feeds_nothing() -> None:
    values = shifted()
    holes: list[float | None] = [None, *values]
    assert baselines("adwin", {"": holes}) == [1 + i for i in indices(ADWIN(), values)]
    assert error_bits([None, *values]) == [(1 + i, bit) for i, bit in error_bits(list(values))]


def test_each_feature_that_is_a_number_has_a_detector_of_its_own() -> None:
    values = shifted()
    recording = Recording({"oven": ()}, readings=True)
    for n, value in enumerate(values):
        features: dict[str, Any] = {"steady": 1.0, "heat": value, "lot": "x"}
        if n < 10:
            del features["heat"]
        recording.add(reading("oven", n=n, features=features))
    assert set(recording.readings["oven"]) == {"steady", "heat"}
    assert recording.readings["oven"]["heat"] == [*[None] * 10, *values[10:]]
    adwin = next(method for method in recording.compare() if method.name == "adwin")
    assert adwin.total.alarms == len(indices(ADWIN(), values[10:])) > 0


def test_a_drift_event_is_an_alarm_at_the_event_before_it_and_others_are_none() -> None:
    recording = Recording({"press-7": (window(5, 9),)}, readings=False)
    for n in range(10):
        recording.add(reading("press-7", 1.0, n=n))
        recording.add(reading("other", 1.0, n=n))
        if n == 6:
            recording.note(drift())
        if n == 7:
            recording.note(drift(kind="recovered"))
            recording.note(drift("other"))
    scores = recording.score(recording.alarms)
    assert list(scores) == ["other", "press-7"]
    assert (scores["press-7"].alarms, scores["press-7"].hits) == (1, 1)
    assert (scores["other"].alarms, scores["other"].false_alarms) == (1, 1)


def test_the_dummy_raises_as_many_alarms_as_ours_on_each_sensor() -> None:
    recording = recorded({"press-7": (window(200, 300),)}, shifted(400))
    recording.add(reading("other", 1.0, n=0))
    for _ in range(3):
        recording.note(drift())
    by_name = {method.name: method for method in recording.compare()}
    assert tuple(by_name) == METHODS
    assert by_name[DUMMY].by_sensor["press-7"].alarms == 3
    assert by_name[DUMMY].by_sensor["other"].alarms == 0
    assert by_name[DRIFTLINE].by_sensor["press-7"].alarms == 3
    assert by_name[DUMMY].beats_dummy() is None


def test_a_method_beats_the_dummy_only_with_a_higher_f1_for_as_many_alarms() -> None:
    recording = recorded({"press-7": (window(100, 120),)}, [1.0] * 400)
    # One evenly spaced alarm comes at event 200, outside the window.
    assert recording.method("right", {"press-7": [110]}).beats_dummy() is True
    assert recording.method("wrong", {"press-7": [300]}).beats_dummy() is False
    assert recording.method("silent", {}).beats_dummy() is False
    # Twenty come every 20 events, and one of them in the window.
    spaced = list(range(10, 400, 20))
    assert recording.method("spaced", {"press-7": spaced}).beats_dummy("press-7") is False


def test_without_windows_and_alarms_nobody_beats_anybody() -> None:
    recording = recorded({"press-7": ()}, [1.0] * 50)
    assert recording.method("silent", {}).beats_dummy() is None


def test_a_window_in_which_there_is_no_event_is_left_out_and_counted() -> None:
    recording = recorded({"press-7": (window(10, 20), window(500, 600))}, [1.0] * 50)
    assert recording.windows("press-7") == (window(10, 20),)
    assert recording.unused() == 1


def test_windows_of_other_sensors_only_are_refused() -> None:
    recording = recorded({"a": (), "b": (), "c": (), "d": ()}, [1.0])
    with pytest.raises(ConfigurationError) as raised:
        recording.check()
    assert str(raised.value) == (
        "--windows: 'windows of a, b, c and 1 more' is not allowed: "
        "expected windows of a sensor of the data, which holds press-7"
    )
