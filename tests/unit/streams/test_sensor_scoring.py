"""What one event does to its sensor: predict, compare, learn, judge."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from streams.sensor import Sensor, try_out
from tests.pipelines import Partition, command, configured, label, reading


def noise(n: int, level: float = 20.0, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(level, 1.0) for _ in range(n)]


def fed(partition: Partition, values: list[float | None]) -> Sensor:
    """Feed values of press-7 in order, from where the sensor stands."""
    known = partition.pipeline.sensor("press-7")
    done = 0 if known is None else known.events
    partition.feed("sensors", *(reading(value=v, n=done + i) for i, v in enumerate(values)))
    return partition.sensor()


def drifts(partition: Partition) -> list[tuple[str, int]]:
    found = partition.written("alerts")
    return [(a["signal"], a["source"]["offset"]) for a in found if a["kind"] == "drift"]


# Missing readings.


def test_a_null_value_counts_as_scored_and_trains_nothing() -> None:
    partition = Partition(configured(predictions={"enabled": True}))
    before = fed(partition, noise(50)).examples
    sensor = fed(partition, [None, None])
    assert partition.counts.scored == 52
    assert (sensor.events, sensor.examples) == (52, before)
    assert sensor.last_offset == 51
    assert partition.letters() == []
    assert len(partition.written("predictions")) == 52


def test_one_feature_that_is_null_makes_the_whole_reading_missing() -> None:
    partition = Partition(configured(learner={"task": "anomaly"}))
    partition.feed("sensors", reading(features={"a": 1.0, "b": None}))
    sensor = partition.sensor()
    assert (sensor.events, sensor.examples) == (1, 0)
    assert set(sensor.monitors) == {"missing"}


def test_readings_that_cease_are_upstream_drift() -> None:
    partition = Partition(configured(detectors={"warmup": 100}))
    fed(partition, [*noise(300), *[None if n % 2 else 20.0 + n % 5 for n in range(200)]])
    (first, *_) = partition.written("alerts")
    assert (first["signal"], first["kind"], first["diagnosis"]) == ("missing", "drift", "upstream")
    assert first["direction"] == "up"
    assert 290 <= first["change_point"]["offset"] <= first["source"]["offset"] < 420


# Values that would poison a model.

HOSTILE: dict[str, list[float]] = {
    "1e308 beside -1e308": [1e308, -1e308],
    "one 1e30": [1e30],
    "thirty digits": [float("9" * 30), -float("9" * 30)],
    "the smallest": [5e-324, -5e-324],
    "a spike of a thousand": [1020.0],
}


@pytest.mark.parametrize("task", ["forecast", "anomaly"])
@pytest.mark.parametrize("where", [2, 40, 150])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_blinds_nothing(task: str, where: int, name: str) -> None:
    chosen = configured(
        learner={"task": task}, detectors={"warmup": 100}, predictions={"enabled": True}
    )
    partition = Partition(chosen)
    values = noise(400)
    values[where:where] = HOSTILE[name]
    sensor = fed(partition, values)
    assert drifts(partition) == []
    values = noise(200, level=35.0, seed=2)
    sensor = fed(partition, values)
    assert any(400 <= offset < 450 for _, offset in drifts(partition))
    predictions = [p["prediction"] for p in partition.written("predictions")]
    known = [p for p in predictions if p is not None]
    assert all(math.isfinite(p) for p in known)
    if task == "forecast":
        errors = [abs(p - v) for p, v in zip(predictions[-50:], values[-50:], strict=True)]
        assert sum(errors) / 50 < 3.0
        assert sensor.prequential.value is not None
        assert sensor.prequential.value < 15.0


@pytest.mark.parametrize("constant", [0.0, 20.0, 1e12, -3e-7, 1e90])
def test_a_constant_for_days_blinds_nothing(constant: float) -> None:
    partition = Partition(configured(detectors={"warmup": 100}))
    fed(partition, [constant] * 1500)
    assert partition.written("alerts") == []
    fed(partition, [constant + abs(constant) * 0.5 + 1.0] * 60)
    ((_, offset), *_) = drifts(partition)
    assert 1500 <= offset < 1540


def test_thirty_digit_integers_are_read_as_the_nearest_double() -> None:
    partition = Partition(configured())
    raw = reading(value=1.0).replace(b"1.0", b"123456789012345678901234567890")
    partition.feed("sensors", raw)
    assert partition.letters() == []
    assert partition.sensor().champion.learner._lags == (1.2345678901234568e29,)  # type: ignore[attr-defined]


@pytest.mark.parametrize("detectors", [[], ["cusum"]])
def test_a_level_far_from_the_reference_is_learned_whatever_watches_the_value(
    detectors: list[str],
) -> None:
    partition = Partition(
        configured(
            detectors={
                "value": detectors,
                "error": [],
                "warmup": 100,
                "params": {"cusum": {"h": 1e9}},
            },
            predictions={"enabled": True},
        )
    )
    fed(partition, noise(200))
    fed(partition, noise(600, level=1000.0))
    last = partition.written("predictions")[-1]["prediction"]
    assert abs(last - 1000.0) < 30.0


numbers = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("task", ["forecast", "anomaly", "regression", "classification"])
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from("abc"), numbers | st.text(max_size=5) | st.none(), min_size=1
        ),
        min_size=25,
        max_size=35,
    ),
    truth=st.lists(numbers, min_size=1, max_size=5),
)
def test_whatever_the_features_each_event_is_scored_and_the_state_stays_small(
    task: str, rows: list[dict[str, Any]], truth: list[float]
) -> None:
    partition = Partition(
        configured(
            learner={"task": task, "target": "a" if task == "forecast" else None, "grace": 5},
            detectors={"warmup": 10},
            predictions={"enabled": True},
        )
    )
    for n, (features, y) in enumerate(zip(rows, itertools.cycle(truth), strict=False)):
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", y, n=n))
    assert partition.letters() == []
    assert partition.counts.scored == len(rows)
    assert len(pickle.dumps(partition.sensor())) < 500_000
    for prediction in partition.written("predictions"):
        assert prediction["prediction"] is None or math.isfinite(prediction["prediction"])


@pytest.mark.parametrize("task", ["regression", "classification", "anomaly"])
def test_numbers_at_the_end_of_what_there_is_are_scored_from_the_first_event_on(task: str) -> None:
    partition = Partition(configured(learner={"task": task, "grace": 5}))
    for n in range(80):
        features = {"a": 1e300 * (-1.0) ** n, "b": 1e308 / (n + 1), "c": 5e-324}
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", 1e236 * (n % 3 - 1), n=n))
    assert partition.letters() == []
    assert partition.counts.scored == 80


# Bounds.


def test_feature_names_that_keep_changing_take_no_more_room() -> None:
    partition = Partition(configured(learner={"task": "classification"}))
    sizes = []
    for n in range(120):
        features = {f"name-{10 * n + k}": float(k) for k in range(10)}
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", n % 2, n=n))
        sizes.append(len(partition.rows[b'["sensor","press-7"]']))
    assert partition.counts.scored == 120
    assert len(partition.sensor().monitors) <= 256 + 10
    assert sizes[-1] <= 1.2 * sizes[60]


def test_an_event_with_the_most_features_is_scored() -> None:
    partition = Partition(configured(learner={"task": "anomaly"}))
    for n in range(3):
        partition.feed("sensors", reading(n=n, features={f"f-{k}": 1.0 * k for k in range(256)}))
    assert partition.sensor().examples == 3
    assert len(partition.sensor().monitors) == 256 + 1


def test_string_features_are_learned_and_not_watched() -> None:
    partition = Partition(
        configured(learner={"task": "classification"}, predictions={"enabled": True})
    )
    for n in range(200):
        lot = "xyz"[n % 3]
        features = {"lot": lot, "serial": f"number {n}"}
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", f"class {lot}", n=n))
    assert partition.written("predictions")[-1]["prediction"] == f"class {'xyz'[199 % 3]}"
    watched = {name.partition(":")[0] for name in partition.sensor().monitors}
    assert watched == {"missing", "label", "error", "prediction"}


def test_a_sensor_may_change_from_values_to_features_and_back() -> None:
    partition = Partition(configured())
    for n in range(40):
        event = reading(value=20.0, n=n) if n % 2 else reading(n=n, features={"t": 1.0})
        partition.feed("sensors", event)
    assert partition.sensor().events == 40
    assert partition.letters() == []


# Configuration.


def test_a_learner_that_is_configured_otherwise_begins_anew_and_the_rest_goes_on() -> None:
    partition = Partition(configured())
    sensor = fed(partition, noise(60))
    reference = sensor.monitors["value"].reference
    partition.restart(configured(learner={"lags": 5}))
    sensor = partition.sensor()
    assert sensor.champion.version == 2
    assert sensor.champion.learner.learned == 0
    assert sensor.champion.previous is None
    assert "error" not in sensor.monitors
    assert sensor.monitors["value"].reference == reference
    assert sensor.events == 60


def test_a_task_that_is_configured_otherwise_leaves_no_signal_of_the_old_one() -> None:
    partition = Partition(configured(learner={"task": "regression"}))
    for n in range(60):
        features = {"a": 1.0 * (n % 5)}
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", 1.0 * (n % 5), n=n))
    assert {"label", "error"} < set(partition.sensor().monitors)
    partition.restart(configured(learner={"task": "classification"}))
    assert set(partition.sensor().monitors) == {"missing", "feature:a"}


def test_detectors_that_are_configured_otherwise_begin_anew_and_the_model_goes_on() -> None:
    partition = Partition(configured())
    learned = fed(partition, noise(60)).champion.learner.learned
    partition.restart(configured(detectors={"value": ["cusum"]}))
    sensor = partition.sensor()
    assert sensor.monitors == {}
    assert sensor.champion.version == 1
    assert sensor.champion.learner.learned == learned
    fed(partition, [20.0])
    assert [d.name for d in partition.sensor().monitors["value"].detectors] == ["cusum"]


def test_a_change_of_policy_or_grace_makes_nothing_begin_anew() -> None:
    partition = Partition(configured())
    fed(partition, noise(60))
    before = partition.state()
    partition.restart(configured(learner={"grace": 7}, policy={"margin": 0.5}))
    sensor = partition.sensor()
    assert sensor.champion.version == 1
    assert sensor.champion.margin == 0.5
    assert sensor.monitors["value"].reference is not None
    assert partition.state() == before


def test_settings_of_one_sensor_are_its_own() -> None:
    chosen = configured(sensors=[{"match": "oven-*", "learner": {"task": "anomaly"}}])
    partition = Partition(chosen)
    partition.feed("sensors", reading("oven-2", 1.0), reading("press-7", 1.0))
    assert partition.sensor("oven-2").champion.learner.task == "anomaly"
    assert partition.sensor("press-7").champion.learner.task == "forecast"


def test_a_model_that_cannot_be_made_ends_the_start() -> None:
    spec = {"class": "river.linear_model.LinearRegression", "params": {"l3": 1}}
    with pytest.raises(ConfigurationError, match=r"learner\.model"):
        try_out(configured(learner={"model": spec}))


def test_a_detector_that_cannot_be_made_ends_the_start() -> None:
    with pytest.raises(ConfigurationError, match="delta"):
        try_out(configured(detectors={"params": {"adwin": {"delta": "small"}}}))


def test_errors_are_not_watched_before_the_model_has_learned_enough() -> None:
    partition = Partition(configured(learner={"grace": 50}))
    fed(partition, noise(52))
    assert "error" not in partition.sensor().monitors
    fed(partition, noise(5))
    assert "error" in partition.sensor().monitors


def test_a_reset_lets_a_level_that_was_drift_be_normal() -> None:
    partition = Partition(configured(detectors={"warmup": 30, "error": []}))
    fed(partition, noise(60))
    partition.feed("control", command("reset"))
    fed(partition, noise(100, level=60.0))
    assert drifts(partition) == []


# Faults on the way here.


def test_a_stuck_reading_is_told_once_and_trains_nothing() -> None:
    partition = Partition(configured())
    before = fed(partition, noise(200)).champion.learner.learned
    partition.effects.clear()
    sensor = fed(partition, [20.5] * 100)
    (drift,) = partition.written("alerts")
    assert (drift["detector"], drift["signal"]) == ("stuck", "value")
    assert (drift["kind"], drift["diagnosis"], drift["severity"]) == ("drift", "upstream", "high")
    assert drift["change_point"]["offset"] == 200
    assert sensor.events == 300
    assert sensor.champion.learner.learned == before + 31


def test_a_reading_that_moves_again_is_learned_and_the_episode_ends() -> None:
    partition = Partition(configured())
    fed(partition, [*noise(200), *[20.5] * 100])
    partition.effects.clear()
    sensor = fed(partition, noise(60))
    assert [alert["kind"] for alert in partition.written("alerts")] == ["recovered"]
    assert not sensor.hygiene.repeats.stuck
    assert sensor.examples == 200 + 31 + 60


def test_features_are_learned_while_the_value_of_the_same_sensor_is_stuck() -> None:
    partition = Partition(configured(learner={"target": "a"}))
    for n, value in enumerate([*noise(200), *[20.5] * 60]):
        both = (reading(value=value, n=n), reading(features={"a": 1.0 * (n % 7)}, n=n))
        partition.feed("sensors", *both)
    assert partition.sensor().hygiene.repeats.stuck
    before = partition.sensor().examples
    partition.feed("sensors", reading(features={"a": 1.0}, n=260))
    assert partition.sensor().examples == before + 1
