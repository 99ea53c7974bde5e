"""Faults on the way here, through the pipeline: told once, upstream, and they train nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from schemas.errors import ConfigurationError
from schemas.settings import load_settings
from streams.backtest import Backtest
from tests.pipelines import START, Partition, command, configured, label, reading

LIMITS = {"hygiene": {"range": {"value": [-40.0, 125.0], "feature:t*": [0.0, 500.0]}}}


def noise(count: int, seed: int = 1, level: float = 20.0) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(level, 1.0) for _ in range(count)]


def fed(partition: Partition, values: Iterable[Any], *, first: int = 0) -> None:
    for n, value in enumerate(values, first):
        partition.feed("sensors", reading(value=value, n=n))


def told(partition: Partition) -> list[tuple[str, str, str, str, str]]:
    keys = ("kind", "detector", "signal", "diagnosis", "severity")
    return [tuple(alert[key] for key in keys) for alert in partition.written("alerts")]


# Limits.


def test_one_impossible_reading_is_a_warning_and_is_learned_by_nothing() -> None:
    clean, spoilt = Partition(configured(**LIMITS)), Partition(configured(**LIMITS))
    fed(clean, noise(300))
    fed(spoilt, [*noise(300)[:200], -127.0, *noise(300)[200:]])
    (warning, recovered) = spoilt.written("alerts")
    assert told(spoilt)[0] == ("warning", "range", "value", "upstream", "low")
    assert (warning["score"], warning["threshold"], warning["direction"]) == (-127.0, -40.0, "down")
    assert recovered["kind"] == "recovered"
    one, other = clean.sensor(), spoilt.sensor()
    assert other.events == one.events + 1
    assert other.examples == one.examples
    assert other.champion.learner.predict({}) == one.champion.learner.predict({})
    assert other.monitors["value"].reference == one.monitors["value"].reference


def test_impossible_readings_that_persist_are_one_drift_and_freeze_nothing_for_ever() -> None:
    partition = Partition(configured(**LIMITS))
    fed(partition, noise(200))
    before = partition.sensor().examples
    fed(partition, [999.0] * 300, first=200)
    assert told(partition) == [
        ("warning", "range", "value", "upstream", "low"),
        ("drift", "range", "value", "upstream", "high"),
    ]
    drift = partition.written("alerts")[1]
    assert drift["change_point"]["offset"] == 200
    assert drift["source"]["offset"] == 202
    assert partition.sensor().examples == before
    fed(partition, noise(200, seed=2), first=500)
    assert told(partition)[2:] == [("recovered", "range", "value", "upstream", "high")]
    assert partition.sensor().examples == before + 200


def test_a_code_for_no_reading_is_out_of_range_and_not_stuck() -> None:
    partition = Partition(configured(**LIMITS))
    fed(partition, [*noise(200), *[-127.0] * 100])
    assert {detector for _, detector, *_ in told(partition)} == {"range"}
    assert partition.sensor().hygiene.repeats.run == 0


def test_an_event_with_an_impossible_feature_is_scored_and_not_learned() -> None:
    partition = Partition(configured(learner={"task": "classification"}, **LIMITS))
    draw = random.Random(2)
    for n in range(120):
        impossible = n >= 100
        features = {"t1": 900.0 if impossible else draw.gauss(300.0, 5.0), "p": draw.gauss(3.0, 1)}
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", n % 2, n=n))
    assert told(partition) == [
        ("warning", "range", "feature:t1", "upstream", "low"),
        ("drift", "range", "feature:t1", "upstream", "high"),
    ]
    sensor = partition.sensor()
    assert (sensor.events, sensor.examples) == (120, 100)
    assert sensor.monitors["feature:p"].usual.n == 120  # type: ignore[union-attr]
    assert sensor.monitors["feature:t1"].usual.n == 100  # type: ignore[union-attr]


def test_limits_are_a_sensors_own_where_an_override_says_so() -> None:
    overrides = [{"match": "oven-*", "hygiene": {"range": {"value": [0.0, 900.0]}}}]
    partition = Partition(configured(**LIMITS, sensors=overrides))
    partition.feed("sensors", reading("oven-2", 400.0), reading("press-7", 400.0))
    assert [alert["sensor_id"] for alert in partition.written("alerts")] == ["press-7"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("hygiene.range", {"value": [5, 5]}, "lowest and highest"),
        ("hygiene.range", {"value": [True, 5]}, "lowest and highest"),
        ("hygiene.range", {"value": [1]}, "hygiene.range.value"),
        ("hygiene.range", {"temperature": [1, 2]}, "feature:"),
        ("hygiene.checks", ["range", "rust"], "rust"),
        ("hygiene.limit", 5, "hygiene.limit"),
    ],
)
def test_rules_that_mean_nothing_are_refused(key: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        load_settings(None, {key: value})
    assert "\n" not in str(refused.value)


# Rate and clock.


def backtested(times: Iterable[float], **sections: Any) -> list[dict[str, Any]]:
    draw, run, alerts = random.Random(4), Backtest(configured(**sections)), []
    for ts in times:
        message = {"sensor_id": "press-7", "ts": START + ts, "value": draw.gauss(20.0, 1.0)}
        alerts += [json.loads(raw) for raw in run.feed("sensors", json.dumps(message).encode())]
    return alerts


@pytest.mark.parametrize(("factor", "direction"), [(0.5, "down"), (2.0, "up")])
def test_a_changed_rate_is_told_once_as_an_upstream_fault(factor: float, direction: str) -> None:
    times = [60.0 * n for n in range(300)] + [18_000 + 60.0 * factor * n for n in range(300)]
    drift, recovered = backtested(times)
    assert (drift["kind"], drift["detector"], drift["diagnosis"]) == ("drift", "rate", "upstream")
    assert (drift["signal"], drift["direction"]) == ("value", direction)
    assert 300 < drift["source"]["offset"] <= 330
    assert 298 <= drift["change_point"]["offset"] <= 302
    assert drift["before"]["mean"] == pytest.approx(60.0, rel=0.01)
    assert drift["after"]["mean"] == pytest.approx(60.0 * factor, rel=0.1)
    assert recovered["kind"] == "recovered"


def test_a_clock_that_is_set_back_is_an_upstream_fault() -> None:
    times = [60.0 * n for n in range(300)] + [60.0 * n - 7200 for n in range(300, 500)]
    drift, _ = backtested(times)
    assert (drift["kind"], drift["detector"], drift["diagnosis"]) == ("drift", "rate", "upstream")
    assert drift["score"] > drift["threshold"]


def test_a_check_that_is_not_wanted_is_not_made() -> None:
    times = [60.0 * n for n in range(300)] + [18_000 + 30.0 * n for n in range(300)]
    assert backtested(times, hygiene={"checks": ["stuck"]}) == []


def test_times_in_the_far_future_are_told_and_let_no_label_expire() -> None:
    partition = Partition(configured(learner={"task": "classification"}))
    for n in range(100):
        features = {"t": 20.0 + n % 5}
        wrong = n in (60, 61, 62, 63)
        ts = n + (10**9 if wrong else 0)
        partition.feed("sensors", reading(n=ts, features=features, event_id=f"e-{n}"))
    for n in range(100):
        partition.feed("labels", label("press-7", f"e-{n}", n % 2, n=100 + n))
    assert partition.counts.labels == {"matched": 100}
    assert ("warning", "rate", "value", "upstream", "low") in told(partition)


# What is common to all.


def test_missing_readings_are_told_by_their_check_and_their_return_by_nothing() -> None:
    partition = Partition(configured())
    fed(partition, [*noise(300), *[None] * 150, *noise(300)])
    assert told(partition) == [
        ("drift", "missing", "missing", "upstream", "high"),
        ("recovered", "missing", "missing", "upstream", "high"),
    ]


def test_a_restored_sensor_goes_on_in_the_middle_of_a_fault() -> None:
    values = [*noise(200), *[999.0] * 5, *noise(60, seed=3)]
    through, stopped = Partition(configured(**LIMITS)), Partition(configured(**LIMITS))
    fed(through, values)
    for n, value in enumerate(values):
        stopped.feed("sensors", reading(value=value, n=n))
        stopped.restart()
    assert through.written("alerts") == stopped.written("alerts")
    assert through.state() == stopped.state()


def test_a_reset_forgets_what_is_suspected() -> None:
    partition = Partition(configured(**LIMITS))
    fed(partition, [*noise(100), *[999.0] * 5])
    partition.feed("control", command("reset"))
    assert partition.sensor().hygiene.at_rest


# Schema.


def features_fed(partition: Partition, events: Iterable[dict[str, Any]]) -> None:
    for n, features in enumerate(events):
        partition.feed("sensors", reading(n=n, features=features, event_id=f"e-{n}"))
        partition.feed("labels", label("press-7", f"e-{n}", n % 2, n=n))


def ovens(count: int) -> list[dict[str, Any]]:
    draw = random.Random(11)
    return [
        {"t": draw.gauss(300.0, 5.0), "p": draw.gauss(3.0, 1.0), "lot": draw.choice("ABC")}
        for _ in range(count)
    ]


def vanished(event: dict[str, Any]) -> None:
    del event["p"]


def new(event: dict[str, Any]) -> None:
    event["x"] = 1.0


def retyped(event: dict[str, Any]) -> None:
    event["p"] = "low"


def relabelled(event: dict[str, Any]) -> None:
    event["lot"] = "Z"


@pytest.mark.parametrize(
    ("change", "name"), [(vanished, "p"), (new, "x"), (retyped, "p"), (relabelled, "lot")]
)
def test_another_schema_is_told_once_as_an_upstream_fault(change: Any, name: str) -> None:
    learner, episodes = {"task": "classification"}, {"quiet_events": 200}
    partition = Partition(configured(learner=learner, episodes=episodes))
    events = ovens(300)
    for event in events[200:]:
        change(event)
    features_fed(partition, events)
    drifts = [each for each in told(partition) if each[0] == "drift"]
    assert drifts == [("drift", "schema", f"feature:{name}", "upstream", "high")]


def test_events_without_a_feature_that_was_always_there_are_not_learned_for_a_while() -> None:
    partition = Partition(configured(learner={"task": "classification"}))
    events = ovens(300)
    for event in events[200:]:
        vanished(event)
    features_fed(partition, events)
    # Found after ten, and the new normal as long after that as a warm-up takes.
    assert partition.sensor().examples == 300 - (10 + 30 + 1)


def test_a_sensor_that_turns_from_a_value_to_features_is_told() -> None:
    partition = Partition(configured())
    fed(partition, noise(200))
    for n in range(200, 300):
        partition.feed("sensors", reading(n=n, features={"value": 20.0}))
    assert told(partition)[0] == ("drift", "schema", "value", "upstream", "high")
    assert partition.letters() == []


# Units.


def told_of(partition: Partition) -> list[tuple[str, str, int]]:
    alerts = partition.written("alerts")
    return [(a["kind"], a["detector"], a["source"]["offset"]) for a in alerts]


def fahrenheit(values: list[float]) -> list[float]:
    return [1.8 * value + 32.0 for value in values]


UNITS = {"detectors": {"warmup": 60}, "episodes": {"quiet_events": 150}}


@pytest.mark.parametrize("seed", range(5))
def test_another_unit_is_named_within_thirty_readings_and_not_learned(seed: int) -> None:
    partition = Partition(configured(**UNITS))
    fed(partition, noise(300, seed))
    before = partition.sensor().examples
    fed(partition, fahrenheit(noise(50, 100 + seed)), first=300)
    ((kind, detector, offset),) = told_of(partition)
    assert (kind, detector) == ("drift", "unit")
    assert offset < 331
    drift = partition.written("alerts")[0]
    assert drift["diagnosis"] == "upstream"
    assert drift["after"]["n"] >= 30
    assert drift["change_point"]["offset"] == 300
    assert partition.sensor().examples <= before + 26


def test_when_the_old_unit_is_back_model_and_detectors_go_on_as_before() -> None:
    clean, spoilt = Partition(configured(**UNITS)), Partition(configured(**UNITS))
    fed(clean, noise(600))
    fed(spoilt, [*noise(600)[:300], *fahrenheit(noise(50, 2)), *noise(600)[300:]])
    assert [kind for kind, *_ in told_of(spoilt)] == ["drift", "recovered"]
    one, other = clean.sensor(), spoilt.sensor()
    assert other.monitors["value"].reference == one.monitors["value"].reference
    assert other.champion.version == 1
    assert one.prequential.value is not None
    assert other.prequential.value is not None
    expected, found = one.champion.learner.predict({}), other.champion.learner.predict({})
    assert found == pytest.approx(expected, abs=0.7)


def test_a_unit_that_stays_is_accepted_and_a_new_model_learns_it() -> None:
    partition = Partition(configured(**UNITS))
    fed(partition, [*noise(300), *fahrenheit(noise(400, 2))])
    sensor = partition.sensor()
    assert sensor.hygiene.units == {}
    assert 200 < sensor.champion.learner.learned < 330
    reference = sensor.monitors["value"].reference
    assert reference is not None
    assert reference.mean == pytest.approx(68.0, abs=1.0)
    prediction = sensor.champion.learner.predict({})
    assert isinstance(prediction, float)
    assert abs(prediction - 68.0) < 5.0
    assert [kind for kind, *_ in told_of(partition)] == ["drift", "recovered"]


def test_a_command_to_relearn_accepts_another_unit_at_once() -> None:
    partition = Partition(configured(**UNITS))
    fed(partition, [*noise(300), *fahrenheit(noise(50, 2))])
    assert partition.sensor().hygiene.units
    before = partition.sensor().examples
    partition.feed("control", command("relearn"))
    fed(partition, fahrenheit(noise(10, 3)), first=350)
    assert partition.sensor().examples == before + 10


def test_a_jump_of_the_process_is_told_as_a_drift_without_delay() -> None:
    partition = Partition(configured(**UNITS))
    fed(partition, [*noise(300), *noise(60, 2, level=50.0)])
    ((kind, detector, offset),) = told_of(partition)
    assert (kind, detector) == ("drift", "page-hinkley")
    assert offset < 325


def test_a_jump_that_ends_before_it_is_understood_is_told_as_a_drift() -> None:
    partition = Partition(configured(**UNITS))
    fed(partition, [*noise(300), *fahrenheit(noise(25, 2)), *noise(100, 3)])
    (drift,) = [each for each in told_of(partition) if each[0] == "drift"]
    assert drift[1] == "page-hinkley"
    assert drift[2] < 335


def test_a_jump_of_the_daily_kind_is_no_other_unit() -> None:
    draw, values = random.Random(12), noise(108, level=20.0)
    values += [min(68.0 + 0.8 * n, 80.0) + draw.gauss(0.0, 4.0) for n in range(100)]
    partition = Partition(configured(detectors={"warmup": 100}))
    fed(partition, values)
    assert [detector for kind, detector, _ in told_of(partition) if kind == "drift"] == [
        "page-hinkley"
    ]


def test_a_feature_in_another_unit_keeps_the_event_from_the_model() -> None:
    partition = Partition(configured(learner={"task": "classification"}, **UNITS))
    events = ovens(300)
    for event in events[200:]:
        event["t"] = 1000.0 * event["t"]
    features_fed(partition, events)
    assert told_of(partition)[0][:2] == ("drift", "unit")
    assert partition.written("alerts")[0]["signal"] == "feature:t"
    assert partition.sensor().examples < 200 + 10 + 40
